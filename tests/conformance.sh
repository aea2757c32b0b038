#!/bin/sh
# conformance.sh OUT -- which numbers of the checklists the tests cover that ran
# in OUT and passed: E1 to E211 (Engine.IO), S1 to S269 (Socket.IO) and R1 to R82
# (clusters), as they stand in the tests' names. Numbers that cannot apply, or not
# yet, are listed, with the reason, in tests/not-applicable.txt. A report: it
# always exits 0.
#
# A number of R is covered by a test in which a node of ours took part: its name
# ends with who did, "(classic, node -> c)". What Node's servers do among
# themselves, and what the codecs do alone, is told apart.
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
function tell(kind, what,   i, n, list) {
    for (i = 1; i <= 82; i++)
        if ((kind, i) in covered) {
            n++
            if (!(("R", i) in covered)) list = list " R" i
        }
    if (n) print "R, " what ": " n + 0 (list ? "; only so:" list : "")
}
# Where a number of a cluster counts: R with a node of ours, N without, P alone.
function side(name) {
    if (name !~ /\(.*(node|c)\)$/) return "P"
    return name ~ /[ (]c( -> [a-z]+)?\)$|-> c\)$/ ? "R" : "N"
}
FILENAME ~ /not-applicable/ {
    if (match($1, /^[ESR][0-9]+$/)) exempt[substr($1, 1, 1), substr($1, 2) + 0]
    next
}
{
    where = side($0)
    while (match($0, /(^|[^A-Za-z0-9.])[ESR][0-9]+/)) {
        word = substr($0, RSTART, RLENGTH)
        rest = substr($0, RSTART + RLENGTH)
        sub(/^[^ESR]/, "", word)
        kind = substr(word, 1, 1)
        # "S9.3" is a section, not an item
        if (rest !~ /^\.[0-9]/)
            covered[kind == "R" ? where : kind, substr(word, 2) + 0]
        $0 = rest
    }
}
END {
    range("E", 211)
    range("S", 269)
    range("R", 82)
    tell("N", "by Node alone, as a control")
    tell("P", "by the codecs alone")
}' tests/not-applicable.txt "$passed"
