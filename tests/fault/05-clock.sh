#!/bin/bash
# variants: plain
# timeout: 180
# The clock jumps by years, both ways, under load, and a machine whose clock has no battery starts in 1970: what is read is valid at that
# time or refused, nothing is issued by a clock that is not to be believed, nothing spins, and all is well when the clock is.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/life.sh
. "$SOURCE/tests/lib/life.sh"

YEAR=$((365 * DAY))
use_clock
start_certfs
make_root root days=36000 clock=-86400
make_intermediate int root days=35000 clock=-86400
mkdir "$PROJECTS/p"
upload p int
printf '[certificate]\nvalidity_days = 3000\n' >"$PROJECTS/p/policy"
mkdir "$PROJECTS/p/apps"/{old,new,gone}
old=$PROJECTS/p/apps/old
new=$PROJECTS/p/apps/new
cat "$old/bundle.pem" >"$T/old.pem"
check_fake

# processor_seconds PID: of the worker, in hundredths
processor() {
    awk '{ print $14 + $15 }' "/proc/$WORKER_PID/stat"
}
# quiet WHAT: two seconds cost the worker next to nothing
quiet() {
    local before
    before=$(processor)
    sleep 2
    [ $(($(processor) - before)) -lt 100 ] || fail "$1: the worker spins"
}

# ---- under load: what a reader gets is whole and valid at the clock of before or after its read ----
cat >"$T/reader.py" <<'PYTHON'
import datetime, errno, os, pathlib, subprocess, sys
import pem
gw, base = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
counts = {}
while not (base / "stop").exists():
    try:
        blocks = pem.blocks((gw / "bundle.pem").read_bytes())
        assert pem.matches(blocks[1][1], blocks[0][1]), "not a pair"
        what = "served"
    except OSError as error:
        assert error.errno in (errno.EAGAIN, errno.EKEYEXPIRED), error
        what = errno.errorcode[error.errno]
    counts[what] = counts.get(what, 0) + 1
assert counts.get("served", 0) > 20, counts
print(counts)
PYTHON
python3 "$T/reader.py" "$old" "$T" 2>"$T/reader.err" &
reader=$!
python3 "$T/reader.py" "$new" "$T" 2>"$T/reader2.err" &
reader2=$!
for offset in +$((5 * YEAR)) +0 -$((30 * YEAR)) +$((20 * YEAR)) -$((56 * YEAR)) +$((5 * YEAR)) +0; do
    set_clock "$offset"
    sleep 0.3
    touch "$PROJECTS/p/apps/gone/renew" 2>/dev/null || true
    cat "$PROJECTS/p/status" "$old/status" "$MNT/events" >/dev/null
done
set_clock "+$((20 * YEAR + DAY))"
sleep 1
touch "$T/stop"
wait $reader || fail "a reader: $(tail -n 1 "$T/reader.err")"
wait $reader2 || fail "a reader: $(tail -n 1 "$T/reader2.err")"
check_fake
quiet "20 years on"

# the newest certificate is of then: the clock of today issues nothing, and serves nothing that is not valid yet
set_clock +0
mkdir "$PROJECTS/p/apps/today"
assert_errnos <<LINES
EAGAIN read $PROJECTS/p/apps/today/device_ca.pem
EAGAIN touch $new/renew
EAGAIN read $new/device_ca.pem
OK stat $new/device_ca.pem
OK read $new/status
LINES
quiet "back again"
check_fake

# ---- a start in 1970 ----
stop_certfs
rm -r "$T/store"
mkdir "$T/store"
set_clock +0
start_certfs
mkdir "$PROJECTS/p"
upload p int
mkdir "$PROJECTS/p/apps"/{old,new}
cat "$old/bundle.pem" >"$T/old.pem"
stop_certfs
set_clock "-$(date +%s)"
start_certfs
assert_errnos <<LINES
EAGAIN read $new/device_ca.pem
EAGAIN read $new/bundle.pem
EAGAIN touch $new/renew
EAGAIN touch $PROJECTS/p/force_update
OK read $new/status
OK read $PROJECTS/p/status
OK read $MNT/events
OK read $old/generations/1/device_ca.pem
OK mkdir $PROJECTS/p/apps/early
OK rmdir $PROJECTS/p/apps/early
LINES
assert_eq "$(field "$old/status" generation)" 1 "generation in 1970"
assert_has "$(cat "$new/status")" "clock|time" "the status says what is wrong"
quiet "in 1970"
# the clock of the network: no restart
set_clock +5
assert_same "$old/bundle.pem" "$T/old.pem" "what there was before 1970"
assert_errnos <<LINES
OK read $new/bundle.pem
OK touch $new/renew
LINES
check_fake

# ---- a clock that is some minutes slow: the same certificates (they begin five minutes before they are issued) ----
set_clock -200
sleep 1.2
assert_same "$old/bundle.pem" "$T/old.pem" "some minutes slow"
check_fake
