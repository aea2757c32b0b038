#!/bin/sh
# run.sh [--quick] OUT TEST... -- run the test programs, then, unless --quick,
# the lint scripts, the install test and the Node tests against the build in
# OUT. One line per program, failures in full; the last line is
#
#     N passed, M failed
#
# and the exit status 0 only when M is 0 and N is not. Logs are kept in
# OUT/test-logs, the names of the tests that passed in OUT/test-logs/passed.txt.
#
# SPDX-License-Identifier: MIT
set -u
cd "$(dirname "$0")/.." || exit 1

quick=no
if [ "${1-}" = --quick ]; then
    quick=yes
    shift
fi
out=${1:?usage: run.sh [--quick] OUT TEST...}
shift

logs=$out/test-logs
mkdir -p "$logs" || exit 1
rm -f "$logs"/*.log
: >"$logs/counts"
: >"$logs/passed.txt"

export SIO_BUILD="$out"
export ASAN_OPTIONS="detect_leaks=1:${ASAN_OPTIONS-}"
export UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS-}"
export TSAN_OPTIONS="halt_on_error=1:suppressions=$PWD/tests/tsan.supp:${TSAN_OPTIONS-}"

# run NAME COMMAND...: a program that hangs is ended after five minutes.
run() {
    name=$1
    log=$logs/$(echo "$name" | tr / -).log
    shift
    timeout -k 10 300 "$@" >"$log" 2>&1 </dev/null
    awk -v program="$name" -v status=$? -v counts="$logs/counts" \
        -v names="$logs/passed.txt" -f tests/tap.awk "$log"
}

for test; do
    run "${test#"$out"/}" "$test"
done
if [ $quick = no ]; then
    run lint sh tests/lint/lint.sh "$out"
    ! command -v python3 >/dev/null || run bench python3 tests/bench/test_bench.py
    [ ! -e tests/install/run.sh ] || run install sh tests/install/run.sh "$out"
    for test in tests/e2e/*.test.mjs tests/suites/*.test.mjs \
        tests/cluster/*.test.mjs tests/browser/*.test.mjs; do
        [ ! -e "$test" ] || run "${test#tests/}" node --test-reporter=tap "$test"
    done
    # Once more on several event loops, but for those of the Redis client and of
    # sio.
    for test in tests/e2e/*.test.mjs; do
        case $test in tests/e2e/redis* | tests/e2e/bench*) continue ;; esac
        run "4-loops/${test#tests/e2e/}" \
            env SIO_LOOPS=4 node --test-reporter=tap "$test"
    done
fi

awk '{ passed += $1; failed += $2; skipped += $3 }
END {
    if (skipped)
        print skipped " skipped"
    print passed + 0 " passed, " failed + 0 " failed"
    exit failed || !passed
}' "$logs/counts"
