#!/bin/sh
# setup.sh all|demo [NAME] -- install what is missing and say so; silent and
# quick when nothing is. Debian 12 packages come from apt, the JavaScript
# packages from npm as package-lock.json pins them.
#
#     demo  what it takes to build and run the demos, or that of the name
#     all   the same, and what the tests, the fuzzers and `make lint` use
#
# SPDX-License-Identifier: MIT
set -u
cd "$(dirname "$0")/.." || exit 1

build='gcc g++ make binutils pkg-config libevent-dev libssl-dev
       libhttp-parser-dev libcjson-dev zlib1g-dev libbrotli-dev
       libhiredis-dev'
checks='clang clang-format libclang-rt-14-dev openssl valgrind'
browser='chromium' # without it the browser tests are skipped, not failed
# Without these the tests behind proxies are skipped, and those with Python's
# client.
proxies='nginx-light libnginx-mod-stream haproxy openssl'
redis='redis-server' # without it the tests with Redis are skipped
python='python3-socketio python3-aiohttp python3-requests python3-websocket'

case ${1-} in
all) packages="$build $checks" ;;
demo)
    packages=$build browser='' proxies='' redis='' python=''
    [ "${2-}" != cluster ] || proxies=haproxy redis=redis-server
    ;;
*)
    echo 'usage: setup.sh all|demo [NAME]' >&2
    exit 2
    ;;
esac
command -v npm >/dev/null || packages="$packages nodejs npm"

log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

give_up() {
    tail -n 15 "$log" >&2
    echo "setup: $1" >&2
    exit 1
}

# Those of the packages named that are not installed.
missing() {
    installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "$@" \
        2>/dev/null | awk '$1 == "ii" { print $2 }')
    for package; do
        echo "$installed" | grep -qx -- "$package" || printf '%s ' "$package"
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo 'neither root nor sudo' >&2
        return 1
    fi
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "$@" >"$log" 2>&1
}

# The package lists are fetched only when those at hand do not do.
install() {
    echo "setup: installing $* (apt-get)"
    apt_install "$@" && return
    as_root apt-get update >"$log" 2>&1 && apt_install "$@"
}

# These packages start services; the tests start their own. What was there before
# stays as it was.
install_services() {
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null &&
            as_root chmod 755 "$policy" || return
        trap 'rm -f "$log"; as_root rm -f "$policy"' EXIT
    fi
    install "$@" || return
    [ -d /run/systemd/system ] || return 0
    for package; do
        case $package in
        redis-server) as_root systemctl disable redis-server ;;
        nginx-light) as_root systemctl disable nginx ;;
        haproxy) as_root systemctl disable haproxy ;;
        esac
    done >"$log" 2>&1
}

if command -v dpkg-query >/dev/null; then
    # shellcheck disable=SC2046,SC2086 # lists of words
    {
        set -- $(missing $packages)
        [ $# -eq 0 ] || install "$@" || give_up "could not install: $*"
        set -- $(missing $browser)
        [ $# -eq 0 ] || install "$@" ||
            echo "setup: could not install $*: the browser tests are skipped"
        set -- $(missing $proxies)
        [ $# -eq 0 ] || install_services "$@" ||
            echo "setup: could not install $*: tests behind proxies are skipped"
        set -- $(missing $redis)
        [ $# -eq 0 ] || install_services "$@" ||
            echo "setup: could not install $*: tests with Redis are skipped"
        set -- $(missing $python)
        [ $# -eq 0 ] || install "$@" ||
            echo "setup: could not install $*: the Python client is not tested"
    }
else
    echo "setup: no dpkg here; these have to be there already:" "$packages"
fi

# npm marks what it installed with a copy of the lock file.
mark=node_modules/.package-lock.json
if [ ! -e "$mark" ] || [ -n "$(find package-lock.json package.json -newer "$mark")" ]; then
    echo 'setup: installing the JavaScript packages (npm ci)'
    npm ci --include=dev --ignore-scripts --no-audit --no-fund >"$log" 2>&1 ||
        give_up 'npm ci failed: is the npm registry reachable?'
    touch "$mark"
fi
