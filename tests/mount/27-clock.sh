#!/bin/bash
# variants: plain
# Time: an expired signing CA gives EKEYEXPIRED, an expired device CA is never handed out, a clock that can't be believed
# issues nothing, and all of it mends itself when the clock does.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need faketime

use_clock
start_certfs
new_project p
make_intermediate brief root days=2
mkdir "$PROJECTS/brief"
upload brief brief
printf '[certificate]\nvalidity_days = 20\nrenew_before_days = 5\n' >"$PROJECTS/p/policy"
mkdir "$PROJECTS"/{p,brief}/apps/{gw,new}
gw=$PROJECTS/p/apps/gw
cat "$gw/bundle.pem" >"$T/first"
cat "$PROJECTS/brief/apps/gw/device_ca.pem" >"$T/brief.pem"
day=86400

# clamped to the end of the chain
assert_eq "$(openssl x509 -in "$T/brief.pem" -noout -enddate)" "$(openssl x509 -in "$CA/brief.pem" -noout -enddate)" "end"
# and a renewal that would gain nothing is not made on every read
before=$(serial "$PROJECTS/brief/apps/gw/device_ca.pem")
set_clock "+$((day * 3 / 2))"
sleep 1.2 # the kernel's attributes
assert_eq "$(serial "$PROJECTS/brief/apps/gw/device_ca.pem")" "$before" "a certificate near its signing CA's end"

# the signing CA has expired
set_clock "+$((day * 3))"
sleep 1.2
assert_errnos <<LINES
EKEYEXPIRED open_r $PROJECTS/brief/apps/gw/device_ca.pem
EKEYEXPIRED open_r $PROJECTS/brief/apps/gw/device_ca.key
EKEYEXPIRED open_r $PROJECTS/brief/apps/gw/bundle.pem
EKEYEXPIRED open_r $PROJECTS/brief/apps/new/device_ca.pem
EKEYEXPIRED touch $PROJECTS/brief/apps/gw/renew
EKEYEXPIRED write $PROJECTS/brief/apps/gw/purge reason
OK read $PROJECTS/brief/apps/gw/generations/1/device_ca.pem
LINES
assert_eq "$(field "$PROJECTS/brief/apps/gw/renew" counter)" 0 "counter of a refused renew"
assert_eq "$(field "$PROJECTS/brief/apps/gw/status" state)" EXPIRED "state"
assert_has "$(cat "$PROJECTS/brief/status")" "INTER_CA_EXPIRED" "notice"
assert_has "$(cat "$PROJECTS/brief/status")" "The CA certificate has expired." "the original's sentence"
assert_fails "Key has expired" cat "$PROJECTS/brief/apps/gw/device_ca.pem"

# the device CA in its window, then past its end: a read brings a new one
set_clock "+$((day * 14))"
sleep 1.2
cmp "$gw/bundle.pem" "$T/first"
set_clock "+$((day * 16))"
sleep 1.2
assert_eq "$(field "$gw/status" state)" EXPIRING "state in the window"
cat "$gw/device_ca.pem" >/dev/null
assert_eq "$(field "$gw/status" generation)" 2 "a read in the window renews"
set_clock "+$((day * 60))"
sleep 1.2
assert_eq "$(field "$gw/status" state)" EXPIRED "state"
cat "$gw/device_ca.pem" >"$T/third"
assert_eq "$(field "$gw/status" generation)" 3 "a read after the end renews"

# manual: an expired one is refused, not served
printf '[certificate]\nvalidity_days = 20\nrenew_before_days = 5\nrenewal = manual\n' >"$PROJECTS/p/policy"
set_clock "+$((day * 100))"
sleep 1.2
assert_errnos <<LINES
EKEYEXPIRED open_r $gw/device_ca.pem
EKEYEXPIRED open_r $gw/bundle.pem
LINES
touch "$gw/renew"
cat "$gw/device_ca.pem" >/dev/null
printf '[certificate]\nvalidity_days = 300\n' >"$PROJECTS/p/policy"

# a clock behind the newest certificate, and one from before the program was built
for offset in "+$((day * 98))" "-$((day * 7300))"; do
    set_clock "$offset"
    sleep 1.2
    assert_errnos <<LINES
EAGAIN open_r $PROJECTS/p/apps/new/device_ca.pem
EAGAIN touch $gw/renew
LINES
done
set_clock "+$((day * 101))"
sleep 1.2
cat "$PROJECTS/p/apps/new/device_ca.pem" "$gw/device_ca.pem" >/dev/null
check_fake() {
    "${DAEMON_ENV[@]}" "$CERTFS" check -c "$CONF" >"$T/check.out" 2>&1 || fail "certfs check: $(cat "$T/check.out")"
}
check_fake

# the same by the real clock: served until the very second, never after
stop_certfs
DAEMON_ENV=(env)
rm -rf "$T/store"
mkdir "$T/store"
start_certfs
make_intermediate seconds root days=1 clock=-$((day - 8))
mkdir "$PROJECTS/s"
upload s seconds
mkdir "$PROJECTS/s/apps/gw"
end=$(date -d "$(openssl x509 -in "$CA/seconds.pem" -noout -enddate | cut -d = -f 2)" +%s)
python3 - "$PROJECTS/s/apps/gw/device_ca.pem" "$end" <<'PYTHON'
import errno, sys, time
path, end = sys.argv[1], int(sys.argv[2])
served = refused = 0
while time.time() < end + 3:
    before = time.time()
    try:
        with open(path, "rb") as file:
            assert file.read().endswith(b"\n")
        assert before <= end + 1, f"served {before - end:.2f} s after its end"
        served += 1
    except OSError as error:
        assert error.errno == errno.EKEYEXPIRED, error
        assert time.time() >= end - 1, f"refused {end - time.time():.2f} s before its end"
        refused += 1
    time.sleep(0.01)
assert served > 20 and refused > 20, (served, refused)
PYTHON
