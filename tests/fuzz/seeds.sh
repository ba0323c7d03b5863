#!/bin/bash
# seeds.sh DIRECTORY: makes DIRECTORY/{config,details,name,policy,request,template,upload}, what fuzzing begins with: what found a fault
# once (corpus/), and one of each kind. Keys and certificates are made anew each time.
set -eu
umask 077
[ $# = 1 ] || { echo "usage: $0 DIRECTORY" >&2; exit 2; }
OUT=$1
HERE=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$OUT"/{config,details,name,policy,request,template,upload}
cp -r "$HERE/corpus/." "$OUT"
python3 "$HERE/requests.py" "$HERE/../../fs/tree.h" "$OUT/request"

# ---- policy ----
cat >"$OUT/policy/whole" <<'EOF'
; a comment
[certificate]
attach = yes                ; more
key_type = ec-p256
validity_days = 365
renew_before_days = 30
renewal = on-read
rotate_key = no
subject = CN=%a.%p.ca
path_length = 0
revoke_grace_hours = 72
[signing_ca]
warn_days = 30
[rollout]
max_parallel = 16
per_minute = 0
[files]
cert_dir = /var/aziot/certs
key_dir = /var/aziot/secret
key_mode = 0400
[variables]
required = $webhook.azure.device_ca.required
cert = $webhook.azure.device_ca.cert
key = $webhook.azure.device_ca.key
EOF
printf '[certificate]\nkey_type = rsa-4096\nrenewal = manual\nsubject = CN=100%%%% %%a\n' >"$OUT/policy/short"
printf '[certificate]\r\nattach : no\r\n  more\r\n' >"$OUT/policy/continued"
printf '\xef\xbb\xbf[files]\nkey_mode=0440\n' >"$OUT/policy/mark"
printf '[nowhere]\nx = y\n[certificate\nx\n=\n' >"$OUT/policy/bad"

# ---- names ----
printf 'gw-01\0plant-7\0CN=%%a.%%p.ca' >"$OUT/name/usual"
printf '%064d\0%064d\0CN=%%a %%%% %%p W\xc3\xa4rme' 1 2 >"$OUT/name/long"
printf '.x\0a/b\0CN=' >"$OUT/name/bad"

# ---- configuration ----
cat >"$OUT/config/whole" <<'EOF'
[store]
path = /var/lib/certfs/certfs.db
[keystore]
master_key = file:/var/lib/certfs/master.key   ; or
[daemon]
user =
[hooks]
details = /usr/lib/certfs/details
purge =
push =
restart =
event =
user = nobody
timeout_seconds = 30
retries = 5
[limits]
projects = 10000
apps_per_project = 1000000
[log]
level = info
EOF
printf '[keystore]\nmaster_key = credential:master\n' >"$OUT/config/credential"
printf '[keystore]\nmaster_key = pkcs11:token=t;object=o\n[log]\nlevel = debug\n' >"$OUT/config/token"

# ---- details and templates ----
printf 'hostname=gw-01\n# a comment\naddress = 192.0.2.7\nnote="a b"\n' >"$OUT/details/some"
printf 'hostname=W\xc3\xa4rme\nhostname=again\n=\nx\n' >"$OUT/details/bad"
cat >"$OUT/template/cloud" <<'EOF'
#cloud-config
hostname: $details.hostname
write_files:
- path: /ca.pem
  content: |
    $webhook.azure.device_ca.cert|indent:4
- path: /ca.key
  encoding: b64
  content: $webhook.azure.device_ca.key|base64
runcmd: [$webhook.azure.device_ca.required, $unknown, $, $$, "$details.", $details.x|indent:99]
EOF

# ---- uploads ----
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
cd "$WORK"
CA='basicConstraints=critical,CA:TRUE
keyUsage=critical,digitalSignature,keyCertSign,cRLSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid'
printf '%s\n' "$CA" >ca.ext
printf '%s\nnameConstraints=critical,permitted;DNS:example.net\n' "$CA" >constrained.ext

# certificate NAME SUBJECT EXTENSIONS [ISSUER]
certificate() {
    openssl req -new -key "$1.key" -subj "$2" -utf8 -out "$1.csr"
    if [ $# = 4 ]; then
        openssl x509 -req -in "$1.csr" -CA "$4.pem" -CAkey "$4.key" -CAcreateserial -days 36500 -extfile "$3.ext" \
            -out "$1.pem" 2>/dev/null
    else
        openssl x509 -req -in "$1.csr" -signkey "$1.key" -days 36500 -extfile "$3.ext" -out "$1.pem" 2>/dev/null
    fi
}
for name in root intermediate constrained control; do
    openssl ecparam -name prime256v1 -genkey -noout -out "$name.key"
done
openssl genpkey -algorithm ED25519 -out ed.key
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key 2>/dev/null
certificate root '/CN=Root' ca
certificate intermediate '/O=Plant/CN=Wärme CA' ca root
certificate constrained '/CN=Constrained' constrained root
certificate control $'/CN=a\xc2\x9bb' ca
certificate ed '/CN=Ed' ca
certificate rsa '/CN=RSA' ca

UP=$OUT/upload
case $UP in /*) ;; *) UP=$OLDPWD/$UP ;; esac
cp root.pem intermediate.pem constrained.pem control.pem ed.pem rsa.pem "$UP"
cp intermediate.key "$UP/sec1.pem"
cp rsa.key "$UP/rsa-pkcs8.pem"
cat root.pem intermediate.pem >"$UP/chain.pem"
cat intermediate.key constrained.pem intermediate.pem root.pem >"$UP/everything.pem"
openssl x509 -in intermediate.pem -outform DER -out "$UP/cert.der"
openssl ec -in intermediate.key -outform DER -out "$UP/sec1.der" 2>/dev/null
openssl rsa -in rsa.key -traditional -outform DER -out "$UP/pkcs1.der" 2>/dev/null
openssl pkcs8 -topk8 -nocrypt -in ed.key -outform DER -out "$UP/pkcs8.der"
openssl pkcs8 -topk8 -in intermediate.key -passout pass:secret -iter 1 -out "$UP/encrypted.pem"
openssl pkcs8 -topk8 -in intermediate.key -passout pass:secret -iter 1 -outform DER -out "$UP/encrypted.der"
openssl ec -in intermediate.key -aes128 -passout pass:secret -out "$UP/traditional.pem" 2>/dev/null
openssl pkcs12 -export -inkey intermediate.key -in intermediate.pem -certfile root.pem -passout pass:secret -iter 1 \
    -out "$UP/secret.p12"
openssl pkcs12 -export -inkey intermediate.key -in intermediate.pem -passout pass: -iter 1 -out "$UP/empty.p12"
openssl pkcs12 -export -nokeys -in root.pem -passout pass: -nomac -keypbe NONE -certpbe NONE -out "$UP/plain.p12" ||
    rm -f "$UP/plain.p12"
