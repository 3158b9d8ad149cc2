#!/usr/bin/env bash
# Everything that is done to this system by hand or by CI: ./manage_all.sh help
#
# Works from any directory. What touches data works on the Compose stack when that is up, else on the local data.
# Lines that begin with ## are the help, each group above the function that does it.

# Every shell can read these lines, also the bash 3.2 of macOS. What follows needs bash 4.4 and Linux's tools.
case $(uname):$BASH_VERSION in
Linux:4.[4-9]* | Linux:[5-9].* | Linux:[1-9][0-9]*) ;;
*)
    echo "manage_all.sh: needs Linux with bash 4.4 or newer; elsewhere use Docker: docker compose up --build" >&2
    exit 1
    ;;
esac

set -euo pipefail
shopt -s inherit_errexit

ROOT=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
readonly ROOT CALLED_FROM=$PWD
readonly VENV=$ROOT/.venv
readonly SERVICES=(service1 service2 storage) # each before those it calls, which is the order to stop them in

# shellcheck source=manage/venv.sh
source "$ROOT/manage/venv.sh"
# shellcheck source=manage/place.sh
source "$ROOT/manage/place.sh"
# shellcheck source=manage/changed.sh
source "$ROOT/manage/changed.sh"
# shellcheck source=manage/run.sh
source "$ROOT/manage/run.sh"
# shellcheck source=manage/keep.sh
source "$ROOT/manage/keep.sh"

die() {
    echo "manage_all.sh: $*" >&2
    exit 1
}

# usage_error WHAT: what is wrong with the arguments of COMMAND, and what it takes
usage_error() {
    printf 'manage_all.sh: %s\n%s\n' "$*" "$(help_of "$COMMAND" | head -n 1)" >&2
    exit 2
}

## help [COMMAND]
##   Print this, or what COMMAND takes and does, as COMMAND --help does.
cmd_help() {
    (($# <= 1)) || usage_error "help takes one COMMAND, not: $*"
    if (($#)); then
        help_of "$1"
        return
    fi
    echo "usage: ./manage_all.sh COMMAND [ARGUMENT...]"
    sed -n -e 's/^##   /      /p' -e 's/^## /\n  /p' "$ROOT/manage_all.sh"
}

# help_of COMMAND: its part of the help, which begins with how it is used
help_of() {
    [[ $(commands) =~ (^|\|)"$1"($|\|) ]] || usage_error "no command $1"
    awk -v name="$1" '
        $1 == "##" && !/^##  / { found = $2 == name; if (found) print "usage: ./manage_all.sh" substr($0, 3) }
        found && /^##   / { print "  " substr($0, 6) }' "$ROOT/manage_all.sh"
}

# commands: their names, as help|setup|…
commands() { declare -F | sed -n 's/^declare -f cmd_//p' | paste -sd '|'; }

## setup
##   Make or refresh .venv from requirements.txt; run does it by itself. STATUSLOG_PYTHON names the interpreter
##   to use, else the first Python >= 3.11 on the PATH is taken.
cmd_setup() {
    (($# == 0)) || usage_error "setup takes no arguments, not: $*"
    need_venv requirements.txt
}

## run [--detach | --stop]
##   Start the three services on 127.0.0.1 and [::1] without Docker; Ctrl-C stops them. --detach returns when they are
##   ready, --stop ends them. A service that ends by itself is started again. SERVICE1_PORT, ADMIN_PORT, SERVICE2_PORT,
##   STORAGE_PORT, METRICS_PORT, DATA_DIR and VSTORAGE_PATH let two copies run side by side.
##   Logs and pid files are in DATA_DIR/run.
cmd_run() {
    case "$*" in
    "") hide_growth && run_services ;;
    --detach) hide_growth && run_services --detach ;;
    --stop) run_stop ;;
    --keep) run_keeper ;; # of --detach alone
    *) usage_error "run takes --detach or --stop, not: $*" ;;
    esac
}

# hide_growth: what the system appends to vstorage is not a change to commit; where there is no git there is none to hide
hide_growth() { git update-index --skip-worktree vstorage &>/dev/null || true; }

## up [ARGUMENT...]
##   Build and start the Compose stack; returns when every service is healthy.
cmd_up() {
    need_engine
    hide_growth
    need_compose_options up "$@"
    docker compose up --build --detach --wait "$@"
    local door
    door=$(door_of service1 8000)
    printf 'page    %s\nstatus  %s\n' "$door/" "$door/status"
    # docker-compose.postgres.yml gives the admin a container of its own.
    echo "admin   $(door_of admin 8001 2>/dev/null || door_of storage 8001)/admin/"
}

# door_of SERVICE PORT: prints the address at which this host reaches that port of the container
door_of() {
    local address
    address=$(docker compose port "$1" "$2") || return
    case $address in
    0.0.0.0:* | *::\]:* | :::*) address=localhost:${address##*:} ;; # published at all addresses
    esac
    echo "http://$address"
}

