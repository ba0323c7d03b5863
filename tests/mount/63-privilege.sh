#!/bin/bash
# timeout: 120
# variants: plain
# The worker serves as daemon.user, without capabilities, new privileges or a debugger; hooks keep what hooks.user has, and end with it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need setpriv python3 fusermount3 strace
chmod 711 "$T"
chmod 700 "$T/store"

# status_of PID FIELD
status_of() {
    sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}

assert_confined() {
    assert_eq "$(status_of "$1" NoNewPrivs)" 1 "NoNewPrivs of the worker"
    assert_eq "$(status_of "$1" Seccomp)" 2 "Seccomp of the worker"
    assert_eq "$(awk '/^Max core file size/ { print $5, $6 }' "/proc/$1/limits")" "0 0" "core files of the worker"
    assert_eq "$(stat -c %u "/proc/$1/fd")" 0 "owner of /proc/PID of a process without core dumps"
}

assert_powerless() {
    local set
    assert_confined "$1"
    assert_eq "$(status_of "$1" Uid | tr '\t' ' ')" "65534 65534 65534 65534" "user of the worker"
    assert_eq "$(status_of "$1" Gid | tr '\t' ' ')" "65534 65534 65534 65534" "group of the worker"
    assert_eq "$(status_of "$1" Groups | tr -d ' ')" 65534 "groups of the worker"
    for set in CapInh CapPrm CapEff CapBnd CapAmb; do
        assert_eq "$(status_of "$1" $set)" 0000000000000000 "$set of the worker"
    done
    # a process of the same user may not look into it
    assert_fails "Permission denied" setpriv --reuid 65534 --regid 65534 --clear-groups cat "/proc/$1/environ"
}

cat >"$T/hook" <<SCRIPT
#!/bin/bash
cat /proc/self/status >"$T/told/\$CERTFS_HOOK.new"
mv "$T/told/\$CERTFS_HOOK.new" "$T/told/\$CERTFS_HOOK"
if [ -e "$T/told/wait" ]; then
    echo \$\$ >"$T/told/pid.new"
    mv "$T/told/pid.new" "$T/told/pid"
    exec sleep 1000
fi
SCRIPT
chmod 755 "$T/hook"
mkdir -m 777 "$T/told"

purge_is() {
    [ "$(field "$1/purge" state)" = "$2" ]
}

# ---- without daemon.user ----
ulimit -c unlimited
start_certfs
assert_confined "$WORKER_PID"
assert_eq "$(status_of "$WORKER_PID" Uid | cut -f 1)" 0 "user of a worker that stays what it is"
# chown, dac_override, dac_read_search, fowner, ipc_lock
for set in CapPrm CapEff CapBnd; do
    assert_eq "$((0x$(status_of "$WORKER_PID" $set) & ~0x400f))" 0 "$set of a worker of root beyond what it needs"
done
new_project p
mkdir "$PROJECTS/p/apps/a"
cat "$PROJECTS/p/apps/a/device_ca.pem" >"$T/before.pem"
stop_certfs

# ---- nobody looks into it, nor into its supervisor: not even who started them, with fusermount3 ----
as_user() { setpriv --reuid 65534 --regid 65534 --clear-groups -- "$@"; }
install -d -o 65534 -g 65534 -m 700 "$T/own" "$T/own/store" "$T/own/mnt"
printf '[store]\npath = %s\n' "$T/own/store/certfs.db" >"$T/own.conf"
# /dev/fuse as distributions have it, here only
mknod -m 666 "$T/fuse" c 10 229
as_its_starter() {
    mount --bind "$T/fuse" /dev/fuse
    as_user "$CERTFS" mount -c "$T/own.conf" "$T/own/mnt" || return
    own=$(as_user cat "$T/own/store/certfs.db.lock")
    read -r children <"/proc/$own/task/$own/children" || [ -n "$children" ]
    for pid in "$own" "${children%% *}"; do
        assert_eq "$(status_of "$pid" Uid | cut -f 1)" 65534 "user"
        assert_fails "Permission denied" as_user cat "/proc/$pid/environ"
        assert_fails "Permission denied" as_user dd status=none if="/proc/$pid/mem" count=1
        assert_fails "Permission denied" as_user ls "/proc/$pid/fd"
        assert_fails "not permitted" as_user strace -o /dev/null -p "$pid"
    done
    as_user fusermount3 -u "$T/own/mnt"
    wait_until 20 gone "$own"
}
export -f as_its_starter as_user assert_eq assert_fails assert_has fail status_of wait_until gone alive
export T CERTFS
unshare --mount bash -Eeuo pipefail -c as_its_starter >"$T/own.log" 2>&1 || fail "a user's own mount: $(cat "$T/own.log")"
for signal in SEGV ABRT; do
    start_certfs
    kill -$signal "$WORKER_PID"
    wait_until 20 find_worker "$WORKER_PID"
    stop_certfs
    ! compgen -G '/core*' >/dev/null || fail "a core file of the worker"
