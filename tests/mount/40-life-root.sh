#!/bin/bash
# variants: plain
# The whole life of projects under a self-signed signing CA, by the daemon's clock: issue, EXPIRING, EXPIRED, renewal by each
# policy, the successor that certfs stages, update, the end of a signing CA, compromise, force_update.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/life.sh
. "$SOURCE/tests/lib/life.sh"

use_clock +0
start_certfs
make_root root days=460
for project in manual read auto left behind; do
    mkdir "$PROJECTS/$project"
    upload $project root
done
manual=$PROJECTS/manual read=$PROJECTS/read auto=$PROJECTS/auto left=$PROJECTS/left behind=$PROJECTS/behind
printf '[certificate]\nrenewal = manual\n' >"$manual/policy"
printf '[certificate]\nrenewal = auto\n' >"$auto/policy"
printf '[certificate]\nrenewal = auto\n' >"$behind/policy"
mkdir "$manual"/apps/{gw,late} "$read/apps/gw" "$auto"/apps/node-{01..12} "$left"/apps/{a,b,c} "$behind"/apps/{d,e}

serials() {
    local app
    for app in "$1"/apps/*/; do
        serial "$app/generations/$(field "$app/status" generation)/device_ca.pem"
    done
}

# ---- day 0: issued ----
assert_eq "$(field "$manual/status" state) $(field "$manual/apps/gw/status" state)" "NOT_ISSUED NOT_ISSUED" "states at first"
for app in "$manual/apps/gw" "$read/apps/gw" "$auto"/apps/*; do
    cat "$app/device_ca.pem" >/dev/null
done
verify_at 0 "$manual/apps/gw/device_ca.pem" "$CA/root.pem"
assert_eq "$(field "$manual/status" state) $(field "$manual/apps/gw/status" state)" "VALID VALID" "states on day 0"
assert_has "$(field "$manual/apps/gw/status" days_left)" "^36[45]$" "days_left"
assert_has "$(cat "$manual/apps/gw/status")" '^notices: \[\]$' "notices on day 0"
assert_eq "$(field "$manual/signing_ca/status" state) $(field "$manual/signing_ca/next/status" state)" "ACTIVE NONE" "signing CA"
assert_eq "$(cat "$manual/signing_ca/affected")" "" "affected on day 0"
assert_eq "$(events "$manual/apps/gw/events" device_ca.issued)" 1 "events"
first=$(serial "$manual/apps/gw/device_ca.pem") first_read=$(serial "$read/apps/gw/device_ca.pem")

# ---- day 334: not yet in the window; a look before its time tells nothing ----
days_on 334
assert_eq "$(field "$manual/apps/gw/status" state)" VALID "state on day 334"

# ---- day 336: EXPIRING ----
days_on 336
wait_events "$manual/apps/gw/events" device_ca.expiring 1
wait_events "$read/apps/gw/events" device_ca.expiring 1
for project in "$manual" "$read"; do
    assert_eq "$(field "$project/apps/gw/status" state)" EXPIRING "state on day 336"
    assert_eq "$(field "$project/apps/gw/status" severity)" WARN "severity on day 336"
    assert_notice "$project/apps/gw/status" DEVICE_CA_EXPIRING WARN EDGE_APP_INSTANCE UPDATEREQUIRED
    assert_notice "$project/status" DEVICE_CA_EXPIRING WARN EDGE_APP_INSTANCE UPDATEREQUIRED
    assert_eq "$(field "$project/status" state)" EXPIRING "state of the project"
    assert_eq "$(field "$project/status" apps_expiring)" 1 "apps_expiring"
done
assert_has "$(cat "$MNT/events")" '"severity":"WARN","type":"device_ca.expiring","project":"manual","app":"gw","generation":1,' \
    "events of the fleet"
assert_eq "$(serial "$manual/apps/gw/device_ca.pem")" "$first" "renewal = manual on a read in the window"
assert_ne "$(serial "$read/apps/gw/device_ca.pem")" "$first_read" "renewal = on-read on a read in the window"
assert_eq "$(field "$read/apps/gw/status" state) $(field "$read/apps/gw/status" generation)" "VALID 2" "after renewal on read"
assert_eq "$(events "$read/apps/gw/events" device_ca.renewed)" 1 "renewed events"

# ---- automatic renewal: spread over the window, without any read ----
days_on 345
sleep 5
renewed=$(events "$auto/events" device_ca.renewed)
if [ "$renewed" = 0 ] || [ "$renewed" = 12 ]; then
    fail "on day 345 $renewed of 12 were renewed by themselves: not spread"
fi
days_on 358
wait_events "$auto/events" device_ca.renewed 12
for app in "$auto"/apps/*; do
    assert_eq "$(field "$app/status" state) $(field "$app/status" generation)" "VALID 2" "$app after automatic renewal"
done
assert_eq "$(serials "$auto" | sort -u | wc -l)" 12 "serials"
assert_eq "$(field "$manual/apps/gw/status" generation)" 1 "the monitor renewed in a project with renewal = manual"

# ---- day 366: EXPIRED, refused ----
days_on 366
wait_events "$manual/apps/gw/events" device_ca.expired 1
assert_eq "$(field "$manual/apps/gw/status" state) $(field "$manual/apps/gw/status" severity)" "EXPIRED ERROR" "day 366"
assert_notice "$manual/apps/gw/status" DEVICE_CA_EXPIRED ERROR EDGE_APP_INSTANCE UPDATEREQUIRED
assert_notice "$manual/status" DEVICE_CA_EXPIRED ERROR EDGE_APP_INSTANCE UPDATEREQUIRED
assert_eq "$(field "$manual/status" state) $(field "$manual/status" apps_expired)" "EXPIRED 1" "project on day 366"
assert_has "$(cat "$MNT/status")" manual "the fleet's status names the project"
assert_errnos <<LINES
EKEYEXPIRED read $manual/apps/gw/device_ca.pem
EKEYEXPIRED read $manual/apps/gw/bundle.pem
OK read $manual/apps/gw/generations/1/device_ca.pem
OK touch $manual/apps/gw/renew
LINES
assert_eq "$(field "$manual/apps/gw/status" state) $(field "$manual/apps/gw/status" generation)" "VALID 2" "after renew"
verify_at 366 "$manual/apps/gw/device_ca.pem" "$CA/root.pem"
assert_eq "$(openssl x509 -in "$manual/apps/gw/device_ca.pem" -noout -enddate)" \
    "$(openssl x509 -in "$CA/root.pem" -noout -enddate)" "clamped to the signing CA's end"
for app in left/apps/{a,b,c} behind/apps/{d,e}; do
    cat "$PROJECTS/$app/device_ca.pem" >/dev/null
done

# ---- day 431: the signing CA ends in 29 days: a successor is staged, nothing is switched ----
root=$(fingerprint "$CA/root.pem")
days_on 429
assert_eq "$(field "$manual/signing_ca/status" state)" ACTIVE "signing CA on day 429"
days_on 431
for project in "$manual" "$read" "$auto" "$left"; do
    wait_state "$project/signing_ca/next/status" STAGED
    wait_events "$project/events" signing_ca.expiring 1
    wait_events "$project/events" signing_ca.staged 1
    assert_eq "$(field "$project/signing_ca/status" state)" EXPIRING "signing CA on day 431"
    assert_notice "$project/status" INTER_CA_EXPIRING WARN PROJECT UPDATEREQUIRED
    assert_notice "$project/status" SUCCESSOR_STAGED WARN PROJECT UPDATEREQUIRED
    assert_lacks "$(cat "$project/status")" "Nothing to do" "a project whose signing CA ends"
done
assert_has "$(grep signing_ca.expiring "$left/events")" "3 app instances" "the number of app instances in the event"
assert_notice "$manual/apps/gw/status" INTER_CA_EXPIRING WARN PROJECT UPDATEREQUIRED
assert_lacks "$(cat "$manual/status" "$manual/apps/gw/status")" DEVICE_CA_EXPIRING "the cause is the signing CA's end"
assert_eq "$(cat "$manual/signing_ca/affected")" gw "affected: only what has a certificate"
assert_eq "$(cat "$left/signing_ca/affected")" $'a\nb\nc' "affected"
assert_eq "$(field "$manual/signing_ca/info" sha256_fingerprint)" "$root" "active signing CA before update"
before=$(serial "$read/apps/gw/device_ca.pem")
assert_eq "$(serial "$read/apps/gw/device_ca.pem")" "$before" "renewal on every read, because the signing CA ends"
# what was staged: same subject, path length and lifetime, another key, self-signed
cp "$manual/signing_ca/next/cert.pem" "$T/next.pem"
verify_at 431 "$T/next.pem" "$T/next.pem"
assert_eq "$(openssl x509 -in "$T/next.pem" -noout -subject)" "$(openssl x509 -in "$CA/root.pem" -noout -subject)" "subject"
assert_ne "$(openssl x509 -in "$T/next.pem" -noout -pubkey)" "$(openssl x509 -in "$CA/root.pem" -noout -pubkey)" "key"
assert_ne "$(serial "$T/next.pem")" "$(serial "$CA/root.pem")" "serial"
assert_eq "$(field "$manual/signing_ca/next/info" sha256_fingerprint)" "$(fingerprint "$T/next.pem")" "next/info"
assert_eq "$(wc -c <"$manual/signing_ca/next/key.pem")" 0 "next/key.pem"
lifetime() {
    python3 -c '
import subprocess, sys, datetime
ends = subprocess.run(["openssl", "x509", "-in", sys.argv[1], "-noout", "-dates"], capture_output=True, text=True).stdout
a, b = (datetime.datetime.strptime(l.split("=")[1], "%b %d %H:%M:%S %Y GMT") for l in ends.splitlines())
print((b - a).days)' "$1"
}
assert_eq "$(lifetime "$T/next.pem")" "$(lifetime "$CA/root.pem")" "lifetime of the successor in days"
# downstream devices hear of it before the switch
assert_trusts "$manual/apps/gw/trust_bundle.pem" "$CA/root.pem" "before update"
assert_trusts "$manual/apps/gw/trust_bundle.pem" "$T/next.pem" "before update"
assert_has "$(cat "$manual/update")" '^would: ".*[1-9]' "would of update"

# ---- a staged successor dropped, and one of the user's own instead ----
cp "$read/signing_ca/next/cert.pem" "$T/dropped.pem"
rm "$read/signing_ca/next/cert.pem"
assert_eq "$(field "$read/signing_ca/next/status" state)" NONE "next after rm"
assert_distrusts "$read/apps/gw/trust_bundle.pem" "$T/dropped.pem" "a dropped successor"
make_root own days=2000
cp "$CA/own.pem" "$read/signing_ca/next/cert.pem"
assert_eq "$(field "$read/signing_ca/next/status" staged)" "[cert.pem]" "half a successor"
cp "$CA/own.key" "$read/signing_ca/next/key.pem"
assert_eq "$(field "$read/signing_ca/next/status" state)" STAGED "next"
assert_same "$read/signing_ca/next/cert.pem" "$CA/own.pem" "next/cert.pem"
assert_trusts "$read/apps/gw/trust_bundle.pem" "$CA/own.pem" "before update"
assert_eq "$(field "$read/signing_ca/info" sha256_fingerprint)" "$root" "active signing CA before update"

# ---- a signing CA that replaces it by upload: what certfs had staged goes with the old one, what the user has staged stays ----
make_root other days=2000
for project in moved kept; do
    mkdir "$PROJECTS/$project"
    upload $project root
    wait_state "$PROJECTS/$project/signing_ca/next/status" STAGED
done
cp "$CA/own.pem" "$PROJECTS/kept/signing_ca/next/cert.pem"
cp "$CA/own.key" "$PROJECTS/kept/signing_ca/next/key.pem"
for project in moved kept; do
    upload $project root # again: nothing is replaced
    assert_eq "$(field "$PROJECTS/$project/signing_ca/next/status" state)" STAGED "next of $project"
    upload $project other
done
assert_eq "$(field "$PROJECTS/moved/signing_ca/next/status" state)" NONE "certfs's successor of a replaced signing CA"
assert_same "$PROJECTS/kept/signing_ca/next/cert.pem" "$CA/own.pem" "the user's"
touch "$PROJECTS/moved/update"
job_done moved
assert_eq "$(field "$PROJECTS/moved/signing_ca/info" sha256_fingerprint)" "$(fingerprint "$CA/other.pem")" "active after update"

# ---- update ----
for project in manual read auto; do
    touch "$PROJECTS/$project/update"
done
for project in manual read auto; do
    job_done $project
    assert_eq "$(field "$PROJECTS/$project/progress" operation)" update operation
    assert_eq "$(field "$PROJECTS/$project/update" counter) $(field "$PROJECTS/$project/update" state)" "1 done" "update"
    assert_eq "$(field "$PROJECTS/$project/status" state)" VALID "state after update"
    assert_eq "$(field "$PROJECTS/$project/signing_ca/next/status" state)" NONE "next after update"
    assert_eq "$(cat "$PROJECTS/$project/signing_ca/affected")" "" "affected after update"
    assert_has "$(cat "$PROJECTS/$project/status")" '^notices: \[\]$' "notices after update"
    assert_eq "$(events "$PROJECTS/$project/events" update.started) $(events "$PROJECTS/$project/events" update.done)" "1 1" "events"
    for app in "$PROJECTS/$project"/apps/*; do
        assert_trusts "$app/trust_bundle.pem" "$CA/root.pem" "a replaced signing CA whose certificates still run"
    done
done
assert_eq "$(active manual) $(active read)" "$(fingerprint "$T/next.pem") $(fingerprint "$CA/own.pem")" "active after update"
assert_eq "$(field "$manual/apps/gw/status" generation)" 3 "generation after update"
assert_eq "$(field "$manual/apps/late/status" state)" NOT_ISSUED "update issued what was never issued"
assert_eq "$(field "$auto/progress" total)" 12 "total of the update"
verify_at 431 "$manual/apps/gw/device_ca.pem" "$T/next.pem"
verify_at 431 "$read/apps/gw/device_ca.pem" "$CA/own.pem"
grep -q "$(serial "$manual/apps/gw/generations/2/device_ca.pem")" <<<"$first" && fail "a serial twice"

# ---- day 461: the signing CA that nobody replaced ends: one event of the project, not one for each app instance ----
days_on 461
wait_events "$left/events" signing_ca.expired 1
assert_has "$(grep signing_ca.expired "$left/events")" "The CA certificate has expired.* 3 app instances" "the event"
assert_eq "$(field "$left/status" state) $(field "$left/signing_ca/status" state)" "EXPIRED EXPIRED" "left on day 461"
assert_has "$(cat "$left/status")" 'The CA certificate has expired\.' "the original's sentence"
assert_notice "$left/status" INTER_CA_EXPIRED ERROR PROJECT UPDATEREQUIRED
assert_notice "$left/apps/a/status" INTER_CA_EXPIRED ERROR PROJECT UPDATEREQUIRED
assert_errnos <<LINES
EKEYEXPIRED read $left/apps/a/device_ca.pem
EKEYEXPIRED touch $left/apps/a/renew
EKEYEXPIRED touch $left/force_update
LINES
# update with its staged successor is the way out
touch "$left/update"
job_done left
assert_eq "$(field "$left/status" state) $(field "$left/status" apps_valid)" "VALID 3" "left after update"
# renewal = auto needs neither a read nor an update, once there is a signing CA again
wait_events "$behind/events" signing_ca.expired 1
assert_eq "$(field "$behind/apps/d/status" state)" EXPIRED "behind on day 461"
sleep 3
make_root again
upload behind again
wait_events "$behind/events" device_ca.renewed 2
assert_eq "$(field "$behind/apps/d/status" state) $(field "$behind/apps/e/status" state)" "VALID VALID" "behind, by itself"

# ---- the old top stays announced until 30 days after the last certificate under it ended ----
days_on 489
assert_trusts "$manual/apps/gw/trust_bundle.pem" "$CA/root.pem" "on day 489"
days_on 491
sleep 1.2
assert_distrusts "$manual/apps/gw/trust_bundle.pem" "$CA/root.pem" "on day 491"

# ---- compromised, a new one, force_update ----
echo "laptop stolen" >"$manual/signing_ca/compromised"
assert_errnos <<LINES
EKEYREVOKED read $manual/apps/gw/device_ca.pem
EKEYREVOKED read $manual/apps/late/device_ca.pem
EKEYREVOKED touch $manual/force_update
EKEYREVOKED touch $manual/apps/gw/renew
LINES
assert_eq "$(field "$manual/status" state) $(field "$manual/apps/gw/status" state)" "COMPROMISED COMPROMISED" "states"
assert_eq "$(field "$manual/signing_ca/status" state)" COMPROMISED "signing CA"
assert_notice "$manual/status" SIGNING_CA_COMPROMISED ERROR PROJECT UPDATEWITHPURGE
assert_notice "$manual/apps/gw/status" SIGNING_CA_COMPROMISED ERROR PROJECT UPDATEWITHPURGE
assert_eq "$(cat "$manual/signing_ca/affected")" gw "affected"
assert_eq "$(events "$manual/events" signing_ca.compromised)" 1 "events"
assert_errno EKEYREVOKED read "$manual/apps/gw/trust_bundle.pem" # nothing is left to be trusted
make_root fresh days=3000
upload manual fresh
assert_errno EKEYREVOKED read "$manual/apps/gw/device_ca.pem"
assert_errno OK read "$manual/apps/late/device_ca.pem"
echo "compromised: laptop stolen" >"$manual/force_update"
cat "$manual/apps/gw/device_ca.pem" >"$T/fresh.pem"
job_done manual
assert_eq "$(field "$manual/status" state) $(field "$manual/status" apps_valid)" "VALID 2" "after force_update"
assert_eq "$(field "$manual/apps/gw/status" generation)" 4 "one generation for a force_update"
assert_eq "$(serial "$manual/apps/gw/device_ca.pem")" "$(serial "$T/fresh.pem")" "the reader's certificate is taken over"
verify_at 491 "$manual/apps/gw/device_ca.pem" "$CA/fresh.pem"
assert_distrusts "$manual/apps/gw/trust_bundle.pem" "$T/next.pem" "a compromised signing CA"
assert_eq "$(cat "$manual/signing_ca/affected")" "" "affected at the end"
check_fake

# the end of `left`'s signing CA was told of once, not once more for each app instance
assert_eq "$(events "$left/events" device_ca.expiring) $(events "$left/events" device_ca.expired)" "0 0" \
    "events of each app instance, expiring and expired, for the end of the signing CA"