## down [ARGUMENT...]
##   Stop the Compose stack. The log stays in its volume; "down --volumes" deletes that too.
cmd_down() {
    need_engine
    need_compose_options down "$@"
    docker compose down "$@"
}

# need_compose_options SUBCOMMAND ARGUMENT...: Compose takes the options among the arguments
need_compose_options() {
    local subcommand=$1 option known
    known=$(docker compose "$subcommand" --help)
    shift
    for option; do
        [[ $option != -* || $option =~ ^-[0-9]*$ ]] || grep -qwF -e "${option%%=*}" <<<"$known" ||
            usage_error "$subcommand does not take: $option"
    done
}

## status [--docker | --local] [--json]
##   Show on one screen how the services are and why, the outboxes, the sizes of both stores, whether their first and
##   last lines are equal, whether the settings have changed since the start, and the last records; --json prints it as
##   an object. Exit code 0: all is right.
cmd_status() {
    take_mode "$@"
    local name inside='' python urls=() options=()
    case "${REST[*]}" in
    "") [[ ! -t 1 || -n ${NO_COLOR:-} || ${TERM:-dumb} == dumb ]] || options+=(--colour) ;;
    --json) options+=(--json) ;;
    *) usage_error "status does not take: ${REST[*]}" ;;
    esac
    options+=(--named "$VSTORAGE_PATH" --changed "$CHANGED" --changes "$CHANGES")
    if [[ $MODE == local ]]; then
        python=$VENV/bin/python
        [[ -x $python ]] || die "no .venv yet, so nothing has run here; ./manage_all.sh run makes it"
        for name in "${SERVICES[@]}"; do
            urls+=("$name=http://127.0.0.1:$(port_of "$name")")
        done
    else
        inside=$(running_services | head -n 1)
        for name in "${SERVICES[@]}"; do
            urls+=("$name=$(! running_services | grep -qx "$name" || echo "http://$name:8000")")
        done
    fi
    if [[ -n $inside ]]; then # one that runs can ask the others
        docker compose exec -T "$inside" python - "${options[@]}" --vstorage /vstorage "${urls[@]}" <manage/status.py
    else
        PYTHONPATH=$ROOT "${python:-$(find_python)}" manage/status.py "${options[@]}" --vstorage "$VSTORAGE_PATH" "${urls[@]}"
    fi
}

