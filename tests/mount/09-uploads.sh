#!/bin/bash
# Every form in which a signing CA can be uploaded, every order, every tool.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need rsync

make_root root
make_intermediate up root
make_intermediate int up
make_root rsa key=rsa2048
F=$T/forms
mkdir "$F"
count=0

# activated PROJECT NAME: its active signing CA is NAME, and issues
activated() {
    assert_eq "$(active "$1" | tr -d :)" "$(fingerprint "$CA/$2.pem" | tr -d :)" "$1: fingerprint"
    assert_eq "$(field "$PROJECTS/$1/signing_ca/status" state)" ACTIVE "$1: state"
    assert_eq "$(field "$PROJECTS/$1/signing_ca/status" staged)" "[]" "$1: staged"
    cmp "$PROJECTS/$1/signing_ca/cert.pem" "$CA/$2.chain" || fail "$1: cert.pem is not certificate and chain"
    mkdir "$PROJECTS/$1/apps/gw"
    cat "$PROJECTS/$1/apps/gw/device_ca.pem" >"$T/device_ca.pem"
    openssl verify -x509_strict -CAfile "$(root_of "$2")" -untrusted "$T/device_ca.pem" "$T/device_ca.pem" >/dev/null
    count=$((count + 1))
}

root_of() {
    echo "$CA/${1/#int/root}.pem"
}

start_certfs

# ---- all orders of cert, key and password; encrypted or not ----
encrypt_key "$CA/int.key" "$F/pkcs8.key" "pass word"
echo "pass word" >"$F/password"
for order in "cert key" "key cert" "cert key password" "cert password key" "key cert password" "key password cert" \
    "password cert key" "password key cert"; do
    project=${order// /-}
    mkdir "$PROJECTS/$project"
    for part in $order; do
        assert_ne "$(field "$PROJECTS/$project/signing_ca/status" state)" ACTIVE "$project: state before the last part"
        case $part in
        cert) cp "$CA/int.chain" "$PROJECTS/$project/signing_ca/cert.pem" ;;
        password) cp "$F/password" "$PROJECTS/$project/signing_ca/password" ;;
        key)
            case $order in
            *password*) cp "$F/pkcs8.key" "$PROJECTS/$project/signing_ca/key.pem" ;;
            *) cp "$CA/int.key" "$PROJECTS/$project/signing_ca/key.pem" ;;
            esac
            ;;
        esac
    done
    activated "$project" int
done

# the same once more, as a playbook does that is run again: nothing is left that waits, and a chain is taken as before
again=$PROJECTS/cert-key-password/signing_ca
for part in cert.pem key.pem password; do
    case $part in
    cert.pem) cp "$CA/int.chain" "$again/$part" ;;
    key.pem) cp "$F/pkcs8.key" "$again/$part" ;;
    password) cp "$F/password" "$again/$part" ;;
    esac
done
assert_eq "$(field "$again/status" staged)" "[]" "staged after a second upload"
cat "$CA/int.pem" "$CA/up.pem" >"$F/no-root.pem"
cp "$F/no-root.pem" "$again/cert.pem"
assert_same "$again/cert.pem" "$F/no-root.pem" "a chain for the active key after that"

# what is missing is said
mkdir "$PROJECTS/waiting"
cp "$CA/int.chain" "$PROJECTS/waiting/signing_ca/cert.pem"
assert_has "$(field "$PROJECTS/waiting/signing_ca/status" staged)" cert "staged"
assert_has "$(field "$PROJECTS/waiting/signing_ca/status" missing)" key "missing"
cp "$F/pkcs8.key" "$PROJECTS/waiting/signing_ca/key.pem"
assert_has "$(field "$PROJECTS/waiting/signing_ca/status" missing)" password "missing"
cp "$F/password" "$PROJECTS/waiting/signing_ca/password"
activated waiting int

