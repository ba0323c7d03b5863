#!/bin/bash
# What certfs says when it can't: usage, configuration, mount point, store in use, wrong master key, newer store, no
# /dev/fuse. Each is a clear line, exit status 1 (2 for usage), and no mount.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need sqlite3

# refuses STATUS PATTERN COMMAND…
refuses() {
    local status=0 text
    text=$(timeout 30 "${@:3}" 2>&1 </dev/null) || status=$?
    assert_eq "$status" "$1" "exit status of ${*:3} ($text)"
    assert_has "$text" "$2" "${*:3}"
    ! mounted || fail "mounted all the same: ${*:3}"
}

# usage
refuses 2 usage "$CERTFS"
refuses 2 usage "$CERTFS" nonsense
refuses 2 usage "$CERTFS" mount
refuses 2 usage "$CERTFS" mount "$MNT" "$MNT"
refuses 2 usage "$CERTFS" mount -x "$MNT"
refuses 2 usage "$CERTFS" check extra
refuses 2 "nonsense" "$CERTFS" mount -o nonsense "$MNT"
refuses 0 "^certfs [0-9]+\.[0-9]+" "$CERTFS" version

# configuration: file and line
write_conf
refuses 1 "$T/none.conf" "$CERTFS" mount -c "$T/none.conf" "$MNT"
bad_conf() {
    printf '[store]\npath = %s\n%b\n' "$STORE" "$1" >"$T/bad.conf"
    refuses 1 "$T/bad.conf:[0-9]+" "$CERTFS" mount -c "$T/bad.conf" "$MNT"
}
for lines in '[nowhere]\nx = 1' '[store]\ncolour = red' '[log]\nlevel = loud' '[hooks]\npush = relative' 'nonsense' \
    '[limits]\nprojects = none' '[keystore]\nmaster_key = plain'; do
    bad_conf "$lines"
done
[ ! -e "$STORE" ] || fail "a refused configuration made a store"

# mount points
refuses 1 "$T/none" "$CERTFS" mount -c "$CONF" "$T/none"
touch "$T/file"
refuses 1 "$T/file" "$CERTFS" mount -c "$CONF" "$T/file"
mkdir "$T/inside"
printf '[store]\npath = %s\n' "$T/inside/db" >"$T/inside.conf"
refuses 1 "inside|$T/inside" "$CERTFS" mount -c "$T/inside.conf" "$T/inside"
if unshare -m true 2>/dev/null; then
    # shellcheck disable=SC2016
    refuses 1 "/dev/fuse" unshare -m sh -c 'mount -t tmpfs none /dev && mknod /dev/null c 1 3 && exec "$@"' sh \
        "$CERTFS" mount -c "$CONF" "$MNT"
fi

# a store is one mount's
start_certfs
mkdir "$T/mnt2"
text=$("$CERTFS" mount -c "$CONF" "$T/mnt2" 2>&1) && fail "a second mount of the same store"
assert_has "$text" "\b$SUPERVISOR_PID\b" "who holds the store"
! mounted "$T/mnt2" || fail "mounted twice"
text=$("$CERTFS" mount -c "$CONF" "$MNT" 2>&1) && fail "a second mount at the same place"
ls "$MNT/projects" >/dev/null
new_project p
mkdir "$PROJECTS/p/apps/gw"
cp "$PROJECTS/p/apps/gw/bundle.pem" "$T/bundle.pem"
check_clean
stop_certfs

# the wrong master key, and none: nothing is touched
cp -a "$T/store" "$T/kept"
head -c "$(stat -c %s "$T/kept/master.key")" /dev/urandom >"$T/store/master.key"
refuses 1 "master.key" "$CERTFS" mount -c "$CONF" "$MNT"
rm "$T/store/master.key"
refuses 1 "master.key" "$CERTFS" mount -c "$CONF" "$MNT"
[ ! -e "$T/store/master.key" ] || fail "a new master key beside an old store"
: >"$T/store/master.key"
refuses 1 "master.key" "$CERTFS" mount -c "$CONF" "$MNT"
cp -a "$T/kept/master.key" "$T/store/"

# a store of a newer certfs
version=$(sqlite3 "$STORE" 'PRAGMA user_version')
sqlite3 "$STORE" "PRAGMA user_version = $((version + 1000))"
refuses 1 "newer" "$CERTFS" mount -c "$CONF" "$MNT"
sqlite3 "$STORE" "PRAGMA user_version = $version"

# what is no store at all
printf '[store]\npath = %s\n' "$T/garbage.db" >"$T/garbage.conf"
head -c 8192 /dev/urandom >"$T/garbage.db"
cp "$T/kept/master.key" "$T/master.key"
refuses 1 "$T/garbage.db" "$CERTFS" mount -c "$T/garbage.conf" "$MNT"

# and with all in place again, everything is as it was
start_certfs
assert_same "$PROJECTS/p/apps/gw/bundle.pem" "$T/bundle.pem" "the bundle after all this"
assert_eq "$(stat -c %a "$T/store/master.key")" 600 "mode of the master key"
check_clean

# -f ends on SIGTERM, with status 0 and without a mount
stop_certfs
"$CERTFS" mount -f -c "$CONF" "$MNT" >"$T/foreground.log" 2>&1 &
pid=$!
wait_until 20 mounted
ls "$PROJECTS/p" >/dev/null
kill -TERM $pid
wait $pid || fail "status $? after SIGTERM: $(cat "$T/foreground.log")"
! mounted || fail "still mounted after SIGTERM"
