#!/bin/bash
# user_data: variables and filters in a template, details, app_policy as default, refusals, bounds, sizes before the first read,
# attach = no, audit; and what comes out is YAML for cloud-init.
# shellcheck disable=SC2016 # variables of the template, not the shell's
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/life.sh
. "$SOURCE/tests/lib/life.sh"
python3 -c 'import yaml' 2>/dev/null || skip "python3-yaml is not installed"

start_certfs
new_project p
p=$PROJECTS/p
mkdir "$p"/apps/{a,b,c,d}
a=$p/apps/a b=$p/apps/b

# loads FILE EXPRESSION: the YAML document, as python's `data`; b64 is at hand
loads() {
    python3 -c '
import sys, yaml
from base64 import b64decode as b64
data = yaml.safe_load(open(sys.argv[1], "rb").read())
print(eval(sys.argv[2]), end="")' "$1" "$2"
}
# whole FILE: read once; its size was told before
whole() {
    local size
    size=$(stat -c %s "$1")
    cat "$1" >"$T/whole"
    assert_eq "$(stat -c %s "$T/whole")" "$size" "st_size of $1 before it was read"
}

# ---- the built-in template ----
whole "$a/user_data"
assert_eq "$(head -n 1 "$T/whole")" "#cloud-config" "first line"
assert_has "$(cat "$a/user_data.in")" 'webhook.azure.device_ca.cert' "the built-in template"
loads "$T/whole" '[b64(f["content"]).decode() for f in data["write_files"] if f["path"].endswith(".pem")][0]' >"$T/cert"
loads "$T/whole" '[b64(f["content"]).decode() for f in data["write_files"] if f["path"].endswith(".key")][0]' >"$T/key"
assert_same "$T/cert" "$a/device_ca.pem" "certificate in user_data"
assert_same "$T/key" "$a/device_ca.key" "key in user_data"
assert_eq "$(field "$a/status" generation)" 1 "user_data issued the certificate"

# ---- variables, filters, details ----
cat >"$T/template" <<'TEMPLATE'
#cloud-config
required: $webhook.azure.device_ca.required
flag: "$webhook.azure.device_ca.required."
cert64: $webhook.azure.device_ca.cert|base64
key64: $webhook.azure.device_ca.key|base64
cert: |
    $webhook.azure.device_ca.cert|indent:4
deep:
  key: |
      $webhook.azure.device_ca.key|indent:6
  after: "é and $details.hostname, $details.hostname|base64"
unknown: ["$webhook.azure.dps.shared_key", "$details.nothing|base64", "$webhook.azure.device_ca.certs", "$HOME $$ $1 $"]
user: "###NAME###"
equals: "$details.connection"
TEMPLATE
cp "$T/template" "$a/user_data.in"
printf '# about a\nhostname=gw-a.plant-7\nconnection=HostName=h;Key=x=y==\n\nempty=\n' >"$a/details"
assert_same "$a/user_data.in" "$T/template" "user_data.in as it was written"
assert_has "$(cat "$a/details")" '^hostname=gw-a.plant-7$' "details"
whole "$a/user_data"
for expression in 'data["required"] is True' 'data["flag"] == "true."' \
    'data["cert"].count("BEGIN CERTIFICATE") == 3' \
    'b64(data["cert64"]).decode() == data["cert"] and b64(data["cert64"]) == open("'"$a"'/device_ca.pem", "rb").read()' \
    'b64(data["key64"]).decode() == data["deep"]["key"] == open("'"$a"'/device_ca.key").read()' \
    'data["deep"]["after"] == "é and gw-a.plant-7, Z3ctYS5wbGFudC03"' \
    'data["unknown"] == ["$webhook.azure.dps.shared_key", "$details.nothing|base64", "$webhook.azure.device_ca.certs", "$HOME $$ $1 $"]' \
    'data["user"] == "###NAME###"' 'data["equals"] == "HostName=h;Key=x=y=="'; do
    assert_eq "$(loads "$T/whole" "$expression")" True "$expression"
done

# without a trailing newline, with CR LF, with nothing to fill in, with bytes that are no UTF-8: byte for byte
printf 'plain text\r\nno variable, no newline' >"$T/plain"
cp "$T/plain" "$b/user_data.in"
assert_same "$b/user_data" "$T/plain" "a template without variables"
printf 'MIME \xff\xfe\x00 end\n' >"$T/plain"
cp "$T/plain" "$b/user_data.in" && assert_same "$b/user_data" "$T/plain" "a template with other bytes"
# a value isn't looked through for variables
printf 'v=$webhook.azure.device_ca.key\n' >"$b/details"
printf 'x: $details.v\n' >"$b/user_data.in"
assert_eq "$(cat "$b/user_data")" 'x: $webhook.azure.device_ca.key' "a value with the name of a variable"

