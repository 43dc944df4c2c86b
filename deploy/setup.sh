# Makes .venv ready for ./demo and ./test. Sourced by both after $here (the project's folder) is set; leaves $python.
# Needs a POSIX shell and Python 3.11 to 3.13. Speaks on stderr only: the last line of ./demo on stdout belongs to programs.
# A .venv is trusted when its stamp names the very pins, project file and folder that are here now. The stamp is written last
# and taken away first, so that an interrupted start is seen and done again.

venv=$here/.venv
requirements=$here/requirements
pip_log=$here/.venv.log

say() { printf '%s\n' "$*" >&2; }

# Each argument is a line.
give_up() {
    printf '%s\n' "$@" >&2
    exit 1
}

is_root() { [ "$(id -u)" = 0 ]; }

has() { command -v "$1" >/dev/null 2>&1; }

# What must be the same for a .venv to be used as it is.
setup_key() {
    sum=$(cat "$requirements"/*.txt "$here/pyproject.toml" "$here/deploy/setup.sh" | cksum) || give_up "$here: files are missing. Clone the project again."
    printf '%s %s\n' "$sum" "$here"
}

# True where .venv/bin/python starts, is of a right version, and is the one the packages were put there for.
venv_python_works() {
    "$python" -c '
import os, sys
right = (3, 11) <= sys.version_info[:2] <= (3, 13)
at_home = os.path.samefile(sys.prefix, sys.argv[1])
filled = os.path.isdir(os.path.join(sys.prefix, "lib", "python%d.%d" % sys.version_info[:2], "site-packages"))
sys.exit(not (right and at_home and filled))' "$venv" >/dev/null 2>&1
}

# False for a folder that was moved or copied: the scripts in .venv/bin name the place where they were made.
venv_stayed_in_place() { grep -qsF "$venv/bin/python" "$venv/bin/pip"; }

stamp_is_right() {
    [ -f "$venv/$1.stamp" ] && [ ! -e "$venv/incomplete" ] && [ "$(cat "$venv/$1.stamp")" = "$(setup_key)" ]
}

python_fits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

python_makes_venvs() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

# Sets $base_python to a Python that can make the environment.
find_base_python() {
    base_python=
    without_venv=
    for candidate in ${VONGGAC_PYTHON:+"$VONGGAC_PYTHON"} python3.13 python3.12 python3.11 python3; do
        python_fits "$candidate" || continue
        if python_makes_venvs "$candidate"; then
            base_python=$candidate
            return
        fi
        without_venv=${without_venv:-$candidate}
    done
    if [ -z "$without_venv" ]; then
        give_up "Python 3.11, 3.12 or 3.13 is needed and was not found on PATH." \
            "On Debian, Ubuntu and Raspberry Pi OS:  sudo apt-get install python3 python3-venv" \
            "A Python elsewhere:  VONGGAC_PYTHON=/path/to/python3 $0"
    fi
    package=$("$without_venv" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if is_root && has apt-get; then
        say "$without_venv cannot make virtual environments yet: installing $package"
        apt_install "$package" && python_makes_venvs "$without_venv" && base_python=$without_venv && return
    fi
    give_up "$without_venv cannot make virtual environments: its package $package is missing." \
        "On Debian, Ubuntu and Raspberry Pi OS:  sudo apt-get install $package"
}

apt_install() {
    for attempt in as-it-is updated; do
        if [ "$attempt" = updated ]; then
            apt-get update -q </dev/null >>"$pip_log" 2>&1 || return 1
        fi
        DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" </dev/null >>"$pip_log" 2>&1 && return 0
    done
    return 1
}

# Reads pip's words, keeps them in the log, and shows how far it is. Ends with pip's own exit status.
show_progress() {
    packages=0
    while IFS= read -r line; do
        printf '%s\n' "$line" >>"$pip_log"
        case $line in
        "pip ended: "*) status=${line#pip ended: } ;;
        "Collecting "*)
            packages=$((packages + 1))
            name=${line#Collecting }
            name=${name%% *}
            if [ -t 2 ]; then
                printf '\r\033[K  fetching part %d: %s' "$packages" "$name" >&2
            elif [ $((packages % 20)) = 0 ]; then
                say "  fetching part $packages: $name"
            fi
            ;;
        "Installing collected packages"*)
            if [ -t 2 ]; then printf '\r\033[K' >&2; fi
            [ "$packages" = 0 ] || say "  putting $packages parts in place"
            ;;
        esac
    done
    return "${status:-1}"
}

pip_install() {
    {
        "$python" -m pip install --disable-pip-version-check --no-input --no-color --progress-bar off "$@" 2>&1 </dev/null
        printf 'pip ended: %d\n' "$?"
    } | show_progress && return 0
    say "Installing failed. The last words of $pip_log:"
    tail -n 12 "$pip_log" >&2
    give_up "Is there a network, and room on the disk? Start again when it is mended: nothing half-made is kept."
}

# setup_environment run|dev: run is what the programs need, dev adds what the tests need.
setup_environment() {
    level=$1
    python=$venv/bin/python
    if stamp_is_right "$level" && venv_python_works; then
        return
    fi
    # ./demo and ./test started at once: the second waits here for the first. The lock lives in the open file, so that the
    # system gives it back however the holder ends.
    find_base_python
    : >>"$here/.venv.lock" || give_up "$here cannot be written to. Clone the project into a folder of your own."
    exec 9>>"$here/.venv.lock"
    "$base_python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)' 9>&9 || give_up "$here/.venv.lock cannot be locked."
    if ! stamp_is_right "$level" || ! venv_python_works; then
        make_environment
    fi
    exec 9>&-
}

make_environment() {
    : >"$pip_log"
    key=$(setup_key)
    if [ -e "$venv/incomplete" ] || ! venv_python_works || ! venv_stayed_in_place; then
        say "Setting up Python and the parts that the programs stand on (only at the first start, about a minute)"
        rm -rf "$venv"
        mkdir "$venv"
        : >"$venv/incomplete"
        "$base_python" -m venv "$venv" >>"$pip_log" 2>&1 </dev/null || give_up "$base_python -m venv failed:" "$(tail -n 5 "$pip_log")"
    else
        say "Bringing the installed parts up to date"
    fi
    rm -f "$venv/run.stamp" "$venv/dev.stamp"
    : >"$venv/incomplete"
    if [ "$level" = dev ]; then
        pip_install --require-hashes -r "$requirements/build.txt" -r "$requirements/dev.txt"
    else
        pip_install --require-hashes -r "$requirements/build.txt" -r "$requirements/edge.txt" -r "$requirements/collector.txt"
    fi
    pip_install --no-deps --no-build-isolation -e "$here"
    printf '%s\n' "$key" >"$venv/run.stamp"
    if [ "$level" = dev ]; then printf '%s\n' "$key" >"$venv/dev.stamp"; fi
    rm -f "$venv/incomplete"
}
