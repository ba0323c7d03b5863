#!/bin/bash
# Each way in which an upload can be bad: cp fails and says so, signing_ca/status names the cause, nothing changes.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

BAD=$T/bad
count=0
mkdir "$BAD"
make_root root
make_intermediate int root
make_ca other
cat "$CA/int.chain" "$CA/int.key" >"$T/int.all"

# refused PATTERN FILE… : each FILE goes, by cp, to the file of its name's ending (.cert, .key, .password) in
# signing_ca/ of a project with an active signing CA; all but the last succeed
refused() {
    local pattern=$1 directory before file target text=''
    shift
    count=$((count + 1))
    directory=$PROJECTS/p$count/signing_ca
    mkdir "$PROJECTS/p$count"
    cp "$T/int.all" "$directory/cert.pem"
    before=$(active p$count)
    for file; do
        case $file in
        *.key) target=$directory/key.pem ;;
        *.password) target=$directory/password ;;
        *) target=$directory/cert.pem ;;
        esac
        if [ "$file" != "${*: -1}" ]; then
            cp "$file" "$target" || fail "case $count ($pattern): $file should have been staged"
        elif text=$(cp "$file" "$target" 2>&1); then
            fail "case $count ($pattern): $file was taken: $(cat "$directory/status")"
        fi
    done
    assert_has "$text" "Key was rejected by service" "case $count ($pattern): cp"
    text=$(field "$directory/status" rejected)
    grep -Eiq -- "$pattern" <<<"$text" || fail "case $count: '$pattern' is not in the sentence: $text"
    assert_has "$text" '^.{20,}$' "case $count ($pattern): a sentence"
    assert_eq "$(active p$count)" "$before" "case $count ($pattern): active fingerprint"
    assert_eq "$(field "$directory/status" state)" ACTIVE "case $count ($pattern): state"
}

# bad_ca NAME [as make_ca]: $BAD/NAME.cert with certificate, chain and key in one
bad_ca() {
    make_ca "$@"
    cat "$CA/$1.chain" "$CA/$1.key" >"$BAD/$1.cert"
}

start_certfs

# ---- not what it should be ----
echo hello >"$BAD/text.cert"
refused 'certificate|PEM' "$BAD/text.cert"
head -c 3000 /dev/urandom >"$BAD/random.cert"
refused 'certificate|DER|PEM' "$BAD/random.cert"
echo ' ' >"$BAD/blank.cert"
refused 'certificate|PEM' "$BAD/blank.cert"
cp "$CA/int.csr" "$BAD/csr.cert"
refused 'request' "$BAD/csr.cert"
openssl ca -gencrl -keyfile "$CA/int.key" -cert "$CA/int.pem" -out "$BAD/crl.cert" -config <(
    : >"$BAD/index"
    printf '[ca]\ndefault_ca=d\n[d]\ndatabase=%s\ndefault_md=sha256\ndefault_crl_days=1\n' "$BAD/index"
) 2>/dev/null
refused 'revocation list' "$BAD/crl.cert"
openssl pkey -in "$CA/int.key" -pubout -out "$BAD/public.key"
refused 'public key' "$BAD/public.key"
openssl x509 -in "$CA/int.pem" -trustout -addtrust serverAuth -out "$BAD/trusted.cert"
refused 'trust' "$BAD/trusted.cert"
openssl crl2pkcs7 -nocrl -certfile "$CA/int.chain" -out "$BAD/p7.cert"
refused 'PKCS#7' "$BAD/p7.cert"
cp "$CA/other.pem" "$BAD/cert-as-key.key"
refused 'no private key' "$BAD/cert-as-key.key"
cp "$CA/other.key" "$BAD/key-as-cert.cert"
refused 'no certificate' "$BAD/key-as-cert.cert"
openssl dsaparam -genkey 2048 2>/dev/null | openssl pkey -out "$BAD/dsa.key" 2>/dev/null
refused 'DSA|algorithm|sign' "$BAD/dsa.key"
openssl genpkey -algorithm X25519 -out "$BAD/x25519.key"
refused 'X25519|algorithm|sign' "$BAD/x25519.key"

