#!/usr/bin/env bash
# The three services as processes of this machine, for `manage_all.sh run`. Sourced by manage_all.sh.

readonly START_SECONDS=60
readonly STOP_SECONDS=10 # gunicorn gives the requests under way 8
declare -A PIDS=() # service name -> process id, of those that this shell has started

run_services() {
    need_venv requirements.txt
    local_settings
    claim_data
    need_ports
    trap stop_services EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    local name
    rm -f -- "$RUN_DIR/stopping"
    for name in "${SERVICES[@]}"; do
        start_service "$name"
    done
    [[ ${1:-} == --detach ]] || follow_logs
    wait_until_ready
    disown "${PIDS[@]}" # bash need not say that one was killed: keep_running does
    print_urls
    if [[ ${1:-} == --detach ]]; then
        start_keeper
        trap - EXIT
        [[ $STATE == ready ]] || exit 1
        exit 0
    fi
    keep_running
    stop_services
    echo "stopped by run --stop"
    trap - EXIT
}

run_stop() {
    local_settings
    if ! is_running; then
        echo "nothing runs on $DATA_DIR"
        return
    fi
    : >"$RUN_DIR/stopping" # so that a run in the foreground knows why its services end
    stop_services
    echo "stopped"
}

# is_running: a run uses the folder, or what is left of one
is_running() { [[ -e $RUN_DIR/lock ]] && ! flock --nonblock "$RUN_DIR/lock" true; }

# claim_data: the folder and vstorage can be written, and no other run uses the folder. Each service inherits the lock (fd
# 8), so that it is held for as long as one of their processes lives, whatever became of the pid files.
claim_data() {
    local error
    error=$(mkdir -p -- "$RUN_DIR" 2>&1 && : 2>&1 >>"$RUN_DIR/lock") ||
        die "cannot write to DATA_DIR=$DATA_DIR (${error##*: }); set DATA_DIR to a folder that you can write to"
    [[ ! -e $VSTORAGE_PATH || -f $VSTORAGE_PATH ]] || die "VSTORAGE_PATH=$VSTORAGE_PATH is not a regular file; name another"
    error=$(: 2>&1 >>"$VSTORAGE_PATH") ||
        die "cannot write to VSTORAGE_PATH=$VSTORAGE_PATH (${error##*: }); set it to a file that you can write to"
    exec 8>>"$RUN_DIR/lock"
    flock --nonblock 8 || die "it already runs on $DATA_DIR; ./manage_all.sh status shows how it is, run --stop ends it"
}

# need_ports: STATUSLOG_ADDRESSES are those of this host at which the ports are free; the keeper takes them from here
need_ports() {
    local said
    said=$("$VENV/bin/python" manage/free_ports.py "SERVICE1_PORT=$SERVICE1_PORT" "ADMIN_PORT=$ADMIN_PORT" \
        "SERVICE2_PORT=$SERVICE2_PORT" "STORAGE_PORT=$STORAGE_PORT" "METRICS_PORT=$METRICS_PORT" 2>&1) ||
        die "cannot listen on $said; stop what does (ss -ltnp names it) or set other ports"
    export STATUSLOG_ADDRESSES=$said
}

port_of() {
    case $1 in
    service1) echo "$SERVICE1_PORT" ;;
    service2) echo "$SERVICE2_PORT" ;;
    storage) echo "$STORAGE_PORT" ;;
    esac
}

# start_service NAME [again]: with a log of its own, or again with that of before
start_service() {
    local name=$1 log=$RUN_DIR/$1.log ports address port bind=''
    ports=("$(port_of "$name")")
    [[ $name != storage ]] || ports+=("$ADMIN_PORT")
    [[ $name != service1 ]] || ports+=("$METRICS_PORT")
    for port in "${ports[@]}"; do
        for address in $STATUSLOG_ADDRESSES; do
            bind+=${bind:+,}$address:$port
        done
    done
    [[ -n ${2:-} || ! -e $log ]] || mv -f -- "$log" "$log.1"
    # setsid: a process group of its own, to be stopped as a whole, and out of reach of the terminal's Ctrl-C
    PATH=$VENV/bin:$PATH BIND=$bind STATUSLOG_RUN=$RUN_DIR \
        setsid statuslog/serve.sh "$name" </dev/null >>"$log" 2>&1 6>&- &
    PIDS[$name]=$!
    echo $! >"$RUN_DIR/$name.pid"
    until is_ours $! || ! kill -0 $! 2>/dev/null; do sleep 0.01; done
}

