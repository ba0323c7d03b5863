#!/bin/bash
# timeout: 300
# A signing key that stays in a token: issued under, judged by openssl; wrong URIs; the token gone and back, without a restart.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/token.sh
. "$SOURCE/tests/lib/token.sh"

make_token
start_certfs
make_root root
printf '%s\n' "$PIN" >"$T/pin"

# token_ca NAME TYPE ID: a key pair in the token, and an intermediate $CA/NAME.chain for it that openssl issues from the public key
token_ca() {
    token_tool --keypairgen --key-type "$2" --label "$1" --id "$3" --usage-sign
    token_tool --read-object --type pubkey --id "$3" -o "$T/$1.pub"
    printf '%s\n' "$CA_EXT" >"$CA/$1.ext"
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj "/CN=$1" -out "$T/$1.csr" 2>/dev/null
    openssl pkey -pubin -inform DER -in "$T/$1.pub" -out "$T/$1.pub.pem"
    openssl x509 -req -in "$T/$1.csr" -force_pubkey "$T/$1.pub.pem" -CA "$CA/root.pem" -CAkey "$CA/root.key" -days 3650 \
        -extfile "$CA/$1.ext" -set_serial "0x4$(openssl rand -hex 15)" -out "$CA/$1.pem" 2>/dev/null
    cat "$CA/$1.pem" "$CA/root.pem" >"$CA/$1.chain"
}

# imported_ca NAME TYPE ID: the same with a key that openssl made (pkcs11-tool reads no public key on P-384)
imported_ca() {
    make_intermediate "$1" root "key=$2"
    softhsm2-util --import "$CA/$1.key" --token certfs --label "$1" --id "$3" --pin "$PIN" >/dev/null
    rm "$CA/$1.key"
}

# put PROJECT URI: writes key.pem
put() {
    printf '%s\n' "$2" >"$T/uri"
    cp "$T/uri" "$PROJECTS/$1/signing_ca/key.pem"
}

verify() {
    openssl verify -x509_strict -auth_level 2 -CAfile "$CA/root.pem" -untrusted "$1" "$1" >/dev/null || fail "openssl verify $1"
}

# ---- each kind of key: device CAs and CRLs ----

id=10
for type in EC:prime256v1 p384 RSA:2048 ed25519; do
    name=${type/:/-}
    case $type in
    *:*) token_ca "$name" "$type" "$((id += 1))" ;;
    *) imported_ca "$name" "$type" "$((id += 1))" ;;
    esac
    mkdir "$PROJECTS/$name" "$PROJECTS/$name"/apps/gw-{1,2,3}
    cp "$CA/$name.chain" "$PROJECTS/$name/signing_ca/cert.pem"
    put "$name" "pkcs11:token=certfs;object=$name;type=private?pin-value=$PIN"
    assert_eq "$(field "$PROJECTS/$name/signing_ca/status" state)" ACTIVE "state of $name"
    for app in gw-1 gw-2 gw-3; do
        size=$(stat -c %s "$PROJECTS/$name/apps/$app/device_ca.pem")
        cat "$PROJECTS/$name/apps/$app/device_ca.pem" >"$T/device.pem"
        assert_eq "$(stat -c %s "$T/device.pem")" "$size" "size foretold by stat, $name/$app"
        verify "$T/device.pem"
    done
    echo compromised: stolen >"$PROJECTS/$name/apps/gw-3/revoke"
    cat "$PROJECTS/$name/signing_ca/crl.pem" >"$T/crl.pem"
    openssl crl -in "$T/crl.pem" -noout -CAfile "$CA/$name.chain" 2>"$T/crl.out" || fail "openssl crl"
    assert_has "$(cat "$T/crl.out")" 'verify OK' "the CRL of $name"
done

# ---- what is refused, each with its reason, and nothing changes ----

