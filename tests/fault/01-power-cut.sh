#!/bin/bash
# variants: plain
# timeout: 400
# The power fails at random moments under load, on a real filesystem: the store opens, `certfs check` is clean, and every certificate
# that a reader had, every mkdir and every rmdir that was answered is there. The same with fsync doing nothing must lose some: else this
# test would prove nothing.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/disk.sh
. "$SOURCE/tests/lib/disk.sh"
need eatmydata

CUTS=50
CONTROLS=3
[ -z "${SOAK-}" ] || CUTS=1000
LOAD=$SOURCE/tests/lib/load.py

# One life: load, the cut at a random moment (from the first milliseconds on, while the load begins), off, on again.
live_and_die() {
    mounted || start_certfs
    python3 "$LOAD" run "$PROJECTS/p" "$1" 4 2>"$T/load.err" &
    sleep "0.$(printf %03d $((RANDOM % 600)))"
    cut_power "$1"
    wait $! || fail "a client saw: $(cat "$T/load.err")"
    power_off
    mount_disk
}

# survivors NOTES: what is left must be all
survivors() {
    "$CERTFS" check -c "$CONF" >"$T/check.out" 2>&1 && start_certfs && python3 "$LOAD" verify "$PROJECTS/p" "$1"
}

# What an upload of a signing CA was answered with is there, too.
new_store() {
    rm -rf "$DISK/store"
    use_disk
    start_certfs
    new_project p
    power_cut_now
    start_certfs
    active p >/dev/null
    stop_certfs
}

power_cut_now() {
    cut_power
    power_off
    mount_disk
}

make_disk 256
new_store
for ((cut = 1; cut <= CUTS; cut++)); do
    echo life >"$T/notes.$cut"
    live_and_die "$T/notes.$cut"
    survivors "$T/notes.$cut" >"$T/verify.out" 2>&1 ||
        fail "cut $cut: $(tail -n 3 "$T/check.out") $(tail -n 5 "$T/verify.out") $(ls -l "$DISK/store" 2>&1)"
    [ $((cut % 5)) != 0 ] || stop_certfs
done
mounted || start_certfs
cat "$T"/notes.* >"$T/notes"
python3 "$LOAD" verify "$PROJECTS/p" "$T/notes" || fail "lost later"
stop_certfs
echo "$CUTS cuts: $(tail -n 1 "$T/check.out")"
[ "$(grep -c ^cert "$T/notes")" -ge $((CUTS * 5)) ] || fail "only $(grep -c ^cert "$T/notes") certificates in $CUTS cuts: no load"

# the control
losses=0
for ((cut = 1; cut <= CONTROLS; cut++)); do
    new_store
    echo life >"$T/notes-control.$cut"
    DAEMON_ENV=(eatmydata)
    live_and_die "$T/notes-control.$cut"
    DAEMON_ENV=(env)
    survivors "$T/notes-control.$cut" >"$T/verify.out" 2>&1 || losses=$((losses + 1))
    ! mounted || stop_certfs
done
echo "control: $losses of $CONTROLS lost something"
[ "$losses" -gt 0 ] || fail "nothing was lost without fsync: this test can't see a loss"
