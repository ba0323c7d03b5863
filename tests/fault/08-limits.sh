#!/bin/bash
# variants: plain
# timeout: 300
# Limits that the kernel sets: few descriptors, little memory. Clients get a clear errno, the log or an event says why, the daemon lives, and
# all works when the limit is gone. Then what must not add up: app instances made, events that are followed and never read. Memory is
# compared with that of a control in the same run. SOAK: 100,000 app instances.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/life.sh
. "$SOURCE/tests/lib/life.sh"

APPS=5000
[ -z "${SOAK-}" ] || APPS=100000
GROWTH=12000 # KiB
printf '#!/bin/sh\nexit 0\n' >"$T/hook"
chmod 755 "$T/hook"
write_conf '[hooks]' "push = $T/hook" 'retries = 0'

# ---- too few descriptors to serve at all ----
none_serves() {
    [ -z "$(daemon_pids)" ]
}
for limit in 4 8 12 16; do
    if text=$(timeout 20 prlimit --nofile=$limit "$CERTFS" mount -c "$CONF" "$MNT" 2>&1 </dev/null); then
        umount "$MNT"
        wait_until 10 none_serves
    else
        assert_has "$text" 'certfs: .*(Too many open files|descriptors)' "mount with $limit descriptors"
        ! mounted || fail "mounted with $limit descriptors, and said it failed"
    fi
    rm -f "$STORE"* "$T/store/master.key"
done

start_certfs
new_project p
new_project other
mkdir "$PROJECTS/p/apps"/{gw,never,hooked} "$PROJECTS/other/apps/gw"
gw=$PROJECTS/p/apps/gw
cat "$gw/bundle.pem" >"$T/bundle.pem"
worker=$WORKER_PID
memory() {
    sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$WORKER_PID/status"
}
# works WHAT: the same worker, a key, a first read, an upload, a purge with its hook
works() {
    find_worker
    assert_eq "$WORKER_PID" "$worker" "the worker after $1"
    assert_same "$gw/bundle.pem" "$T/bundle.pem" "a key after $1"
    rmdir "$PROJECTS/p/apps/never" && mkdir "$PROJECTS/p/apps/never"
    assert_errno OK read "$PROJECTS/p/apps/never/bundle.pem"
    upload other int
    echo "after $1" >"$PROJECTS/p/apps/hooked/purge"
    wait_until 30 state_is "$PROJECTS/p/apps/hooked/purge" "done"
}
works "the start"

# ---- descriptors: the worker has what it has, and gets no more ----
few=$(ulimit -Sn)
prlimit --pid "$worker" --nofile=3:
assert_errnos <<LINES
OK read $gw/device_ca.pem
OK read $gw/bundle.pem
OK read $PROJECTS/p/status
OK mkdir $PROJECTS/p/apps/few
OK read $PROJECTS/p/apps/few/bundle.pem
OK rmdir $PROJECTS/p/apps/few
LINES
echo few >"$PROJECTS/p/apps/hooked/purge"
assert_eq "$(field "$PROJECTS/p/apps/hooked/purge" state)" running "a purge without descriptors"
sleep 1
prlimit --pid "$worker" "--nofile=$few:"
wait_until 30 state_is "$PROJECTS/p/apps/hooked/purge" "done" # of itself
works "few descriptors"

# ---- memory: two MiB above what the worker has; uploads and readers that want more ----
size=$(sed -n 's/^VmSize:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$worker/status")
prlimit --pid "$worker" --as=$(((size + 2048) * 1024)):
python3 - "$PROJECTS" <<'PYTHON' || fail "under a memory limit: see above"
import collections, errno, os, sys
projects, got, held = sys.argv[1], collections.Counter(), []
allowed = {"OK", "ENOMEM", "EDQUOT", "EMFILE", "ENOSPC", "EFBIG", "EIO"}
def note(kind, call):
    try:
        call()
        got[kind, "OK"] += 1
    except OSError as error:
        got[kind, errno.errorcode[error.errno]] += 1
def take(path, size):
    held.append(os.open(path, os.O_WRONLY | os.O_TRUNC))
    os.write(held[-1], b"x" * size)
def read(path):
    with open(path, "rb") as file:
        assert file.read().endswith(b"\n")
for i in range(240):
    note("upload", lambda: take(f"{projects}/p/policy", 1000000))
    note("log", lambda: held.append(os.open(f"{projects}/p/events", os.O_RDONLY)))
    note("make", lambda: os.mkdir(f"{projects}/p/apps/tight-{i}"))
    note("issue", lambda: read(f"{projects}/p/apps/tight-{i}/bundle.pem"))
    note("read", lambda: read(f"{projects}/p/apps/gw/device_ca.pem"))
    note("list", lambda: os.listdir(f"{projects}/p/apps"))
for fd in held:
    note("close", lambda: os.close(fd))
print(dict(got))
bad = {key for key in got if key[1] not in allowed}
assert not bad, bad
assert got["upload", "ENOMEM"] > 0, "no limit was reached: no test"
PYTHON
prlimit --pid "$worker" --as=unlimited:
works "little memory"
stop_certfs
check_clean

# ---- what must not add up ----
start_certfs
worker=$WORKER_PID
# make FROM TO: app instances, by four processes
make() {
    (cd "$PROJECTS/p/apps" && seq -f 'm-%.0f' "$1" "$2" | xargs -P 4 -n 200 mkdir)
}
make 1 $((APPS / 5))
ls "$PROJECTS/p/apps" >"$T/list"
control=$(memory)
make $((APPS / 5 + 1)) $APPS
ls "$PROJECTS/p/apps" >"$T/list"
assert_eq "$(grep -c '^m-' "$T/list")" "$APPS" "app instances"
echo "$((APPS / 5)) app instances: $control KiB, $APPS: $(memory) KiB"
[ $(($(memory) - control)) -lt $GROWTH ] || fail "memory grows with app instances"

# renew COUNT
renew() {
    for _ in $(seq "$1"); do
        touch "$gw/renew"
    done
}
python3 - "$PROJECTS/p/events" "$T/holding" <<'PYTHON' &
import os, select, sys, time
poll = select.poll()
for _ in range(100):
    poll.register(os.open(sys.argv[1], os.O_RDONLY), select.POLLIN)
poll.poll(0)
open(sys.argv[2], "w").close()
time.sleep(1000)
PYTHON
holder=$!
wait_until 20 test -e "$T/holding"
renew 500
control=$(memory)
renew 2000
echo "100 pollers of events that never read: $control KiB at 500 events, $(memory) KiB at 2,500"
[ $(($(memory) - control)) -lt $GROWTH ] || fail "memory grows with readers that don't read"
kill $holder
cat "$gw/bundle.pem" >"$T/bundle.pem"
works "all of it"
stop_certfs
check_clean
