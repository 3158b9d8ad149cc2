#!/bin/sh
# Start one service, in a container or under `manage_all.sh run`: what a Python process must be given before it
# begins; serve.py does the rest. Usage: statuslog/serve.sh service1|service2|storage
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
# Else the C library gives each new thread a heap of its own, which only grows: megabytes for each, and threads come
# and go with the load. Python lets one thread run at a time, so two heaps are as quick as many.
export MALLOC_ARENA_MAX=2
export BIND="${BIND:-$address}"
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
exec python -m statuslog.serve "$service"
