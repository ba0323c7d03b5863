# shellcheck shell=bash
# Certificates for tests, made by the openssl command, and the judges of what certfs issues.

CA_EXT='basicConstraints=critical,CA:TRUE
keyUsage=critical,digitalSignature,keyCertSign,cRLSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid'

# make_key FILE TYPE [PASSWORD]
make_key() {
    local options
    case $2 in
    p256) options=(-algorithm EC -pkeyopt ec_paramgen_curve:P-256) ;;
    p384) options=(-algorithm EC -pkeyopt ec_paramgen_curve:P-384) ;;
    p192) options=(-algorithm EC -pkeyopt ec_paramgen_curve:prime192v1) ;;
    rsa*) options=(-algorithm RSA -pkeyopt "rsa_keygen_bits:${2#rsa}") ;;
    ed25519) options=(-algorithm ED25519) ;;
    *) fail "make_key: $2?" ;;
    esac
    [ $# -lt 3 ] || options+=(-aes256 -pass "pass:$3")
    openssl genpkey -quiet -out "$1" "${options[@]}" 2>/dev/null ||
        openssl genpkey -out "$1" "${options[@]}" 2>/dev/null
}

# make_ca NAME [key=TYPE] [parent=NAME] [ext=LINES] [days=N] [clock=SECONDS] [md=DIGEST] [subject=/CN=…]
# makes $CA/NAME.key (unless it is there), NAME.pem, and NAME.chain: itself, then what is above it.
# clock: as if made that many seconds from now, so clock=-86390 days=1 ends in 10 seconds.
make_ca() {
    local name=$1 key=p256 parent='' ext=$CA_EXT days=3650 clock='' md='' subject="/CN=$1" signer prefix=()
    [ $# = 1 ] || local "${@:2}"
    [ -e "$CA/$name.key" ] || make_key "$CA/$name.key" "$key"
    printf '%s\n' "$ext" >"$CA/$name.ext"
    if [ -n "$parent" ]; then
        signer=(-CA "$CA/$parent.pem" -CAkey "$CA/$parent.key")
    else
        signer=(-signkey "$CA/$name.key")
    fi
    [ -z "$md" ] || signer+=("-$md")
    [ -z "$ext" ] || signer+=(-extfile "$CA/$name.ext")
    [ -z "$clock" ] || prefix=(faketime -f "$clock")
    openssl req -new -key "$CA/$name.key" -subj "$subject" -utf8 -out "$CA/$name.csr"
    "${prefix[@]}" openssl x509 -req -in "$CA/$name.csr" "${signer[@]}" -days "$days" \
        -set_serial "0x4$(openssl rand -hex 15)" -out "$CA/$name.pem" 2>"$CA/$name.log" ||
        fail "make_ca $name: $(cat "$CA/$name.log")"
    cp "$CA/$name.pem" "$CA/$name.chain"
    [ -z "$parent" ] || cat "$CA/$parent.chain" >>"$CA/$name.chain"
}

make_root() {
    make_ca "$@"
}

# make_intermediate NAME PARENT [as make_ca]
make_intermediate() {
    make_ca "$1" "parent=$2" "${@:3}"
}

# make_p12 FILE NAME PASSWORD: NAME's key, certificate and chain
make_p12() {
    openssl pkcs12 -export -inkey "$CA/$2.key" -in "$CA/$2.chain" -out "$1" -passout "pass:$3"
}

encrypt_key() {
    openssl pkcs8 -topk8 -v2 aes-256-cbc -in "$1" -out "$2" -passout "pass:$3"
}

# upload PROJECT NAME: the chain, then the key, as two files
upload() {
    cp "$CA/$2.chain" "$PROJECTS/$1/signing_ca/cert.pem"
    cp "$CA/$2.key" "$PROJECTS/$1/signing_ca/key.pem"
}

# new_project NAME [signer's key type]: mkdir, and an active intermediate `int` under the root `root`
# (made once a test for each key type: `root`, `int`, or `root-TYPE`, `int-TYPE`)
new_project() {
    local suffix=${2:+-$2}
    [ -e "$CA/root$suffix.pem" ] || make_root "root$suffix" "key=${2:-p256}"
    [ -e "$CA/int$suffix.pem" ] || make_intermediate "int$suffix" "root$suffix" "key=${2:-p256}"
    mkdir "$PROJECTS/$1"
    upload "$1" "int$suffix"
}

fingerprint() {
    openssl x509 -in "$1" -noout -fingerprint -sha256 | sed 's/.*=//'
}

serial() {
    openssl x509 -in "$1" -noout -serial | sed 's/.*=//'
}

active() {
    field "$PROJECTS/$1/signing_ca/info" sha256_fingerprint
}

# ---- judges ----

# verify_chain FILE ROOT: three independent verifiers on a device CA with its chain
verify_chain() {
    local dir
    dir=$(mktemp -d "$T/judge.XXXXXX")
    cp "$1" "$dir/chain.pem"
    openssl verify -x509_strict -auth_level 2 -CAfile "$2" -untrusted "$dir/chain.pem" "$dir/chain.pem" >"$dir/out" 2>&1 ||
        fail "openssl refuses $1: $(cat "$dir/out")"
    if command -v certtool >/dev/null; then
        certtool --verify --verify-profile=medium --load-ca-certificate "$2" --infile "$dir/chain.pem" >"$dir/out" 2>&1 ||
            fail "certtool refuses $1: $(cat "$dir/out")"
    fi
    if command -v vfychain >/dev/null && ! openssl x509 -in "$2" -noout -text | grep -q ED25519; then
        judge_nss "$dir" "$2"
    fi
    rm -rf "$dir"
}

# NSS wants one file for each certificate, DER or PEM; usage 3 is an SSL CA.
judge_nss() {
    mkdir "$1/db"
    certutil -N -d "sql:$1/db" --empty-password
    certutil -A -d "sql:$1/db" -n root -t C,, -i "$2"
    csplit -sz -f "$1/part" "$1/chain.pem" '/-----BEGIN/' '{*}'
    vfychain -d "sql:$1/db" -a -u 3 "$1"/part* >"$1/out" 2>&1 ||
        fail "vfychain refuses $1: $(cat "$1/out")"
    ! grep -q 'is bad' "$1/out" || fail "vfychain: $(cat "$1/out")"
}

# assert_pair CERT KEY
assert_pair() {
    local a b
    a=$(openssl x509 -in "$1" -noout -pubkey)
    b=$(openssl pkey -in "$2" -pubout)
    assert_eq "$a" "$b" "public keys of $1 and $2"
}
