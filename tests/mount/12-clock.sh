#!/bin/bash
# variants: plain
# Expiry by the daemon's clock: an expired certificate is never served, an expired signing CA issues nothing,
# and a clock that is not to be believed issues nothing either.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
DAY=86400

use_clock +0
start_certfs
make_root root
make_intermediate short root days=20
make_intermediate long root days=3000
for project in short long manual; do
    mkdir "$PROJECTS/$project" "$PROJECTS/$project/apps/gw" "$PROJECTS/$project/apps/late"
done
upload short short
upload long long
upload manual long
printf '[certificate]\nvalidity_days = 10\nrenew_before_days = 3\nrenewal = manual\n' >"$PROJECTS/manual/policy"
printf '[certificate]\nvalidity_days = 10\nrenew_before_days = 3\n' >"$PROJECTS/long/policy"
for project in short long manual; do
    cat "$PROJECTS/$project/apps/gw/device_ca.pem" >"$T/$project.pem"
done

# the device CA is clamped to the signing CA's end
end_of() { openssl x509 -in "$1" -noout -enddate; }
assert_eq "$(end_of "$T/short.pem")" "$(end_of "$CA/short.pem")" "end of a device CA under a short signing CA"
touch "$PROJECTS/short/apps/gw/renew"
assert_eq "$(field "$PROJECTS/short/apps/gw/renew" counter)" 1 counter

# ---- in the renewal window ----
set_clock "+$((8 * DAY))"
long=$PROJECTS/long/apps/gw manual=$PROJECTS/manual/apps/gw short=$PROJECTS/short/apps/gw
assert_eq "$(field "$manual/status" state)" EXPIRING "state in the window"
assert_same "$manual/device_ca.pem" "$T/manual.pem" "renewal = manual, in the window"
assert_ne "$(serial "$long/device_ca.pem")" "$(serial "$T/long.pem")" "serial on a read in the window"
assert_eq "$(field "$long/status" state)" VALID "state after the renewal"

# ---- after the device CA's end ----
set_clock "+$((11 * DAY))"
assert_eq "$(field "$manual/status" state)" EXPIRED "state after the end"
assert_errnos <<END
EKEYEXPIRED read $manual/device_ca.pem
EKEYEXPIRED read $manual/device_ca.key
EKEYEXPIRED read $manual/bundle.pem
OK read $manual/generations/1/device_ca.pem
OK touch $manual/renew
OK read $manual/device_ca.pem
END
assert_eq "$(field "$manual/status" state)" VALID "state after renew"

# ---- after the signing CA's end ----
set_clock "+$((21 * DAY))"
assert_errnos <<END
EKEYEXPIRED read $short/device_ca.pem
EKEYEXPIRED read $short/device_ca.key
EKEYEXPIRED read $short/bundle.pem
EKEYEXPIRED read $PROJECTS/short/apps/late/device_ca.pem
EKEYEXPIRED touch $short/renew
EKEYEXPIRED touch $short/purge
EKEYEXPIRED write $short/purge 'reason\n'
OK stat $short/device_ca.pem
OK read $short/generations/1/device_ca.pem
END
assert_eq "$(field "$short/renew" counter) $(field "$short/purge" counter)" "1 0" "counters after refusals"
assert_eq "$(field "$short/status" state)" EXPIRED state
assert_has "$(cat "$PROJECTS/short/status")" 'INTER_CA_EXPIRED' "notice of the project"
assert_has "$(cat "$short/status")" 'INTER_CA_EXPIRED' "notice of the app instance"
# a new signing CA is the cure
upload short long
assert_errno OK read "$short/device_ca.pem"
assert_errno OK read "$PROJECTS/short/apps/late/device_ca.pem"
[ "$(stat -c %s "$short/device_ca.pem")" = "$(wc -c <"$short/device_ca.pem")" ] || fail "size after the cure"
verify_time=$(($(date +%s) + 21 * DAY))
cat "$short/device_ca.pem" >"$T/cured.pem"
openssl verify -attime $verify_time -x509_strict -CAfile "$CA/root.pem" -untrusted "$T/cured.pem" "$T/cured.pem" >/dev/null

# ---- a clock that went back: what is in the store is newer by weeks ----
set_clock +0
mkdir "$PROJECTS/long/apps/new"
assert_errnos <<END
EAGAIN read $PROJECTS/long/apps/new/device_ca.pem
EAGAIN touch $PROJECTS/long/apps/new/renew
END
assert_eq "$(field "$PROJECTS/long/apps/new/status" state)" NOT_ISSUED state
for status in "$MNT" "$PROJECTS/long" "$long" "$PROJECTS/long/apps/new"; do
    assert_has "$(field "$status/status" message)" 'clock is not to be believed: it stands before' "message of $status/status"
    assert_eq "$(field "$status/status" severity)" ERROR "severity of $status/status"
done
told() {
    [ "$(jq -r 'select(.type|startswith("clock.")).type' "$MNT/events" | tr '\n' ' ')" = "$1" ]
}
wait_until 20 told 'clock.not_believed '

# ---- and when it is right again, without a restart ----
set_clock "+$((21 * DAY + 60))"
assert_errno OK read "$PROJECTS/long/apps/new/device_ca.pem"
wait_until 20 told 'clock.not_believed clock.believed '
assert_lacks "$(cat "$MNT/status" "$PROJECTS/long/status" "$long/status")" 'not to be believed' "status with a clock that is right"
"${DAEMON_ENV[@]}" "$CERTFS" check -c "$CONF" >"$T/check.out" 2>&1 || fail "certfs check: $(cat "$T/check.out")"

# ---- before the program's build date: it is the clock that wants mending, not the signing CA ----
mkdir "$PROJECTS/long/apps/newer"
set_clock "-$((3650 * DAY))"
assert_errno EAGAIN read "$PROJECTS/long/apps/newer/device_ca.pem"