# ---- damaged ----
head -c 400 "$CA/other.pem" >"$BAD/cut.cert"
refused 'PEM' "$BAD/cut.cert"
sed '3s/..../!!!!/' "$CA/other.pem" >"$BAD/base64.cert"
refused 'PEM' "$BAD/base64.cert"
cat "$CA/other.pem" <(head -n 5 "$CA/root.pem") >"$BAD/second-cut.cert"
refused 'PEM' "$BAD/second-cut.cert"
sed 's/-----BEGIN CERTIFICATE-----/----BEGIN CERTIFICATE----/' "$CA/other.pem" >"$BAD/dashes.cert"
refused 'PEM|BEGIN' "$BAD/dashes.cert"
sed 's/^/  /' "$CA/other.pem" >"$BAD/indented.cert"
refused 'PEM|BEGIN' "$BAD/indented.cert"
sed 's/END CERTIFICATE/END PRIVATE KEY/' "$CA/other.pem" >"$BAD/ends.cert"
refused 'PEM' "$BAD/ends.cert"
openssl x509 -in "$CA/other.pem" -outform DER -out "$BAD/whole.der"
head -c -10 "$BAD/whole.der" >"$BAD/cut-der.cert"
refused 'DER' "$BAD/cut-der.cert"
cat "$BAD/whole.der" <(echo extra) >"$BAD/trailing.cert"
refused 'trailing' "$BAD/trailing.cert"
{
    echo "-----BEGIN CERTIFICATE-----"
    cat "$BAD/whole.der" <(echo extra) | base64 -w 64
    echo "-----END CERTIFICATE-----"
} >"$BAD/trailing-pem.cert"
refused 'trailing' "$BAD/trailing-pem.cert"
{
    echo "-----BEGIN CERTIFICATE-----"
    head -c 200 /dev/urandom | base64 -w 64
    echo "-----END CERTIFICATE-----"
} >"$BAD/noise.cert"
refused 'DER' "$BAD/noise.cert"
openssl pkey -in "$CA/other.key" -outform DER | head -c -5 >"$BAD/cut.key"
refused 'DER|key' "$BAD/cut.key"
make_p12 "$BAD/other.p12" other secret
head -c -30 "$BAD/other.p12" >"$BAD/cut-p12.cert"
refused 'PKCS#12|DER' "$BAD/cut-p12.cert"

# ---- more or less than one signing CA ----
cat "$CA/other.pem" "$CA/other.key" "$CA/int.key" >"$BAD/two-keys.cert"
refused 'more than one private key' "$BAD/two-keys.cert"
cat "$CA/other.pem" "$CA/root.key" >"$BAD/mismatch.cert"
refused 'matches none|match' "$BAD/mismatch.cert"
make_ca third
cp "$CA/other.pem" "$BAD/other.cert"
cp "$CA/third.key" "$BAD/third.key"
refused 'match' "$BAD/other.cert" "$BAD/third.key"
cp "$CA/other.key" "$BAD/other.key"
cp "$CA/third.pem" "$BAD/third.cert"
refused 'match' "$BAD/other.key" "$BAD/third.cert"
cat "$CA/other.pem" "$CA/other.key" "$CA/third.pem" >"$BAD/unused.cert"
refused 'not used' "$BAD/unused.cert"

# ---- passwords ----
encrypt_key "$CA/other.key" "$BAD/encrypted.key" right
# a key alone is no certificate, locked or not
cp "$CA/other.key" "$BAD/key.cert"
refused 'no certificate' "$BAD/key.cert"
cp "$BAD/encrypted.key" "$BAD/encrypted-key.cert"
refused 'no certificate' "$BAD/encrypted-key.cert"
openssl pkcs8 -topk8 -in "$CA/other.key" -v2 aes-256-cbc -outform DER -passout pass:right -out "$BAD/encrypted-der.cert"
refused 'no certificate' "$BAD/encrypted-der.cert"
openssl ec -in "$CA/other.key" -aes256 -passout pass:right -out "$BAD/encrypted-sec1.cert" 2>/dev/null
refused 'no certificate' "$BAD/encrypted-sec1.cert"
echo wrong >"$BAD/wrong.password"
refused 'wrong key password' "$BAD/other.cert" "$BAD/encrypted.key" "$BAD/wrong.password"
refused 'wrong key password' "$BAD/wrong.password" "$BAD/other.cert" "$BAD/encrypted.key"
cp "$BAD/other.p12" "$BAD/p12.cert"
refused 'wrong PKCS#12 password' "$BAD/wrong.password" "$BAD/p12.cert"
refused 'wrong PKCS#12 password' "$BAD/p12.cert" "$BAD/wrong.password"

