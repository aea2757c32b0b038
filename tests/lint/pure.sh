#!/bin/sh
# pure.sh ARCHIVE -- protocol/ must not reach a socket, a clock, a file or a
# thread. The linker knows better than any grep: list what the archive asks
# of the outside world and fail on everything that is not on the allow list (what
# sanitizers and gcov call is theirs).
allow='^(mem(cpy|move|set|cmp|chr)|str(len|cmp|ncmp|chr)|snprintf|__snprintf_chk|
SHA1(_Init|_Update|_Final)?|SHA256|strtod|localeconv|__ctype_b_loc|isnan|isinf|
malloc|calloc|realloc|free|abort|__assert_fail|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|
__(asan|ubsan|tsan|gcov|llvm)_[A-Za-z0-9_]+|__sanitizer_[A-Za-z0-9_]+|
cJSON_[A-Za-z0-9]+|(in|de)flate[A-Za-z0-9_]*)$'
defined=$(nm -g --defined-only "$1" | awk 'NF == 3 { print $3 }')
nm -u "$1" | awk 'NF == 2 { print $2 }' | sort -u |
    grep -vxF "${defined:-_}" | grep -vE "$(echo "$allow" | tr -d '\n')" |
    sed 's/^/protocol\/ must not call /' | { ! grep .; }
