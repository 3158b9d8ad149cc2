#!/usr/bin/env bash
# What keeps the services of a run going: one that has ended is started again. Sourced by manage_all.sh.

readonly LONGEST_PAUSE=30 # seconds before a service is started again that ends again and again
readonly STEADY_SECONDS=60 # after which it no longer counts that a service has ended before
KEEPING=yes                # until the keeper gets a signal

# start_keeper: a process that keeps the services running when this script has ended. It has this script's settings, and
# STATUSLOG_RUN in its environment says whose it is.
start_keeper() {
    STATUSLOG_RUN=$RUN_DIR setsid "$ROOT/manage_all.sh" run --keep </dev/null >"$RUN_DIR/run.log" 2>&1 &
    echo $! >"$RUN_DIR/run.pid"
    until is_ours $! || ! kill -0 $! 2>/dev/null; do sleep 0.01; done
}

# stop_keeper: it first, or it would start again what is stopped
stop_keeper() {
    local pid end=$((SECONDS + STOP_SECONDS))
    pid=$(cat -- "$RUN_DIR/run.pid" 2>/dev/null) || return 0
    ! is_ours "$pid" || kill -TERM "$pid" || true
    while is_ours "$pid"; do
        ((SECONDS < end)) || kill -KILL "$pid" || true
        sleep 0.1
    done
    rm -f -- "$RUN_DIR/run.pid"
}

# run_keeper: what start_keeper starts
run_keeper() {
    local name
    local_settings
    for name in "${SERVICES[@]}"; do
        PIDS+=(["$name"]=$(<"$RUN_DIR/$name.pid"))
    done
    trap 'KEEPING=' HUP INT TERM # between two looks, so that each service that it starts has its pid file
    keep_running
}

# keep_running: start what has ended again, at once, and then after 1, 2, 4, … seconds, as what ends at once must not keep
# the machine busy
keep_running() {
    local name
    local -A started=() pause=() due=() # all in seconds
    for name in "${SERVICES[@]}"; do
        started[$name]=$SECONDS pause[$name]=0
    done
    while [[ -n $KEEPING && ! -e $RUN_DIR/stopping ]]; do
        for name in "${SERVICES[@]}"; do
            if [[ -n ${due[$name]:-} ]]; then
                ((SECONDS >= due[$name])) || continue
                unset "due[$name]"
                started[$name]=$SECONDS
                start_service "$name" again
                disown "${PIDS[$name]}"
            elif ! is_ours "${PIDS[$name]}" && [[ ! -e $RUN_DIR/stopping ]]; then
                ((SECONDS - started[$name] < STEADY_SECONDS)) || pause[$name]=0
                due[$name]=$((SECONDS + pause[$name]))
                remove_rest "$name"
                tell "$name" "$name ended by itself; it is started again in ${pause[$name]} s"
                pause[$name]=$((pause[$name] ? pause[$name] * 2 : 1))
                ((pause[$name] <= LONGEST_PAUSE)) || pause[$name]=$LONGEST_PAUSE
            fi
        done
        sleep 0.5
    done
}

# remove_rest SERVICE: workers that have outlived their master still listen, and nobody removes where they have counted.
# While one of them lives no other process is given the master's number.
remove_rest() {
    local pid=${PIDS[$1]}
    [[ -e /proc/$pid ]] || kill -KILL -- "-$pid" 2>/dev/null || true
    rm -rf -- /dev/shm/"statuslog-$1-$pid".*
}

# tell SERVICE TEXT: an event in the service's log, in its form
tell() {
    local time
    time=$(date -u +%Y-%m-%dT%H:%M:%S.%6NZ)
    if [[ ${LOG_FORMAT:-json} == text ]]; then
        echo "$time ERROR $1 manage_all.sh | $2"
    else
        printf '{"time": "%s", "service": "%s", "level": "error", "logger": "manage_all.sh", "message": "%s"}\n' "$time" "$@"
    fi >>"$RUN_DIR/$1.log"
}
