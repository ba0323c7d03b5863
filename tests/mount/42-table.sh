#!/bin/bash
# variants: plain
# What each trigger does in each state: the rows of the table, one by one.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/life.sh
. "$SOURCE/tests/lib/life.sh"

use_clock +0
start_certfs
make_root root
make_intermediate int root
make_intermediate next root
make_intermediate brief root days=50
state() { field "$PROJECTS/$1/apps/$2/status" state; }
generation() { field "$PROJECTS/$1/apps/$2/status" generation; }

# counters PROJECT APP: all of its triggers, and the generation
counters() {
    local file
    for file in update force_update apps/"$2"/renew apps/"$2"/purge; do
        field "$PROJECTS/$1/$file" counter
    done
    generation "$1" "$2"
}

# refuses ERRNO PROJECT APP: every trigger, by touch and by text; nothing changes
refuses() {
    local before p=$PROJECTS/$2 app=$PROJECTS/$2/apps/$3
    before=$(counters "$2" "$3")$(state "$2" "$3")
    assert_errnos <<LINES
$1 touch $app/renew
$1 write $app/renew reason
$1 touch $app/purge
$1 write $app/purge 'compromised: reason'
$1 touch $p/force_update
$1 write $p/force_update 'compromised: reason'
$1 touch $p/update
$1 write $p/update reason
LINES
    assert_eq "$(counters "$2" "$3")$(state "$2" "$3")" "$before" "counters, generation, state after refusals with $1"
    assert_has "$(cat "$app/renew")" '^would: "be refused: ' "would of renew"
    assert_has "$(cat "$p/force_update")" '^would: "be refused: ' "would of force_update"
    assert_has "$(cat "$p/update")" '^would: "be refused: ' "would of update"
    assert_eq "$(field "$p/progress" operation)" "${4:-none}" "progress after refusals"
}

# stage_next PROJECT NAME
stage_next() {
    cp "$CA/$2.chain" "$PROJECTS/$1/signing_ca/next/cert.pem"
    cp "$CA/$2.key" "$PROJECTS/$1/signing_ca/next/key.pem"
    assert_eq "$(field "$PROJECTS/$1/signing_ca/next/status" state)" STAGED "next of $1"
}

# ---- no active signing CA ----
mkdir "$PROJECTS/none" "$PROJECTS/none/apps/gw"
refuses ENOKEY none gw
assert_errno ENOKEY write "$PROJECTS/none/signing_ca/compromised" reason
assert_eq "$(field "$PROJECTS/none/signing_ca/compromised" counter)" 0 "counter of compromised"
stage_next none next
assert_errno ENOKEY touch "$PROJECTS/none/force_update"
touch "$PROJECTS/none/update"
job_done none
assert_eq "$(active none)" "$(fingerprint "$CA/next.pem")" "active after update with a complete next/"
assert_eq "$(state none gw)" NOT_ISSUED "what was never issued"

# ---- a playbook that is run again: what it writes to next/ is active, and nothing follows of it ----
cat "$PROJECTS/none/apps/gw/device_ca.pem" >/dev/null
for _ in 1 2; do
    cp "$CA/next.chain" "$PROJECTS/none/signing_ca/next/cert.pem"
    cp "$CA/next.key" "$PROJECTS/none/signing_ca/next/key.pem"
    assert_eq "$(field "$PROJECTS/none/signing_ca/next/status" state)" NONE "the active signing CA in next/"
    touch "$PROJECTS/none/update"
    job_done none
done
assert_eq "$(state none gw) $(generation none gw) $(events "$PROJECTS/none/events" signing_ca.activated)" "VALID 1 1" "after updates to the same"

# ---- expired ----
mkdir "$PROJECTS/brief" "$PROJECTS"/brief/apps/{gw,late}
upload brief brief
cat "$PROJECTS/brief/apps/gw/device_ca.pem" >/dev/null
days_on 51
sleep 1.2
rm -f "$PROJECTS/brief/signing_ca/next/cert.pem"
assert_errno OK read "$PROJECTS/brief/status"
refuses EKEYEXPIRED brief gw
refuses EKEYEXPIRED brief late
set_clock +0 # the clock stands right again: nothing had become stale
sleep 1.2
assert_errno OK read "$PROJECTS/brief/apps/gw/device_ca.pem"
assert_eq "$(generation brief gw)" 1 "generation after the refusals"
days_on 51
sleep 1.2
stage_next brief next
cp "$PROJECTS/brief/update" "$T/staged"
touch "$PROJECTS/brief/update"
job_done brief
assert_eq "$(state brief gw) $(generation brief gw) $(state brief late)" "VALID 2 NOT_ISSUED" "after update"
days_on 52

