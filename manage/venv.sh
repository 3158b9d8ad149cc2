#!/usr/bin/env bash
# .venv: made from a lock, and made again when the lock has changed. Sourced by manage_all.sh.

# need_venv LOCK: .venv holds what LOCK asks for. The development lock contains the other one, so a .venv that was
# made from it stays with it.
need_venv() {
    local lock=$1 made_from='' wanted
    exec 7<"$1" # two copies may start at the same time
    flock 7
    [[ ! -f $VENV/made-from ]] || made_from=$(<"$VENV/made-from")
    [[ $made_from != requirements-dev.txt* ]] || lock=requirements-dev.txt
    wanted="$lock $(sha256sum <"$lock" | cut -c 1-64) in $VENV"
    # The scripts in a .venv name its path, so one that was moved or copied is of no use.
    if ! venv_works || [[ -n $made_from && $made_from != *" in $VENV" ]]; then
        make_venv
        made_from=''
    fi
    if [[ $made_from != "$wanted" ]]; then
        rm -f -- "$VENV/made-from"
        echo "installing $lock into .venv"
        "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$lock" ||
            die "pip could not install $lock, and has said above why"
        echo "$wanted" >"$VENV/made-from"
    fi
    exec 7<&-
}

# venv_works: .venv has a Python that runs, with pip, and it is the one of STATUSLOG_PYTHON if that is set
venv_works() {
    "$VENV/bin/python" -c 'import pip' &>/dev/null || return
    [[ -z ${STATUSLOG_PYTHON:-} || $(identity "$STATUSLOG_PYTHON") == "$(identity "$VENV/bin/python")" ]]
}

identity() { "$1" -c 'import sys; print(sys.base_prefix, sys.version)' 2>/dev/null; }

make_venv() {
    local python
    python=$(find_python)
    echo "making .venv with $python, $("$python" --version)"
    "$python" -m venv --clear "$VENV" || die "$python could not make $VENV, and has said above why"
}

# find_python: prints a Python that is new enough and can make a .venv
find_python() {
    local candidate candidates=(python3 python3.{14..11} python) without_venv=''
    [[ -z ${STATUSLOG_PYTHON:-} ]] || candidates=("$STATUSLOG_PYTHON")
    for candidate in "${candidates[@]}"; do
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11) or sys.maxsize < 2**32)' &>/dev/null || continue
        if "$candidate" -c 'import ensurepip, venv' &>/dev/null; then
            echo "$candidate"
            return
        fi
        without_venv=${without_venv:-$candidate}
    done
    [[ -z $without_venv ]] ||
        die "$without_venv lacks ensurepip and cannot make a .venv; install it (Debian, Ubuntu: apt-get install python3-venv)"
    die "no Python >= 3.11 of 64 bits among: ${candidates[*]}; install one, or name one: STATUSLOG_PYTHON=/path/to/python3"
}

# find_chromium: prints the browser that the tests drive
find_chromium() { type -P chromium || type -P chromium-browser || type -P google-chrome; }
