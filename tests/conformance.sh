#!/bin/sh
# conformance.sh OUT -- which numbers of the checklists the tests cover that ran
# in OUT and passed: E1 to E211 (Engine.IO) and S1 to S269 (Socket.IO), as they
# stand in the tests' names. Numbers that cannot apply are listed, with the
# reason, in tests/not-applicable.txt. A report: it always exits 0.
#
# SPDX-License-Identifier: MIT
set -u
cd "$(dirname "$0")/.." || exit 1
passed=${1:?usage: conformance.sh OUT}/test-logs/passed.txt

[ -s "$passed" ] || {
    echo "no results in $passed: run make test first" >&2
    exit 1
}
awk '
function range(kind, last,   i, n, all, missing, needless) {
    for (i = 1; i <= last; i++)
        if ((kind, i) in exempt) {
            if ((kind, i) in covered) needless = needless " " kind i
        } else {
            all++
            if ((kind, i) in covered) n++
            else missing = missing " " kind i
        }
    printf "%s: %d of %d covered\n", kind, n, all
    if (missing) print "missing:" missing
    if (needless) print "covered, though listed as not applicable:" needless
}
FILENAME ~ /not-applicable/ {
    if (match($1, /^[ES][0-9]+$/)) exempt[substr($1, 1, 1), substr($1, 2) + 0]
    next
}
{
    while (match($0, /(^|[^A-Za-z0-9.])[ES][0-9]+/)) {
        word = substr($0, RSTART, RLENGTH)
        rest = substr($0, RSTART + RLENGTH)
        sub(/^[^ES]/, "", word)
        # "S9.3" is a section, not an item
        if (rest !~ /^\.[0-9]/) covered[substr(word, 1, 1), substr(word, 2) + 0]
        $0 = rest
    }
}
END { range("E", 211); range("S", 269) }' tests/not-applicable.txt "$passed"
