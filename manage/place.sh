#!/usr/bin/env bash
# Where a command works: on the Compose stack or on the local data, and what the settings for that are. Sourced by
# manage_all.sh.
# shellcheck disable=SC2034 # what is set here is used there

# take_mode ARGUMENT...: MODE is docker or local, REST holds the other arguments, and VSTORAGE_PATH and LOG_PLACE say where
# the stores are
take_mode() {
    MODE='' REST=()
    local argument
    for argument in "$@"; do
        case $argument in
        --docker | --local) MODE=${argument#--} ;;
        *) REST+=("$argument") ;;
        esac
    done
    [[ -n $MODE ]] || if stack_is_up; then MODE=docker; else MODE=local; fi
    if [[ $MODE == docker ]]; then
        need_engine
        VSTORAGE_PATH=$ROOT/vstorage LOG_PLACE='the volume of storage'
    else
        local_settings
        LOG_PLACE=$DATA_DIR/storage
    fi
    look_for_changes
    [[ -z $CHANGES || $COMMAND == status ]] || echo "manage_all.sh: $CHANGES" >&2
}

engine_answers() { timeout 10 docker info &>/dev/null && docker compose version &>/dev/null; }

need_engine() {
    engine_answers || die "no Docker engine with Compose answers; start or install one, or use ./manage_all.sh run"
}

stack_is_up() { [[ -n $(timeout 10 docker compose ps --status running --quiet 2>/dev/null) ]]; }

# running_services: prints which of the stack's services have a running container, service1 first
running_services() {
    timeout 10 docker compose ps --status running --services 2>/dev/null | grep -xE 'service1|service2|storage' | sort || true
}

# manage SERVICE ARGUMENT...: that service's manage.py where its data is
manage() {
    local service=$1
    shift
    if [[ $MODE == local ]]; then
        need_venv requirements.txt
        local_manage "$service" "$@"
        return
    fi
    local name options=()
    [[ -t 0 && -t 1 ]] || options+=(-T)
    for name in DJANGO_SUPERUSER_USERNAME DJANGO_SUPERUSER_PASSWORD DJANGO_SUPERUSER_EMAIL; do
        [[ ! -v $name ]] || options+=(--env "$name=${!name}")
    done
    docker compose exec "${options[@]}" "$service" python "$service/manage.py" "$@"
}

local_manage() {
    local service=$1
    shift
    mkdir -p -- "$DATA_DIR" || die "cannot make the folder DATA_DIR=$DATA_DIR"
    "$VENV/bin/python" "$service/manage.py" "$@"
}

# lines_of FILE: how many it has, as 1 line, or 2 lines
lines_of() {
    local count=no
    [[ ! -r $1 ]] || count=$(wc -l <"$1")
    echo "$count line$([[ $count == 1 ]] || echo s)"
}

# local_settings: DATA_DIR, VSTORAGE_PATH and the ports, from the environment, else from .env, else the defaults
local_settings() {
    [[ -z ${DATA_DIR:-} ]] || DATA_DIR=$(absolute "$CALLED_FROM" "$DATA_DIR")
    [[ -z ${VSTORAGE_PATH:-} ]] || VSTORAGE_PATH=$(absolute "$CALLED_FROM" "$VSTORAGE_PATH")
    read_dotenv # a relative path in there counts from the file, not from the caller
    DATA_DIR=$(absolute "$ROOT" "${DATA_DIR:-data}")
    VSTORAGE_PATH=$(absolute "$ROOT" "${VSTORAGE_PATH:-vstorage}")
    RUN_DIR=$DATA_DIR/run
    : "${SERVICE1_PORT:=8199}" "${ADMIN_PORT:=8200}" "${SERVICE2_PORT:=8201}" "${STORAGE_PORT:=8202}" "${METRICS_PORT:=8203}"
    export DATA_DIR VSTORAGE_PATH SERVICE1_PORT ADMIN_PORT SERVICE2_PORT STORAGE_PORT METRICS_PORT
    name_urls
}

# name_urls: where the services of a run are
name_urls() {
    export STORAGE_URL=http://127.0.0.1:$STORAGE_PORT SERVICE2_URL=http://127.0.0.1:$SERVICE2_PORT
}

# absolute FOLDER PATH: PATH without dots and links, taken from FOLDER if it is relative
absolute() { (cd -- "$1" && realpath -m -- "$2"); }

# read_dotenv: NAME=VALUE lines of .env, as Compose reads them: the environment wins, quotes and " # comments" go. Other
# than Compose it takes a $ as it stands. The file is data: nothing in it is run.
read_dotenv() {
    [[ -f .env ]] || return 0
    local line name value mark=$'\xEF\xBB\xBF' # a byte order mark, as editors of Windows write it, is no content
    while IFS= read -r line || [[ -n $line ]]; do
        line=${line#"$mark"} mark=''
        [[ $line =~ ^[[:space:]]*(export[[:space:]]+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$ ]] || continue
        name=${BASH_REMATCH[2]} value=${BASH_REMATCH[3]%$'\r'}
        if [[ $value =~ ^\"([^\"]*)\" || $value =~ ^\'([^\']*)\' ]]; then
            value=${BASH_REMATCH[1]}
        else
            value=${value%%[[:space:]]#*}
            value=${value%"${value##*[![:space:]]}"}
        fi
        [[ -v $name ]] || export "$name=$value"
    done <.env
}