done

# ---- with it: the store of before becomes that user's ----
write_conf '[daemon]' 'user = nobody' '[hooks]' "push = $T/hook" 'retries = 0'
start_certfs
assert_powerless "$WORKER_PID"
# chown, dac_override, dac_read_search, fowner, ipc_lock, kill, setgid, setuid, setpcap, sys_admin, sys_resource
for set in CapPrm CapEff CapBnd; do
    assert_eq "$((0x$(status_of "$SUPERVISOR_PID" $set) & ~0x12041ef))" 0 "$set of the supervisor beyond what it needs"
done
for file in "$STORE" "$STORE.lock" "$T/store/master.key" "$T/store"; do
    assert_eq "$(stat -c %U "$file")" nobody "owner of $file"
done
a=$PROJECTS/p/apps/a
assert_same "$a/device_ca.pem" "$T/before.pem" "certificate of before"
cat "$a/device_ca.key" >/dev/null
mkdir "$PROJECTS/p/apps/b"
cat "$PROJECTS/p/apps/b/bundle.pem" >/dev/null
assert_has "$(cat "$MNT/audit")" '"uid":0.*"command":"cat"' "audit by a worker without privileges"
touch "$a/purge"
wait_until 20 purge_is "$a" "done"
assert_eq "$(sed -n 's/^Uid:[[:space:]]*//p' "$T/told/push" | cut -f 1)" 65534 "user of a hook without hooks.user"
assert_eq "$(sed -n 's/^CapEff:[[:space:]]*//p' "$T/told/push")" 0000000000000000 "capabilities of that hook"
assert_eq "$(sed -n 's/^Seccomp:[[:space:]]*//p' "$T/told/push")" "$(status_of self Seccomp)" "a hook's system calls"

# ---- the next worker is the same, and a hook ends with the worker that asked for it ----
touch "$T/told/wait"
touch "$a/purge"
wait_until 10 test -e "$T/told/pid"
hook=$(cat "$T/told/pid")
rm "$T/told/wait"
kill_worker
assert_powerless "$WORKER_PID"
wait_until 10 gone "$hook"
wait_until 20 purge_is "$a" "done"
stop_certfs
check_clean

# ---- hooks as another user than the worker ----
write_conf '[daemon]' 'user = nobody' '[hooks]' "push = $T/hook" 'user = daemon' 'retries = 0'
rm "$T/told/push"
start_certfs
touch "$a/purge"
wait_until 20 purge_is "$a" "done"
assert_eq "$(sed -n 's/^Uid:[[:space:]]*//p' "$T/told/push" | cut -f 1)" "$(id -u daemon)" "user of a hook with hooks.user"
assert_eq "$(sed -n 's/^NoNewPrivs:[[:space:]]*//p' "$T/told/push")" "$(status_of self NoNewPrivs)" "NoNewPrivs of a hook"
stop_certfs

# ---- what that user can't have, and who is not there ----
chown root "$T/store" "$T/store/master.key" && chmod 755 "$T/store"
assert_fails "nobody \(daemon.user\) can't write $T/store: Permission denied; give it to that user" "$CERTFS" mount -c "$CONF" "$MNT"
chown nobody "$T/store"
chown daemon "$T/store/master.key"
assert_fails "master.key: it belongs to another user" "$CERTFS" mount -c "$CONF" "$MNT"
# a second name may be anybody's file: it is not given away
chown root "$T/store/master.key"
ln "$T/store/master.key" "$T/store/second"
assert_fails "nobody \(daemon.user\) can't read $T/store/master.key" "$CERTFS" mount -c "$CONF" "$MNT"
assert_eq "$(stat -c %U "$T/store/master.key")" root "owner of a file with a second name"
write_conf '[daemon]' 'user = no-such-user'
assert_fails "daemon.user = no-such-user: there is no such user" "$CERTFS" mount -c "$CONF" "$MNT"
