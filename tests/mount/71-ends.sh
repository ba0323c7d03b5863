#!/bin/bash
# timeout: 120
# The ends that have no next worker: workers that die again and again before they answer anything, and the death of the supervisor. Clients
# get an errno and hang nowhere, the log says why, no process is left, and the next mount has all that was acknowledged.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

cat >"$T/hook" <<SCRIPT
#!/bin/sh
echo \$\$ >>"$T/hook.pids"
exec sleep 1000
SCRIPT
chmod 755 "$T/hook"
write_conf '[hooks]' "push = $T/hook"

# mount_here: in the foreground, so that the log is a file
mount_here() {
    "$CERTFS" mount -f -c "$CONF" "$MNT" >"$T/mount.log" 2>&1 </dev/null &
    SUPERVISOR_PID=$!
    wait_until 20 grep -q 'mounted at' "$T/mount.log"
    wait_until 10 find_worker
}
# Every process of this mount: supervisor, worker, the starter of hooks, and hooks
none_left() {
    local pid
    [ -z "$(daemon_pids)" ] || return 1
    while read -r pid; do
        gone "$pid" || return 1
    done < <(cat "$T/hook.pids" 2>/dev/null)
}
# load_ends: the clients come back, and got nothing worse than the end of a mount
load_ends() {
    wait_until 20 gone "$1"
    wait "$1" || fail "clients: $(cat "$T/load.err")"
}
# lost_nothing: a new mount, and what was acknowledged is there
lost_nothing() {
    start_certfs
    python3 "$SOURCE/tests/lib/load.py" verify "$PROJECTS/p" "$T/notes" || fail "acknowledged, and lost"
    assert_errno OK mkdir "$PROJECTS/p/apps/after-$1"
    assert_errno OK read "$PROJECTS/p/apps/after-$1/bundle.pem"
    stop_certfs
    check_clean
}

# ---- the supervisor is killed, at full load, while a hook runs ----
mount_here
new_project p
mkdir "$PROJECTS/p/apps/hooked"
touch "$PROJECTS/p/apps/hooked/purge"
wait_until 20 test -s "$T/hook.pids"
python3 "$SOURCE/tests/lib/load.py" run "$PROJECTS/p" "$T/notes" 6 2>"$T/load.err" &
load=$!
tail -f "$MNT/events" >"$T/tail" 2>&1 &
sleep 2
kill -9 "$SUPERVISOR_PID"
load_ends "$load"
wait_until 10 none_left
assert_errnos <<LINES
ENOTCONN opendir $MNT
ENOTCONN read $PROJECTS/p/apps/hooked/device_ca.key
ENOTCONN mkdir $PROJECTS/p/apps/never
LINES
umount "$MNT"
lost_nothing supervisor

# ---- workers that die before they answer anything: killed as soon as they are there ----
rm -f "$T/notes" "$T/hook.pids"
mount_here
python3 "$SOURCE/tests/lib/load.py" run "$PROJECTS/p" "$T/notes" 6 2>"$T/load.err" &
load=$!
sleep 1
timeout 60 python3 - "$SUPERVISOR_PID" "$T/mount.log" <<'PYTHON'
import os, signal, sys
supervisor, log = sys.argv[1:]
while True:
    try:
        with open(f"/proc/{supervisor}/task/{supervisor}/children") as file:
            children = file.read().split()
    except FileNotFoundError:
        break
    if "giving up" in open(log).read():
        break # a child that it has from now on is a sanitizer's, at its end
    for pid in children:
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            pass
PYTHON
wait_until 30 gone "$SUPERVISOR_PID"
load_ends "$load"
wait_until 10 none_left
assert_has "$(cat "$T/mount.log")" 'died 10 times in a row before it answered anything \(signal 9.*certfs check' "log"
assert_errnos <<LINES
ENOTCONN opendir $MNT
ENOTCONN read $PROJECTS/p/apps/hooked/device_ca.key
LINES
lost_nothing deaths # over the dead mount

# ---- a mount that died a moment ago is dead, whatever the kernel remembers of it ----
start_certfs
stat "$MNT" >/dev/null
kill -9 "$SUPERVISOR_PID"
wait_until 10 none_left
start_certfs
assert_errno OK read "$PROJECTS/p/apps/hooked/device_ca.key"