# the certificates come first, and the project has the key of an issuer among them
mkdir "$PROJECTS/own"
upload own up
cp "$CA/int.chain" "$PROJECTS/own/signing_ca/cert.pem"
assert_eq "$(field "$PROJECTS/own/signing_ca/status" staged)" "[cert.pem]" "an intermediate under the active signing CA"
assert_eq "$(active own | tr -d :)" "$(fingerprint "$CA/up.pem" | tr -d :)" "the active one meanwhile"
cp "$CA/int.key" "$PROJECTS/own/signing_ca/key.pem"
assert_eq "$(active own | tr -d :)" "$(fingerprint "$CA/int.pem" | tr -d :)" "the intermediate with its key"
cp "$CA/up.chain" "$PROJECTS/own/signing_ca/cert.pem"
assert_eq "$(active own | tr -d :)" "$(fingerprint "$CA/up.pem" | tr -d :)" "the way back"
cat "$CA/root.pem" "$CA/up.pem" "$CA/int.pem" >"$F/root-first.pem"
cp "$F/root-first.pem" "$PROJECTS/own/signing_ca/cert.pem"
activated own int

# ---- forms of the key ----
openssl pkey -in "$CA/int.key" -outform DER -out "$F/der.key"
openssl ec -in "$CA/int.key" -out "$F/sec1.key" 2>/dev/null
openssl ec -in "$CA/int.key" -outform DER -out "$F/sec1-der.key" 2>/dev/null
openssl ec -in "$CA/int.key" -aes256 -passout pass:secret -out "$F/sec1-enc.key" 2>/dev/null
openssl pkcs8 -topk8 -in "$CA/int.key" -v2 aes-256-cbc -outform DER -passout pass:secret -out "$F/pkcs8-der-enc.key"
openssl ecparam -name prime256v1 | cat - "$F/sec1.key" >"$F/parameters.key"
sed 's/$/\r/' "$CA/int.key" >"$F/crlf.key"
(echo "Bag Attributes: <Empty>" && cat "$CA/int.key") >"$F/text-before.key"
for form in der sec1 sec1-der sec1-enc pkcs8-der-enc parameters crlf text-before; do
    mkdir "$PROJECTS/key-$form"
    case $form in
    *-enc) printf secret >"$PROJECTS/key-$form/signing_ca/password" ;;
    esac
    cp "$CA/int.chain" "$PROJECTS/key-$form/signing_ca/cert.pem"
    cp "$F/$form.key" "$PROJECTS/key-$form/signing_ca/key.pem"
    activated "key-$form" int
done
openssl rsa -in "$CA/rsa.key" -traditional -out "$F/rsa.key" 2>/dev/null
openssl rsa -in "$CA/rsa.key" -traditional -aes256 -passout pass:secret -out "$F/rsa-enc.key" 2>/dev/null
openssl rsa -in "$CA/rsa.key" -traditional -outform DER -out "$F/rsa-der.key" 2>/dev/null
for form in rsa rsa-enc rsa-der; do
    mkdir "$PROJECTS/$form"
    [ $form != rsa-enc ] || printf 'secret\n' >"$PROJECTS/$form/signing_ca/password"
    cp "$F/$form.key" "$PROJECTS/$form/signing_ca/key.pem"
    openssl x509 -in "$CA/rsa.pem" -outform DER >"$PROJECTS/$form/signing_ca/cert.pem"
    activated $form rsa
done

# ---- one file with everything, the chain in any order ----
cd "$CA"
for order in "int up root key" "root up int key" "key root int up" "up key int root" "up root key int" "root key up int"; do
    project=one-${order// /-}
    mkdir "$PROJECTS/$project"
    for part in $order; do
        if [ "$part" = key ]; then
            cat int.key
        else
            openssl x509 -in "$part.pem" -text
        fi
    done >"$F/$project.pem"
    cp "$F/$project.pem" "$PROJECTS/$project/signing_ca/cert.pem"
    activated "$project" int
done
cd /
mkdir "$PROJECTS/one-by-key"
cat "$CA/int.key" "$CA/int.chain" >"$PROJECTS/one-by-key/signing_ca/key.pem"
activated one-by-key int
mkdir "$PROJECTS/one-encrypted"
cp "$F/password" "$PROJECTS/one-encrypted/signing_ca/password"
cat "$F/pkcs8.key" "$CA/int.chain" >"$PROJECTS/one-encrypted/signing_ca/cert.pem"
activated one-encrypted int

# ---- PKCS#12 ----
make_p12 "$F/secret.p12" int secret
make_p12 "$F/empty.p12" int ""
openssl pkcs12 -export -inkey "$CA/int.key" -in "$CA/int.chain" -out "$F/none.p12" -passout pass: -keypbe NONE -certpbe NONE \
    -nomaciter
openssl pkcs12 -export -inkey "$CA/int.key" -in "$CA/int.chain" -out "$F/utf8.p12" -passout pass:"Grüße 密"
forms=(secret empty none utf8)
if openssl pkcs12 -export -legacy -inkey "$CA/int.key" -in "$CA/int.chain" -out "$F/legacy.p12" -passout pass:secret 2>/dev/null; then
    forms+=(legacy)
fi
for form in "${forms[@]}"; do
    mkdir "$PROJECTS/p12-$form"
    case $form in
    secret | legacy) echo secret >"$PROJECTS/p12-$form/signing_ca/password" ;;
    utf8) echo "Grüße 密" >"$PROJECTS/p12-$form/signing_ca/password" ;;
    esac
    cp "$F/$form.p12" "$PROJECTS/p12-$form/signing_ca/cert.pem"
    activated "p12-$form" int
