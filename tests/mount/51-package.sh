#!/bin/bash
# variants: plain
# timeout: 600
# The Debian package: it builds, lintian has nothing to say, it installs, its unit's program starts and stops, mount(8) and
# fstab(5) mount, bash completes; removed and purged it leaves nothing but the store, and asks nothing.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/machine.sh
. "$SOURCE/tests/lib/machine.sh"
need dpkg-buildpackage dh lintian
[ -e "$SOURCE/conf/certfs.service" ] || skip "there is no conf/certfs.service yet"

mkdir "$T/deb"
"$SOURCE/conf/make-deb" "$T/deb"
DEB=$(echo "$T"/deb/certfs_*.deb)
# the address of nobody is not ours to invent
said=$(lintian --allow-root --fail-on error,warning --suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog \
    "$T"/deb/*.changes 2>&1) || fail "lintian: $said"

machine_start bare
ROOT=$(in_machine /)
dpkg_in() { machine env DEBIAN_FRONTEND=noninteractive dpkg "$@" </dev/null >"$T/dpkg" 2>&1 || fail "dpkg $*: $(cat "$T/dpkg")"; }
in_run() { machine findmnt -n -o FSTYPE /run/certfs 2>/dev/null || true; }
unmounted() { [ -z "$(in_run)" ]; }

# ---- installed ----
dpkg_in --force-confnew -i "$DEB"
assert_has "$(machine certfs version)" '^certfs [0-9]' version
assert_fails 'store.*certfs.db' machine certfs check
for file in etc/certfs/certfs.conf usr/lib/systemd/system/certfs.service usr/lib/sysusers.d/certfs.conf \
    usr/share/man/man5/certfs-tree.5.gz usr/share/doc/certfs/README.md.gz usr/share/doc/certfs/recipes usr/lib/certfs/hooks/push-ssh; do
    [ -e "$ROOT$file" ] || fail "/$file is not there"
done
said=$(machine systemd-analyze verify certfs.service 2>&1) || fail "systemd-analyze verify: $said"
machine id certfs >/dev/null || fail "there is no user certfs"

# ---- bash completes commands, and the options of each, from `certfs help` ----
completions() {
    # shellcheck disable=SC2016 # the inner shell expands
    machine bash -c '. /usr/share/bash-completion/completions/certfs; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _certfs
        printf "%s\n" "${COMPREPLY[@]}"' certfs certfs "$@"
}
assert_eq "$(completions m)" mount "certfs m<tab>"
assert_has "$(completions "")" '^check$' "certfs <tab>"
assert_has "$(completions mount -)" '^-c$' "certfs mount -<tab>"
assert_eq "$(completions mount -c /etc/certfs/)" /etc/certfs/certfs.conf "certfs mount -c /etc/certfs/<tab>"

# ---- the unit's program ----
mkdir -p "$ROOT/run/certfs"
pid=$(machine python3 "$SOURCE/tests/lib/exec_start.py" /usr/lib/systemd/system/certfs.service) ||
    fail "the unit: $(cat "${ROOT}tmp/exec_start.log")"
assert_eq "$(in_run)" fuse.certfs "what is at /run/certfs"
[ -s "${ROOT}run/certfs/README" ] || fail "no README"
make_root root
make_intermediate int root
machine mkdir /run/certfs/projects/p /run/certfs/projects/p/apps/gw
cat "$CA/int.chain" "$CA/int.key" | machine tee /run/certfs/projects/p/signing_ca/cert.pem >/dev/null
machine cat /run/certfs/projects/p/apps/gw/device_ca.pem >"$T/gw.pem"
machine mkdir /run/certfs/projects/plant-8
machine touch /root/store.db
while read -r wanted words; do
    # shellcheck disable=SC2086 # words
    assert_eq "$(completions $words | sort | paste -sd ,)" "$wanted" "certfs $words<tab>"
done <<'COMPLETIONS'
p,plant-8 wait p
plant-8 wait pl
/run/certfs wait p /
/run/certfs status /r
--check status --c
--json status --j
p/,plant-8/ status --check p
p/gw status --check p/
--min-days status --check p/gw --m
/root/store.db backup /root/s
/root/store.db restore /root/s
-c backup -
-c rekey -
/etc/certfs/certfs.conf rekey -c /etc/certfs/
COMPLETIONS
assert_eq "$(completions rekey '')" "" "certfs rekey <tab>"
assert_eq "$(completions restore -c /etc/certfs/certfs.conf /root/s)" /root/store.db "certfs restore -c FILE /root/s<tab>"
machine rmdir /run/certfs/projects/plant-8
assert_eq "$(machine stat -c %U "/proc/$pid" /var/lib/certfs/certfs.db | sort -u)" certfs "who serves, and whose the store is"
machine python3 "$SOURCE/tests/lib/exec_start.py" /usr/lib/systemd/system/certfs.service stop "$pid"
wait_until 30 unmounted

# ---- mount(8), fstab(5) ----
machine mount -t certfs /etc/certfs/certfs.conf /run/certfs
machine cat /run/certfs/projects/p/apps/gw/device_ca.pem | cmp - "$T/gw.pem"
machine umount /run/certfs
echo "/etc/certfs/certfs.conf /run/certfs certfs ro,noatime,nofail 0 0" >>"${ROOT}etc/fstab"
machine mount /run/certfs
machine mount -a # and once more: it is there already
assert_eq "$(machine findmnt -n -o SOURCE /run/certfs)" /etc/certfs/certfs.conf "the source"
assert_has "$(machine touch /run/certfs/projects/p/update 2>&1 || true)" 'Read-only' "touch under ro"

# ---- a newer version over a mount that is in use; then it goes ----
new_program() { [ "$(machine stat -L -c %i "/proc/$pid/exe")" = "$(machine stat -c %i /usr/bin/certfs)" ]; }
pid=$(cat "${ROOT}var/lib/certfs/certfs.db.lock")
new_program
dpkg_in -i "$DEB"
wait_until 20 new_program
machine cat /run/certfs/projects/p/apps/gw/device_ca.pem | cmp - "$T/gw.pem"
machine umount /run/certfs
dpkg_in -r certfs
assert_eq "$(machine sh -c 'command -v certfs mount.certfs || true')" "" "programs after remove"
[ -e "${ROOT}etc/certfs/certfs.conf" ] || fail "remove took the configuration"
[ -s "${ROOT}var/lib/certfs/master.key" ] || fail "remove took the keys"
dpkg_in -P certfs
assert_has "$(cat "$T/dpkg")" 'rm -r /var/lib/certfs' "what purge says"
[ ! -e "${ROOT}etc/certfs" ] || fail "purge left $(ls -A "${ROOT}etc/certfs")"
[ -s "${ROOT}var/lib/certfs/certfs.db" ] || fail "purge took the store"
dpkg_in -i "$DEB"
machine certfs check >"$T/check" || fail "the store after a new installation: $(cat "$T/check")"

# without a store there is nothing to keep
rm -r "${ROOT}var/lib/certfs"
mkdir "${ROOT}var/lib/certfs"
dpkg_in -P certfs
[ ! -e "${ROOT}var/lib/certfs" ] || fail "purge left an empty /var/lib/certfs"
