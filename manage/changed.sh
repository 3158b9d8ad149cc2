#!/usr/bin/env bash
# Whether .env and the environment say something else now than what the running services were started with: then
# API_TOKENS, say, look set and are not. Only names are shown, no values. Sourced by manage_all.sh.
# shellcheck disable=SC2034 # what is set here is used there

# What a running service does not read, what is made of other settings, and what a command may have for itself.
readonly NOT_COMPARED=' BIND STORAGE_URL SERVICE2_URL SERVICE1_BIND REQUIREMENTS PYTHON_IMAGE POSTGRES_IMAGE STATUSLOG_PYTHON '\
'DJANGO_ALLOWED_HOSTS DJANGO_SUPERUSER_USERNAME DJANGO_SUPERUSER_PASSWORD DJANGO_SUPERUSER_EMAIL LOG_LEVEL LOG_FORMAT '

# look_for_changes: CHANGED names what has changed, in a run the settings, in a stack the services with such settings, and
# CHANGES says what that means. A command works on what runs: with the values that a run was started with.
look_for_changes() {
    CHANGED='' CHANGES=''
    if [[ $MODE == docker ]]; then
        CHANGED=$(changed_services | paste -sd ' ')
        [[ -z $CHANGED ]] ||
            CHANGES="settings of ${CHANGED// /, } changed since the start; docker compose up --detach --wait applies them"
        return
    fi
    ! is_running || use_settings_of_run
    [[ -z $CHANGED ]] || printf -v CHANGES '%s' "changed since the start: ${CHANGED// /, }; the old value is used until " \
        "the services are started again (./manage_all.sh run --stop, then run)"
}

use_settings_of_run() {
    local name pid variable file=''
    local -A started=()
    for name in "${SERVICES[@]}"; do
        pid=$(cat -- "$RUN_DIR/$name.pid" 2>/dev/null) && is_ours "$pid" && file=$RUN_DIR/$name.pid && break
    done
    [[ -n $file ]] || return 0
    while IFS= read -r -d '' variable; do
        started[${variable%%=*}]=${variable#*=}
    done 2>/dev/null <"/proc/$pid/environ"
    while read -r name; do
        [[ $NOT_COMPARED != *" $name "* ]] || continue
        # A file that is named may have another content since.
        [[ ${!name-} != "${started[$name]-}" || ($name == *_FILE && ${!name-} -nt $file) ]] || continue
        CHANGED="$CHANGED $name"
        export "$name=${started[$name]-}"
    done < <(sed -n 's/^# \([A-Z][A-Z0-9_]*\)=.*/\1/p' .env.example)
    CHANGED=${CHANGED# }
    name_urls
}

# changed_services: Compose labels each container with a digest of its settings
changed_services() {
    local ids label=com.docker.compose
    mapfile -t ids < <(timeout 10 docker compose ps --status running --quiet 2>/dev/null)
    ((${#ids[@]})) || return 0
    label="{{index .Config.Labels \"$label.service\"}} {{index .Config.Labels \"$label.config-hash\"}}"
    comm -23 <(timeout 10 docker inspect --format "$label" "${ids[@]}" 2>/dev/null | LC_ALL=C sort -u) \
        <(timeout 10 docker compose config --hash '*' 2>/dev/null | LC_ALL=C sort) | cut -d ' ' -f 1
}
