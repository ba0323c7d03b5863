#!/bin/bash
# variants: plain
# timeout: 400
# Clients that take all they can get: opens, uploads that are never finished, files that are too large, a reader that never reads. Each is
# told by an errno, the worker's memory and descriptors stay bounded, public files are served all the while, and everything is when they
# let go.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

MEMORY=200000 # KiB of the worker, whatever clients do
start_certfs
new_project p
new_project other
mkdir "$PROJECTS/p/apps/gw" "$PROJECTS/other/apps"/{gw,never}
cat "$PROJECTS/other/apps/gw/bundle.pem" >"$T/other.pem"
ulimit -n 20000

memory() {
    sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$WORKER_PID/status"
}
descriptors() {
    find "/proc/$WORKER_PID/fd" -maxdepth 1 | wc -l
}
# bounded WHAT
bounded() {
    echo "$1: $(memory) KiB, $(descriptors) descriptors"
    [ "$(memory)" -lt $MEMORY ] || fail "$1: the worker has $(memory) KiB"
    [ "$(descriptors)" -lt 100 ] || fail "$1: the worker has $(descriptors) descriptors"
}
# others_served WHAT: keys, a first read, an upload of another project
others_served() {
    assert_same "$PROJECTS/other/apps/gw/bundle.pem" "$T/other.pem" "$1: another client's key"
    rmdir "$PROJECTS/other/apps/never" && mkdir "$PROJECTS/other/apps/never"
    assert_errno OK read "$PROJECTS/other/apps/never/bundle.pem"
}
bounded "at the start"

# hold COUNT ERRNOS FILE MODE [BYTES]: opens it so often, writes BYTES into each handle, holds them until $T/let-go; prints what it got
hold() {
    rm -f "$T/let-go" "$T/holding"
    python3 - "$@" "$T" <<'PYTHON' &
import collections, errno, os, sys, time
count, errnos, path, mode, *rest, base = sys.argv[1:]
size, held, got = int(rest[0]) if rest else 0, [], collections.Counter()
os.seteuid(int(os.environ.get("HOLD_AS", "0")))
for i in range(int(count)):
    try:
        held.append(os.open(path, os.O_RDONLY if mode == "r" else os.O_WRONLY | os.O_TRUNC))
        if size:
            os.write(held[-1], b"x" * size)
        got["OK"] += 1
    except OSError as error:
        got[errno.errorcode[error.errno]] += 1
os.seteuid(0)
print(f"{path.split('projects/')[-1]}: {count} handles of {size} bytes: {dict(got)}")
assert set(got) <= set(errnos.split("|")), f"{dict(got)}, wanted {errnos}"
open(base + "/holding", "w").close()
while not os.path.exists(base + "/let-go"):
    time.sleep(0.05)
for fd in held:
    try:
        os.close(fd)
    except OSError:
        pass
PYTHON
    HOLDER=$!
    wait_until 120 held
}
held() {
    [ -e "$T/holding" ] || ! alive $HOLDER
}
let_go() {
    touch "$T/let-go"
    wait $HOLDER || fail "$1: see above"
}

# ---- a tenant who takes all that a user may have of the locked memory: others read keys, issue and upload ----
chmod 755 "$T"
gw=$PROJECTS/p/apps/gw
chown 1001 "$PROJECTS/p" "$gw"
for what in "10000 OK|EMFILE $gw/bundle.pem r" "300 OK|EDQUOT $PROJECTS/p/signing_ca/cert.pem w 1048576" \
    "3000 OK|EDQUOT $PROJECTS/p/signing_ca/key.pem w 5000" "400 OK|EDQUOT $PROJECTS/p/policy w 1000000" \
    "10000 OK|EDQUOT $gw/renew w 10" "300 OK|EMFILE $PROJECTS/p/events r"; do
    # shellcheck disable=SC2086
    HOLD_AS=1001 hold $what
    bounded "a tenant"
    others_served "beside a tenant's $what"
    upload other int
    let_go "$what"
done
chown 0 "$PROJECTS/p" "$gw"

# certificates and logs: as many as descriptors; keys and uploads: as many as there is locked memory
for what in "10000 OK $gw/device_ca.pem r" "10000 OK|ENOMEM $gw/bundle.pem r" \
    "10000 OK|ENOMEM $PROJECTS/p/signing_ca/key.pem w 100" "2000 OK|ENOMEM $PROJECTS/p/signing_ca/key.pem w 100000" \
    "300 OK|ENOMEM $PROJECTS/p/signing_ca/cert.pem w 1048576"; do
    # shellcheck disable=SC2086
    hold $what
    bounded "while held"
    assert_errno OK read "$PROJECTS/other/apps/gw/device_ca.pem"
    let_go "$what"
    others_served "after $what"
done
# one byte too many
assert_fails "File too large" dd if=/dev/zero of="$PROJECTS/p/signing_ca/cert.pem" bs=1048577 count=1
# a reader that never reads
hold 1000 OK "$PROJECTS/p/status" r
others_served "beside a reader that never reads"
let_go "a reader that never reads"
bounded "at the end"
check_clean
