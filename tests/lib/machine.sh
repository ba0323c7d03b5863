# shellcheck shell=bash
# A throw-away copy of this machine, in which documentation can be followed to the letter: its own root (an overlay: what is
# written goes to memory), mounts, processes, network (lo only) and home. Nothing in it outlives the test. After lib.sh:
#
#   machine_start [systemd] made, with /etc/certfs, /var/lib/certfs and /run empty; with a systemd of its own that has no service
#   machine_install         meson install of the build under test
#   machine COMMAND…        runs in it; $SOURCE, $BUILDDIR and $T are at the same place there
#   transcript FILE …       what a document shows, done in it (tests/lib/transcript.py)
#   in_machine PATH         the place of the machine's PATH, for what acts from outside

MACHINE_PID=

machine_script() {
    cat <<'END'
set -e
base=$1 source=$2 builddir=$3 init=${4-}
. "$source/tests/lib/alone.sh"
let_others_go
mount -t tmpfs certfs-test "$base"
mkdir "$base"/{upper,work,root}
mount -t overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" certfs-test "$base/root" 2>/dev/null || exit 77
cd "$base/root"
mount -t proc proc proc
mount --rbind /dev dev
mount --rbind /sys sys
for directory in run tmp root; do mount -t tmpfs certfs-test "$directory"; done
chmod 1777 tmp
chmod 700 root
for directory in "$source" "$builddir" "${base%/*}"; do
    [ "$directory" != "${base%/*}" ] && [ -e ".$directory" ] && continue
    mkdir -p ".$directory"
    mount --bind "$directory" ".$directory"
done
# a certfs that is installed here is not there: each test installs its own
rm -rf etc/certfs var/lib/certfs usr/local/bin/certfs usr/local/lib/certfs usr/local/share/certfs usr/sbin/mount.certfs \
    usr/local/lib/systemd/system/certfs* usr/local/lib/sysusers.d/certfs* usr/local/lib/tmpfiles.d/certfs*
printf '#!/bin/sh\nexit 101\n' >usr/sbin/policy-rc.d
chmod 755 usr/sbin/policy-rc.d
ip link set lo up
if [ "$init" = systemd ]; then
    mount -t cgroup2 certfs-test sys/fs/cgroup || exit 77
    mount --make-rshared . # as systemd does where it is in no container
    rm -f etc/systemd/system/*.wants/* lib/systemd/system/*.wants/*
    printf '[Unit]\nDescription=nothing\n' >etc/systemd/system/nothing.target
fi
: >in-machine
: >"${base%/*}/machine.ready"
[ "$init" = systemd ] || exec chroot . sleep infinity
exec env -i container=certfs-test PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . \
    /lib/systemd/systemd --system --unit=nothing.target --log-target=console --show-status=no
END
}

# machine_start bare|systemd: what runs in it
machine_start() {
    local unshared status=0 more=()
    need unshare nsenter ip
    mkdir "$T/machine"
    trap 'machine_end $?' EXIT
    [ "${1-}" != systemd ] || more=(--uts --ipc --cgroup)
    unshare --mount --pid --net "${more[@]}" --fork --kill-child --propagation private \
        bash -c "$(machine_script)" machine "$T/machine" "$SOURCE" "$BUILDDIR" "${1-}" >"$T/machine.log" 2>&1 &
    unshared=$!
    until [ -e "$T/machine.ready" ]; do
        if ! alive "$unshared"; then
            wait "$unshared" || status=$?
            [ "$status" != 77 ] || skip "this kernel can't lay an overlay over /"
            fail "no machine: $(cat "$T/machine.log")"
        fi
        sleep 0.02
    done
    read -r MACHINE_PID <"/proc/$unshared/task/$unshared/children" || [ -n "$MACHINE_PID" ]
    # until it has changed its root, what is done "in it" would be done to this machine
    until machine test -e /in-machine 2>/dev/null; do sleep 0.02; done
}

machine() {
    nsenter --target "$MACHINE_PID" --mount --pid --net --root --wd env HOME=/root "$@"
}

in_machine() {
    echo "/proc/$MACHINE_PID/root$1"
}

machine_install() {
    machine meson install -C "$BUILDDIR" --no-rebuild --quiet >>"$T/install.log" 2>&1 ||
        fail "meson install: $(cat "$T/install.log")"
    machine systemd-sysusers >>"$T/install.log" 2>&1 || fail "systemd-sysusers: $(cat "$T/install.log")"
    # documents name the places of the package
    machine ln -sfn /usr/local/share/doc/certfs /usr/share/doc/certfs
    machine ln -sfn /usr/local/lib/certfs /usr/lib/certfs
}

# transcript FILE [options of transcript.py]
transcript() {
    python3 "$SOURCE/tests/lib/transcript.py" "$@" -- nsenter --target "$MACHINE_PID" --mount --pid --net --root --wd \
        env HOME=/root bash --norc --noprofile || fail "what $1 shows is not what happens"
}

# Its first process takes all others with it, and they the mounts.
machine_end() {
    trap - ERR
    [ -z "$MACHINE_PID" ] || kill -9 "$MACHINE_PID" 2>/dev/null
    (exit "$1")
    clean_up
}

# In root's home, ca/ with an intermediate and its root, as the documents name them.
make_home_ca() {
    local home
    home=$(in_machine /root)
    [ -e "$CA/int.pem" ] || { make_root root && make_intermediate int root "subject=/CN=Plant 7 Intermediate"; }
    mkdir "$home/ca"
    cp "$CA/root.pem" "$home/ca/root.pem"
    cp "$CA/int.chain" "$home/ca/chain.pem"
    cp "$CA/int.key" "$home/ca/intermediate.key"
    make_key "$home/ca/other.key" p256
}
