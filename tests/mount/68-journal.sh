#!/bin/bash
# timeout: 120
# The log goes to the journal with fields, in the background and where standard error is a stream of it, from a worker without
# privileges, too; else to standard error. Much of the same is counted, and told of in one line.
# shellcheck source=tests/lib/journal.sh
. "$(dirname "$0")/../lib/journal.sh"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/life.sh
. "$SOURCE/tests/lib/life.sh"
chmod 711 "$T"
chmod 700 "$T/store"
journal_start

printf '#!/bin/sh\necho no way >&2\nexit 3\n' >"$T/hook"
chmod 755 "$T/hook"
write_conf '[daemon]' 'user = nobody' '[hooks]' "push = $T/hook" 'retries = 0' 'user = nobody'
start_certfs
new_project plant-7
mkdir "$PROJECTS/plant-7/apps/gw-01"

# ---- a fact with its fields, from the worker ----
touch "$PROJECTS/plant-7/apps/gw-01/purge"
HOOK='select(.CERTFS_EVENT == "hook.push")'
wait_until 20 in_journal "$HOOK"
assert_eq "$(journal "$HOOK | [.PRIORITY, .CERTFS_PROJECT, .CERTFS_APP, .SYSLOG_IDENTIFIER, .SYSLOG_FACILITY] | join(\" \")")" \
    "3 plant-7 gw-01 certfs 3" "fields of a hook that failed"
assert_has "$(journal "$HOOK | .MESSAGE")" '^plant-7/gw-01: .*no way' "its message"
assert_has "$(journal "$HOOK | .CERTFS_OPERATION")" '^purge' "its operation"
assert_eq "$(journal 'select(.PRIORITY == "7" or (.CERTFS_EVENT // "" | startswith("device_ca.issued"))) | .MESSAGE')" "" \
    "what is not wanted at level info"

# ---- from the supervisor, and an errno ----
kill_worker
DIED='select(.MESSAGE | contains("died (signal 9"))'
wait_until 10 in_journal "$DIED"
assert_eq "$(journal "$DIED | .PRIORITY")" 3 "priority of a worker's death"
printf '[log]\nlevel = loud\n' >>"$CONF"
kill -HUP "$SUPERVISOR_PID"
REFUSED='select(.MESSAGE | contains("stays as it was"))'
wait_until 10 in_journal "$REFUSED"
assert_has "$(journal "$REFUSED | .MESSAGE")" "$CONF" "the file of a bad configuration"
assert_eq "$(journal "$REFUSED | .ERRNO")" 22 "its errno"
write_conf '[log]' 'level = debug' '[daemon]' 'user = nobody' '[hooks]' "push = $T/hook" 'retries = 0' 'user = nobody'
old=$WORKER_PID
kill -HUP "$SUPERVISOR_PID"
wait_until 20 find_worker "$old"

# ---- with level = debug all that happens, and a crowd is counted ----
for i in $(seq 30); do
    mkdir "$PROJECTS/plant-7/apps/many-$i"
done
CREATED='select(.CERTFS_EVENT == "app.created")'
wait_until 20 in_journal "$CREATED"
assert_eq "$(journal "$CREATED | .PRIORITY" | sort -u)" 7 "priority of what is as it should be"
stop_certfs
assert_eq "$(journal "$CREATED | .MESSAGE" | wc -l)" 10 "of 30 of a kind these are written"
SUPPRESSED='select(.CERTFS_SUPPRESSED and (.MESSAGE | contains("many-30")))'
wait_until 10 in_journal "$SUPPRESSED"
assert_eq "$(journal "$SUPPRESSED | .CERTFS_SUPPRESSED")" 20 "the others are told of, at the latest at the end"

# ---- in the foreground: standard error, unless it is the journal's ----
# foreground FUNCTION COMMAND…: the command starts certfs, the function is called before something is logged
foreground() {
    local then=$1
    shift
    "$@" "$CERTFS" mount -f -c "$CONF" "$MNT" 2>"$T/stderr" </dev/null &
    wait_until 10 mounted
    wait_until 10 find_supervisor
    wait_until 10 find_worker
    "$then"
    kill_worker
    stop_certfs
}
write_conf
: >"$T/journal"
foreground true env
assert_has "$(cat "$T/stderr")" '^certfs: the worker of .* died' "standard error"
assert_eq "$(journal .MESSAGE)" "" "the journal, without its stream"
: >"$T/stderr"
foreground true env "JOURNAL_STREAM=$(stat -c %d:%i "$T/stderr")"
assert_lacks "$(cat "$T/stderr")" 'died' "standard error, where it is the journal's stream"
assert_has "$(journal .MESSAGE)" '^the worker of .* died' "the journal"
# a journal that went away: nothing is lost
journal_ends() { rm /run/systemd/journal/socket; }
: >"$T/stderr"
foreground journal_ends env "JOURNAL_STREAM=$(stat -c %d:%i "$T/stderr")"
assert_has "$(cat "$T/stderr")" '^certfs: the worker of .* died' "standard error, without a journal"
