#!/bin/bash
# policy: what it takes, what it refuses whole, and what it does.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

start_certfs
new_project p
P=$PROJECTS/p
mkdir "$P/apps/gw"
cd "$P"

# what is read can be written back, and says the same
cat policy >"$T/default"
cp "$T/default" policy
assert_same policy "$T/default" "policy written back"
for key in attach key_type validity_days renew_before_days renewal rotate_key subject path_length revoke_grace_hours \
    warn_days max_parallel per_minute cert_dir key_dir key_mode required cert key; do
    assert_has "$(cat policy)" "^;? ?$key = " "$key in policy"
done

# every bad line is EINVAL, names itself in status, and nothing of the file is taken
bad() {
    local message
    printf '[certificate]\nvalidity_days = 77\n' >"$T/new"
    printf '%b' "$1" >>"$T/new"
    if message=$(cp "$T/new" policy 2>&1); then
        fail "policy took: $1"
    fi
    assert_has "$message" "Invalid argument" "$1"
    assert_same policy "$T/default" "policy after: $1"
}
for text in 'nonsense = 1' 'validity_days = 0' 'validity_days = -1' 'validity_days = many' 'validity_days = 10days' \
    'validity_days = 99999999999999999999' 'key_type = rsa-1024' 'key_type = RSA' 'attach = maybe' 'renewal = never' \
    'renew_before_days = 77' 'renew_before_days = 100' 'path_length = -1' 'rotate_key = perhaps' 'subject =' \
    'subject = CN=' 'subject = gw' 'no equals sign' '[certificate' '[unknown]\nx = 1' '[files]\nkey_mode = 0644' \
    '[files]\nkey_mode = 9' '[files]\ncert_dir = relative' '[rollout]\nmax_parallel = 0' '[signing_ca]\nnonsense = 2'; do
    bad "$text\n"
done
bad 'subject = CN=\xff\n'
yes '; a comment' | head -c 1048577 >"$T/big" || true
assert_fails "File too large" cp "$T/big" policy
assert_same policy "$T/default" "policy after one that is too large"

# what it does, at the next issue
set_policy() {
    printf '[certificate]\n' | cat - <(printf '%s\n' "$@") >policy
}
issued() {
    touch apps/gw/renew
    openssl x509 -in apps/gw/device_ca.pem -noout -text
}
set_policy 'validity_days = 90' 'subject = CN=%a in %p' 'key_type = rsa-2048'
text=$(issued)
assert_has "$text" 'Subject: .*CN = gw in p' subject
assert_has "$text" 'Public-Key: \(2048 bit\)' "key type"
openssl x509 -in apps/gw/device_ca.pem -noout -checkend $((89 * 86400)) >/dev/null || fail "ends too early"
! openssl x509 -in apps/gw/device_ca.pem -noout -checkend $((91 * 86400)) >/dev/null || fail "ends too late"
assert_pair apps/gw/device_ca.pem apps/gw/device_ca.key
set_policy 'path_length = 1' 'key_type = ec-p256'
assert_has "$(issued)" 'CA:TRUE, pathlen:1' "path length"
set_policy 'path_length = 0'
assert_has "$(issued)" 'CA:TRUE, pathlen:0' "path length"
printf '[files]\ncert_dir = /somewhere/certs\nkey_dir = /somewhere/keys\n' >policy
assert_has "$(cat apps/gw/config.toml)" 'file:///somewhere/certs/' config.toml
assert_has "$(cat apps/gw/config.toml)" 'file:///somewhere/keys/' config.toml
assert_has "$(cat apps/gw/config.yaml)" '/somewhere/certs/' config.yaml
for file in apps/gw/config.toml apps/gw/config.yaml; do
    assert_eq "$(stat -c %s $file)" "$(wc -c <$file)" "size of $file"
done
python3 -c 'import sys, tomllib; tomllib.load(open(sys.argv[1], "rb"))' apps/gw/config.toml

# attach = no: certificate files are EPERM, and come back as they were
printf '[certificate]\nattach = yes\n' >policy
serial=$(serial apps/gw/device_ca.pem)
printf '[certificate]\nattach = no\n' >policy
assert_errnos <<END
EPERM read apps/gw/device_ca.pem
EPERM read apps/gw/device_ca.key
EPERM read apps/gw/bundle.pem
EPERM touch apps/gw/renew
END
printf '[certificate]\nattach = yes\n' >policy
assert_eq "$(serial apps/gw/device_ca.pem)" "$serial" "serial after attach = no and back"

# a name too long for X.509: its first 47, -, and 16 hex digits of its SHA-256
name=$(printf 'n%.0s' $(seq 60))
mkdir "apps/$name"
hash=$(printf '%s' "$name.p.ca" | sha256sum | cut -c 1-16)
subject=$(openssl x509 -in "apps/$name/device_ca.pem" -noout -subject -nameopt multiline | sed -n 's/.*commonName *= //p')
assert_eq "$subject" "${name:0:47}-$hash" "a long common name"

# the text is kept as it was written; what it leaves out has its default
printf '; ours\n[certificate]\npath_length = 0 ; as always\n' >"$T/ours"
cp "$T/ours" policy
assert_same policy "$T/ours" "policy as written"
openssl x509 -in <(issued && cat apps/gw/device_ca.pem) -noout -checkend $((364 * 86400)) >/dev/null || fail "validity"
cd /
check_clean
