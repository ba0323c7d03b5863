#!/bin/bash
# variants: plain
# timeout: 300
# A store that somebody else has locked, that has become read-only, or has a damaged page: an errno and a sentence, never old or partial
# data, and all is well when the cause is gone, without a restart.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/disk.sh
. "$SOURCE/tests/lib/disk.sh"
need sqlite3

make_disk 64
start_certfs
new_project p
mkdir "$PROJECTS/p/apps"/{a,b}
for app in a b; do
    cat "$PROJECTS/p/apps/$app/bundle.pem" >"$T/$app.bundle.pem"
    for file in device_ca.pem info trust_bundle.pem; do
        cat "$PROJECTS/p/apps/$app/$file" >"$T/$app.$file"
    done
done

# ---- locked by another process: whoever writes waits for some seconds, and is told ----
# locked SECONDS: until unlocked, or for so long
locked() {
    rm -f "$T/locked" "$T/unlock"
    sqlite3 "$STORE" '.timeout 10000' 'BEGIN EXCLUSIVE' \
        ".shell touch $T/locked; timeout $1 sh -c 'until [ -e $T/unlock ]; do sleep 0.05; done'" ROLLBACK >/dev/null 2>&1 &
    LOCKER=$!
    wait_until 20 test -e "$T/locked"
}
unlocked() {
    touch "$T/unlock"
    wait $LOCKER || true
}
locked 60
assert_errnos <<LINES
OK read $PROJECTS/p/apps/a/device_ca.pem
OK read $PROJECTS/p/apps/a/status
EIO mkdir $PROJECTS/p/apps/c
EIO open_r $PROJECTS/p/apps/a/device_ca.key
LINES
for status in "$MNT" "$PROJECTS/p" "$PROJECTS/p/apps/a"; do
    assert_has "$(cat "$status/status")" "severity: ERROR" "severity of $status/status"
    assert_has "$(cat "$status/status")" "The store can't be used.*another process has locked it" "$status/status"
done
unlocked
assert_errnos <<LINES
OK mkdir $PROJECTS/p/apps/c
OK read $PROJECTS/p/apps/c/bundle.pem
LINES
assert_lacks "$(cat "$PROJECTS/p/apps/a/status" "$MNT/status")" "store can't be used" "status when the cause is gone"
assert_has "$(cat "$MNT/events")" '"type":"store.failed".*another process has locked it' "event"
# a lock that is short is only waited for
locked 1
assert_errno OK mkdir "$PROJECTS/p/apps/d"
unlocked

# no worker can serve, and the last one died with a request in its hand: who made it can be killed all the same
locked 60
timeout 1 mkdir "$PROJECTS/p/apps/waits" 2>/dev/null &
client=$!
sleep 0.3
dd if="$STORE" of="$T/page1" bs=4096 count=1 status=none
dd if=/dev/urandom of="$STORE" bs=4096 count=1 conv=notrunc status=none
kill -9 "$WORKER_PID"
wait_until 10 gone $client
dd if="$T/page1" of="$STORE" bs=4096 count=1 conv=notrunc status=none
unlocked
wait_until 20 test -e "$PROJECTS/p/apps/c/info"

# ---- a damaged page, each in its turn (-o ro: nothing may write the page that is put back) ----
stop_certfs
sqlite3 "$STORE" 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
cp "$STORE" "$T/good.db"
page=$(sqlite3 "$STORE" 'PRAGMA page_size')
pages=$(sqlite3 "$STORE" 'PRAGMA page_count')
start_certfs -o ro

# put_page FILE NUMBER: from FILE into the store
put_page() {
    dd if="$1" of="$STORE" bs="$page" skip=$(($2 - 1)) seek=$(($2 - 1)) count=1 conv=notrunc status=none
}
# A worker with nothing in its caches.
new_worker() {
    ! find_worker || kill -9 "$WORKER_PID" 2>/dev/null || true
}
serves() {
    timeout 1 cat "$PROJECTS/p/apps/a/info" 2>/dev/null | cmp -s - "$T/a.info"
}
head -c $((page * pages)) /dev/urandom >"$T/garbage"
refused=0
# what a client gets is an error, or exactly what was there before; a worker that can't open the store makes it wait
look() {
    local app file status
    for app in a b; do
        for file in device_ca.pem info trust_bundle.pem; do
            status=0
            timeout 1 cat "$PROJECTS/p/apps/$app/$file" >"$T/got" 2>"$T/err" || status=$?
            if [ $status = 0 ]; then
                assert_same "$T/got" "$T/$app.$file" "page $1 is damaged: $file"
            else
                refused=$((refused + 1))
                [ ! -s "$T/got" ] || fail "page $1 is damaged: an error after bytes"
                [ $status != 1 ] || assert_has "$(cat "$T/err")" 'Input/output error|No such file' "page $1 is damaged"
                [ $status != 124 ] || return 0
            fi
        done
    done
}
step=1
[ -n "${SOAK-}" ] || step=$(((pages + 39) / 40))
for ((number = 2; number <= pages; number += step)); do
    put_page "$T/garbage" $number
    new_worker
    look $number
    # the worker that has read the garbage may keep what looked like a good page: mended underneath is mended for the next one
    put_page "$T/good.db" $number
    new_worker
    wait_until 20 serves
done
echo "$pages pages, every $step of them damaged: $refused refusals"
[ $refused -gt 0 ] || fail "no damage was noticed"
restart_certfs
check_clean
assert_same "$PROJECTS/p/apps/a/bundle.pem" "$T/a.bundle.pem" "the key after all this"

# all of them: whoever asks is told, and so are the events when the store is whole again
stop_certfs
sqlite3 "$STORE" 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
cp "$STORE" "$T/good.db"
start_certfs
cat "$PROJECTS/p/status" >/dev/null
dd if="$T/garbage" of="$STORE" bs="$page" skip=1 seek=1 conv=notrunc status=none
assert_errno EIO read "$PROJECTS/p/apps/b/device_ca.pem"
assert_errno EIO read "$PROJECTS/p/apps/b/info"
dd if="$T/good.db" of="$STORE" bs="$page" skip=1 seek=1 conv=notrunc status=none
wait_until 20 serves
told() {
    grep -q '"type":"store.failed".*it is damaged' "$MNT/events"
}
wait_until 80 told
stop_certfs
check_clean
start_certfs

# ---- read-only, by ext4's own decision ----
mount -o remount,abort "$DISK"
assert_errnos <<LINES
OK read $PROJECTS/p/apps/a/device_ca.pem
OK read $PROJECTS/p/apps/a/status
EROFS|EIO mkdir $PROJECTS/p/apps/e
EROFS|EIO touch $PROJECTS/p/apps/a/renew
EROFS|EIO open_r $PROJECTS/p/apps/a/device_ca.key
LINES
power_off
mount_disk
start_certfs
assert_same "$PROJECTS/p/apps/a/bundle.pem" "$T/a.bundle.pem" "after a repair"
check_clean
stop_certfs

# ---- read-only from the start: said, and not mounted ----
mount -o remount,ro "$DISK"
assert_fails "read-only|readonly|Read-only" "$CERTFS" mount -c "$CONF" "$MNT"
mount -o remount,rw "$DISK"
start_certfs
check_clean
