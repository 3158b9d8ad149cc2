#!/bin/sh
# Start one service, in a container or under `manage_all.sh run`: bring what it keeps up to date, then become
# gunicorn. Usage: statuslog/serve.sh service1|service2|storage
set -eu

service=${1:-}
case $service in
    service1) address=127.0.0.1:8199,127.0.0.1:8203 ;;
    service2) address=127.0.0.1:8201 ;;
    storage) address=127.0.0.1:8202,127.0.0.1:8200 ;;
    *)
        echo "usage: statuslog/serve.sh service1|service2|storage" >&2
        exit 2
        ;;
esac

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root/$service"

# Events are lines of JSON, unless told otherwise; a command that somebody calls writes text.
export LOG_FORMAT="${LOG_FORMAT:-json}"

# A setting that cannot work ends here with one line, before anything listens.
python manage.py prepare

# Else the C library gives each new thread a heap of its own, which only grows: megabytes for each, and threads come
# and go with the load. Python lets one thread run at a time, so two heaps are as quick as many.
export MALLOC_ARENA_MAX=2
# What the worker processes count (statuslog/metrics.py) is in memory: a file that is mapped from a full disk kills who
# writes to it. A folder for this start; gunicorn's master, which becomes this process, removes it.
memory=/dev/shm
[ -w "$memory" ] || memory=/tmp
PROMETHEUS_MULTIPROC_DIR=$(mktemp -d "$memory/statuslog-$service-$$.XXXXXX")
export PROMETHEUS_MULTIPROC_DIR
export BIND="${BIND:-$address}"
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
# Whatever a service says goes to its standard output; that of a command is its result, and what it logs goes beside it.
exec gunicorn --config "$root/statuslog/gunicorn_conf.py" "$service.wsgi" 2>&1
