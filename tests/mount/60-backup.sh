#!/bin/bash
# timeout: 300
# backup under full mixed load: a copy of one moment that has everything handed out before it began; restore goes on above it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need sqlite3 strace

start_certfs
new_project p
new_project q
mkdir "$PROJECTS/p/apps/gw" "$T/seen"

# load NUMBER: until $T/stop is there; what was handed out is written down, by time
load() {
    local i=0 app
    until [ -e "$T/stop" ]; do
        i=$((i + 1))
        app=$PROJECTS/p/apps/l$1-$i
        mkdir "$app"
        cat "$app/device_ca.pem" >"$T/seen/.$1-$i"
        mv "$T/seen/.$1-$i" "$T/seen/$1-$i.pem"
        touch "$app/renew"
        touch "$PROJECTS/p/apps/gw/purge"
        mkdir "$PROJECTS/q/apps/r$1"
        cat "$PROJECTS/q/apps/r$1/device_ca.pem" >/dev/null
        rmdir "$PROJECTS/q/apps/r$1"
        [ $((i % 5)) != 0 ] || upload q int
    done
    echo "$i" >"$T/count-$1"
}
loads=()
for n in 1 2 3; do
    load $n &
    loads+=($!)
done
enough() { [ "$(find "$T/seen" -name '*.pem' | wc -l)" -ge "$1" ]; }
wait_until 60 enough 20
for round in 1 2 3; do
    find "$T/seen" -name '*.pem' >"$T/before-$round"
    purges=$(field "$PROJECTS/p/apps/gw/purge" counter)
    "$CERTFS" backup -c "$CONF" "$T/backup-$round.db" >"$T/out-$round" || fail "backup $round failed"
    sleep 0.2
    echo "$purges" >"$T/purges-$round"
done
touch "$T/stop"
for pid in "${loads[@]}"; do
    wait "$pid" || fail "the load saw an error while a backup was made"
done
key=$(sha256sum <"$T/store/master.key")
key=${key%% *}
assert_has "$(cat "$T/out-1")" "SHA-256 $key" "the master key's fingerprint"
assert_eq "$(stat -c %a "$T/backup-1.db")" 600 "mode of the backup"
assert_eq "$(find "$T" -maxdepth 1 -name 'backup-*' | wc -l)" 3 "files beside the backups"
python3 - "$T" <<'PYTHON'
import pathlib, sys
base = pathlib.Path(sys.argv[1])
key = (base / "store/master.key").read_bytes()
for path in base.glob("backup-*.db"):
    assert key not in path.read_bytes(), f"the master key is in {path}"
PYTHON
check_clean

# nothing is overwritten, in use or not
assert_fails 'backup-1.db exists' "$CERTFS" backup -c "$CONF" "$T/backup-1.db"
assert_fails 'in use by process' "$CERTFS" restore -c "$CONF" "$T/backup-1.db"
cp "$PROJECTS/p/apps/gw/device_ca.pem" "$T/gw.pem"
numbers=$(find "$PROJECTS/p/apps/gw/generations" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -n | tail -n 1)
highest_app=$(sqlite3 "$STORE" 'SELECT max(id) FROM app')
last_event=$(tail -n 1 "$MNT/events" | sed 's/.*"id":\([0-9]*\).*/\1/')
lost_purge=$(field "$PROJECTS/p/apps/gw/purge" counter)
stop_certfs
assert_fails 'exists: a backup is restored into an empty place' "$CERTFS" restore -c "$CONF" "$T/backup-1.db"
assert_fails 'No such file' "$CERTFS" backup -c "$CONF" "$T/nowhere/b.db"

# elsewhere, with the same key: refusals that leave nothing
mkdir "$T/other"
other() { printf '[store]\npath = %s\n[keystore]\nmaster_key = file:%s\n' "$T/other/certfs.db" "$1" >"$T/other.conf"; }
left() { find "$T/other" ! -name '*.lock' -type f | wc -l; }
refused() { # PATTERN SRC
    assert_fails "$1" "$CERTFS" restore -c "$T/other.conf" "$2"
    assert_eq "$(left)" 0 "files left by a refused restore of $2"
}
other "$T/store/master.key"
refused 'No such file' "$T/none.db"
echo 'no database' >"$T/text.db"
refused 'not a certfs store' "$T/text.db"
sqlite3 "$T/foreign.db" 'CREATE TABLE t(a)'
refused 'no certfs store' "$T/foreign.db"
cp "$T/backup-1.db" "$T/newer.db"
sqlite3 "$T/newer.db" 'PRAGMA user_version=999'
refused 'newer certfs' "$T/newer.db"
head -c 100000 "$T/backup-1.db" >"$T/short.db"
refused 'nothing was restored' "$T/short.db"
(umask 077 && head -c 32 /dev/urandom >"$T/wrong.key")
wrong=$(sha256sum <"$T/wrong.key")
other "$T/wrong.key"
refused "$key.*${wrong%% *}" "$T/backup-1.db"
other "$T/missing.key"
refused 'master key .*missing.key' "$T/backup-1.db"

above() { [ "$1" -gt "$2" ] || fail "$3 ($2)"; }

