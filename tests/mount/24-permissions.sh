#!/bin/bash
# Owner and mode of a project's and an app instance's directory decide who may do what inside, and stay.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need setpriv

as() {
    setpriv --reuid "$1" --regid "$1" --clear-groups "${@:2}"
}
chmod 711 "$T"

start_certfs
new_project a
new_project b
mkdir "$PROJECTS/a/apps/gw" "$PROJECTS/b/apps/gw"

# public files are everybody's, keys the owner's
as 4001 cat "$PROJECTS/a/apps/gw/device_ca.pem" "$PROJECTS/a/apps/gw/status" "$PROJECTS/a/policy" >/dev/null
for file in a/apps/gw/device_ca.key a/apps/gw/bundle.pem a/signing_ca/key.pem; do
    assert_fails "Permission denied" as 4001 cat "$PROJECTS/$file"
done
assert_fails "Permission denied" as 4001 cat "$MNT/audit"
assert_fails "Permission denied" as 4001 touch "$PROJECTS/a/apps/gw/renew"
assert_fails "Permission denied" as 4001 cp /dev/null "$PROJECTS/a/policy"
assert_fails "Permission denied" as 4001 mkdir "$PROJECTS/a/apps/x"
assert_fails "Permission denied" as 4001 rmdir "$PROJECTS/a/apps/gw"
assert_fails "Permission denied" as 4001 mkdir "$PROJECTS/mine"
assert_fails "not permitted" as 4001 chown 4001 "$PROJECTS/a"

# a tenant: owns a project, sees nothing of another's that is closed
chown 4001:4001 "$PROJECTS/a"
chmod 750 "$PROJECTS/a" "$PROJECTS/b"
check_owner() {
    assert_eq "$(stat -c '%u:%g %a' "$PROJECTS/a")" "4001:4001 750" "owner and mode of the project $1"
    assert_eq "$(stat -c '%u' "$PROJECTS/a/policy" "$PROJECTS/a/signing_ca" "$PROJECTS/a/signing_ca/key.pem" | sort -u)" 4001 \
        "owner of what is in it $1"
    assert_eq "$(stat -c '%u:%g %a' "$PROJECTS/a/apps/own")" "4001:4001 700" "owner and mode of the app instance $1"
    as 4001 openssl pkey -in "$PROJECTS/a/apps/own/device_ca.key" -noout
    assert_fails "Permission denied" as 4002 ls "$PROJECTS/a"
    assert_fails "Permission denied" as 4001 ls "$PROJECTS/b"
    assert_fails "Permission denied" as 4001 cat "$PROJECTS/b/apps/gw/device_ca.pem"
}
as 4001 mkdir -m 700 "$PROJECTS/a/apps/own"
as 4001 cat "$PROJECTS/a/apps/own/bundle.pem" >/dev/null
as 4001 touch "$PROJECTS/a/apps/own/renew"
as 4001 sh -c "umask 077; echo reason >'$PROJECTS/a/apps/own/purge'"
as 4001 sh -c "printf '[certificate]\nvalidity_days = 50\n' >'$PROJECTS/a/policy'"
check_owner "at once"

# key_mode = 0440: the directory's group reads keys
printf '[files]\nkey_mode = 0440\n' >"$PROJECTS/a/policy"
chgrp 4003 "$PROJECTS/a/apps/own" "$PROJECTS/a"
chmod 750 "$PROJECTS/a/apps/own"
setpriv --reuid 4002 --regid 4003 --clear-groups cat "$PROJECTS/a/apps/own/device_ca.key" >/dev/null
assert_fails "Permission denied" as 4002 cat "$PROJECTS/a/apps/own/device_ca.key"
chgrp 4001 "$PROJECTS/a/apps/own" "$PROJECTS/a"
chmod 700 "$PROJECTS/a/apps/own"

restart_certfs
check_owner "after a remount"
kill_worker
check_owner "after the worker was killed"
check_clean
