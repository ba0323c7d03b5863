#!/bin/bash
# timeout: 600
# rekey: while mounted, with readers; the worker that is killed afterwards; and killed itself at each of its steps.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need strace sqlite3

start_certfs
new_project p
mkdir "$PROJECTS/p/apps/gw" "$PROJECTS/p/apps/hot"
gw=$PROJECTS/p/apps/gw
cat "$gw/bundle.pem" >"$T/bundle.pem"
key=$T/store/master.key
sum() { sha256sum <"$1" | cut -d' ' -f1; }

# ---- while mounted ----

reader() {
    until [ -e "$T/stop" ]; do
        cat "$gw/device_ca.key" >/dev/null
        touch "$PROJECTS/p/apps/hot/renew"
        cat "$PROJECTS/p/apps/hot/bundle.pem" >/dev/null
        echo >>"$T/reads"
    done
}
reader &
reading=$!
old=$(sum "$key")
cp -p "$key" "$T/old.key"
wait_until 20 test -s "$T/reads"
"$CERTFS" backup -c "$CONF" "$T/old.db" >/dev/null
"$CERTFS" rekey -c "$CONF" >"$T/out"
new=$(sum "$key")
assert_ne "$new" "$old" "the master key"
assert_has "$(cat "$T/out")" "SHA-256 $new" "the new fingerprint"
assert_has "$(cat "$T/out")" "SHA-256 $old" "the old fingerprint"
assert_eq "$(stat -c '%a %u' "$key")" "600 0" "the new key's mode and owner"
assert_eq "$(find "$T/store" -name 'master.key*' | wc -l)" 1 "keys beside the store"
check_clean
kill_worker
assert_same "$T/bundle.pem" "$gw/bundle.pem" "after a kill of the worker"
touch "$gw/purge"
for _ in 1 2 3 4 5; do "$CERTFS" rekey -c "$CONF" >/dev/null; done
kill_worker
: >"$T/reads"
wait_until 20 test -s "$T/reads"
touch "$T/stop"
wait "$reading" || fail "a reader saw an error while the key was changed"
cat "$gw/bundle.pem" >"$T/bundle.pem"
restart_certfs
assert_same "$T/bundle.pem" "$gw/bundle.pem" "after a restart"
check_clean

# the old key opens nothing any more, and is told apart by its fingerprint; the old backup opens with it alone
stop_certfs
mv "$key" "$T/right.key"
cp -p "$T/old.key" "$key"
assert_fails "$(sum "$T/right.key").*$old" "$CERTFS" mount -c "$CONF" "$MNT"
assert_fails "$(sum "$T/right.key").*$old" "$CERTFS" rekey -c "$CONF"
mv "$T/right.key" "$key"
assert_eq "$(find "$T/store" -name 'master.key*' | wc -l)" 1 "keys beside the store"

# ---- killed at each step ----

# Each call that changes anything, or opens: killed at that call, instead of its being done. (strace counts each name apart.)
cp -a "$T/store" "$T/master"
calls=openat,pwrite64,write,fsync,fdatasync,rename,renameat2,link,unlink,ftruncate,chmod,chown,flock
ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -f -qq -o "$T/trace" -e trace=$calls "$CERTFS" rekey -c "$CONF" >/dev/null
sed -nE 's/^[0-9]+ +([a-z0-9]+)\((.*)/\1 \2/p' "$T/trace" |
    awk '{ n[$1]++; print $1, n[$1], $0 }' >"$T/calls"
first=$(grep -n 'O_DIRECTORY' "$T/calls" | head -n 1 | cut -d: -f1)
tail -n "+$first" "$T/calls" >"$T/positions"
[ "$(wc -l <"$T/positions")" -ge 15 ] || fail "nothing to kill at: $(cat "$T/calls")"
killed() { # CALL N: a rekey that is killed there
    rm -rf "$T/store"
    cp -a "$T/master" "$T/store"
    killed_here "$@"
}
killed_here() {
    local status=0
    ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -f -qq -o /dev/null -e "trace=$1" -e "inject=$1:signal=KILL:when=$2" "$CERTFS" rekey -c "$CONF" >/dev/null 2>&1 || status=$?
    assert_eq "$status" 137 "status of a rekey killed at $1 $2"
}
before=0 after=0 waiting=0
n=0
while read -r call count _; do
    n=$((n + 1))
    killed "$call" "$count" 2>/dev/null
    was=$(sum "$T/master/master.key")
    [ ! -e "$key.next" ] || waiting=$((waiting + 1))
    "$CERTFS" check -c "$CONF" >"$T/check.out" 2>&1 || fail "killed at $call $count: $(cat "$T/check.out")"
    case $((n % 3)) in
    0)
        start_certfs -o ro
        assert_same "$T/bundle.pem" "$gw/bundle.pem" "killed at $call $count, read-only"
        stop_certfs
        ;;
    1) "$CERTFS" rekey -c "$CONF" >/dev/null || fail "killed at $call $count: no other rekey" ;;
    esac
    start_certfs
    assert_same "$T/bundle.pem" "$gw/bundle.pem" "killed at $call $count"
    stop_certfs
    assert_eq "$(find "$T/store" -name 'master.key?*' | wc -l)" 0 "left after a mount, killed at $n"
    if [ "$(sum "$key")" = "$was" ]; then before=$((before + 1)); else after=$((after + 1)); fi
    check_clean
done <"$T/positions"
echo "killed at $n calls: the old key $before times, a new one $after times, $waiting times in between"
if [ "$before" -lt 3 ] || [ "$after" -lt 3 ] || [ "$waiting" -lt 2 ]; then
    fail "the kills did not meet every step"
fi

# ---- killed in between, under a mount whose worker dies then ----

rm -rf "$T/store"
cp -a "$T/master" "$T/store"
start_certfs
# the data keys are wrapped by KEY.next, which has not got its name yet
killed_here rename 1
[ -e "$key.next" ] || fail "the rekey was not killed in between"
kill_worker
assert_same "$T/bundle.pem" "$gw/bundle.pem" "the worker after a rekey that was cut off"
touch "$gw/renew"
cat "$gw/device_ca.key" >/dev/null
check_clean
"$CERTFS" rekey -c "$CONF" >/dev/null
[ ! -e "$key.next" ] || fail "the next key is left"
kill_worker
cat "$gw/device_ca.key" >/dev/null
check_clean

# ---- what can't be changed ----

printf '[store]\npath = %s\n[keystore]\nmaster_key = credential:certfs\n' "$STORE" >"$T/credential.conf"
assert_fails 'in a file only' "$CERTFS" rekey -c "$T/credential.conf"
exec 9<"$T/store"
flock 9
assert_fails 'another process' "$CERTFS" rekey -c "$CONF"
exec 9<&-
