#!/bin/bash
# The policy: taken whole or refused whole, by a write or a rename, and what it changes in the next certificate.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

start_certfs
new_project p
policy=$PROJECTS/p/policy
assert_has "$(cat "$policy")" '^key_type = ec-p256 ' "the default policy"

# a new policy reads back as written
{ cat "$policy"; echo '; mine'; } | sed 's/^validity_days = .*/validity_days = 90/' >"$T/mine"
cp "$T/mine" "$policy"
cmp "$T/mine" "$policy"
# an editor's temporary file and rename
sed 's/^validity_days = .*/validity_days = 70/' "$T/mine" >"$PROJECTS/p/.policy.swp"
mv "$PROJECTS/p/.policy.swp" "$policy"
assert_has "$(cat "$policy")" '^validity_days = 70' "after a rename"

# bad lines: EINVAL, nothing of it is taken, and the status names the line
cp "$policy" "$T/before"
refused() {
    printf '[certificate]\nvalidity_days = 60\n%b\n' "$1" >"$T/bad"
    assert_fails "Invalid argument" cp "$T/bad" "$policy"
    cmp "$T/before" "$policy"
    assert_has "$(cat "$PROJECTS/p/status")" "line [0-9]+|renew_before_days|variables" "status after the policy '$1'"
}
# shellcheck disable=SC2016 # a variable's name begins with a dollar sign
for line in 'nonsense' 'colour = red' '[nowhere]\nx = 1' 'key_type = ec-p521' 'key_type = rsa-1024' 'attach = perhaps' \
    'renew_before_days = 60' 'renew_before_days = -1' 'validity_days = 0' 'validity_days = many' 'renewal = never' \
    'rotate_key = ' 'path_length = -1' 'subject = O=x' 'subject = ' 'subject = CN=%z' 'path_length = 1\npath_length = 1' \
    '[files]\nkey_mode = 0644' '[files]\ncert_dir = relative' '[rollout]\nmax_parallel = 0' '[variables]\ncert = cert' \
    '[variables]\ncert = $same\nkey = $same'; do
    refused "$line"
done
cp "$T/bad" "$PROJECTS/p/.policy.swp"
assert_errno EINVAL rename "$PROJECTS/p/.policy.swp" "$policy"
cmp "$T/before" "$policy"
head -c 1100000 /dev/zero >"$T/big"
assert_fails "File too large" cp "$T/big" "$policy"
cp "$T/before" "$policy"
assert_lacks "$(cat "$PROJECTS/p/status")" "line [0-9]+" "status after a good policy"

# the next certificate follows it
set_policy() {
    printf '%b\n' "$1" >"$policy"
}
text_of() {
    openssl x509 -in "$1/device_ca.pem" -noout -text
}
mkdir "$PROJECTS/p/apps/gw"
gw=$PROJECTS/p/apps/gw
set_policy '[certificate]\nvalidity_days = 10\nrenew_before_days = 2\nsubject = CN=edge %a of %p'
cat "$gw/device_ca.pem" >/dev/null
assert_has "$(text_of "$gw")" 'Subject: CN = edge gw of p' "subject"
openssl x509 -in "$gw/device_ca.pem" -noout -checkend $((9 * 86400)) >/dev/null || fail "shorter than 10 days"
! openssl x509 -in "$gw/device_ca.pem" -noout -checkend $((11 * 86400)) >/dev/null || fail "longer than 10 days"
before=$(serial "$gw/device_ca.pem")
set_policy '[certificate]\npath_length = 3'
assert_eq "$(serial "$gw/device_ca.pem")" "$before" "a policy alone re-issues nothing"
touch "$gw/renew"
assert_has "$(text_of "$gw")" 'CA:TRUE, pathlen:3' "path length"
make_intermediate tight root ext="${CA_EXT/CA:TRUE/CA:TRUE,pathlen:2}"
upload p tight
touch "$gw/renew"
assert_has "$(text_of "$gw")" 'CA:TRUE, pathlen:1' "path length, bounded by the signing CA's"
verify_chain "$gw/device_ca.pem" "$CA/root.pem"
set_policy '[certificate]\nkey_type = rsa-2048'
touch "$gw/renew"
assert_has "$(text_of "$gw")" 'Public-Key: \(2048 bit\)' "key type"
assert_pair "$gw/device_ca.pem" "$gw/device_ca.key"
set_policy '[files]\ncert_dir = /etc/edge certs\nkey_dir = /etc/edge/keys\nkey_mode = 0440'
assert_has "$(cat "$gw/config.toml")" '"file:///etc/edge/keys/device_ca.key"' "key_dir"
keys_have_mode() { [ "$(stat -c %a "$gw/device_ca.key" "$gw/bundle.pem" | sort -u)" = "$1" ]; }
wait_until 2 keys_have_mode 440 # the kernel may keep a mode for a second
set_policy '[certificate]\nattach = no'
assert_errnos <<LINES
EPERM open_r $gw/device_ca.pem
EPERM open_r $gw/device_ca.key
EPERM open_r $gw/bundle.pem
LINES
set_policy ''
cat "$gw/device_ca.pem" >/dev/null
# longer names than a common name can take
long=$(printf 'n%.0s' {1..64})
mkdir "$PROJECTS/p/apps/$long"
cn=$(openssl x509 -in "$PROJECTS/p/apps/$long/device_ca.pem" -noout -subject -nameopt multiline | sed -n 's/.*= //p')
assert_eq "$cn" "$(printf 'n%.0s' {1..47})-$(printf '%s.p.ca' "$long" | sha256sum | cut -c 1-16)" "a long common name"
restart_certfs
assert_eq "$(cat "$policy")" "" "the policy after a restart"
check_clean