# ---- compromised ----
new_project lost
mkdir "$PROJECTS"/lost/apps/{gw,late}
make_intermediate lost root
upload lost lost
cat "$PROJECTS/lost/apps/gw/device_ca.pem" >/dev/null
touch "$PROJECTS/lost/signing_ca/compromised"
assert_eq "$(field "$PROJECTS/lost/signing_ca/compromised" counter) $(state lost gw)" "0 VALID" "touch never fires compromised"
echo "one" >"$PROJECTS/lost/signing_ca/compromised"
refuses EKEYREVOKED lost gw
refuses EKEYREVOKED lost late
cp "$PROJECTS/lost/signing_ca/crl.pem" "$T/crl"
last=$(field "$PROJECTS/lost/status" message)
echo "two" >"$PROJECTS/lost/signing_ca/compromised"
assert_eq "$(field "$PROJECTS/lost/signing_ca/compromised" counter)" 2 "counter"
assert_eq "$(field "$PROJECTS/lost/status" message)" "$last" "compromised twice: counter only"
assert_eq "$(events "$PROJECTS/lost/events" signing_ca.compromised)" 1 "compromised twice: one event"
assert_has "$(cat "$PROJECTS/lost/status")" 'SIGNING_CA_COMPROMISED.*\(one\)' "the first reason stands"
stage_next lost next
touch "$PROJECTS/lost/update"
job_done lost
assert_eq "$(active lost)" "$(fingerprint "$CA/next.pem")" "active after update"
assert_errno OK read "$PROJECTS/lost/apps/late/device_ca.pem"
touch "$PROJECTS/lost/force_update"
job_done lost
assert_eq "$(state lost gw)" VALID "after force_update"

# ---- NOT_ISSUED, REVOKED ----
new_project p
p=$PROJECTS/p
mkdir "$p"/apps/{renew,purge,revoke,read}
touch "$p/apps/renew/renew"
touch "$p/apps/purge/purge"
assert_eq "$(generation p renew) $(state p renew)" "1 VALID" "NOT_ISSUED, renew"
assert_errno OK read "$p/apps/purge/device_ca.pem"
assert_eq "$(generation p purge) $(state p purge)" "1 VALID" "NOT_ISSUED, purge"
touch "$p/apps/revoke/revoke"
assert_eq "$(field "$p/apps/revoke/revoke" counter)" 0 "touch never fires revoke"
cat "$p/apps/read/device_ca.pem" >/dev/null
for app in revoke read; do
    echo "stolen" >"$p/apps/$app/revoke"
    before=$(generation p $app)
    assert_eq "$(state p $app)" REVOKED "state of $app"
    assert_errnos <<LINES
EKEYREVOKED read $p/apps/$app/device_ca.pem
EKEYREVOKED read $p/apps/$app/device_ca.key
EKEYREVOKED read $p/apps/$app/bundle.pem
EKEYREVOKED touch $p/apps/$app/renew
EKEYREVOKED write $p/apps/$app/renew reason
OK touch $p/update
LINES
    job_done p
    assert_eq "$(state p $app) $(generation p $app)" "REVOKED $before" "REVOKED, update"
    touch "$p/apps/$app/purge"
    assert_errno OK read "$p/apps/$app/device_ca.pem"
    assert_eq "$(state p $app) $(generation p $app)" "VALID $((before + 1))" "REVOKED, purge"
done
assert_errno EINVAL write "$p/apps/read/renew" 'compromised: by whom\n'

# ---- UPDATE_REQUIRED ----
make_intermediate other root
printf '[certificate]\nvalidity_days = 100\nrenew_before_days = 10\n' >"$p/policy"
mkdir "$p"/apps/{u1,u2,u3}
for app in u1 u2 u3; do
    cat "$p/apps/$app/device_ca.pem" >"$T/$app.pem"
done
upload p other
for app in u1 u2 u3; do
    assert_eq "$(state p $app)" UPDATE_REQUIRED "state under a replaced signing CA"
    assert_same "$p/apps/$app/device_ca.pem" "$T/$app.pem" "UPDATE_REQUIRED, read outside the window"
done
# under FILE: the name of its issuer
under() { openssl x509 -in "$1" -noout -issuer | sed 's/.*CN *= *//'; }
touch "$p/apps/u2/renew"
assert_eq "$(under "$p/apps/u2/device_ca.pem") $(state p u2)" "other VALID" "UPDATE_REQUIRED, renew"
days_on 143 # 91 days later
sleep 1.2
assert_eq "$(under "$p/apps/u1/device_ca.pem") $(state p u1)" "other VALID" "UPDATE_REQUIRED, read in the window"
assert_eq "$(state p u3)" UPDATE_REQUIRED "what nobody reads"
printf '[certificate]\nvalidity_days = 100\nrenew_before_days = 10\nrenewal = auto\n' >"$p/policy"
days_on 150
wait_until 15 state_is "$p/apps/u3/status" VALID
assert_eq "$(under "$p/apps/u3/device_ca.pem")" other "UPDATE_REQUIRED, auto"

