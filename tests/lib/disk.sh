# shellcheck shell=bash disable=SC2034
# A disk of the test's own, for what happens to disks: the store moves there.
DISK=$T/disk

# make_disk MIB: ext4 in a file, mounted at $DISK; STORE and CONF point there from now on
make_disk() {
    need mkfs.ext4 losetup
    truncate -s "${1}M" "$T/image"
    mkfs.ext4 -q -F "$T/image"
    mkdir -p "$DISK"
    mount_disk
    use_disk
}

# make_small_disk SIZE: tmpfs of that size (2m)
make_small_disk() {
    mkdir -p "$DISK"
    mount -t tmpfs -o "size=$1" tmpfs "$DISK"
    use_disk
}

use_disk() {
    STORE=$DISK/store/certfs.db
    mkdir -p "$DISK/store"
    chmod 700 "$DISK/store"
    write_conf
}

mount_disk() {
    mount -o loop "$T/image" "$DISK" 2>"$T/mount.err" || skip "no loop devices here: $(cat "$T/mount.err")"
}

# cut_power [NOTES]: what was not written to the disk by now is lost: ext4's own way (EXT4_IOC_SHUTDOWN, without a flush of its journal).
# NOTES gets the line `cut` before.
cut_power() {
    python3 - "$DISK" "${1:-/dev/null}" <<'PYTHON'
import fcntl, os, struct, sys
EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, 2
os.write(os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND), b"cut\n")
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
PYTHON
}

# The machine is off: no process is left, and no mount.
power_off() {
    local pid
    umount -l "$MNT" 2>/dev/null || true
    for pid in $SUPERVISOR_PID $WORKER_PID; do
        kill -9 "$pid" 2>/dev/null || true
    done
    for pid in $(daemon_pids); do
        kill -9 "$pid" 2>/dev/null || true
    done
    wait_until 20 no_daemon
    wait_until 60 unmount_disk # a moment later: the dead may still be closing their files
}

# Gone from here, and from every mount namespace that was made meanwhile by somebody else: the loop device is free.
unmount_disk() {
    ! mounted "$DISK" || umount "$DISK" 2>/dev/null || return 1
    [ -z "$(losetup -j "$T/image")" ]
}

no_daemon() {
    [ -z "$(daemon_pids)" ]
}
