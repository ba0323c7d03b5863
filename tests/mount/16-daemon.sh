#!/bin/bash
# What the daemon refuses to start with, and how it says so; mount.certfs; the supervisor's end.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

write_conf
# refuses PATTERN [arguments of certfs]: exit status 1, a sentence, no mount
refuses() {
    local pattern=$1 status=0 text
    shift
    text=$(timeout 20 "$CERTFS" "$@" 2>&1 </dev/null) || status=$?
    assert_eq "$status" 1 "exit status of certfs $*: $text"
    assert_has "$text" "$pattern" "certfs $*"
}

refuses 'missing|No such file|exist' mount -c "$CONF" "$T/absent"
: >"$T/file"
refuses 'directory' mount -c "$CONF" "$T/file"
refuses 'absent' mount -c "$T/absent.conf" "$MNT"
printf '[store]\npath = %s\nnonsense = 1\n' "$STORE" >"$T/bad.conf"
refuses 'bad\.conf.*3' mount -c "$T/bad.conf" "$MNT"
assert_has "$("$CERTFS" mount 2>&1 || echo "exit $?")" '^exit 2' "usage"
assert_has "$("$CERTFS" nonsense 2>&1 || echo "exit $?")" '^exit 2' "usage"
assert_has "$("$CERTFS" version)" '[0-9]+\.[0-9]+' version

start_certfs
new_project p
mkdir "$PROJECTS/p/apps/gw" "$PROJECTS/p/apps/never"
cat "$PROJECTS/p/apps/gw/bundle.pem" >"$T/bundle.pem"

# ---- one mount at a time ----
mkdir "$T/second"
refuses "(process|pid) ($SUPERVISOR_PID|$WORKER_PID)" mount -c "$CONF" "$T/second"
printf '[store]\npath = %s\n' "$T/store/other.db" >"$T/other.conf"
refuses 'in use|mounted|busy' mount -c "$T/other.conf" "$MNT"
[ ! -e "$T/store/other.db" ] || fail "a store was made for a mount that was refused"
rm -f "$T"/store/other.db*
assert_errno OK read "$PROJECTS/p/apps/gw/bundle.pem"
check_clean # also while mounted

# ---- the supervisor killed: the mount ends with ENOTCONN, and the next one works ----
kill -9 "$SUPERVISOR_PID"
wait_until 10 gone "$WORKER_PID"
assert_errno "ENOTCONN|ENOENT" read "$PROJECTS/p/status" # a stat may be answered from the kernel's memory for a second
! mounted || umount "$MNT"
start_certfs
assert_same "$PROJECTS/p/apps/gw/bundle.pem" "$T/bundle.pem" "bundle.pem after the supervisor's end"

# ---- SIGTERM unmounts ----
kill -TERM "$SUPERVISOR_PID"
wait_until 20 gone "$SUPERVISOR_PID"
wait_until 20 gone "$WORKER_PID"
! mounted || fail "still mounted after SIGTERM"

# ---- the link mount.certfs: mount -t certfs CONF MOUNTPOINT -o … ----
ln -s "$CERTFS" "$T/mount.certfs"
"$T/mount.certfs" "$CONF" "$MNT" -o rw,noauto,_netdev </dev/null >"$T/log" 2>&1 || fail "mount.certfs: $(cat "$T/log")"
mounted || fail "mount.certfs returned 0 without a mount"
find_supervisor
find_worker
assert_same "$PROJECTS/p/apps/gw/bundle.pem" "$T/bundle.pem" "bundle.pem by mount.certfs"
assert_eq "$(awk -v m="$MNT" '$5 == m { sub(/.* - /, ""); print $1 }' /proc/self/mountinfo)" fuse.certfs "file system type"
stop_certfs

# ---- the store: wrong key, missing key, newer schema, damaged ----
cp -p "$T/store/master.key" "$T/master.key"
head -c "$(stat -c %s "$T/master.key")" /dev/urandom >"$T/store/master.key"
refuses 'master' mount -c "$CONF" "$MNT"
refuses 'master' check -c "$CONF"
rm "$T/store/master.key"
refuses 'master' mount -c "$CONF" "$MNT"
[ ! -e "$T/store/master.key" ] || fail "a new master key for an old store"
cp -p "$T/master.key" "$T/store/master.key"
if command -v sqlite3 >/dev/null; then
    version=$(sqlite3 "$STORE" 'PRAGMA user_version')
    sqlite3 "$STORE" 'PRAGMA user_version = 9999'
    refuses 'newer' mount -c "$CONF" "$MNT"
    refuses 'newer' check -c "$CONF"
    sqlite3 "$STORE" "PRAGMA user_version = $version"
fi
start_certfs
assert_same "$PROJECTS/p/apps/gw/bundle.pem" "$T/bundle.pem" "bundle.pem when all is well again"
stop_certfs
mkdir "$T/damaged"
head -c 40000 /dev/urandom >"$T/damaged/certfs.db"
cp "$T/damaged/certfs.db" "$T/as-it-was"
printf '[store]\npath = %s\n' "$T/damaged/certfs.db" >"$T/damaged.conf"
refuses 'database|store' mount -c "$T/damaged.conf" "$MNT"
cmp "$T/damaged/certfs.db" "$T/as-it-was"
! mounted || fail "mounted after all"
check_clean
