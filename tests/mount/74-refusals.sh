#!/bin/bash
# Why something was refused is in the nearest status and in events, until what is written next is good. What changes has another time.
# shellcheck disable=SC2016 # the variables of a template are not the shell's
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

start_certfs
new_project p
p=$PROJECTS/p a=$PROJECTS/p/apps/a b=$PROJECTS/p/apps/b
mkdir "$a" "$b"

# refused TYPE STATUS ERRNO COMMAND…: the command, and what it leaves
last_event() {
    tail -n 1 "$MNT/events" | jq -r "[.type, .severity, .project, .app // \"\"] | join(\" \")"
}
rejected() { # FILE TEXT STATUS EVENT
    assert_errno EINVAL write "$1" "$2"
    assert_eq "$(last_event)" "$4" "the event of a refused $1"
    assert_has "$(cat "$3")" 'cause: (USER_DATA|POLICY)_REJECTED, severity: WARN' "the notice of a refused $1"
    assert_eq "$(field "$3" severity)" WARN "severity, $1 was refused"
}
rejected "$a/details" 'no equals sign\n' "$a/status" "user_data.rejected WARN p a"
rejected "$a/user_data.in" '$webhook.azure.device_ca.cert|base65\n' "$a/status" "user_data.rejected WARN p a"
assert_has "$(field "$a/status" message)" 'user_data.in was refused|details was refused' "message of a status with a notice"
echo 'x=1' >"$b/details"
assert_has "$(cat "$a/status")" 'details was refused' "another app instance's good details"
assert_lacks "$(cat "$b/status" "$p/status")" REJECTED "status of the other app instance, and of the project"
echo 'x=1' >"$a/details"
assert_lacks "$(cat "$a/status")" 'write of details' "after good details"
assert_has "$(cat "$a/status")" 'write of user_data.in was refused: line 1' "the other file's refusal stays"
echo 'hello' >"$a/user_data.in"
assert_lacks "$(cat "$a/status")" REJECTED "after a good template"
rejected "$p/policy" '[certificate]\npath_length = -1\n' "$p/status" "policy.rejected WARN p "
rejected "$p/app_policy/details" '=1\n' "$p/status" "user_data.rejected WARN p "
assert_errno EKEYREJECTED write "$p/signing_ca/cert.pem" 'nonsense'
assert_eq "$(last_event)" "signing_ca.rejected WARN p " "the event of a refused upload"

# a part that only waits leaves what another was refused for; a good one in its place does not, nor does the whole
make_root whole
rejected=$(field "$p/signing_ca/status" rejected)
assert_has "$rejected" "no certificate in the text" "the reason of a refused upload"
cp "$CA/whole.key" "$p/signing_ca/key.pem"
assert_eq "$(field "$p/signing_ca/status" rejected)" "$rejected" "the reason after cp cert.pem, cp key.pem"
assert_errno EKEYREJECTED write "$p/signing_ca/key.pem" 'nonsense'
cp "$CA/whole.key" "$p/signing_ca/key.pem"
assert_eq "$(field "$p/signing_ca/status" rejected)" '' "the reason after a good part"
assert_errno EKEYREJECTED write "$p/signing_ca/key.pem" 'nonsense'
cp "$CA/whole.pem" "$p/signing_ca/cert.pem"
assert_eq "$(field "$p/signing_ca/status" state) $(field "$p/signing_ca/status" rejected)" "ACTIVE " "the reason after the whole"

# ---- a result that is too large ----
yes '$webhook.azure.device_ca.cert' | head -n 20000 >"$T/large" || true
cp "$T/large" "$a/user_data.in"
assert_errno EFBIG read "$a/user_data"
assert_has "$(cat "$a/status")" "user_data can't be read: " "status where the result is too large"
echo 'hello' >"$a/user_data.in"
cat "$a/user_data" >/dev/null
assert_lacks "$(cat "$a/status")" "can't be read" "status where it is not"

# ---- the hostname must not be the common name, whichever is written first ----
echo 'hostname=gw-1' >"$a/details"
for subject in gw-1 GW-1 'gw-1'; do
    assert_errno EINVAL write "$p/policy" "[certificate]\nsubject = CN=$subject\n"
    assert_has "$(cat "$p/status")" 'hostname of a: it equals' "the sentence"
done
echo 'hostname=a-x' >"$a/details"
assert_errno EINVAL write "$p/policy" '[certificate]\nsubject = CN=%a-x\n'
printf '[certificate]\nsubject = CN=%%a-y\n' >"$p/policy"
assert_errno EINVAL write "$a/details" 'hostname=A-Y\n'
echo 'hostname=fleet' >"$p/app_policy/details"
assert_errno EINVAL write "$p/policy" '[certificate]\nsubject = CN=fleet\n'
rm -rf "$T/copy"

# ---- what changes has another time: rsync and tar go by it ----
cat "$a/user_data" >/dev/null
rsync -a "$a/" "$T/copy/"
for text in one=1 two=2 six=6; do
    echo "$text" >"$a/details"
    rsync -a "$a/" "$T/copy/"
    assert_same "$a/details" "$T/copy/details" "rsync after details became $text"
done
printf '$details.six\n' >"$p/app_policy/user_data.in"
rm -rf "$T/copy"
echo 'v=1' >"$b/details"
printf '$details.v\n' >"$b/user_data.in"
rsync -a "$b/" "$T/copy/"
echo 'v=2' >"$b/details"
rsync -a "$b/" "$T/copy/"
assert_same "$b/user_data" "$T/copy/user_data" "rsync of user_data after new details"

# ---- a trigger fires once for each time it is opened ----
{
    date
    hostname || echo
    /bin/echo more
} >"$a/renew"
assert_eq "$(field "$a/renew" counter)" 1 "counter after three programs with one redirection"
/bin/echo again >"$a/renew"
assert_eq "$(field "$a/renew" counter)" 2 "counter after one more"
printf '   \n' >"$a/revoke"
cat "$a/device_ca.pem" >/dev/null # blanks are no text: it was not revoked

# ---- one user's dot names do not use up all there are ----
mkdir "$p/apps/u"
chmod 755 "$T" "$p"
chown 2001 "$p/apps/u"
as_user() {
    setpriv --reuid 2001 --regid 2001 --clear-groups bash -c "$1"
}
as_user "cd '$p/apps/u' && for i in {1..1100}; do echo a=1 >.u\$i || exit 3; done" 2>"$T/err" && fail "one user has all dot names"
assert_has "$(cat "$T/err")" 'Disk quota exceeded' "one user too many"
# ---- nor does one user take the memory by opening what is there to change it ----
head -c 700000 /dev/zero | tr '\0' x >"$T/template"
cp "$T/template" "$p/apps/u/user_data.in"
as_user "exec python3 -c 'import os
for i in range(300): os.open(\"$p/apps/u/user_data.in\", os.O_WRONLY)'" 2>"$T/err" && fail "one user holds 200 MB of what can be changed"
assert_has "$(cat "$T/err")" 'Disk quota exceeded' "one open too many"
echo 'v=3' >"$b/.tmp"
mv "$b/.tmp" "$b/details"
assert_eq "$(cat "$b/details")" v=3 "another user's upload meanwhile"
check_clean
