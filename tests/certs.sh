#!/bin/sh
# certs.sh DIR -- certificates for the tests, made here and now, good for ten
# years: nothing secret is kept in the tree. Quick when they are there and not
# older than this script.
#
#   root.pem, other-root.pem     two CAs
#   server.pem server.key        chain root -> intermediate -> localhost,
#                                127.0.0.1, ::1
#   renewed.pem renewed.key      the same names, the next certificate
#   alpha.* wild.*               alpha.test; *.beta.test
#   server-locked.key            server.key, password "open sesame"
#   client.* expired.* stranger.*  clients: good, past its time, of other-root
#   client.p12 stranger.p12      PKCS#12, password "secret"
#   self.pem                     certificate and key in one file, self-signed
#
# SPDX-License-Identifier: MIT
set -eu
dir=${1:?usage: certs.sh DIR}
script=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
if [ -e "$dir/done" ] && [ -z "$(find "$script" -newer "$dir/done")" ]; then
    exit 0
fi
mkdir -p "$dir"
cd "$dir"
rm -f done
log=$PWD/log
trap 'status=$?; [ $status = 0 ] || cat "$log" >&2; exit $status' EXIT
exec 3>"$log"

cat >ca.cnf <<'END'
[ca]
default_ca = test
[test]
new_certs_dir = .
database = index
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = none
unique_subject = no
[any]
commonName = supplied
organizationName = optional
[req]
distinguished_name = empty
[empty]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = $ENV::NAMES
[client]
basicConstraints = CA:FALSE
extendedKeyUsage = clientAuth
END
: >index
export NAMES=DNS:localhost

key() {
    openssl ecparam -name prime256v1 -genkey -noout -out "$1.key" 2>&3
}

root() { # NAME
    key "$1"
    openssl req -x509 -new -key "$1.key" -subj "/CN=$1" -days 3660 \
        -config ca.cnf -extensions root -out "$1.pem" 2>&3
}

# issue NAME CA EXTENSIONS SUBJECT [more of openssl ca]
issue() {
    name=$1 ca=$2 extensions=$3 subject=$4
    shift 4
    key "$name"
    openssl req -new -key "$name.key" -subj "$subject" -config ca.cnf -utf8 \
        -out "$name.csr" 2>&3
    openssl ca -batch -notext -config ca.cnf -cert "$ca.pem" \
        -keyfile "$ca.key" -extensions "$extensions" -days 3650 -utf8 \
        -in "$name.csr" -out "$name.pem" "$@" >&3 2>&3
}

# A server's, with the intermediate behind it: NAME NAMES
server() {
    NAMES=$2
    issue "$1" intermediate server "/CN=$1"
    cat intermediate.pem >>"$1.pem"
}

root root
root other-root
issue intermediate root root /CN=intermediate
server server DNS:localhost,IP:127.0.0.1,IP:::1
server renewed DNS:localhost,IP:127.0.0.1,IP:::1
server alpha DNS:alpha.test
server wild 'DNS:*.beta.test'
issue client root client '/O=Test, Inc./CN=älice'
issue expired root client /CN=expired \
    -startdate 20200101000000Z -enddate 20210101000000Z
issue stranger other-root client /CN=stranger
openssl pkey -in server.key -aes256 -passout 'pass:open sesame' \
    -out server-locked.key 2>&3
for name in client stranger; do
    openssl pkcs12 -export -in $name.pem -inkey $name.key -passout pass:secret \
        -out $name.p12 2>&3
done
root self
cat self.key >>self.pem
rm -f ./*.csr
touch done
