#!/bin/sh
# run.sh OUT -- is what `make install` puts down usable by others? Installs the
# build in OUT into a folder of its own, then compiles, links and runs outside
# programs against that copy alone. One TAP line per check.
#
# SPDX-License-Identifier: MIT
set -u
out=$1 # as make knows it: build/release
tree=$(cd "$(dirname "$0")/../.." && pwd)
here=$tree/tests/install
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
stage=$tmp/stage
failed=0

# check NAME COMMAND...: a TAP line; what the command said only if it failed.
check() {
    name=$1
    shift
    if "$@" >"$tmp/log" 2>&1; then
        echo "ok - install: $name"
    else
        sed 's/^/# /' "$tmp/log"
        echo "not ok - install: $name"
        failed=1
    fi
}

# An instrumented library needs its run-time in the program, too.
instrument=$(tr ' ' '\n' <"$out/flags" |
    grep -E '^(-fsanitize|-fno-sanitize|--coverage)' | tr '\n' ' ')

make_install() {
    make --no-print-directory -C "$tree" BUILD="${out##*/}" OUT="$out" \
        PREFIX=/usr DESTDIR="$stage" "$1"
}

# The staged copy stands for the system: its paths must not be left out.
pc() {
    PKG_CONFIG_LIBDIR=$stage/usr/lib/pkgconfig \
    PKG_CONFIG_SYSROOT_DIR=$stage \
    PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 \
    PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 \
        pkg-config "$@" libsio
}

strict='-pedantic -Wall -Wextra -Werror'

# build_and_run COMPILER SOURCE LIBS: word splitting is wanted below.
build_and_run() {
    # shellcheck disable=SC2086
    $1 $strict $instrument $(pc --cflags) -o "$tmp/user" "$2" $3 &&
        LD_LIBRARY_PATH=$stage/usr/lib timeout 60 "$tmp/user"
}

shared_program() {
    build_and_run "$1" "$2" "$(pc --libs)" &&
        ldd_has_libsio
}

ldd_has_libsio() {
    readelf -d "$tmp/user" | grep -q 'NEEDED.*libsio\.so\.0'
}

static_program() {
    build_and_run "$1" "$2" \
        "$(pc --libs --static | sed 's/-lsio/-l:libsio.a/')" &&
        ! ldd_has_libsio
}

headers_alone() { # COMPILER SUFFIX
    for header in "$stage"/usr/include/sio/*.h; do
        # ISO C wants at least one declaration, and version.h has none.
        printf '#include <sio/%s>\ntypedef int alone;\n' "${header##*/}" \
            >"$tmp/alone.$2"
        # shellcheck disable=SC2086
        $1 $strict $(pc --cflags) -c -o "$tmp/alone.o" "$tmp/alone.$2" ||
            return 1
    done
}

soname_chain() {
    lib=$stage/usr/lib
    readelf -d "$lib/libsio.so" | grep -q 'SONAME.*\[libsio\.so\.0\]' &&
        [ "$(readlink "$lib/libsio.so")" = libsio.so.0 ] &&
        [ "$(readlink "$lib/libsio.so.0")" = "libsio.so.$(pc --modversion)" ] &&
        [ -f "$lib/libsio.so.$(pc --modversion)" ]
}

exports_only_sio() {
    nm -D --defined-only "$stage/usr/lib/libsio.so" >"$tmp/exported" &&
        awk '$NF ~ /^sio_/ { n++; next }
             $NF ~ /^(__odr_asan|__gcov|mangle_path)/ { next }
             { print "exported: " $NF; bad = 1 }
             END { exit bad || !n }' "$tmp/exported"
}

same_version() {
    header=$(sed -n 's/^#define SIO_VERSION "\(.*\)"/\1/p' \
        "$stage/usr/include/sio/version.h")
    [ -n "$header" ] && [ "$header" = "$(pc --modversion)" ]
}

nothing_left() {
    make_install uninstall || return 1
    find "$stage" -name '*sio*' | grep . && return 1
    return 0
}

check "make install" make_install install
check "pkg-config knows the version of the headers" same_version
check "libsio.so is libsio.so.0 is libsio.so.VERSION" soname_chain
check "libsio.so exports nothing but sio_*" exports_only_sio
check "each header compiles alone as C11" headers_alone "cc -std=c11" c
check "each header compiles alone as C++17" headers_alone "c++ -std=c++17" cc
check "C11 program, shared" shared_program "cc -std=c11" "$here/user.c"
check "C11 program, static" static_program "cc -std=c11" "$here/user.c"
check "C++17 program, shared" shared_program "c++ -std=c++17" "$here/user.cc"
check "C++17 program, static" static_program "c++ -std=c++17" "$here/user.cc"
check "make uninstall leaves nothing" nothing_left
exit $failed
