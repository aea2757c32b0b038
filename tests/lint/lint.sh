#!/bin/sh
# lint.sh OUT -- every check of this folder as one TAP line. OUT holds the
# archives that were built.
#
# SPDX-License-Identifier: MIT
set -u
cd "$(dirname "$0")/../.." || exit 1
out=${1:?usage: lint.sh OUT}
failed=0

# check NAME COMMAND...: what the command says is told when it fails.
check() {
    name=$1
    shift
    if said=$("$@" 2>&1); then
        echo "ok - lint: $name"
    else
        printf '%s\n' "$said" | sed 's/^/# /'
        echo "not ok - lint: $name"
        failed=1
    fi
}

# Also what is not committed yet, but not what git ignores.
format() {
    git ls-files --cached --others --exclude-standard '*.c' '*.h' |
        xargs clang-format --dry-run -Werror
}

check 'the archives are there' ls "$out/libsioproto.a" "$out/libsio.a"
check 'includes go down the layers' sh tests/lint/layers.sh
check 'protocol/ reaches nothing outside' sh tests/lint/pure.sh "$out/libsioproto.a"
check 'only sio_ symbols are exported' sh tests/lint/exports.sh "$out/libsio.a"
check 'no banned calls' sh tests/lint/banned.sh
check 'docs/OPTIONS.md has every option' sh tests/lint/options.sh
if ! clang-format --version 2>/dev/null | grep -q 'version 14\.'; then
    echo 'ok - lint: format # SKIP clang-format 14 is not there'
elif ! git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    echo 'ok - lint: format # SKIP not a git checkout'
else
    check 'format' format
fi
exit $failed
