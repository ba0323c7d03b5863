#!/bin/bash
# variants: plain
# Which signing keys are trusted: a compromised one never again, in no project; a replaced one again by its certificate alone;
# another certificate for the active key changes the chain only; a signing CA that ends soon is no reason to renew on every read.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/life.sh
. "$SOURCE/tests/lib/life.sh"

use_clock +0
start_certfs
make_root root
make_root root2
make_intermediate int root
make_intermediate other root
make_intermediate lost root
for project in p q r; do
    mkdir "$PROJECTS/$project" "$PROJECTS/$project"/apps/{a,b}
done
p=$PROJECTS/p q=$PROJECTS/q r=$PROJECTS/r
state() { field "$PROJECTS/$1/apps/$2/status" state; }

# ---- the way back to a replaced signing CA ----
upload p int
cat "$p/apps/a/device_ca.pem" >"$T/a.pem"
upload p other
cat "$p/apps/b/device_ca.pem" >"$T/b.pem"
assert_eq "$(state p a) $(state p b)" "UPDATE_REQUIRED VALID" "after a new signing CA"
cp "$CA/int.chain" "$p/signing_ca/cert.pem" # no key
assert_eq "$(active p)" "$(fingerprint "$CA/int.pem")" "the way back by the certificate alone"
assert_eq "$(state p a) $(state p b)" "VALID UPDATE_REQUIRED" "after the way back"
assert_eq "$(serial "$p/apps/a/device_ca.pem")" "$(serial "$T/a.pem")" "the certificate of old is good again"
assert_eq "$(serial "$p/apps/b/device_ca.pem")" "$(serial "$T/b.pem")" "a replaced signing CA's certificate is still served"
assert_eq "$(field "$p/signing_ca/status" staged) $(field "$p/signing_ca/status" missing)" "[] []" "nothing is left staged"
# a key that another project replaced is not this one's: it is staged and waits for its key
mkdir "$PROJECTS/stranger"
make_intermediate unknown root
cp "$CA/unknown.chain" "$PROJECTS/stranger/signing_ca/cert.pem"
assert_eq "$(field "$PROJECTS/stranger/signing_ca/status" missing)" "[key.pem]" "an unknown key's certificate"
assert_eq "$(field "$PROJECTS/stranger/status" state)" NO_SIGNING_CA "state"

# ---- a certificate for the active key: the chain only ----
make_intermediate int root2 subject=/CN=int # the same key and subject, signed by another root, with another serial
cp "$CA/int.chain" "$p/signing_ca/cert.pem"
assert_eq "$(active p)" "$(fingerprint "$CA/int.pem")" "active after another certificate for its key"
assert_eq "$(state p a)" VALID "nothing becomes UPDATE_REQUIRED"
assert_eq "$(field "$p/status" apps_update_required)" 1 "only b, as before"
assert_eq "$(serial "$p/apps/a/device_ca.pem")" "$(serial "$T/a.pem")" "no new certificate"
assert_eq "$(field "$p/apps/a/status" generation)" 1 "generation"
whole_size=$(stat -c %s "$p/apps/a/device_ca.pem")
assert_eq "$(wc -c <"$p/apps/a/device_ca.pem")" "$whole_size" "st_size with the new chain"
verify_chain "$p/apps/a/device_ca.pem" "$CA/root2.pem"
assert_trusts "$p/apps/a/trust_bundle.pem" "$CA/root2.pem" "the new top"
touch "$p/apps/b/renew"
verify_chain "$p/apps/b/device_ca.pem" "$CA/root2.pem"
# with another subject the old certificates don't hang on it any more
make_intermediate int root subject=/CN=int-renamed
cp "$CA/int.chain" "$p/signing_ca/cert.pem"
assert_eq "$(active p)" "$(fingerprint "$CA/int.pem")" "active after a certificate with another subject"
assert_eq "$(state p a) $(state p b)" "UPDATE_REQUIRED UPDATE_REQUIRED" "another subject"
touch "$p/update"
job_done p
verify_chain "$p/apps/a/device_ca.pem" "$CA/root.pem"
# an upload of what is active changes nothing
before=$(cat "$p/apps/a/device_ca.pem")
cp "$CA/int.chain" "$p/signing_ca/cert.pem"
assert_eq "$(cat "$p/apps/a/device_ca.pem") $(state p a)" "$before VALID" "the same upload again"