# is_ours PID: it is a process of this run, and not another one that was given a dead one's number
is_ours() {
    local variable
    {
        while IFS= read -r -d '' variable; do
            [[ $variable != "STATUSLOG_RUN=$RUN_DIR" ]] || return 0
        done
    } 2>/dev/null <"/proc/$1/environ"
    return 1
}

# wait_until_ready: STATE is ready, or else why not; what does not end by waiting is no reason to stop what works
wait_until_ready() {
    local name waiter code=0 addresses=()
    for name in storage service2 service1; do # in the order of causes
        addresses+=("$name=http://127.0.0.1:$(port_of "$name")")
    done
    exec 5< <(exec "$VENV/bin/python" manage/readiness.py --wait "$START_SECONDS" "${addresses[@]}" 2>&1 6>&- 8>&-)
    waiter=$!
    while kill -0 "$waiter" 2>/dev/null; do
        fail_if_one_ended
        sleep 0.1
    done
    STATE=$(cat <&5)
    exec 5<&-
    wait "$waiter" || code=$?
    case $code in
    0) return ;;
    3) echo "manage_all.sh: not ready: $STATE" >&2 ;;
    *) die "not ready after $START_SECONDS s: $STATE; see the logs in $RUN_DIR" ;;
    esac
}

local_readiness() { "$VENV/bin/python" manage/readiness.py "http://127.0.0.1:$(port_of "$1")" 2>&1; }

# fail_if_one_ended: what ends while it starts would end again
fail_if_one_ended() {
    local name code=0
    for name in "${SERVICES[@]}"; do
        ! kill -0 "${PIDS[$name]}" 2>/dev/null || continue
        wait "${PIDS[$name]}" || code=$?
        stop_services
        if [[ -e $RUN_DIR/stopping ]]; then
            echo "stopped by run --stop"
            exit 0
        fi
        {
            echo "manage_all.sh: $name ended by itself (exit code $code); the others were stopped. The end of $RUN_DIR/$name.log:"
            tail -n 10 -- "$RUN_DIR/$name.log"
        } >&2
        exit 1
    done
}

# stop_services: service1 first, so that a request on its way still finds the others
stop_services() {
    trap '' HUP INT TERM
    exec 8>&-
    stop_keeper
    local name pid end
    for name in "${SERVICES[@]}"; do
        end=$((SECONDS + STOP_SECONDS))
        pid=$(cat -- "$RUN_DIR/$name.pid" 2>/dev/null) || continue
        ! is_ours "$pid" || kill -TERM -- "-$pid" || true
        while is_ours "$pid"; do
            ((SECONDS < end)) || kill -KILL -- "-$pid" || true
            sleep 0.1
        done
        # gunicorn removes where its workers have counted, unless it was killed.
        rm -rf -- "$RUN_DIR/$name.pid" /dev/shm/"statuslog-$name-$pid".*
    done
    flock --timeout 5 "$RUN_DIR/lock" true || die "a process still holds $RUN_DIR/lock; lsof names it"
    exec 6>&-
    wait # for what follow_logs started: it prints the last lines
}

# follow_logs: print them, until this shell closes fd 6 and with it ends the process that the tails look at
follow_logs() {
    local name end shown=(cat)
    exec 6> >(trap '' HUP INT TERM && exec cat >/dev/null 8>&-)
    end=$!
    [[ ! -t 1 ]] || shown=(sed --unbuffered --regexp-extended --file "$ROOT/manage/events.sed")
    for name in "${SERVICES[@]}"; do
        {
            trap '' HUP INT TERM # what the services say while they stop is printed, too
            tail -n +1 -s 0.2 -F --pid="$end" -- "$RUN_DIR/$name.log" 2>/dev/null |
                "${shown[@]}" | sed -u "s/^/$name | /"
        } 6>&- 8>&- &
    done
}

print_urls() {
    [[ $STATE == ready ]] && echo ready || echo "running, but not ready"
    cat <<END
  page    http://127.0.0.1:$SERVICE1_PORT/
  status  http://127.0.0.1:$SERVICE1_PORT/status
  log     http://127.0.0.1:$SERVICE1_PORT/log, also in $VSTORAGE_PATH
  admin   http://127.0.0.1:$ADMIN_PORT/admin/
  metrics http://127.0.0.1:$METRICS_PORT/metrics, and at ports $SERVICE2_PORT and $STORAGE_PORT
  data    $DATA_DIR
END
}