# ---- app_policy: the default of those that have nothing of their own ----
printf 'host: $details.hostname site: $details.site own: $details.own\n' >"$p/app_policy/user_data.in"
printf 'hostname=default\nsite=plant-7\n' >"$p/app_policy/details"
printf 'own=mine\nhostname=gw-c\n' >"$p/apps/c/details"
assert_same "$p/apps/c/user_data.in" "$p/app_policy/user_data.in" "user_data.in inherited"
whole "$p/apps/c/user_data"
assert_eq "$(cat "$T/whole")" 'host: gw-c site: plant-7 own: mine' "own details over inherited ones"
assert_eq "$(cat "$p/apps/d/user_data")" 'host: default site: plant-7 own: $details.own' "all inherited"
assert_same "$a/user_data.in" "$T/template" "one's own template stays"
printf 'hostname=changed\n' >"$p/app_policy/details"
assert_has "$(cat "$p/apps/d/user_data")" '^host: changed ' "a change of app_policy is seen at once"

# ---- refused: EINVAL with the line in status; nothing of it is taken ----
refused() { # FILE TEXT LINE
    assert_errno EINVAL write "$1" "$2"
    assert_has "$(cat "$p/status" "$a/status")" "line $3" "the line in status, for $2"
}
refused "$a/user_data.in" 'one\ntwo $webhook.azure.device_ca.cert|base65\n' 2
refused "$a/user_data.in" '$webhook.azure.device_ca.cert|indent:99\n' 1
refused "$a/user_data.in" 'x\ny\n$webhook.azure.device_ca.key|base64|base64\n' 3
refused "$a/details" 'good=1\nno equals sign\n' 2
refused "$a/details" 'a=1\nb=2\na=3\n' 3
refused "$a/details" '9key=1\n' 1
refused "$a/details" 'x=bell \x07\n' 1
refused "$p/app_policy/details" 'x=1\n=2\n' 2
assert_same "$a/user_data.in" "$T/template" "user_data.in after refusals"
assert_has "$(cat "$a/details")" '^hostname=gw-a.plant-7$' "details after refusals"
assert_eq "$(cat "$p/app_policy/details")" "hostname=changed" "app_policy/details after a refusal"
assert_lacks "$(cat "$p/status" "$MNT/events")" 'SharedAccess|HostName=h' "values of details in status and events"
# the device CA's common name must not be the hostname
assert_errno EINVAL write "$a/details" 'hostname=a.p.ca\n'
assert_has "$(cat "$p/status" "$a/status")" hostname "the reason in status"
printf 'hostname=gw-a.plant-7\n' >"$a/details"
assert_errno EINVAL write "$p/policy" '[certificate]\nsubject = gw-a.plant-7\n'

# ---- bounds ----
head -c $((768 * 1024)) /dev/zero | tr '\0' x >"$T/most"
cp "$T/most" "$b/user_data.in"
assert_same "$b/user_data" "$T/most" "a template of 768 KiB"
cp "$T/most" "$T/more"
echo >>"$T/more"
assert_fails "File too large" cp "$T/more" "$b/user_data.in"
assert_same "$b/user_data.in" "$T/most" "the template after EFBIG"
# a result above the bound, of a template below it
{
    head -c $((767 * 1024)) /dev/zero | tr '\0' x
    echo '$webhook.azure.device_ca.cert'
} >"$T/grows"
cp "$T/grows" "$b/user_data.in"
assert_errno EFBIG read "$b/user_data"
assert_errno OK read "$b/device_ca.pem"
head -c 1048576 /dev/zero | tr '\0' x | fold -w 60 | awk '{print "k" NR "=" $0}' >"$T/details"
assert_fails "File too large" cp "$T/details" "$b/details"
rm -f "$T/most" "$T/more" "$T/grows"

# ---- sizes of what was never read: each template, each key type, tar ----
mkdir "$PROJECTS/sizes" # with no certificate, but with templates
upload sizes int
s=$PROJECTS/sizes
cp "$T/template" "$s/app_policy/user_data.in"
for n in 1 2 3 4 5 6; do
    mkdir "$s/apps/s$n"
    whole "$s/apps/s$n/user_data"
