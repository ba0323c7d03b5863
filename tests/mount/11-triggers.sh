#!/bin/bash
# A trigger fires once for each touch, echo and cp, and never when a copy sets times; refused, it changes nothing.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need rsync

start_certfs
new_project p
mkdir "$PROJECTS/p/apps/gw"
cd "$PROJECTS/p/apps/gw"
expected=0

fired() {
    expected=$((expected + 1))
    assert_eq "$(field "$trigger" counter)" $expected "counter of $trigger after $1"
}

quiet() {
    assert_eq "$(field "$trigger" counter)" $expected "counter of $trigger after $1, which must not fire"
}

for trigger in renew purge; do
    expected=0
    quiet "nothing"
    touch $trigger
    fired touch
    touch $trigger
    fired "another touch"
    touch -c $trigger
    fired "touch -c"
    echo "because of echo" >$trigger
    fired echo
    assert_eq "$(field $trigger reason)" "because of echo" "reason"
    echo "appended" >>$trigger
    fired "echo >>"
    assert_eq "$(field $trigger reason)" "appended" "reason"
    echo "from a file" >"$T/reason"
    cp "$T/reason" $trigger
    fired cp
    assert_eq "$(field $trigger reason)" "from a file" "reason"
    tee $trigger <"$T/reason" >/dev/null
    fired tee
    dd if="$T/reason" of=$trigger bs=3 status=none
    fired "dd in pieces"
    printf 'first line\nsecond line\n' >$trigger
    fired printf
    assert_eq "$(field $trigger reason)" "first line" "reason"
    python3 -c "import pathlib; pathlib.Path('$trigger').touch()"
    fired "python's touch"
    before=$expected
    : >$trigger
    count_is() {
        [ "$(field "$trigger" counter)" = "$1" ]
    }
    wait_until 3 count_is $((before + 1))
    fired ": >"
    sleep 0.2
    quiet "that"

    touch -d '2026-01-01' $trigger
    quiet "touch -d"
    touch -r "$T/reason" $trigger
    quiet "touch -r"
    cat $trigger >"$T/saved"
    ls -l $trigger >/dev/null
    quiet "cat and ls"
    chmod 600 $trigger
    chown root $trigger
    quiet "chmod and chown"
    assert_errnos <<END
EINVAL write $trigger 'counter: 5\n'
EINVAL write $trigger 'bad \x01 control'
EINVAL write $trigger 'not UTF-8 \xff\n'
END
    assert_fails "Invalid argument" cp "$T/saved" $trigger
    quiet "refused texts"
    python3 -c "import os; os.close(os.open('$trigger', os.O_WRONLY)); os.close(os.open('$trigger', os.O_RDONLY))"
    quiet "open and close"
done

# a copy of the tree put back: cp -p, rsync -a, tar x
tar c -C "$PROJECTS/p/apps" gw >"$T/gw.tar"
mkdir "$T/copy"
cp -pr . "$T/copy/gw"
before="$(field renew counter) $(field purge counter) $(field status generation)"
cp -p "$T/copy/gw/renew" renew 2>/dev/null || true
cp -p "$T/copy/gw/purge" purge 2>/dev/null || true
rsync -a "$T/copy/gw/" "$PROJECTS/p/apps/gw/" >/dev/null 2>&1 || true
tar x -C "$PROJECTS/p/apps" -f "$T/gw.tar" >/dev/null 2>&1 || true
assert_eq "$(field renew counter) $(field purge counter) $(field status generation)" "$before" "after a copy put back"

# ---- what they do ----
assert_eq "$(serial device_ca.pem)" "$(serial bundle.pem)" serial
old_serial=$(serial device_ca.pem) old_generation=$(field status generation)
cp device_ca.key "$T/old.key"
touch renew
assert_ne "$(serial device_ca.pem)" "$old_serial" "serial after renew"
assert_eq "$(field status generation)" $((old_generation + 1)) "generation after renew"
old_serial=$(serial device_ca.pem)
touch purge
assert_ne "$(serial device_ca.pem)" "$old_serial" "serial after purge"
! cmp -s device_ca.key "$T/old.key" || fail "purge kept the key"
assert_pair device_ca.pem device_ca.key

# rotate_key = no: a renewal keeps the key, a purge does not
for rotate in no yes; do
    printf '[certificate]\nrotate_key = %s\n' $rotate >"$PROJECTS/p/policy"
    cp device_ca.key "$T/kept.key"
    old_serial=$(serial device_ca.pem)
    touch renew
    assert_ne "$(serial device_ca.pem)" "$old_serial" "serial after renew"
    if cmp -s device_ca.key "$T/kept.key"; then kept=no; else kept=yes; fi
    assert_eq $kept $rotate "renewal with rotate_key = $rotate makes a new key"
    cp device_ca.key "$T/kept.key"
    touch purge
    ! cmp -s device_ca.key "$T/kept.key" || fail "purge kept the key (rotate_key = $rotate)"
    assert_pair device_ca.pem device_ca.key
done
assert_errno EINVAL write renew 'compromised: it was stolen\n'
assert_eq "$(field renew state) $(field purge state)" "done done" "state"
assert_has "$(cat renew)" '^would: .' "would:"
assert_has "$(cat renew)" '^last: 20' "last:"

# ---- refused ----
mkdir "$PROJECTS/none" "$PROJECTS/none/apps/gw"
cd "$PROJECTS/none/apps/gw"
assert_errnos <<END
ENOKEY touch renew
ENOKEY touch purge
ENOKEY write renew 'reason\n'
ENOKEY write purge 'reason\n'
ENOKEY read device_ca.pem
ENOKEY read device_ca.key
ENOKEY read bundle.pem
END
assert_eq "$(field renew counter) $(field purge counter)" "0 0" "counters after refusals"
assert_eq "$(field status state)" NOT_ISSUED state
cd /
check_clean
