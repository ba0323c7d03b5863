#!/bin/bash
# timeout: 300
# Two users own two projects: every file of the tree, as it lists itself, tried as the wrong user, as its owner and as root; what the
# audit has of it; and what everybody may read at the top, which has no name of a closed project.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need setpriv

ALICE=4001 BOB=4002
as() {
    setpriv --reuid "$1" --regid "$1" --clear-groups -- "${@:2}"
}
chmod 711 "$T"
start_certfs
new_project alices
new_project bobs
for project in alices bobs; do
    mkdir "$PROJECTS/$project/apps/gw-1-of-$project"
    # shellcheck disable=SC2016 # certfs's variable
    printf 'key: $webhook.azure.device_ca.key\n' >"$PROJECTS/$project/apps/gw-1-of-$project/user_data.in"
    echo saved >"$PROJECTS/$project/apps/gw-1-of-$project/renew"
    cat "$PROJECTS/$project/apps/gw-1-of-$project/bundle.pem" >/dev/null
done
mkdir "$PROJECTS/alices/apps/never" # where reading is not allowed, nothing is issued
chown $ALICE:$ALICE "$PROJECTS"/alices{,/apps/*}
chown $BOB:$BOB "$PROJECTS"/bobs{,/apps/*}
chmod 750 "$PROJECTS/alices"

fingerprint() {
    cat "$1/policy" "$1"/apps/*/{info,renew,purge,revoke,details,user_data.in} "$1/signing_ca/info" "$1"/{update,force_update} | sha256sum
}
audit_of() { grep -c "\"uid\":$1," "$MNT/audit" || true; }

# try PROJECT UID WHO HOW
try() {
    local text
    text=$(python3 "$SOURCE/tests/lib/tenants.py" "$PROJECTS/$1" "${@:2}" 2>>"$T/counts") || fail "$text"
}

# ---- as the wrong user: nothing changes, and none of it reaches certfs, since the kernel refuses it (default_permissions) ----
before=$(fingerprint "$PROJECTS/alices" && fingerprint "$PROJECTS/bobs")
try alices $BOB other closed
assert_eq "$(audit_of $BOB)" 0 "audit of a wrong user in a closed project"
try bobs $ALICE other open
assert_eq "$(audit_of $ALICE)" 0 "audit of a wrong user in an open project, who gets no key"
assert_eq "$(fingerprint "$PROJECTS/alices" && fingerprint "$PROJECTS/bobs")" "$before" "both projects"
assert_eq "$(field "$PROJECTS/alices/apps/never/status" state)" NOT_ISSUED "what only the wrong user has tried to read"
assert_errnos <<END
ENOENT stat $PROJECTS/bobs/absent
ENOENT stat $PROJECTS/bobs/apps/absent/device_ca.key
END
for line in "EACCES stat $PROJECTS/alices/absent" "EACCES mkdir $PROJECTS/new" "EACCES rmdir $PROJECTS/alices" "EACCES rmdir $PROJECTS/bobs" \
    "EACCES rename $PROJECTS/bobs $PROJECTS/mine" "ENOENT stat $PROJECTS/absent" "OK opendir $PROJECTS" "EACCES open_r $MNT/events" \
    "EACCES open_r $MNT/audit" "EACCES open_w $MNT/status" "EACCES mkdir $MNT/new"; do
    as 4003 python3 "$SOURCE/tests/lib/sys.py" <<<"$line" || fail "at the top, as a third user"
done

# ---- as the owner, and as root: the keys they read are in the audit ----
try alices $ALICE owner closed
try bobs $BOB owner open
for project in alices bobs; do
    own=$ALICE
    [ $project = alices ] || own=$BOB
    for file in device_ca.key bundle.pem user_data; do
        assert_has "$(cat "$MNT/audit")" "\"uid\":$own,.*$project/apps/gw-1-of-$project/$file\"" "audit of the owner"
    done
    assert_eq "$(grep -c "\"uid\":$own,.*$project/apps/gw-1-of-$project/device_ca.key\"" "$MNT/audit")" 2 "with that of generations/"
    assert_lacks "$(cat "$MNT/audit")" "\"uid\":$((ALICE + BOB - own)),.*projects/$project/" "audit of the other"
done
# What the kernel lets through, and certfs refuses: an owner's trigger where it may not fire is told with its reason
assert_fails 'Invalid argument' as $BOB dd status=none of="$PROJECTS/bobs/apps/gw-1-of-bobs/renew" <<<"compromised: x"
try alices 0 root closed
try bobs 0 root open

# ---- the top: sums of everything, names of what is open only ----
rm_ca() { echo 'compromised: stolen' >"$PROJECTS/$1/signing_ca/compromised"; }
rm_ca alices
rm_ca bobs
for file in status status.json metrics dashboard.html README; do
    as 4003 cat "$MNT/$file" >"$T/told"
    assert_lacks "$(cat "$T/told")" 'alices' "a closed project in $file"
    [ "$file" = README ] || [ "$file" = status.json ] || assert_has "$(cat "$T/told")" 'bobs' "an open project in $file"
done
assert_has "$(cat "$MNT/status")" '^# 1 of them closed to others' "that there is one more that needs someone"
assert_eq "$(field "$MNT/status" projects)" 2 "projects in status"
assert_has "$(cat "$MNT/metrics")" '^certfs_app_instances\{project="\(closed\)",state="COMPROMISED"\} [1-9]' "the closed one in the sums"
assert_has "$(cat "$MNT/metrics")" '^certfs_signing_ca_expiry_timestamp_seconds\{project="\(closed\)"\} [1-9]' "its signing CA"
assert_eq "$(stat -c '%a %u:%g' "$MNT/events" "$MNT/audit" | paste -sd,)" "440 0:0,400 0:0" "who may read what names everybody"
chmod 755 "$PROJECTS/alices"
assert_has "$(cat "$MNT/status")" '^- .project: .alices., message: ' "a project that has been opened"
assert_has "$(cat "$MNT/metrics")" 'project="alices"' "a project that has been opened"
cat "$T/counts"
check_clean