## logs [--docker | --local] [--follow | --request ID] [SERVICE]
##   Print the last events that the services have logged, or with --follow go on printing them. --request prints all
##   events of one request, by its X-Request-ID or its trace id, in the order of time. On a terminal they are made
##   readable; elsewhere they are as they were logged, lines of JSON.
cmd_logs() {
    take_mode "$@"
    local follow=() names=() request='' shown=(cat)
    [[ ! -t 1 ]] || shown=(sed --unbuffered --regexp-extended --file "$ROOT/manage/events.sed")
    set -- "${REST[@]}"
    while (($#)); do
        case $1 in
        -f | --follow) follow=(--follow) ;;
        --request)
            [[ ${2:-} =~ ^[A-Za-z0-9._-]{1,64}$ ]] || usage_error "logs --request takes a request's id, not: ${2:-}"
            request=$2
            shift
            ;;
        service1 | service2 | storage) names+=("$1") ;;
        *) usage_error "logs does not take: $1" ;;
        esac
        shift
    done
    [[ -z $request || ${#follow[@]} == 0 ]] || usage_error "logs takes --follow or --request, not both"
    [[ $MODE == docker || -d $RUN_DIR ]] || die "no logs in $RUN_DIR; ./manage_all.sh run writes them"
    if [[ -n $request ]]; then
        logs_of_request "$request" "${names[@]}" | "${shown[@]}"
    elif [[ $MODE == docker ]]; then
        docker compose logs --tail 100 "${follow[@]}" "${names[@]}" | "${shown[@]}"
    else
        ((${#names[@]})) || names=("${SERVICES[@]}")
        (cd -- "$RUN_DIR" && tail -n 100 "${follow[@]/#--follow/-F}" "${names[@]/%/.log}") | "${shown[@]}"
    fi
}

# logs_of_request ID [SERVICE...]: its events, also those of a batch that brought its record. Each begins with its time.
logs_of_request() {
    local id=$1 name events
    shift
    (($#)) || set -- "${SERVICES[@]}"
    events=$(
        if [[ $MODE == docker ]]; then
            docker compose logs --no-log-prefix --no-color "$@"
        else
            for name; do
                cat -- "$RUN_DIR/$name.log.1" "$RUN_DIR/$name.log" 2>/dev/null || true # there may be none of before
            done
        fi | grep -E -e "\"(request|trace)_id\": \"${id//./[.]}\"|\"batch\": \[[^]]*\"${id//./[.]}\"" \
            -e " (request|trace)_id=${id//./[.]}( |\$)| batch=([^ ]*,)?${id//./[.]}(,| |\$)" | LC_ALL=C sort
    ) || die "no event of the request $id in the logs"
    printf '%s\n' "$events"
}

## tail [--docker | --local] [-f] [-n N]
##   Print the last N records of the log, 10 unless told otherwise, in the order of time. With -f print the last N that
##   have arrived, in the order of arrival, and go on with each that comes, until Ctrl-C: a record that waited in an
##   outbox arrives late.
cmd_tail() {
    take_mode "$@"
    local count=10 follow=()
    set -- "${REST[@]}"
    while (($#)); do
        case $1 in
        -f | --follow) follow=(--follow) ;;
        -n)
            [[ ${2:-} =~ ^[0-9]+$ ]] || usage_error "tail -n takes a number, not: ${2:-}"
            count=$2
            shift
            ;;
        *) usage_error "tail does not take: $1" ;;
        esac
        shift
    done
    # exec, so that a signal to this script ends who follows.
    if [[ $MODE == docker ]]; then
        exec docker compose exec -T service1 python - http://127.0.0.1:8000 "$count" "${follow[@]}" <manage/tail.py
    fi
    need_venv requirements.txt
    PYTHONPATH=$ROOT exec "$VENV/bin/python" manage/tail.py "http://127.0.0.1:$SERVICE1_PORT" "$count" "${follow[@]}"
}

## migrate [--docker | --local] [ARGUMENT...]
##   Bring the databases up to date, the log's and the outboxes'; every start does it too. With arguments, such
##   as logs 0001, storage's alone.
cmd_migrate() {
    take_mode "$@"
    manage storage migrate "${REST[@]}"
    ((${#REST[@]})) || for_each_outbox migrate
}

## makemigrations [ARGUMENT...]
##   Write the migrations that changed models need, in this source tree; --check only asks whether any are missing.
cmd_makemigrations() {
    need_venv requirements.txt
    local_settings
    local_manage storage makemigrations "$@"
}

## schema [--check]
##   Write openapi.json of each service, which GET /schema hands out, as the changed code needs it; --check only asks
##   whether they are current.
cmd_schema() {
    [[ $* =~ ^(--check)?$ ]] || usage_error "schema takes --check, not: $*"
    need_venv requirements-dev.txt
    "$VENV/bin/python" -m openapi "$@"
}

## createsuperuser [--docker | --local] [ARGUMENT...]
##   Make a user for the admin. With --noinput, user name and password are taken from DJANGO_SUPERUSER_USERNAME,
##   DJANGO_SUPERUSER_PASSWORD and DJANGO_SUPERUSER_EMAIL.
cmd_createsuperuser() {
    take_mode "$@"
    manage storage createsuperuser "${REST[@]}"
}

## reset [--docker | --local] [--yes]
##   Empty both stores, the log and vstorage, and the outboxes, in place; admin users stay. Works while the
##   system runs. Asks first, unless --yes is given.
cmd_reset() {
    take_mode "$@"
    case "${REST[*]}" in
    --yes) ;;
    "") [[ -t 0 ]] || usage_error "reset asks first, and there is no terminal to ask on: say reset --yes" ;;
    *) usage_error "reset does not take: ${REST[*]}" ;;
    esac
    [[ -f $VSTORAGE_PATH && -w $VSTORAGE_PATH ]] || die "cannot write to $VSTORAGE_PATH; nothing was deleted"

    local storage from to
    coproc STORAGE { manage storage reset; }
    storage=$STORAGE_PID from=${STORAGE[0]} to=${STORAGE[1]}
    read -r -d '?' REPLY <&"$from" || die "the log cannot be emptied; nothing was deleted"
    echo "$REPLY, in $LOG_PLACE"
    echo "Delete $(lines_of "$VSTORAGE_PATH") of $VSTORAGE_PATH"
    echo "Delete what waits in the outboxes of service1 and service2"
    if [[ ${REST[*]} != --yes ]] && ! says_yes "All, for good?"; then
        echo n >&"$to"
        wait "$storage" # it says that nothing was deleted, and fails
    fi
    for_each_outbox reset --yes # first, so that nothing of before comes to the emptied log
    # The services hold this very lock while they write to both stores, so no record falls between the two. It
    # is taken only now that storage's command has started, which takes a second, and held for milliseconds.
    exec 9<>"$VSTORAGE_PATH"
    flock --timeout 10 9 || die "something holds the lock on $VSTORAGE_PATH, lsof names it; the log and vstorage are as they were"
    echo y >&"$to"
    read -r -d ']' <&"$from" || true # the rest of its question
    read -r REPLY <&"$from" || die "the log was not emptied, and vstorage neither"
    : >"$VSTORAGE_PATH" # in place: a container's bind mount keeps the file it was given
    exec 9>&-
    echo "$REPLY, emptied $VSTORAGE_PATH"
}

## outbox [--docker | --local] [--export | --send | --remove [--yes]]
##   Show what waits in the outboxes of service1 and service2, and which records storage has refused and why. --export
##   prints them all as lines that import takes, --send sends the refused ones again, --remove removes them.
cmd_outbox() {
    take_mode "$@"
    case "${REST[*]}" in
    "" | --export | --send | "--remove --yes" | "--yes --remove") ;;
    --remove) [[ -t 0 ]] || usage_error "outbox --remove asks first, and there is no terminal to ask on: add --yes" ;;
    *) usage_error "outbox does not take: ${REST[*]}" ;;
    esac
    for_each_outbox outbox "${REST[@]}"
}

## clock [--docker | --local] [--repair [--yes]]
##   Show what a clock that was ahead has left: records from after now. --repair, when the clock is right again, takes
##   them out of both stores into a file, sets those of the outboxes aside, and lets all new records have their true
##   time. Nothing is deleted: import takes the file when its time has come, or when the times in it were corrected.
cmd_clock() {
    take_mode "$@"
    case "${REST[*]}" in
    "")
        need_log
        manage storage clock
        for_each_outbox clock
        return
        ;;
    "--repair --yes" | "--yes --repair") ;;
    --repair)
        [[ -t 0 ]] || usage_error "clock --repair asks first, and there is no terminal to ask on: add --yes"
        says_yes "Is it now $(date --utc '+%Y-%m-%d %H:%M') UTC? What is from after that is taken out of both stores." ||
            die "nothing was changed"
        ;;
    *) usage_error "clock does not take: ${REST[*]}" ;;
    esac
    need_log
    for_each_outbox clock --repair # first: from then on no record follows those that are taken out
    manage storage clock --repair
    manage service1 clock --repair # a service may have read them from the log in between
    follow_log
}