# ---- compromised: in every project, for ever ----
upload q lost
upload r lost
upload p lost
cat "$q/apps/a/device_ca.pem" "$r/apps/a/device_ca.pem" "$p/apps/a/device_ca.pem" >/dev/null
make_intermediate afterwards root
upload p afterwards # p has replaced it, and its a hangs on it still
assert_errno EINVAL write "$q/signing_ca/compromised" '\n'
: >"$q/signing_ca/compromised"
sleep 1.2
assert_eq "$(field "$q/signing_ca/compromised" counter) $(state q a)" "0 VALID" "no text, no compromise"
echo "copied to a laptop" >"$q/signing_ca/compromised"
assert_errnos <<LINES
EKEYREVOKED read $q/apps/a/device_ca.pem
EKEYREVOKED read $q/apps/b/device_ca.pem
EKEYREVOKED read $r/apps/a/device_ca.pem
EKEYREVOKED read $r/apps/a/device_ca.key
EKEYREVOKED read $r/apps/b/bundle.pem
OK read $p/apps/b/device_ca.pem
LINES
assert_eq "$(field "$r/status" state) $(state r a) $(state q a)" "COMPROMISED COMPROMISED COMPROMISED" "states, also elsewhere"
cat "$p/apps/a/device_ca.pem" >"$T/after.pem" 2>"$T/error" || assert_has "$(cat "$T/error")" 'Key has been revoked' "p/a"
assert_ne "$(state p a)" VALID "a certificate under a replaced signing CA that was compromised elsewhere"
for project in q r; do
    assert_eq "$(grep -c '"severity":"ERROR","type":"signing_ca.compromised".*copied to a laptop' "$PROJECTS/$project/events")" 1 \
        "events of a compromised key in $project"
done
assert_eq "$(cat "$p/signing_ca/affected")" $'a\nb' "affected in a project that had replaced it"

# rejected_by PROJECT NAME [next/]: the upload of key and certificate is refused, and status says why
rejected_by() {
    local to=$PROJECTS/$1/signing_ca/${3-} was
    was=$(active "$1")
    if cp "$CA/$2.chain" "$to/cert.pem" 2>"$T/error" && cp "$CA/$2.key" "$to/key.pem" 2>"$T/error"; then
        fail "a compromised key was taken by $1 (${3-})"
    fi
    assert_has "$(cat "$T/error")" 'Key was rejected by service' "upload of a compromised key to $1 ${3-}"
    assert_has "$(field "$to/status" rejected)" 'compromised' "the sentence in status"
    assert_eq "$(active "$1")" "$was" "active after a refusal"
}
mkdir "$PROJECTS/new"
rejected_by q lost
rejected_by r lost
rejected_by p lost
rejected_by new lost
rejected_by q lost next/
rejected_by new lost next/
make_intermediate lost root2 subject=/CN=innocent # another certificate for it
rejected_by q lost
rejected_by new lost
make_p12 "$T/lost.p12" lost secret
echo secret >"$PROJECTS/new/signing_ca/password"
assert_fails 'Key was rejected by service' cp "$T/lost.p12" "$PROJECTS/new/signing_ca/cert.pem"
assert_eq "$(field "$PROJECTS/new/status" state)" NO_SIGNING_CA "state of a project with only refused uploads"
restart_certfs
rejected_by q lost
rejected_by new lost
rejected_by p lost
# staged in one project when it was marked in another: update does not make it active
make_intermediate late root
mkdir "$PROJECTS/s1" "$PROJECTS/s2" "$PROJECTS/s1/apps/a"
upload s1 other
cat "$PROJECTS/s1/apps/a/device_ca.pem" >/dev/null
cp "$CA/late.chain" "$PROJECTS/s1/signing_ca/next/cert.pem"
cp "$CA/late.key" "$PROJECTS/s1/signing_ca/next/key.pem"
upload s2 late
echo "copied" >"$PROJECTS/s2/signing_ca/compromised"
assert_errno EKEYREVOKED touch "$PROJECTS/s1/update"
assert_eq "$(active s1) $(state s1 a)" "$(fingerprint "$CA/other.pem") VALID" "after a refused update"
assert_distrusts "$PROJECTS/s1/apps/a/trust_bundle.pem" "$CA/late.pem" "a compromised successor"
rm "$PROJECTS/s1/signing_ca/next/cert.pem"
assert_errno OK touch "$PROJECTS/s1/update"
# the way out
for project in q r; do
    upload $project other
    assert_errnos <<LINES
