#!/bin/bash
# The main job: a signing CA goes in by cp, a device CA comes out by read, and three independent
# verifiers accept what hangs under it, down to a module's server certificate.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

# server_certificate DIR: what IoT Edge makes of a device CA: a server certificate under it
server_certificate() {
    make_key "$1/server.key" p256
    openssl req -new -key "$1/server.key" -subj /CN=gateway.example -out "$1/server.csr"
    printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n%s\n%s\n%s\n' \
        'extendedKeyUsage=serverAuth' 'subjectAltName=DNS:gateway.example' 'authorityKeyIdentifier=keyid' >"$1/server.ext"
    openssl x509 -req -in "$1/server.csr" -CA "$1/device_ca.pem" -CAkey "$1/device_ca.key" -days 30 \
        -set_serial "0x$(openssl rand -hex 8)" -extfile "$1/server.ext" -out "$1/server.pem" 2>/dev/null
    cat "$1/server.pem" "$1/device_ca.pem" >"$1/full.pem"
}

# judge PROJECT APP ROOT LENGTH: reads, verifies alone and with a server certificate under it
judge() {
    local dir=$T/out-$1-$2 app=$PROJECTS/$1/apps/$2
    mkdir -p "$dir"
    cat "$app/device_ca.pem" >"$dir/device_ca.pem"
    cat "$app/device_ca.key" >"$dir/device_ca.key"
    assert_eq "$(grep -c BEGIN "$dir/device_ca.pem")" "$4" "certificates in $1/$2"
    assert_pair "$dir/device_ca.pem" "$dir/device_ca.key"
    verify_chain "$dir/device_ca.pem" "$3"
    server_certificate "$dir"
    openssl verify -x509_strict -purpose sslserver -verify_hostname gateway.example -CAfile "$3" \
        -untrusted "$dir/device_ca.pem" "$dir/server.pem" >"$dir/log" 2>&1 || fail "openssl: $(cat "$dir/log")"
    if command -v certtool >/dev/null; then
        certtool --verify --verify-hostname gateway.example --load-ca-certificate "$3" \
            --infile "$dir/full.pem" >"$dir/log" 2>&1 || fail "certtool: $(cat "$dir/log")"
    fi
    if command -v vfychain >/dev/null; then
        mkdir "$dir/db" && certutil -N -d "sql:$dir/db" --empty-password
        certutil -A -d "sql:$dir/db" -n root -t C,, -i "$3"
        csplit -sz -f "$dir/part" "$dir/full.pem" '/-----BEGIN/' '{*}'
        vfychain -d "sql:$dir/db" -a -u 1 "$dir"/part* >"$dir/log" 2>&1 || fail "vfychain: $(cat "$dir/log")"
    fi
}

start_certfs

# an intermediate: the chain is device CA, intermediate, root
new_project plant
mkdir "$PROJECTS/plant/apps/gw-01"
assert_eq "$(field "$PROJECTS/plant/apps/gw-01/status" state)" NOT_ISSUED "state of a new app instance"
judge plant gw-01 "$CA/root.pem" 3
assert_eq "$(field "$PROJECTS/plant/apps/gw-01/status" state)" VALID "state after the read"
assert_eq "$(openssl x509 -in "$T/out-plant-gw-01/device_ca.pem" -noout -subject)" "subject=CN = gw-01.plant.ca" subject

# a root: device CA, root
make_root lone
mkdir "$PROJECTS/rooted" "$PROJECTS/rooted/apps/gw"
upload rooted lone
judge rooted gw "$CA/lone.pem" 2
openssl x509 -in "$CA/lone.pem" -noout -fingerprint -sha256 | grep -qF "$(active rooted)" || fail "fingerprint in info"

# RSA above
new_project rsa rsa2048
mkdir "$PROJECTS/rsa/apps/gw"
judge rsa gw "$CA/root-rsa2048.pem" 3

# a chain of three above the device CA, whose top was not given: it verifies against the root all the same
make_intermediate deep int
mkdir "$PROJECTS/deep" "$PROJECTS/deep/apps/gw"
cat "$CA/deep.pem" "$CA/int.pem" >"$PROJECTS/deep/signing_ca/cert.pem"
cp "$CA/deep.key" "$PROJECTS/deep/signing_ca/key.pem"
judge deep gw "$CA/root.pem" 3
assert_has "$(cat "$PROJECTS/deep/status")" ROOT_MISSING "notice"

# a second read gives the same bytes; the other files of the app instance agree with it
app=$PROJECTS/plant/apps/gw-01
assert_same "$app/device_ca.pem" "$T/out-plant-gw-01/device_ca.pem" "second read"
cat "$app/device_ca.key" "$app/device_ca.pem" | cmp - "$app/bundle.pem"
cmp "$app/trust_bundle.pem" <(openssl x509 -in "$CA/root.pem")
cmp "$app/generations/1/device_ca.pem" "$app/device_ca.pem"
assert_has "$(cat "$app/config.toml")" 'device_ca' "config.toml"
check_clean
