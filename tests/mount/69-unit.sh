#!/bin/bash
# variants: plain
# timeout: 300
# The shipped unit under a systemd of the test's own: its score, the mount that the whole host sees, who serves it, and its life: killed,
# reloaded, unmounted by hand, stopped while in use, started wrongly.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/machine.sh
. "$SOURCE/tests/lib/machine.sh"
need systemd-analyze systemctl systemd-sysusers
[ -x /lib/systemd/systemd ] || skip "systemd is not installed"

# ---- what systemd thinks of it ----
said=$(systemd-analyze security --no-pager --offline=true --threshold=15 "$SOURCE/conf/certfs.service" 2>&1) ||
    fail "the unit scores more than 1.5: $(tail -n 1 <<<"$said")"

machine_start systemd
machine_install
machine mkdir -p /run/certfs
machine systemd-sysusers 2>"$T/sysusers"
unit() { machine timeout 60 systemctl "$@" >"$T/systemctl" 2>&1; }
started() { unit "$@" || fail "systemctl $*: $(cat "$T/systemctl"; machine cat /tmp/unit.log)"; }
property() { machine systemctl show certfs -p "$1" --value; }
at_mount() { machine findmnt -n -o FSTYPE /run/certfs || true; }
in_projects() { machine timeout 20 "$@"; }
machine mkdir /etc/systemd/system/certfs.service.d
machine tee /etc/systemd/system/certfs.service.d/log.conf >/dev/null <<<$'[Service]\nStandardError=append:/tmp/unit.log'
booted() { unit list-units; }
wait_until 20 booted
started daemon-reload

# ---- it serves, and as whom ----
started start certfs
assert_eq "$(at_mount)" fuse.certfs "the mount in the host's mount namespace"
make_root root
make_intermediate int root
machine mkdir /run/certfs/projects/p /run/certfs/projects/p/apps/gw
cat "$CA/int.chain" "$CA/int.key" | machine tee /run/certfs/projects/p/signing_ca/cert.pem >/dev/null
gw=/run/certfs/projects/p/apps/gw
in_projects cat $gw/bundle.pem >"$T/bundle.pem"
certificate() { in_projects cat $gw/device_ca.pem; }
certificate >"$T/gw.pem"
assert_has "$(machine cat /run/certfs/audit)" '"uid":0,.*"command":"cat"' "audit"
own=$(machine id -u certfs)
main=$(property MainPID)
processes=$(machine cat "/sys/fs/cgroup/system.slice/certfs.service/cgroup.procs")
assert_eq "$(wc -l <<<"$processes")" 3 "processes: supervisor, worker, that of the hooks"
for pid in $processes; do
    said=$(machine cat "/proc/$pid/status")
    assert_has "$said" "^Uid:	$own	$own	$own	$own$" "user"
    assert_has "$said" '^NoNewPrivs:	1' "new privileges"
    for set in CapPrm CapEff CapBnd CapAmb; do
        assert_has "$said" "^$set:	0000000000000000" "capabilities"
    done
    assert_ne "$(machine readlink "/proc/$pid/ns/mnt")" "$(machine readlink /proc/1/ns/mnt)" "mount namespace"
    assert_fails 'Read-only|Permission|cannot' machine nsenter --target "$pid" --mount --root touch /etc/certfs/new
done
assert_has "$(machine cat /tmp/unit.log)" 'Landlock: on; system calls: filtered' "what the worker's log says"
assert_eq "$(machine stat -c '%U %a' /var/lib/certfs/master.key)" "certfs 600" "the master key"

# ---- the worker killed, the configuration read again ----
machine sh -c "read -r children </proc/$main/task/$main/children; kill -9 \${children%% *}"
certificate | cmp - "$T/gw.pem"
started reload certfs
certificate | cmp - "$T/gw.pem"
assert_eq "$(property MainPID)" "$main" "the supervisor"

# ---- another program on disk takes over, without unmounting ----
program() { machine stat -L -c %i "/proc/$main/exe"; }
installed=$(machine sh -c "command -v certfs")
machine sh -c "cp $installed $installed.new && mv $installed.new $installed"
new=$(machine stat -c %i "$installed")
assert_ne "$(program)" "$new" "the program before"
machine kill -USR2 "$main"
upgraded() { [ "$(program)" = "$new" ]; }
wait_until 30 upgraded
certificate | cmp - "$T/gw.pem"
assert_eq "$(property MainPID):$(property ActiveState):$(property NRestarts)" "$main:active:0" "the unit after the upgrade"

# ---- the supervisor killed: never "no such file", and it comes back ----
machine kill -9 "$main"
! said=$(machine stat $gw/device_ca.key 2>&1) || said=
assert_lacks "$said" 'No such file' "while nobody serves"
back() { [ "$(property ActiveState)" = active ] && certificate 2>/dev/null | cmp -s - "$T/gw.pem"; }
wait_until 30 back
assert_eq "$(property NRestarts)" 1 "restarts"

# ---- unmounted by hand, stopped while in use ----
inactive() { [ "$(property ActiveState)" = inactive ]; }
machine umount /run/certfs
wait_until 30 inactive
started start certfs
machine sh -c "exec <$gw/device_ca.pem; : >/tmp/opened; exec sleep 1000" &
wait_until 30 machine test -e /tmp/opened
started stop certfs
assert_eq "$(at_mount)" "" "the mount after stop"

# ---- what can't start leaves a mount that says so, and the next start takes it away ----
machine chown root /var/lib/certfs/master.key
! unit start certfs || fail "it started without its master key"
assert_fails 'not connected' machine timeout 20 stat /run/certfs/README
machine chown certfs /var/lib/certfs/master.key
unit stop certfs || true
unit reset-failed certfs || true
started start certfs
certificate | cmp - "$T/gw.pem"

# ---- nor does one whose program can't be run keep anybody waiting ----
started stop certfs
machine tee /etc/systemd/system/certfs.service.d/wrong.conf >/dev/null <<<$'[Service]\nExecStart=\nExecStart=/nowhere\nRestart=no'
started daemon-reload
! unit start certfs || fail "it started without a program"
machine rm /etc/systemd/system/certfs.service.d/wrong.conf
started daemon-reload
started start certfs
certificate | cmp - "$T/gw.pem"
started stop certfs
assert_eq "$(at_mount)" "" "the mount at the end"