## verify [--docker | --local] [--repair]
##   Compare the two stores: "equal" and exit code 0, or the first difference. --repair makes vstorage the copy of
##   the log again, while the system runs. Lines that vstorage alone has are kept aside in a file, which it names.
cmd_verify() {
    take_mode "$@"
    case "${REST[*]}" in
    "" | --repair) manage service1 verify "${REST[@]}" ;;
    *) usage_error "verify does not take: ${REST[*]}" ;;
    esac
}

## import [--docker | --local] [--dry-run] FILE|-
##   Bring the lines of an older log (a vstorage, also of another program, or records as NDJSON) into both stores, each at
##   its own time, from FILE or from what is piped in, while the system runs. Lines that the log has already are left alone,
##   so it can be repeated, and goes on where it was stopped. Lines without a time are named and left out; the exit code is
##   1. A file of which none of the first 100 lines is good is refused. --dry-run only says what would be stored.
cmd_import() {
    take_mode "$@"
    local argument file='' dry='' options=() code=0
    for argument in "${REST[@]}"; do
        case $argument in
        --dry-run) dry=yes options+=(--dry-run) ;;
        -?*) usage_error "import does not take: $argument" ;;
        *)
            [[ -z $file ]] || usage_error "import takes one FILE, not also: $argument"
            file=$argument
            ;;
        esac
    done
    [[ -n $file ]] || usage_error "import takes one FILE, or - for what is piped in"
    if [[ $file != - ]]; then
        [[ $file == /* ]] || file=$CALLED_FROM/$file
        [[ ! -d $file && -r $file ]] || die "cannot read $file; nothing was imported"
        exec <"$file"
        options+=(--size "$(stat --dereference --format %s -- "$file")")
    fi
    [[ ! -t 2 ]] || options+=(--progress)
    need_log
    manage storage import_log "${options[@]}" || code=$?
    if ((code >= 128)); then # stopped by a signal: the services see to the rest
        echo "vstorage follows by itself while the services run" >&2
        return "$code"
    fi
    [[ -n $dry ]] || follow_log </dev/null
    return "$code"
}

## backup [--docker | --local] [--force] FILE
##   Write a checked copy of the log's database, the admin's users included, to FILE, while the system runs. A FILE
##   that exists is replaced only with --force.
cmd_backup() {
    take_mode "$@"
    take_file backup --force
    [[ ! -d $FILE ]] || die "$FILE is a folder; name a file in it"
    [[ ! -e $FILE || -n $GIVEN ]] || die "$FILE exists; --force replaces it"
    [[ $MODE == docker ]] || need_venv requirements.txt # what it may print must not get into the copy
    local summary
    PART=$(mktemp -- "$FILE.XXXXXX" 2>&1) ||
        die "cannot write to the folder of $FILE (${PART##*: }); make the folder, or name another FILE"
    trap 'rm -f -- "$PART"' EXIT
    local code=0 stopped=''
    # A signal comes to storage's command as well, which says how things are; this one says it to the caller.
    trap 'stopped=129' HUP
    trap 'stopped=130' INT
    trap 'stopped=143' TERM
    summary=$(manage storage backup 2>&1 >"$PART") || code=$?
    trap - HUP INT TERM
    [[ $code == 0 && -z $stopped ]] || { echo "manage_all.sh: ${summary:-no backup was made}" >&2 && exit "${stopped:-$code}"; }
    [[ $summary == *"sha256 $(sha256sum <"$PART" | cut -c 1-64)" ]] || die "the copy did not arrive whole: $summary"
    sync -- "$PART"
    if [[ -n $GIVEN ]]; then
        mv --force --no-target-directory -- "$PART" "$FILE"
    else
        ln --no-target-directory -- "$PART" "$FILE" || die "$FILE was not made"
    fi
    sync -- "$(dirname -- "$FILE")"
    summary=${summary##*$'\n'}
    echo "$FILE: ${summary%, sha256*}"
}

## restore [--docker | --local] [--yes] FILE
##   Let the log, and the admin's users, be what the backup FILE has kept; vstorage becomes the copy of that log. Works
##   while the system runs, checks FILE first, keeps the old database, and asks, unless --yes is given.
cmd_restore() {
    take_mode "$@"
    take_file restore --yes
    [[ -n $GIVEN || -t 0 ]] || usage_error "restore asks first, and there is no terminal to ask on: say restore --yes"
    [[ -f $FILE && -r $FILE ]] || die "cannot read $FILE; nothing was restored"
    need_log
    local size restore first from to answer=yes restored=''
    size=$(stat --dereference --format %s -- "$FILE")
    # One process for all steps: no other command comes in between, and it removes its copy whatever becomes of this one.
    coproc RESTORE { manage storage restore --size "$size"; }
    restore=$RESTORE_PID first=${RESTORE[1]}
    exec {from}<&"${RESTORE[0]}" {to}>&"$first" {first}>&-
    trap 'leave_restore 129 "$restore" "$from" "$to"' HUP
    trap 'leave_restore 130 "$restore" "$from" "$to"' INT
    trap 'leave_restore 143 "$restore" "$from" "$to"' TERM
    head -c "$size" -- "$FILE" 1>&"$to" 2>/dev/null || true # if it has ended it says why
    if read -r REPLY <&"$from"; then
        echo "$REPLY"
        [[ -n $GIVEN ]] || says_yes "Replace the log, in $LOG_PLACE, by $FILE?" || answer=no
        echo "$answer" >&"$to" || true
    fi
    while read -r REPLY <&"$from" && [[ -n $REPLY ]]; do
        echo "$REPLY"
        restored=yes
    done
    [[ -z $restored ]] || follow_log # no other restore begins before this one's log is in both stores
    exec {to}>&-
    wait "$restore"
}

# leave_restore CODE PID FROM TO: a signal has come. Without an answer nothing is restored; else the restore is done as a
# whole.
leave_restore() {
    local from=$3 to=$4 code=0
    trap '' HUP INT TERM
    exec {to}>&-
    cat <&"$from"
    wait "$2" || code=$?
    ((code)) || echo "vstorage follows by itself while the services run" >&2
    exit "$1"
}

# says_yes QUESTION: the answer is yes; another one is named
says_yes() {
    local answer=''
    read -r -p "$1 Type yes: " answer || echo
    [[ $answer == yes ]] || {
        echo "manage_all.sh: the answer was '$answer', and only yes goes on" >&2
        return 1
    }
}

# take_file COMMAND OPTION: FILE is the one that REST names, and GIVEN is yes if OPTION is there too
take_file() {
    local argument
    FILE='' GIVEN=''
    for argument in "${REST[@]}"; do
        case $argument in
        "$2") GIVEN=yes ;;
        -*) usage_error "$1 does not take: $argument" ;;
        *)
            [[ -z $FILE ]] || usage_error "$1 takes one FILE, not also: $argument"
            FILE=$(absolute "$CALLED_FROM" "$argument")
            ;;
        esac
    done
    [[ -n $FILE ]] || usage_error "$1 takes a FILE"
}

# need_log: before the first start there is none, and one that is not in use may be of an older version
need_log() {
    [[ $MODE == local ]] || return 0
    need_venv requirements.txt
    { is_running && local_readiness storage >/dev/null; } || manage storage migrate --verbosity 0 </dev/null
}

# follow_log: make vstorage the copy of the log, whose past has changed
follow_log() {
    if [[ $MODE == local && $(local_readiness storage) == "no answer" ]]; then
        echo "vstorage follows when the services run"
        return
    fi
    local options=()
    [[ ! -t 2 ]] || options+=(--progress)
    manage service1 verify --repair "${options[@]}"
}

## prune [--docker | --local] (--older-than 90d | --keep-last N | --max-bytes 1G) [--dry-run] [--yes]
##   Remove the oldest records from the log, while the system runs: those older than a duration (90m, 1h30m, 90d, 8w);
##   all but the last N; or so many that the others' lines have no more bytes than a size (500M, 1.5G). vstorage follows, and
##   the space is given back. --dry-run only says what would go. Asks first, unless --yes is given.
cmd_prune() {
    take_mode "$@"
    local limit='' dry='' asks=yes
    set -- "${REST[@]}"
    while (($#)); do
        case $1 in
        --older-than | --keep-last | --max-bytes)
            (($# > 1)) && [[ -z $limit ]] || usage_error "prune takes one limit and its value, not: ${REST[*]}"
            limit=$1
            shift
            ;;
        --dry-run) dry=yes asks='' ;;
        --yes) asks='' ;;
        *) usage_error "prune does not take: $1" ;;
        esac
        shift
    done
    [[ -n $limit ]] || usage_error "prune takes --older-than, --keep-last or --max-bytes, and its value"
    [[ -z $asks || -t 0 ]] || usage_error "prune asks first, and there is no terminal to ask on: say prune --yes"
    need_log
    [[ ! -t 2 ]] || REST+=(--progress)
    manage storage prune "${REST[@]}"
    [[ -n $dry ]] || follow_log
}

# for_each_outbox ARGUMENT...: manage.py of each service that has one
for_each_outbox() {
    manage service1 "$@"
    manage service2 "$@"
}

## test [PYTEST ARGUMENT...]
##   Run the tests in a .venv with the development tools, and say what had to be left out.
cmd_test() {
    need_venv requirements-dev.txt
    local code=0 left_out=()
    engine_answers || left_out+=("tests of the containers: no Docker engine answers (install Docker with its Compose plugin)")
    find_chromium >/dev/null || left_out+=("tests in a browser: no Chromium (Debian: apt-get install chromium)")
    "$VENV/bin/python" -m pytest "$@" || code=$?
    ((${#left_out[@]} == 0)) || printf 'manage_all.sh: left out: %s\n' "${left_out[@]}" >&2
    return "$code"
}

## bench [--seconds N] [--clients N,N...] [--systems NAME,NAME...] [--json FILE] | bench --memory N | bench --records N,N... [--times N] [--others]
##   Measure this system beside a plain one and the bare hops, each with data of its own: bench/README.md. --memory
##   shows what N requests in a row do to the memory of each worker, --records what logs of N records cost.
cmd_bench() {
    need_venv requirements.txt
    cd -- "$CALLED_FROM" # what --json names counts from there
    PYTHONPATH=$ROOT "$VENV/bin/python" -m bench "$@"
}

## lint
##   Check formatting, types, shell scripts, Dockerfiles, settings for production, missing migrations and the schemas.
cmd_lint() {
    (($# == 0)) || usage_error "lint takes no arguments, not: $*"
    need_venv requirements-dev.txt
    local name scripts failed=()
    DATA_DIR=$(mktemp -d) # the checks need a secret key, which is made there
    export DATA_DIR PATH=$VENV/bin:$PATH
    mapfile -t scripts < <(shell_scripts)
    lint_step ruff check .
    lint_step ruff format --check .
    lint_step mypy
    lint_step shellcheck --external-sources "${scripts[@]}"
    lint_step hadolint -- */Dockerfile
    for name in "${SERVICES[@]}"; do
        lint_step python "$name/manage.py" check --deploy --fail-level WARNING
    done
    lint_step python storage/manage.py makemigrations --check --dry-run
    lint_step python service1/manage.py makemigrations --check --dry-run
    lint_step python -m openapi --check
    rm -r -- "$DATA_DIR"
    ((${#failed[@]} == 0)) || die "lint found something in: ${failed[*]}"
}

# shell_scripts: the files of this repository that begin with #! and a shell
shell_scripts() {
    git ls-files -z --cached --others --exclude-standard |
        xargs -0 awk 'FNR == 1 && /^#!.*[\/ ](ba)?sh$/ { print FILENAME } { nextfile }'
}

# lint_step COMMAND...: run it, and add it to cmd_lint's `failed` if it fails, so that one run shows everything
lint_step() {
    echo "lint: $*"
    "$@" || failed+=("${*:1:2};")
}

main() {
    cd -- "$ROOT"
    unset DJANGO_SETTINGS_MODULE # the caller's own Django project must not reach ours
    COMMAND=${1:-help}
    case $COMMAND in
    -h | --help) COMMAND=help ;;
    esac
    if ! declare -F "cmd_$COMMAND" >/dev/null; then
        echo "manage_all.sh: no command $COMMAND; usage: ./manage_all.sh $(commands)" >&2
        exit 2
    fi
    shift || true
    if [[ " $* " == *" -h "* || " $* " == *" --help "* ]]; then
        help_of "$COMMAND"
        return
    fi
    "cmd_$COMMAND" "$@"
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
    main "$@"
fi