done
printf '[certificate]\nkey_type = rsa-2048\n' >"$s/policy"
for n in 7 8 9; do
    mkdir "$s/apps/s$n"
    whole "$s/apps/s$n/user_data"
done
mkdir "$s/apps/tarred"
tar c -C "$s/apps" tarred >"$T/tar" 2>"$T/tar.err" || fail "tar: $(cat "$T/tar.err")"
mkdir "$T/out"
tar x -C "$T/out" -f "$T/tar"
assert_same "$T/out/tarred/user_data" "$s/apps/tarred/user_data" "user_data out of a tar of a tree never read"

# ---- a purge renews it, an upload of another kind of name does not lose it ----
cp "$a/user_data" "$T/before"
touch "$a/purge"
! cmp -s "$a/user_data" "$T/before" || fail "user_data after a purge is the old one"
whole "$a/user_data"
assert_eq "$(loads "$T/whole" 'data["deep"]["key"] == open("'"$a"'/device_ca.key").read()')" True "key after a purge"
install -m 600 "$T/template" "$a/user_data.in"
cp "$T/template" "$a/.tmp" && mv "$a/.tmp" "$a/user_data.in"
assert_same "$a/user_data.in" "$T/template" "user_data.in by temporary file and rename"
assert_eq "$(stat -c %a "$a/user_data.in" "$a/user_data" "$a/details" | paste -sd ' ')" "600 400 644" "modes"

# ---- audit: a private key left ----
before=$(wc -l <"$MNT/audit")
cat "$a/user_data" >/dev/null
assert_has "$(tail -n +$((before + 1)) "$MNT/audit")" '"command":"cat","action":"read","object":"projects/p/apps/a/user_data"' "audit"

# ---- attach = no ----
printf '[certificate]\nattach = no\n' >"$p/policy"
sleep 1.2
before=$(wc -l <"$MNT/audit")
whole "$a/user_data"
for expression in 'data["required"] is False' 'data["cert64"] is None' 'data["key64"] is None' 'not data["cert"].strip()' \
    'data["deep"]["after"].startswith("é and gw-a")'; do
    assert_eq "$(loads "$T/whole" "$expression")" True "attach = no: $expression"
done
assert_lacks "$(cat "$T/whole")" 'BEGIN' "certificates under attach = no"
assert_eq "$(wc -l <"$MNT/audit")" "$before" "audit of a user_data without a key"
assert_errno EPERM read "$a/device_ca.pem"
mkdir "$p/apps/detached"
printf '#nothing\n' >"$p/app_policy/details"
assert_errno OK read "$p/apps/detached/user_data"
assert_eq "$(field "$p/apps/detached/status" state)" NOT_ISSUED "attach = no issued something"
printf '[certificate]\nattach = yes\n' >"$p/policy"
sleep 1.2
assert_eq "$(loads "$a/user_data" 'data["required"]')" True "attach back to yes"

# ---- without a signing CA ----
mkdir "$PROJECTS/none" "$PROJECTS/none/apps/gw"
assert_errno ENOKEY read "$PROJECTS/none/apps/gw/user_data"
[ "$(stat -c %s "$PROJECTS/none/apps/gw/user_data")" -gt 0 ] || fail "st_size 0 where opening fails: tar would store an empty key"

# ---- the sample for cloud-init ----
cp "$SOURCE/conf/user_data.sample" "$a/user_data.in"
printf 'hostname=gw-a.plant-7\nconnection_string=HostName=h;SharedAccessKey=a=\n' >"$a/details"
whole "$a/user_data"
assert_eq "$(loads "$T/whole" 'b64([f for f in data["write_files"] if f["path"].endswith("device_ca.key")][0]["content"]).decode() == open("'"$a"'/device_ca.key").read()')" True "the sample"
if command -v cloud-init >/dev/null; then
    cloud-init schema -c "$T/whole" >"$T/schema" 2>&1 || fail "cloud-init: $(cat "$T/schema")"
fi
kill_worker
assert_same "$a/user_data" "$T/whole" "user_data after a crash"
check_clean

# what can't be made because it would be too long can still be looked at, as everything that can't be read now
{
    head -c $((767 * 1024)) /dev/zero | tr '\0' x
    echo '$webhook.azure.device_ca.cert'
} >"$b/user_data.in"
assert_errno EFBIG read "$b/user_data"
assert_errno OK stat "$b/user_data"