project=$PROJECTS/EC-prime256v1
before=$(cat "$project/signing_ca/cert.pem")
while read -r uri pattern; do
    printf '%s\n' "$uri" >"$T/uri"
    ! cp "$T/uri" "$project/signing_ca/key.pem" 2>"$T/cp.out" || fail "taken: $uri"
    assert_has "$(cat "$T/cp.out")" 'Key was rejected by service' "$uri"
    assert_has "$(field "$project/signing_ca/status" rejected)" "$pattern" "$uri"
done <<END
pkcs11:token=certfs;object=none?pin-value=$PIN the token has no private key of that name
pkcs11:token=certfs;object=EC-prime256v1?pin-value=000000 wrong PIN
pkcs11:token=certfs;object=EC-prime256v1 the token asks for a PIN
pkcs11:token=nowhere;object=EC-prime256v1?pin-value=$PIN no such token is there
pkcs11:token=certfs;object=EC-prime256v1?pin-value=$PIN&module-path=/tmp/evil.so may not name a module
pkcs11:token=certfs;object=%ZZ?pin-value=$PIN malformed
pkcs11:token=certfs?pin-value=$PIN fits more than one key
END
printf 'pkcs11:token=certfs;object=RSA-2048?pin-value=%s\nmore\n' "$PIN" >"$T/uri"
assert_fails 'rejected by service' cp "$T/uri" "$project/signing_ca/key.pem"
assert_eq "$(cat "$project/signing_ca/cert.pem")" "$before" "the active signing CA after refusals"

# a key of the token that is not the certificate's
cp "$CA/p384.chain" "$project/signing_ca/next/cert.pem"
printf 'pkcs11:token=certfs;object=RSA-2048?pin-value=%s' "$PIN" >"$T/uri"
assert_fails 'rejected by service' cp "$T/uri" "$project/signing_ca/next/key.pem"

# a tenant may give a PIN, but not have the daemon read one from a file of its choice
chmod 711 "$T"
mkdir "$PROJECTS/tenant"
cp "$CA/EC-prime256v1.chain" "$PROJECTS/tenant/signing_ca/cert.pem"
chown 65534:65534 "$PROJECTS/tenant"
assert_fails 'rejected by service' setpriv --reuid=65534 --regid=65534 --clear-groups dd status=none of="$PROJECTS/tenant/signing_ca/key.pem" \
    <<<"pkcs11:token=certfs;object=EC-prime256v1?pin-source=file:$T/pin"
assert_has "$(cat "$PROJECTS/tenant/signing_ca/status")" 'only root may name a file' "the reason"
# ... nor in a spelling that only p11-kit knows; and a PIN in a wrong place is not told to anybody
for uri in "object=EC-prime256v1?pinfile=$T/pin" "object=EC-prime256v1;pinfile=$T/pin" "object=EC-prime256v1?pin -source=$T/pin" \
    "object=EC-prime256v1; pin-value=$PIN" "object=EC-prime256v1;pin-value=$PIN" "object=EC-prime256v1?pin-value=0&pin-value=$PIN"; do
    assert_fails 'rejected by service' setpriv --reuid=65534 --regid=65534 --clear-groups dd status=none \
        of="$PROJECTS/tenant/signing_ca/key.pem" <<<"pkcs11:token=certfs;$uri"
    assert_has "$(cat "$PROJECTS/tenant/signing_ca/status")" 'a PIN is given once|white space' "$uri"
    assert_lacks "$(cat "$PROJECTS/tenant/signing_ca/status" "$PROJECTS/tenant/events")" "$PIN" "what is told of $uri"
done
put tenant "pkcs11:token=certfs;object=EC-prime256v1?pin-source=file:$T/pin"
assert_eq "$(field "$PROJECTS/tenant/signing_ca/status" state)" ACTIVE "root's pin-source"

# ---- the token is gone and comes back ----