# it goes on: every backup has what had been handed out before it began
other "$T/store/master.key"
mv "$T/store/certfs.db" "$T/lost.db"
rm -f "$STORE"-*
for round in 1 2 3; do
    rm -f "$T"/other/certfs.db*
    now=$(date +%s)
    "$CERTFS" restore -c "$T/other.conf" "$T/backup-$round.db" >/dev/null || fail "restore $round failed"
    "$CERTFS" check -c "$T/other.conf" >"$T/check.out" || fail "restored $round: $(cat "$T/check.out")"
    while read -r file; do
        app=$(basename "$file" .pem)
        sqlite3 "$T/other/certfs.db" "SELECT hex(cert) FROM generation WHERE app=(SELECT id FROM app WHERE name='l$app')" >"$T/hex"
        openssl x509 -in "$file" -outform DER | od -An -v -tx1 | tr -d ' \n' | tr a-f A-F >"$T/one"
        grep -qxFf "$T/one" "$T/hex" || fail "backup $round has lost $app"
    done <"$T/before-$round"
done
cp "$T/other/certfs.db" "$STORE"
start_certfs
gw=$PROJECTS/p/apps/gw
assert_eq "$(sqlite3 "$T/backup-3.db" "SELECT counter FROM fired WHERE name='purge' AND object=(SELECT id FROM app WHERE name='gw')")" \
    "$(field "$gw/purge" counter)" "the counter as it was"
[ "$(field "$gw/purge" counter)" -ge "$(cat "$T/purges-3")" ] || fail "the backup is older than its beginning"
# gw may have been in the middle of a purge: one that was not gives what it gave
app=$PROJECTS/p/apps/l$(basename "$(head -n 1 "$T/before-1")" .pem)
cat "$app/device_ca.pem" >"$T/now.pem"
openssl x509 -in "$T/now.pem" -outform DER | od -An -v -tx1 | tr -d ' \n' | tr a-f A-F >"$T/one"
grep -qxFf "$T/one" <<<"$(sqlite3 "$T/backup-3.db" "SELECT hex(cert) FROM generation")" || fail "a read gives a certificate that was not in the backup"
assert_pair "$app/device_ca.pem" "$app/device_ca.key"
purged() { [ "$(field "$gw/purge" state)" = "done" ]; }
wait_until 60 purged
cat "$gw/device_ca.pem" >"$T/now.pem"
touch "$gw/purge"
wait_until 60 purged
counter=$(field "$gw/purge" counter)
above "$counter" "$now" "the purge counter $counter is not above $now"
above "$counter" "$lost_purge" "the purge counter $counter is not above $now"
cat "$gw/device_ca.pem" >"$T/next.pem"
generation=$(field "$gw/status" generation)
above "$generation" "$now" "generation $generation is not above $now"
above "$generation" "$numbers" "generation $generation is not above $now"
assert_ne "$(serial "$T/next.pem")" "$(serial "$T/now.pem")" "serial"
[ -e "$gw/generations/$generation/device_ca.pem" ] || fail "generations/$generation is missing"
stat -c %h "$gw/generations" >/dev/null
mkdir "$PROJECTS/p/apps/new"
touch "$PROJECTS/p/apps/new/renew"
assert_eq "$(field "$PROJECTS/p/apps/new/status" generation)" "$(field "$PROJECTS/p/apps/new/renew" counter)" "numbers of a new one: both follow the floor"
[ "$(sqlite3 "$STORE" 'SELECT max(id) FROM app')" -gt "$highest_app" ] || fail "a row id is used again"
event=$(tail -n 1 "$MNT/events" | sed 's/.*"id":\([0-9]*\).*/\1/')
above "$event" "$now" "event $event is not above $now"
above "$event" "$last_event" "event $event is not above $now"
find "$MNT" >"$T/listing"
grep -q "generations/$generation" "$T/listing" || fail "find does not see the new generation"
restart_certfs
assert_same "$T/next.pem" "$gw/device_ca.pem" "after another restart"
check_clean
stop_certfs

# nothing is left of a backup that was ended, or found no room
mkdir "$T/small" "$T/ended"
mount -t tmpfs -o size=64k tmpfs "$T/small"
text=$("$CERTFS" backup -c "$CONF" "$T/small/b.db" 2>&1) && text="made without room"
left=$(find "$T/small" -type f | wc -l)
umount "$T/small"
assert_has "$text" 'disk is full' "a backup without room"
assert_eq "$left" 0 "left by a backup without room"
# the signal comes with the first write to the copy
run_ended() { # STRACE-OPTION…
    ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -qq -f -o "$T/trace" "$@" python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$CERTFS" backup -c "$CONF" "$T/ended/b.db"
}
run_ended -e trace=openat >/dev/null
rm "$T/ended/b.db"
opened=$(grep -n 'ended/b.db.part' "$T/trace" | head -n 1 | cut -d: -f1)
[ "$opened" -gt 1 ] || fail "the copy's file was not seen"
for signal in INT TERM; do
    status=0
    run_ended -e trace=openat -e "inject=openat:signal=$signal:when=$opened" >/dev/null 2>"$T/ended.err" || status=$?
    [ "$status" -gt 128 ] || fail "ended by SIG$signal, but its status is $status: $(cat "$T/ended.err")"
    assert_eq "$(find "$T/ended" -type f | wc -l)" 0 "left by a backup that got SIG$signal"
done