done
mkdir "$PROJECTS/p12-late"
cp "$F/secret.p12" "$PROJECTS/p12-late/signing_ca/cert.pem"
assert_has "$(field "$PROJECTS/p12-late/signing_ca/status" missing)" password missing
echo secret >"$PROJECTS/p12-late/signing_ca/password"
activated p12-late int

# ---- every tool ----
put_cp() { cp "$1" "$2"; }
put_cp_p() { cp -p "$1" "$2"; }
put_cat() { cat "$1" >"$2"; }
put_dd() { dd if="$1" of="$2" bs=100 status=none; }
put_tee() { tee "$2" <"$1" >/dev/null; }
put_install() { install -m 600 "$1" "$2"; }
put_mv() { cp "$1" "$T/moved" && mv "$T/moved" "$2"; }
put_rsync() { rsync -a "$1" "$2"; }
put_rsync_inplace() { rsync --inplace "$1" "$2"; }
put_rename() { cp "$1" "${2%/*}/.tmp.123" && mv "${2%/*}/.tmp.123" "$2"; }
put_ansible() { python3 -c '
import os, shutil, sys, tempfile
source, target = sys.argv[1:]
fd, temporary = tempfile.mkstemp(prefix=".ansible_tmp", dir=os.path.dirname(target))
os.close(fd)
shutil.copyfile(source, temporary)
shutil.copystat(source, temporary)
os.chmod(temporary, 0o600)
os.rename(temporary, target)' "$1" "$2"; }
put_pieces() { python3 -c '
import os, sys
data = open(sys.argv[1], "rb").read()
fd = os.open(sys.argv[2], os.O_WRONLY | os.O_TRUNC)
for at in sorted(range(0, len(data), 50), key=lambda at: at // 50 % 2):
    os.pwrite(fd, data[at:at + 50], at)
os.close(fd)' "$1" "$2"; }
for tool in cp cp_p cat dd tee install mv rsync rsync_inplace rename ansible pieces; do
    mkdir "$PROJECTS/by-$tool"
    directory=$PROJECTS/by-$tool/signing_ca
    put_$tool "$F/password" "$directory/password" || fail "$tool: password"
    put_$tool "$CA/int.chain" "$directory/cert.pem" || fail "$tool: cert.pem"
    put_$tool "$F/pkcs8.key" "$directory/key.pem" || fail "$tool: key.pem"
    activated "by-$tool" int
    assert_eq "$(find "$directory" -name '.*' -type f)" "" "$tool: what it leaves"
    # a bad upload fails loudly with each of them, and changes nothing
    sed '4d' "$CA/rsa.pem" >"$F/bad"
    ! put_$tool "$F/bad" "$directory/cert.pem" 2>/dev/null || fail "$tool: a bad upload succeeded"
    assert_has "$(field "$directory/status" rejected)" . "$tool: rejected"
    assert_eq "$(active "by-$tool" | tr -d :)" "$(fingerprint "$CA/int.pem" | tr -d :)" "$tool: fingerprint after a bad upload"
    rm -f "$directory"/.[!.]*
done
echo "$count uploads"
check_clean