mkdir "$project"/apps/new-{1,2,3}
unplug
assert_fails 'Input/output error' cat "$project/apps/new-1/device_ca.pem"
cat "$project/apps/gw-1/bundle.pem" >"$T/bundle.pem" # what is issued is served
verify "$T/bundle.pem"
assert_has "$(cat "$project/status")" 'SIGNING_KEY_UNAVAILABLE.*no such token is there|SIGNING_KEY_UNAVAILABLE' "status while the token is away"
assert_fails 'Input/output error' cat "$project/apps/new-2/device_ca.key"
echo stolen >"$project/apps/gw-2/revoke"
for _ in 1 2; do # the list that was made last lacks this one, whoever asks how often
    assert_fails 'Input/output error' cat "$project/signing_ca/crl.pem"
done
wait_until 10 grep -q signing_ca.key_unavailable "$project/events"
assert_eq "$(grep -c signing_ca.key_unavailable "$project/events")" 1 "events of one absence"
"$CERTFS" check -c "$CONF" >"$T/check.out" || fail "certfs check without the token: $(cat "$T/check.out")"
kill_worker
assert_fails 'Input/output error' cat "$project/apps/new-1/device_ca.pem"
plug_in
served() { cat "$project/apps/new-1/device_ca.pem" >"$T/device.pem" 2>/dev/null; }
wait_until 30 served
verify "$T/device.pem"
wait_until 10 grep -q signing_ca.key_available "$project/events"
assert_lacks "$(cat "$project/status")" SIGNING_KEY_UNAVAILABLE "status after it came back"
cat "$project/signing_ca/crl.pem" >"$T/crl.pem"
assert_eq "$(openssl crl -in "$T/crl.pem" -noout -text | grep -c 'Serial Number:')" 2 "revoked, after the token came back"

# ---- a wrong PIN is not tried until the token is locked ----

printf 'wrong-pin\n' >"$T/pin"
kill_worker
mkdir "$PROJECTS"/tenant/apps/t-{1..20}
for i in $(seq 20); do
    assert_fails 'Input/output error' cat "$PROJECTS/tenant/apps/t-$i/device_ca.pem"
done
# SoftHSM locks nothing: that the PIN is left alone is said where the chain alone is written, which is proven by the stored key
! cp "$CA/EC-prime256v1.chain" "$PROJECTS/tenant/signing_ca/cert.pem" 2>/dev/null || fail "proven without the token"
assert_has "$(field "$PROJECTS/tenant/signing_ca/status" rejected)" 'refused this PIN; it is not tried again' "the reason"
printf '%s\n' "$PIN" >"$T/pin"
tenant_served() { cat "$PROJECTS/tenant/apps/t-1/device_ca.pem" >"$T/device.pem" 2>/dev/null; }
wait_until 30 tenant_served
verify "$T/device.pem"

# ---- no successor is made for a key in a token: a notice only (beside one whose key is in no token, so that it is waited for) ----

make_intermediate ending root days=20
mkdir "$PROJECTS/ending-token" "$PROJECTS/ending"
softhsm2-util --import "$CA/ending.key" --token certfs --label ending --id 30 --pin "$PIN" >/dev/null
cp "$CA/ending.chain" "$PROJECTS/ending-token/signing_ca/cert.pem"
put ending-token "pkcs11:token=certfs;object=ending?pin-value=$PIN"
make_intermediate ending-file root days=20
upload ending ending-file
wait_until 60 test -s "$PROJECTS/ending/signing_ca/csr.pem"
assert_has "$(cat "$PROJECTS/ending-token/status")" 'INTER_CA_EXPIRING' "the notice"
[ ! -s "$PROJECTS/ending-token/signing_ca/csr.pem" ] || fail "a successor's key was made outside of the token"

# ---- nothing of it in the clear ----

restart_certfs
cat "$project/apps/new-2/bundle.pem" >"$T/bundle.pem"
verify "$T/bundle.pem"
! grep -aq -e "$PIN" -e 'pin-value=[^P]' "$T"/store/* || fail "the URI is in the store in the clear"
assert_lacks "$(cat "$MNT/events" "$MNT/audit" "$T/mount.log" "$project/signing_ca/status" "$project/status")" "$PIN" "what is told"
check_clean