# ---- stale: a read issues whatever `renewal` says ----
printf '[certificate]\nrenewal = manual\n' >"$p/policy"
before=$(generation p u1) serial=$(serial "$p/apps/u1/device_ca.pem")
touch "$p/apps/u1/purge"
assert_ne "$(serial "$p/apps/u1/device_ca.pem")" "$serial" "stale after purge, manual"
assert_eq "$(generation p u1)" $((before + 1)) "generation"
serial=$(serial "$p/apps/u1/device_ca.pem")
touch "$p/force_update"
assert_ne "$(serial "$p/apps/u1/device_ca.pem")" "$serial" "stale after force_update, manual"
job_done p
assert_eq "$(generation p u1)" $((before + 2)) "generation"

# ---- attach ----
cat "$p/apps/u1/device_ca.pem" >"$T/attached.pem"
cp "$p/signing_ca/crl.pem" "$T/crl"
printf '[certificate]\nattach = no\n' >"$p/policy"
sleep 1.2
assert_errnos <<LINES
EPERM read $p/apps/u1/device_ca.pem
EPERM read $p/apps/u1/device_ca.key
EPERM read $p/apps/u1/bundle.pem
OK read $p/apps/u1/generations/1/device_ca.pem
LINES
assert_same "$p/signing_ca/crl.pem" "$T/crl" "attach = no revokes nothing"
printf '[certificate]\nattach = yes\n' >"$p/policy"
sleep 1.2
assert_same "$p/apps/u1/device_ca.pem" "$T/attached.pem" "attach = yes again: the certificate that it had"

# ---- while a job runs ----
make_intermediate bulk root
mkdir "$PROJECTS/bulk"
upload bulk bulk
bulk=$PROJECTS/bulk
python3 - "$bulk/apps" <<'PYTHON'
import concurrent.futures, os, sys
def make(n):
    path = f"{sys.argv[1]}/n{n:03}"
    os.mkdir(path)
    with open(path + "/device_ca.pem", "rb") as file:
        file.read()
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    list(pool.map(make, range(600)))
PYTHON

# a force_update, paused on its way; $done_before is how far it got
begin() {
    python3 - "$bulk" <<'PYTHON'
import os, sys
def write(name, text):
    fd = os.open(f"{sys.argv[1]}/{name}", os.O_WRONLY | os.O_TRUNC)
    os.write(fd, text.encode())
    os.close(fd)
write("policy", "[rollout]\nper_minute = 3000\n")  # else it may be done before it is told to pause
write("force_update", "go")
write("progress", "pause")
write("policy", "[rollout]\nper_minute = 0\n")
PYTHON
    sleep 1
    done_before=$(field "$bulk/progress" 'done')
    [ "$done_before" -lt 600 ] || fail "too quick to be paused"
    assert_eq "$(field "$bulk/progress" state)" paused "progress"
}
begin
assert_errno EBUSY touch "$bulk/update"
assert_eq "$(field "$bulk/update" counter)" 0 "counter of update while a job runs"
# force_update: a new epoch, the job starts again; what was done goes once more
echo again >"$bulk/force_update"
job_done bulk
assert_eq "$(field "$bulk/force_update" counter) $(field "$bulk/progress" total)" "2 600" "force_update twice"
assert_eq "$(generation bulk n599)" 2 "the last one is done once"
assert_eq "$(field "$bulk/status" apps_valid)" 600 "all valid"

# purge of one goes first, the job takes its certificate over
before=$(generation bulk n599)
begin
touch "$bulk/apps/n599/purge"
assert_errno OK read "$bulk/apps/n599/device_ca.pem"
serial=$(serial "$bulk/apps/n599/device_ca.pem")
echo resume >"$bulk/progress"
job_done bulk
assert_eq "$(generation bulk n599) $(serial "$bulk/apps/n599/device_ca.pem")" "$((before + 1)) $serial" "purge in a job"

# a reader's certificate is taken over, too; another signing CA: the job goes on under it
before=$(generation bulk n598)
begin
assert_errno OK read "$bulk/apps/n598/device_ca.pem"
make_intermediate bulk2 root
upload bulk bulk2
echo resume >"$bulk/progress"
job_done bulk
# n598 was read before the upload: valid, but under the replaced one; the job re-issues what is UPDATE_REQUIRED when it gets there
assert_eq "$(under "$bulk/apps/n597/device_ca.pem") $(under "$bulk/apps/n598/device_ca.pem")" "bulk2 bulk2" "issuers"
assert_eq "$(field "$bulk/status" apps_update_required | sed 's/^$/0/')" "$done_before" "what was done before is UPDATE_REQUIRED"
touch "$bulk/update"
job_done bulk
assert_eq "$(field "$bulk/status" apps_valid)" 600 "all valid after update"