# ---- certificates that can't be a signing CA ----
KU=$'\nkeyUsage=critical,digitalSignature,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid'
BC='basicConstraints=critical,CA:TRUE'
bad_ca v1 ext=
refused 'version 3' "$BAD/v1.cert"
bad_ca leaf "ext=basicConstraints=critical,CA:FALSE$KU"
refused 'CA:TRUE' "$BAD/leaf.cert"
bad_ca no-bc "ext=${KU#?}"
refused 'CA:TRUE' "$BAD/no-bc.cert"
bad_ca lax-bc "ext=basicConstraints=CA:TRUE$KU"
refused 'not critical' "$BAD/lax-bc.cert"
bad_ca no-sign "ext=$BC"$'\nkeyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash'
refused 'keyCertSign' "$BAD/no-sign.cert"
bad_ca eku "ext=$BC$KU"$'\nextendedKeyUsage=clientAuth'
refused 'EKU|extendedKeyUsage|serverAuth' "$BAD/eku.cert"
bad_ca malformed "ext=$BC$KU"$'\nnameConstraints=DER:3003020101'
refused 'malformed' "$BAD/malformed.cert"
bad_ca critical "ext=$BC$KU"$'\n1.2.3.4=critical,ASN1:UTF8String:x'
refused 'unknown critical extension' "$BAD/critical.cert"
bad_ca rsa1024 key=rsa1024
refused 'weak' "$BAD/rsa1024.cert"
bad_ca p192 key=p192
refused 'prime192v1' "$BAD/p192.cert"
bad_ca pathlen0 "ext=$BC,pathlen:0$KU"
refused 'pathlen:0 .*forbids' "$BAD/pathlen0.cert"
make_ca top0 "ext=$BC,pathlen:0$KU"
bad_ca under0 parent=top0
refused 'pathLen|pathlen' "$BAD/under0.cert"
make_ca top1 "ext=$BC,pathlen:1$KU"
make_intermediate mid1 top1
bad_ca under1 parent=mid1
refused 'pathLen|pathlen' "$BAD/under1.cert"
bad_ca sha1 parent=root md=sha1
refused 'SHA-?1|digest' "$BAD/sha1.cert"
make_root rsa-root key=rsa2048
bad_ca md5 parent=rsa-root md=md5
refused 'MD5|digest' "$BAD/md5.cert"
make_ca leaf-parent "ext=basicConstraints=critical,CA:FALSE$KU"
bad_ca under-leaf parent=leaf-parent
refused 'CA:TRUE' "$BAD/under-leaf.cert"

# ---- chains that do not hold ----
make_ca wrong-root subject=/CN=root
cat "$CA/int.pem" "$CA/wrong-root.pem" "$CA/int.key" >"$BAD/wrong-root.cert"
refused 'does not verify|not used' "$BAD/wrong-root.cert"
openssl x509 -in "$CA/other.pem" -outform DER | python3 -c '
import sys
data = bytearray(sys.stdin.buffer.read())
data[-1] ^= 1
sys.stdout.buffer.write(data)' | openssl x509 -inform DER >"$BAD/signature.pem"
cat "$BAD/signature.pem" "$CA/other.key" >"$BAD/signature.cert"
refused 'signature|does not verify' "$BAD/signature.cert"
make_ca constrained-top "ext=$BC$KU"$'\nnameConstraints=critical,permitted;dirName:dir\n[dir]\nO=Elsewhere'
bad_ca constrained parent=constrained-top
refused 'name constraint|does not verify' "$BAD/constrained.cert"

# ---- time ----
if command -v faketime >/dev/null; then
    bad_ca expired clock=-864000 days=5
    refused 'expired' "$BAD/expired.cert"
    bad_ca early clock=+864000
    refused 'not yet valid' "$BAD/early.cert"
    make_ca old-top clock=-864000 days=5
    bad_ca under-old parent=old-top
    refused 'expired' "$BAD/under-old.cert"
fi

[ "$count" -ge 50 ] || fail "only $count cases"
echo "$count bad uploads"

# too big is EFBIG, and the project goes on as it was
head -c 1048577 /dev/zero >"$BAD/big"
assert_fails "File too large" cp "$BAD/big" "$PROJECTS/p1/signing_ca/cert.pem"
mkdir "$PROJECTS/p1/apps/gw"
verify_chain "$PROJECTS/p1/apps/gw/device_ca.pem" "$CA/root.pem"
check_clean
