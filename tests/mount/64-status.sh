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

printf '#!/bin/sh\n[ ! -e "%s/refuse" ] || { echo no gateway >&2; exit 1; }\n' "$T" >"$T/push"
chmod 755 "$T/push"
write_conf '[hooks]' "push = $T/push" 'retries = 0'
start_certfs
exit_status 0 "$CERTFS" status "$MNT"

# ---- the status of the whole ----
# fleet_says SEVERITY MESSAGE NEED: and both forms say the same
fleet_says() {
    assert_eq "$(field "$MNT/status" severity): $(field "$MNT/status" message)" "$1: $2" "status of the fleet"
    assert_eq "$(field "$MNT/status" projects_that_need_someone)" "$3" "how many need someone"
    python3 - "$MNT" <<'PYTHON'
import json, sys
import yaml
text, twin = yaml.safe_load(open(sys.argv[1] + "/status")), json.load(open(sys.argv[1] + "/status.json"))
assert text == twin, (text, twin)
PYTHON
}
fleet_says NOTICE "There is no project yet. Make one: mkdir projects/NAME." 0
new_project p
fleet_says NOTICE "There is no app instance yet. Make one: mkdir projects/PROJECT/apps/NAME." 0
mkdir "$PROJECTS/p/apps/c"
fleet_says NOTICE "Every project is as it should be. Nothing to do." 0
mkdir -m 750 "$PROJECTS/closed"
fleet_says ERROR "1 of 2 projects needs someone: the status of each says what to do." 1
assert_lacks "$(cat "$MNT/status")" "closed:" "a project that is closed to others"
assert_has "$(cat "$MNT/status")" "^# 1 of them closed to others" "that there is one"
chmod 755 "$PROJECTS/closed"
assert_has "$(cat "$MNT/status")" "^- .project: .closed., message: .*signing_ca/cert.pem" "a project that is open to others"
rmdir "$PROJECTS/closed" "$PROJECTS/p/apps/c"
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
assert_has "$(cat "$T/out")" "nothing of the type certfs is mounted: .certfs mount" "no mount"

# ---- wait ----
touch "$PROJECTS/p/force_update"
exit_status 0 "$CERTFS" wait p "$MNT"
assert_has "$(tail -n 1 "$T/out")" '^force_update: done, .* 0 failed' "the last line"
assert_has "$(on_terminal "$CERTFS" wait p "$MNT")" 'force_update \[#{40}\]' "a full bar"
touch "$T/refuse"
touch "$PROJECTS/p/force_update"
exit_status 1 "$CERTFS" wait p "$MNT"
assert_has "$(tail -n 1 "$T/out")" '^force_update: done, 0 of 1 done, 1 failed' "the last line of a job whose hook failed"
rm "$T/refuse"
mkdir "$PROJECTS/help"
exit_status 0 "$CERTFS" wait help "$MNT"
assert_has "$(cat "$T/out")" '^help: nothing to wait for' "a project in which nothing was started"
rmdir "$PROJECTS/help"
exit_status 0 "$CERTFS" wait --help
assert_eq "$(cat "$T/out")" "$("$CERTFS" help wait)" "certfs wait --help"
assert_lacks "$(cat "$T/out")" 'certfs mount' "the usage of wait"
exit_status 2 "$CERTFS" status --nonsense
assert_has "$(cat "$T/out")" "^certfs status: unrecognized option '--nonsense'" "a wrong option"
exit_status 1 "$CERTFS" wait nobody "$MNT"
exit_status 2 "$CERTFS" wait

# ---- watch: again and again, until it is ended ----
: >"$T/watched"
"$CERTFS" status --watch "$MNT" >"$T/watched" 2>&1 &
watcher=$!
watched() { [ "$(grep -c "$1" "$T/watched")" -ge "$2" ]; }
wait_until 20 watched '^lost ' 2
mkdir "$PROJECTS/found"
wait_until 20 watched '^found ' 1
assert_lacks "$(cat "$T/watched")" $'\033' "control characters without a terminal"
kill "$watcher"
wait "$watcher" || true
assert_has "$(timeout 5 script -qec "$(printf '%q ' "$CERTFS" status --watch "$MNT")" /dev/null </dev/null 2>/dev/null || true)" $'\033\\[2J' "a cleared terminal"
: >"$T/watched"
"$CERTFS" status --watch "$MNT" >"$T/watched" 2>&1 &
watcher=$!
wait_until 20 watched '^lost ' 1
check_clean
stop_certfs
status=0
wait "$watcher" || status=$?
assert_eq "$status" 1 "exit status when the mount ends"
assert_has "$(tail -n 1 "$T/watched")" '^certfs: .*'"$MNT" "why"
