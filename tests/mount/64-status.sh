#!/bin/bash
# certfs status (table, colour, --json, --check with exit statuses, the mount found by itself or named) and certfs wait.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need python3 script

# exit_status WANTED COMMAND…: what it prints is in $T/out
exit_status() {
    local status=0 wanted=$1
    shift
    "$@" >"$T/out" 2>&1 || status=$?
    assert_eq "$status" "$wanted" "exit status of $*: $(cat "$T/out")"
}

# on_terminal COMMAND…
on_terminal() {
    script -qec "${*@Q}" /dev/null </dev/null
}

start_certfs
exit_status 0 "$CERTFS" status "$MNT"
new_project p
mkdir "$PROJECTS/lost" "$PROJECTS/p/apps"/{a,b}
cat "$PROJECTS/p/apps/a/device_ca.pem" >/dev/null
exit_status 0 "$CERTFS" status "$MNT"
assert_has "$(cat "$T/out")" '^p +NOT_ISSUED|^p +VALID' "the row of p"
assert_has "$(cat "$T/out")" '^lost +NO_SIGNING_CA .*signing_ca/key.pem' "the row of lost"
assert_lacks "$(cat "$T/out")" $'\033' "colour without a terminal"
assert_has "$(on_terminal "$CERTFS" status "$MNT")" $'\033\\[1;31mNO_SIGNING_CA' "colour on a terminal"
assert_lacks "$(on_terminal env NO_COLOR=1 "$CERTFS" status "$MNT")" $'\033' "colour with NO_COLOR"
exit_status 0 "$CERTFS" status --json "$MNT"
python3 -c 'import json, sys
status = json.load(open(sys.argv[1]))
assert status["fleet"]["projects"] == 2, status
assert status["projects"]["p"]["apps"] == 2 and status["projects"]["lost"]["state"] == "NO_SIGNING_CA", status' "$T/out"

# ---- scripts ----
exit_status 0 "$CERTFS" status --check p/a --min-days 14 "$MNT"
exit_status 1 "$CERTFS" status --check p/a --min-days 4000 "$MNT"
assert_has "$(cat "$T/out")" 'wanted are at least 4000' "why"
exit_status 1 "$CERTFS" status --check p/b "$MNT"
assert_has "$(cat "$T/out")" 'NOT_ISSUED' "why"
exit_status 1 "$CERTFS" status --check p/nobody "$MNT"
exit_status 2 "$CERTFS" status --check p "$MNT"
exit_status 2 "$CERTFS" status --check p/a --min-days many "$MNT"
exit_status 2 "$CERTFS" status --nonsense
exit_status 2 "$CERTFS" status one two
exit_status 1 "$CERTFS" status "$T"
assert_has "$(cat "$T/out")" 'status.json: No such file' "a directory that is no certfs"
echo stolen >"$PROJECTS/p/apps/a/revoke"
exit_status 1 "$CERTFS" status --check p/a "$MNT"
echo back >"$PROJECTS/p/apps/a/purge"
cat "$PROJECTS/p/apps/a/device_ca.pem" >/dev/null

# ---- the mount, found; in a mount namespace where it is the only one, another one, or none ----
# shellcheck disable=SC2016
in_namespace() {
    unshare -m sh -c 'others=$(awk -v m="$0" "\$3 == \"fuse.certfs\" && \$2 != m { print \$2 }" /proc/self/mounts)
        for other in $others; do umount -l "$other"; done; eval "$1"' "$MNT" "$1"
}
exit_status 0 in_namespace "'$CERTFS' status"
assert_has "$(cat "$T/out")" "^$MNT: " "the mount that was found"
mkdir "$T/second"
exit_status 1 in_namespace "mount --bind '$MNT' '$T/second' && '$CERTFS' status"
assert_has "$(cat "$T/out")" "$MNT.*$T/second" "several mounts are named"
exit_status 1 in_namespace "umount -l '$MNT'; '$CERTFS' status"
assert_has "$(cat "$T/out")" "not mounted: certfs mount" "no mount"

# ---- wait ----
touch "$PROJECTS/p/force_update"
exit_status 0 "$CERTFS" wait p "$MNT"
assert_has "$(tail -n 1 "$T/out")" '^force_update: done, .* 0 failed' "the last line"
assert_has "$(on_terminal "$CERTFS" wait p "$MNT")" 'force_update \[#{40}\]' "a full bar"
exit_status 1 "$CERTFS" wait nobody "$MNT"
exit_status 2 "$CERTFS" wait
check_clean
