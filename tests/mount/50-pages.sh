#!/bin/bash
# timeout: 180
# Man pages: certfs-tree(5) names each file of a mount and no other, certfs.conf(5) each key, certfs(8) each command; what their
# EXAMPLES show is what happens.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/machine.sh
. "$SOURCE/tests/lib/machine.sh"

pages() { python3 "$SOURCE/tests/lib/pages.py" "$@" >"$T/pages" || fail "$(cat "$T/pages")"; }

# ---- what there is ----
start_certfs
new_project p
mkdir "$PROJECTS/p/apps/gw"
cat "$PROJECTS/p/apps/gw/device_ca.pem" >/dev/null
pages tree "$SOURCE/conf/certfs-tree.5" "$MNT"
pages config "$SOURCE/conf/certfs.conf.5" "$SOURCE/core/config.c" "$SOURCE/conf/certfs.conf"
pages commands "$SOURCE/conf/certfs.8" "$CERTFS"

# ---- the tree's README: one screen, names what there is, and its commands issue a certificate ----
README=$(cat "$MNT/README")
if [ "$(wc -l <<<"$README")" -gt 24 ] || [ "$(wc -L <<<"$README")" -gt 80 ]; then
    fail "README is more than 24 lines of 80 columns"
fi
for name in policy signing_ca apps apps/gw/{device_ca.pem,device_ca.key,bundle.pem,trust_bundle.pem,config.toml,user_data} \
    apps/gw/{status,info,renew,purge,revoke} update force_update progress; do
    [ -e "$PROJECTS/p/$name" ] && assert_has "$README" "(^|[ /])${name##*/}([ /:;]|\$)" "README"
done
mkdir -p "$T/home/ca"
cp "$CA/int.chain" "$T/home/ca/chain.pem"
cp "$CA/int.key" "$T/home/ca/intermediate.key"
commands=$(sed -n '/^$/,$s/^  \(mkdir\|cp\|cat\) projects/&/p; s/^  \(cp ~.*\)/&/p' <<<"$README")
(cd "$MNT" && HOME=$T/home bash -ec "$commands" >"$T/issued") || fail "README's commands: $commands"
assert_has "$(cat "$T/issued")" 'BEGIN CERTIFICATE' "what README's commands print"
stop_certfs

# ---- the examples, followed one page after the other ----
machine_start bare
machine_install
make_home_ca
transcript "$SOURCE/README.md"
machine rm -r /var/lib/certfs
transcript "$SOURCE/conf/certfs.8"
machine bash -c 'cd /run/certfs/projects/plant-7 && mkdir apps/gw-02'
transcript "$SOURCE/conf/certfs-tree.5"
machine umount /run/certfs
transcript "$SOURCE/conf/certfs.conf.5"

# ---- installed, they are found; what they name is there ----
for page in "8 certfs" "5 certfs.conf" "5 certfs-tree"; do
    # shellcheck disable=SC2086 # section and name
    assert_has "$(machine man $page 2>&1)" EXAMPLES "man $page"
done
