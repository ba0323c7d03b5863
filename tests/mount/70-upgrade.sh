#!/bin/bash
# timeout: 180
# SIGUSR2: the program on disk takes the mount over, while clients read, issue, change and wait, and none of them sees it. One that can't
# is told so, and the one that runs goes on.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/life.sh
. "$SOURCE/tests/lib/life.sh"

# A program of its own, to be replaced; its log is a file.
BUILT=$CERTFS
mkdir "$T/bin"
CERTFS=$T/bin/certfs
cp "$BUILT" "$CERTFS"
write_mixed_conf
cd "$T" # names are relative, as typed
bin/certfs mount -f -c certfs.conf -o fsname=upgraded mnt >"$T/mount.log" 2>&1 </dev/null &
wait_until 20 test -e "$MNT/README"
supervisor=$!
SUPERVISOR_PID=$supervisor
served_by() {
    [ "$(stat -L -c %i "/proc/$supervisor/exe")" = "$1" ] && find_worker &&
        [ "$(stat -L -c %i "/proc/$WORKER_PID/exe" 2>/dev/null)" = "$1" ]
}
# replace FILE: by another file of the same name, as a package does
replace() {
    cp "$1" "$T/bin/new"
    mv "$T/bin/new" "$CERTFS"
}
refusals() {
    grep -c "can't take over" "$T/mount.log" || true
}
# taken_over INODE: it serves. If the new program was killed while it was asked (it is a child of the supervisor, as the worker is that the
# load kills), it is asked again.
taken_over() {
    served_by "$1" && return
    [ "$(refusals)" = "$told" ] || { told=$(refusals) && kill -USR2 "$supervisor"; }
    return 1
}
# upgrade: returns when the new program serves
upgrade() {
    told=$(refusals)
    replace "$BUILT"
    kill -USR2 "$supervisor"
    wait_until 30 taken_over "$(stat -c %i "$CERTFS")"
}
logged() {
    [ "$(grep -Ec -- "$1" "$T/mount.log")" -ge "${2:-1}" ]
}
make_mixed
mkdir "$PROJECTS/load/apps/kept"
kept=$PROJECTS/load/apps/kept

# ---- open files, kernel caches and the table of mounts go on ----
cat "$kept/device_ca.pem" >"$T/first.pem"
exec 5<"$kept/device_ca.pem" 6<"$kept/bundle.pem"
cat "$kept/bundle.pem" >"$T/first.bundle"
upgrade
assert_same "$kept/device_ca.pem" "$T/first.pem" "a certificate after the upgrade"
cat <&5 >"$T/held.pem"
assert_same "$T/held.pem" "$T/first.pem" "a file that was open"
cat <&6 >"$T/held.bundle"
assert_same "$T/held.bundle" "$T/first.bundle" "a key that was open"
exec 5<&- 6<&-
touch "$kept/renew"
assert_ne "$(serial "$kept/device_ca.pem")" "$(serial "$T/first.pem")" "a certificate renewed after the upgrade"
cat "$kept/device_ca.pem" >"$T/second.pem"
assert_eq "$(stat -c %s "$kept/device_ca.pem")" "$(wc -c <"$T/second.pem")" "its size"
assert_eq "$(findmnt -n -o SOURCE "$MNT")" upgraded "device in the table of mounts"
assert_eq "$(tr '\0' ' ' <"/proc/$supervisor/cmdline")" "certfs mount -f -c $CONF -o fsname=upgraded $MNT " "command line"
assert_has "$("$BUILT" mount -c "$CONF" "$T/bin" 2>&1 || true)" "process $supervisor" "the store's lock"

# ---- at full load, again and again, with deaths of the worker ----
upgrades=0
(run_mixed --seconds 15 --kill 1,3) >"$T/run.out" 2>&1 &
load=$!
sleep 1
while alive "$load" && [ "$upgrades" -lt 10 ]; do
    upgrade
    upgrades=$((upgrades + 1))
    sleep 0.2
done
wait "$load" || fail "$(cat "$T/run.out")"
cat "$T/run.out"
echo "$upgrades upgrades"
[ "$upgrades" -ge 3 ] || fail "too few upgrades: no test"

# ---- what can't take over: missing, not executable, no program, another program, one that never answers, a store or options it refuses ----
now=$(stat -L -c %i "/proc/$supervisor/exe")
refused=0
# refuses WHY: after SIGUSR2; the one that runs goes on with its worker
refuses() {
    refused=$((refused + 1))
    find_worker
    local worker=$WORKER_PID
    kill -USR2 "$supervisor"
    wait_until 30 logged "can't take over" "$refused"
    assert_has "$(tail -n 3 "$T/mount.log")" "$1" "log"
    assert_eq "$(stat -L -c %i "/proc/$supervisor/exe")" "$now" "program after: $1"
    find_worker
    assert_eq "$WORKER_PID" "$worker" "worker after: $1"
    assert_errno OK read "$kept/device_ca.key"
}
rm "$CERTFS"
refuses "can't execute $CERTFS: No such file"
: >"$T/empty"
replace "$T/empty"
refuses "can't execute $CERTFS: Permission denied"
chmod 755 "$CERTFS"
refuses "can't execute $CERTFS: Exec format error"
replace /bin/true
refuses "."
printf '#!/bin/sh\nexec sleep 100\n' >"$T/sleeper"
chmod 755 "$T/sleeper"
replace "$T/sleeper"
refuses "has not said within"
replace "$BUILT"
printf '[store]\npath = %s\nnonsense = 1\n' "$STORE" >"$CONF.new"
mv "$CONF" "$CONF.good" && mv "$CONF.new" "$CONF"
refuses "$CONF:3"
printf '[store]\npath = %s\n' "$T/store/other.db" >"$CONF"
refuses "store.path can't change while mounted"
mv "$CONF.good" "$CONF"
version=$(sqlite3 "$STORE" 'PRAGMA user_version')
sqlite3 "$STORE" 'PRAGMA user_version = 9999'
refuses 'newer certfs'
sqlite3 "$STORE" "PRAGMA user_version = $version"

# ---- and once more, over a death; then the usual ends: SIGHUP, SIGTERM ----
upgrade
kill_worker
assert_errno OK read "$kept/device_ca.key"
old=$WORKER_PID
kill -HUP "$supervisor"
wait_until 10 find_worker "$old"
assert_errno OK read "$kept/device_ca.key"
kill -TERM "$supervisor"
wait_until 20 gone "$supervisor"
! mounted || fail "still mounted after SIGTERM"
check_clean

# ---- in the background; its end by umount ----
start_certfs
supervisor=$SUPERVISOR_PID
upgrade
assert_errno OK read "$kept/device_ca.key"
stop_certfs
[ ${refused} = 8 ] || fail "refusals: $refused"
