#!/bin/sh
# options.sh -- docs/OPTIONS.md has one row for every field of the public option
# structs, and for nothing else. Prints what is missing or too much.
set -u

# fields HEADER STRUCT: its fields but `size`, comments and parameters removed.
fields() {
    sed -n "/^typedef struct $2 {/,/^} $2;/p" "include/sio/$1.h" | tr '\n' ' ' |
        sed 's|/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/||g; s/([^()]*) *;/;/g; s/}.*//' |
        tr ';' '\n' |
        sed -n 's/.*(\*\([a-z0-9_]*\))$/\1/p; s/.*[ *]\([a-z][a-z0-9_]*\) *$/\1/p' |
        grep -vx size
}

differences=$(
    {
        fields server sio_options
        fields server sio_listen_options
        fields tls sio_tls_options
        fields websocket sio_websocket_options
        fields redis sio_redis_options
        fields emitter sio_emitter_options
        sed -n 's/^| `\([a-z0-9_]*\)` |.*/-\1/p' docs/OPTIONS.md
    } | awk '
    { name = $0; rows = sub(/^-/, "", name); n[name] += rows ? -1 : 1 }
    END {
        for (name in n) {
            if (n[name] > 0) print "docs/OPTIONS.md: no row for " name
            if (n[name] < 0) print "docs/OPTIONS.md: a row too much for " name
        }
    }' | sort
)
[ -z "$differences" ] || {
    echo "$differences"
    exit 1
}
