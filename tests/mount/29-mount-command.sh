#!/bin/bash
# mount(8) and its helper, -o ro, and that the life of a mount leaves nothing behind.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

start_certfs
new_project p
mkdir "$PROJECTS/p/apps/gw" "$PROJECTS/p/apps/never"
cp "$PROJECTS/p/apps/gw/device_ca.pem" "$T/gw.pem"
stop_certfs

# the helper, called as mount(8) does: SOURCE TARGET -o OPTIONS
ln -s "$CERTFS" "$T/mount.certfs"
"$T/mount.certfs" "$CONF" "$MNT" -o rw,noatime
mounted || fail "mount.certfs made no mount"
assert_has "$(awk -v m="$MNT" '$5 == m' /proc/self/mountinfo)" " $CONF " "the source in the table of mounts"
cmp "$PROJECTS/p/apps/gw/device_ca.pem" "$T/gw.pem"
find_supervisor && find_worker
stop_certfs
"$T/mount.certfs" -o ro "$CONF" "$MNT" || "$T/mount.certfs" "$CONF" "$MNT" -o ro
find_supervisor && find_worker
stop_certfs

# read-only: what is there is served, nothing else happens
start_certfs -o ro
app=$PROJECTS/p/apps
cmp "$app/gw/device_ca.pem" "$T/gw.pem"
cat "$app/gw/status" "$app/never/status" >/dev/null
assert_errnos <<LINES
EROFS open_r $app/never/device_ca.pem
EROFS mkdir $app/x
EROFS rmdir $app/never
EROFS touch $app/gw/renew
EROFS write $app/gw/purge reason
EROFS write $PROJECTS/p/policy x
EROFS chmod 0700 $PROJECTS/p
LINES
assert_eq "$(field "$app/gw/status" generation)" 1 "generation under -o ro"
stop_certfs

# no process, no mount, no file of the program's but the store
assert_eq "$(daemon_pids)" "" "processes"
assert_eq "$(cd "$T/store" && find . -type f | sort | grep -v -e '-wal$' -e '-shm$' | xargs)" \
    "./certfs.db ./certfs.db.lock ./master.key" "files of the store"

# killing the supervisor ends the mount cleanly: ENOTCONN, then the next mount works
start_certfs
kill -9 "$SUPERVISOR_PID"
wait_until 10 gone "$WORKER_PID"
assert_errno ENOTCONN stat "$PROJECTS"
umount "$MNT"
start_certfs
cmp "$PROJECTS/p/apps/gw/device_ca.pem" "$T/gw.pem"

# the worker is killed again and again, idle or not: never ten deaths without an answer between
for _ in $(seq 15); do
    kill_worker
    cmp "$PROJECTS/p/apps/gw/device_ca.pem" "$T/gw.pem"
done
check_clean