# cancel: what is left stays stale, and a read issues
before=$(serial "$bulk/apps/n599/device_ca.pem")
begin
echo cancel >"$bulk/progress"
assert_eq "$(field "$bulk/progress" state)" cancelled "progress"
assert_errno EINVAL write "$bulk/progress" resume
assert_errno EINVAL write "$bulk/progress" nonsense
assert_ne "$(serial "$bulk/apps/n599/device_ca.pem")" "$before" "stale after a cancelled force_update"

# compromised: paused until another signing CA is active, then it goes on by itself
begin
echo "key lost" >"$bulk/signing_ca/compromised"
echo resume >"$bulk/progress"
wait_until 10 state_is "$bulk/progress" paused
assert_errno EKEYREVOKED read "$bulk/apps/n599/device_ca.pem"
kill_worker
sleep 0.5
assert_eq "$(field "$bulk/progress" state)" paused "progress after a crash"
make_intermediate bulk3 root
upload bulk bulk3
job_done bulk
assert_eq "$(under "$bulk/apps/n599/device_ca.pem") $(state bulk n599)" "bulk3 VALID" "after the job"
touch "$bulk/force_update"
job_done bulk
assert_eq "$(field "$bulk/status" state) $(field "$bulk/status" apps_valid)" "VALID 600" "at the end"
check_fake

# ---- attach = no: what is not about certificates goes on ----
printf '[certificate]\nattach = no\n' >"$p/policy"
before=$(field "$p/apps/u1/status" purge_counter)
assert_errnos <<LINES
OK touch $p/apps/u1/purge
OK touch $p/force_update
EPERM read $p/apps/u1/device_ca.pem
OK read $p/apps/u1/user_data
LINES
assert_eq "$(field "$p/apps/u1/status" purge_counter)" $((before + 1)) "purge_counter under attach = no"

# ---- `would:` says what happens: with a complete next/ update is not refused, whatever became of the active signing CA ----
assert_lacks "$(cat "$T/staged")" 'be refused' "would of update, with a complete next/ under an expired signing CA"

# and with what counts: under the successor all that was issued is UPDATE_REQUIRED, but for what was revoked
would() {
    field "$1" would
}
new_project w
w=$PROJECTS/w
mkdir "$w/apps/a" "$w/apps/b" "$w/apps/never"
cat "$w/apps/a/device_ca.pem" "$w/apps/b/device_ca.pem" >/dev/null
assert_has "$(would "$w/update")" '^re-issue 0 certificates ' "would of update, all valid"
make_ca successor
cp "$CA/successor.chain" "$w/signing_ca/next/cert.pem"
cp "$CA/successor.key" "$w/signing_ca/next/key.pem"
assert_has "$(would "$w/update")" '^switch .* re-issue 2 certificates \(EXPIRED 0, EXPIRING 0, UPDATE_REQUIRED 2\)' "would of update, staged"
echo stolen >"$w/apps/b/revoke"
assert_has "$(would "$w/update")" 're-issue 1 certificate ' "would of update, one revoked"
assert_has "$(would "$w/apps/b/renew")" '^be refused: ' "would of renew, revoked"
touch "$w/update"
job_done w
assert_has "$(would "$w/apps/a/renew")" 'keep the key' "would of renew"
echo lost >"$w/signing_ca/compromised"
upload w int
assert_has "$(would "$w/apps/a/renew")" 'with a new key' "would of renew, under a compromised signing CA"

# ---- a notice for each cause: also for what a worse state hides, and at the project ----
assert_notice "$w/status" DEVICE_CA_COMPROMISED ERROR EDGE_APP_INSTANCE UPDATEWITHPURGE
assert_notice "$w/status" DEVICE_CA_REVOKED ERROR EDGE_APP_INSTANCE UPDATEWITHPURGE
assert_notice "$w/apps/b/status" DEVICE_CA_REVOKED ERROR EDGE_APP_INSTANCE UPDATEWITHPURGE
touch "$w/force_update"
job_done w
assert_lacks "$(cat "$w/status")" DEVICE_CA_COMPROMISED "notices after force_update"
days_on 516
assert_eq "$(state w b)" EXPIRED "state of what was revoked, and has expired"
for cause in EXPIRED REVOKED; do
    assert_has "$(cat "$w/apps/b/status")" "cause: DEVICE_CA_$cause" "notices of what was revoked, and has expired"
done
