# tap.awk -- read one program's TAP lines; print its summary and, in full, its
# failures; append its counts and the names that passed to files.
#
#     awk -v program=NAME -v status=EXIT -v counts=FILE -v names=FILE -f tap.awk
#
# Leaves are counted: a result that follows results indented deeper sums those
# up, and counts only when it failed although none of them did. A program that
# ended badly without saying which test failed counts as a failure itself, and
# so does one that printed no result.
#
# SPDX-License-Identifier: MIT

/^ *---$/ { yaml = 1 }
/^ *\.\.\.$/ {
    yaml = 0
    if (showing)
        report = report $0 "\n"
    showing = 0
    next
}
yaml {
    if (showing)
        report = report $0 "\n"
    next
}
/^ *(not )?ok( |$)/ {
    match($0, /^ */)
    depth = RLENGTH
    sums_up = below_failed = 0
    for (d in results)
        if (d + 0 > depth) {
            sums_up = 1
            below_failed += failures[d]
            delete results[d]
            delete failures[d]
        }
    results[depth] = 1
    bad = $1 == "not"
    failures[depth] += bad
    showing = bad && !below_failed
    name = $0
    sub(/^ *(not )?ok *[0-9]* *(- *)?/, "", name)
    if (showing) {
        failed++
        report = report said $0 "\n"
    } else if (!bad && !sums_up && name ~ / # (SKIP|TODO)/) {
        skipped++
    } else if (!bad && !sums_up) {
        passed++
        gsub(/\\#/, "#", name)
        print name >> names
    }
    said = ""
    next
}
{ last[++lines % 40] = $0 }
/^#/ && !/^# Subtest/ { said = said $0 "\n" }

END {
    if (status == 124 || status == 137)
        why = "did not end in time"
    else if (status != 0 && !failed)
        why = "ended with status " status
    else if (!(passed + failed + skipped))
        why = "printed no result"
    if (why) {
        failed++
        report = report "not ok - " program " " why "\n"
        for (i = lines < 40 ? 1 : lines - 39; i <= lines; i++)
            report = report "    " last[i % 40] "\n"
    }
    printf "%-4s  %-32s %4d passed", failed ? "FAIL" : "ok", program, passed
    if (failed)
        printf ", %d failed", failed
    if (skipped)
        printf ", %d skipped", skipped
    printf "\n%s", report
    print passed + 0, failed + 0, skipped + 0 >> counts
}
