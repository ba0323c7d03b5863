#!/bin/bash
# Owners and modes of directories persist and decide: one user per tenant, enforced by the kernel.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need setpriv

as() {
    local user=$1
    shift
    setpriv --reuid "$user" --regid "$user" --clear-groups -- "$@"
}

chmod 755 "$T"
start_certfs
new_project tenant
new_project other
for app in a b; do
    mkdir "$PROJECTS/tenant/apps/$app" "$PROJECTS/other/apps/$app"
done
chown 4001:4001 "$PROJECTS/tenant" "$PROJECTS/tenant/apps/a"
chmod 750 "$PROJECTS/tenant/apps/a"

check_access() {
    local A=$PROJECTS/tenant/apps/a
    assert_eq "$(stat -c '%a %u:%g' "$PROJECTS/tenant" "$A" | paste -sd,)" "755 4001:4001,750 4001:4001" "owners $1"
    assert_eq "$(stat -c '%u:%g' "$A/device_ca.key" "$A/status" "$A/renew" "$PROJECTS/tenant/policy" | sort -u)" "4001:4001" \
        "owners of files $1"
    as 4001 cat "$A/device_ca.key" "$A/bundle.pem" >/dev/null || fail "the tenant can't read a key $1"
    as 4001 touch "$A/renew" || fail "the tenant can't renew $1"
    assert_fails "Permission denied" as 4002 cat "$A/device_ca.pem"
    assert_fails "Permission denied" as 4002 ls "$A"
    assert_fails "Permission denied" as 4002 touch "$A/renew"
    assert_fails "Permission denied" as 4001 cat "$PROJECTS/other/apps/a/device_ca.key"
    assert_fails "Permission denied" as 4001 touch "$PROJECTS/other/apps/a/purge"
    assert_fails "Permission denied" as 4001 mkdir "$PROJECTS/other/apps/mine"
    assert_fails "Permission denied" as 4001 rmdir "$PROJECTS/other/apps/b"
    assert_fails "Permission denied" as 4002 tee "$PROJECTS/tenant/policy"
    assert_fails "Permission denied" as 4002 tee "$PROJECTS/tenant/signing_ca/key.pem"
    as 4002 cat "$PROJECTS/other/apps/a/device_ca.pem" >/dev/null || fail "a public certificate is public $1"
    assert_fails "Operation not permitted" as 4002 chmod 777 "$PROJECTS/tenant"
    assert_fails "Operation not permitted" as 4002 chown 4002 "$PROJECTS/other/apps/a"
    # also what another user has just had the kernel cache
    cat "$A/device_ca.key" >/dev/null
    assert_fails "Permission denied" as 4002 cat "$A/device_ca.key"
}
check_access "at first"
restart_certfs
check_access "after a restart"
find_worker && kill_worker
check_access "after a kill"

# the tenant's own app instances are the tenant's
as 4001 mkdir "$PROJECTS/tenant/apps/own" 2>/dev/null || {
    # apps/ shows the project's owner
    fail "the tenant can't make an app instance: $(stat -c '%a %u' "$PROJECTS/tenant/apps")"
}
assert_eq "$(stat -c '%u:%g' "$PROJECTS/tenant/apps/own")" 4001:4001 "owner of what the tenant made"
as 4001 cat "$PROJECTS/tenant/apps/own/bundle.pem" >/dev/null
as 4001 cp "$CA/int.chain" "$PROJECTS/tenant/signing_ca/cert.pem"
as 4001 rmdir "$PROJECTS/tenant/apps/own"

# key_mode = 0440: the directory's group may read keys
chown 4001:4003 "$PROJECTS/tenant/apps/a"
assert_fails "Permission denied" as 4003 cat "$PROJECTS/tenant/apps/a/device_ca.key"
printf '[files]\nkey_mode = 0440\n' >"$PROJECTS/tenant/policy"
key_modes() {
    [ "$(stat -c %a "$PROJECTS/tenant/apps/a"/{device_ca.key,bundle.pem} | sort -u)" = "$1" ]
}
# (the kernel keeps attributes for a second at most)
wait_until 2 key_modes 440
as 4003 cat "$PROJECTS/tenant/apps/a"/{device_ca.key,bundle.pem,generations/*/device_ca.key} >/dev/null
setpriv --reuid 4002 --regid 4002 --groups 4003 cat "$PROJECTS/tenant/apps/a"/{device_ca.key,bundle.pem} >/dev/null
assert_fails "Permission denied" as 4002 cat "$PROJECTS/tenant/apps/a/device_ca.key"
printf '[files]\nkey_mode = 0400\n' >"$PROJECTS/tenant/policy"
for file in "$PROJECTS/tenant/apps/a"/{device_ca.key,bundle.pem,generations/*/device_ca.key}; do
    assert_fails "Permission denied" as 4003 cat "$file" # at once, whatever the kernel remembers
done
wait_until 2 key_modes 400
assert_fails "Permission denied" as 4003 cat "$PROJECTS/tenant/apps/a/device_ca.key"
assert_errno EINVAL write "$PROJECTS/tenant/policy" '[files]\nkey_mode = 0444\n'

# 0750 on a project: others see nothing of it
chmod 750 "$PROJECTS/tenant"
assert_fails "Permission denied" as 4002 ls "$PROJECTS/tenant"
assert_fails "Permission denied" as 4002 cat "$PROJECTS/tenant/status"
assert_fails "Permission denied" as 4002 cat "$PROJECTS/tenant/apps/b/device_ca.pem"
check_clean
