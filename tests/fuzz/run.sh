#!/bin/sh
# run.sh SECONDS TARGET... -- run each fuzz target for so long. One line per
# target; the last line is "N passed, M failed". It starts from the inputs in
# tests/fuzz/corpus/TARGET; those that were interesting are kept in
# build/fuzz/corpus/TARGET and used again; a crash is kept beside them, with the
# command that repeats it.
#
# SPDX-License-Identifier: MIT
set -u
cd "$(dirname "$0")/../.." || exit 1

seconds=${1:?usage: run.sh SECONDS TARGET...}
shift
passed=0
failed=0

for target; do
    corpus=build/fuzz/corpus/$target
    log=build/fuzz/$target.log
    mkdir -p "$corpus"
    if build/fuzz/"$target" -max_total_time="$seconds" -timeout=10 \
        -rss_limit_mb=2048 -artifact_prefix="build/fuzz/$target-" \
        "$corpus" "tests/fuzz/corpus/$target" >"$log" 2>&1; then
        passed=$((passed + 1))
        printf 'ok    %-14s %s\n' "$target" \
            "$(sed -n 's/^Done \([0-9]*\) runs in \([0-9]*\).*/\1 runs, \2 s/p' "$log")"
    else
        failed=$((failed + 1))
        echo "FAIL  $target"
        tail -n 40 "$log"
        crash=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
        echo "again: build/fuzz/$target $crash"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