EKEYREVOKED read $PROJECTS/$project/apps/a/device_ca.pem
OK read $PROJECTS/$project/apps/b/device_ca.pem
LINES
    touch "$PROJECTS/$project/force_update"
    job_done $project
    assert_eq "$(state $project a) $(state $project b)" "VALID VALID" "after force_update in $project"
    verify_chain "$PROJECTS/$project/apps/a/device_ca.pem" "$CA/root.pem"
done
rejected_by q lost

# ---- a signing CA that ends in 20 days ----
make_intermediate soon root days=20
mkdir "$PROJECTS/soon" "$PROJECTS"/soon/apps/{a,b}
upload soon soon
soon=$PROJECTS/soon
serials() { for _ in 1 2 3 4 5; do serial "$1"; done | sort -u | wc -l; }
assert_eq "$(serials "$soon/apps/a/device_ca.pem")" 1 "serials of five reads on day 0"
printf '[certificate]\nrenewal = auto\n' >"$soon/policy"
# a self-signed one's successor, which the user does not want
make_root brief days=20
mkdir "$PROJECTS/brief"
upload brief brief
wait_state "$PROJECTS/brief/signing_ca/next/status" STAGED
rm "$PROJECTS/brief/signing_ca/next/cert.pem"
for day in 5 10 14 17 19; do
    days_on $day
    sleep 2.5
    assert_eq "$(serials "$soon/apps/a/device_ca.pem")" 1 "serials of five reads on day $day"
    assert_eq "$(field "$soon/apps/a/status" generation)" 1 "generation on day $day, renewal = auto"
    [ $day != 10 ] || printf '[certificate]\nrenewal = on-read\n' >"$soon/policy"
    assert_notice "$soon/apps/a/status" INTER_CA_EXPIRING WARN PROJECT UPDATEREQUIRED
    assert_lacks "$(cat "$soon/apps/a/status")" DEVICE_CA_EXPIRING "the cause is the signing CA's end"
done
assert_eq "$(field "$PROJECTS/brief/signing_ca/next/status" state)" NONE "what was dropped stays away"
assert_eq "$(events "$soon/events" signing_ca.expiring)" 1 "events of the signing CA's end"
touch "$soon/update" # csr.pem waits: nothing to switch to, nothing to gain
job_done soon
assert_eq "$(field "$soon/apps/a/status" generation)" 1 "generation after an update that gains nothing"
touch "$soon/apps/a/renew" # who asks for it gets it
assert_eq "$(field "$soon/apps/a/status" generation)" 2 "generation after renew"

# whoever must act is told so in the message, too
assert_lacks "$(cat "$soon/status")" 'Nothing to do' "message of a project whose signing CA ends tomorrow"
check_fake

# both files of the active signing CA again (as Ansible does each day): nothing is left waiting, and another one can come
mkdir "$PROJECTS/again" "$PROJECTS/again/apps/a"
upload again int
upload again int
assert_eq "$(field "$PROJECTS/again/signing_ca/status" staged) $(field "$PROJECTS/again/signing_ca/status" missing)" "[] []" \
    "what waits after the same upload twice"
upload again other
assert_eq "$(active again)" "$(fingerprint "$CA/other.pem")" "another signing CA after the same upload twice"
