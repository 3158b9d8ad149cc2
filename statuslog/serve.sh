#!/bin/sh
# Start one service, in a container or under `manage_all.sh run`: bring what it keeps up to date, then become
# gunicorn. Usage: statuslog/serve.sh service1|service2|storage
set -eu

service=${1:-}
case $service in
    service1) address=127.0.0.1:8199 ;;
    service2) address=127.0.0.1:8201 ;;
    storage) address=127.0.0.1:8202,127.0.0.1:8200 ;;
    *)
        echo "usage: statuslog/serve.sh service1|service2|storage" >&2
        exit 2
        ;;
esac

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root/$service"

# A setting that cannot work ends here with one line, before anything listens.
python manage.py prepare

export BIND="${BIND:-$address}"
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
exec gunicorn --config "$root/statuslog/gunicorn_conf.py" "$service.wsgi"
