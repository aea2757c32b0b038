#!/bin/sh
# coverage.sh OUT -- lines of protocol/ and src/ that the tests reached, for each
# file, each folder and in all. OUT is a build with --coverage whose tests ran.
#
# SPDX-License-Identifier: MIT
set -u
cd "$(dirname "$0")/.." || exit 1
out=${1:?usage: coverage.sh OUT}

# A file that never ran has notes but no data: gcov counts it as 0 %.
find "$out/obj/protocol" "$out/obj/src" -name '*.gcno' | sort |
    xargs gcov -n 2>/dev/null | awk '
/^File / {
    split($0, quoted, "\047")
    file = quoted[2] ~ /^(protocol|src)\/.*\.c$/ ? quoted[2] : ""
}
/^Lines executed:/ && file != "" {
    split($2, part, /[:%]/)
    n = $NF
    hit = int(part[2] * n / 100 + 0.5)
    folder = file
    sub(/\/[^\/]*$/, "", folder)
    if (!(folder in lines))
        order[++folders] = folder
    files[folder] = files[folder] row("  " file, hit, n)
    lines[folder] += n
    reached[folder] += hit
    file = ""
}
END {
    for (i = 1; i <= folders; i++) {
        printf "%s%s", row(order[i], reached[order[i]], lines[order[i]]),
            files[order[i]]
        total += lines[order[i]]
        hits += reached[order[i]]
    }
    printf "%s", row("in all", hits, total)
    exit !total
}
function row(name, some, all) {
    return sprintf("%-40s %6d of %6d lines  %5.1f %%\n", name, some, all,
        all ? 100 * some / all : 0)
}'
