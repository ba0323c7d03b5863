#!/bin/bash
# events at three levels (JSON lines, ids that grow, poll, tail -f, also over the death of the worker), audit, readers.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/life.sh
. "$SOURCE/tests/lib/life.sh"

start_certfs
new_project p
new_project q
mkdir "$PROJECTS/p/apps"/{a,b} "$PROJECTS/q/apps/a"
p=$PROJECTS/p a=$PROJECTS/p/apps/a b=$PROJECTS/p/apps/b

# ---- what the lines are ----
# check_events FILE [PROJECT [APP]]: every line an object with the fixed keys, ids grow, all of that project and app instance
check_events() {
    python3 - "$@" <<'PYTHON'
import json, os, re, sys
path, project, app = (sys.argv[1:] + [None, None])[:3]
text = open(path, "rb").read().decode()
assert text and text.endswith("\n"), path
assert os.stat(path).st_size == len(text.encode()), "st_size of " + path
last = 0
for line in text.splitlines():
    event = json.loads(line)
    assert isinstance(event["id"], int) and event["id"] > last, (last, line)
    last = event["id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["time"]), line
    assert event["severity"] in ("NOTICE", "WARN", "ERROR"), line
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+", event["type"]), line
    assert event["message"], line
    assert set(event) <= {"id", "time", "severity", "type", "project", "app", "generation", "message"}, line
    assert project is None or event["project"] == project, line
    assert app is None or event["app"] == app, line
PYTHON
}
cat "$a/device_ca.pem" "$b/device_ca.pem" "$PROJECTS/q/apps/a/device_ca.pem" >/dev/null
echo 'a "quoted" reason: \ and é' >"$a/revoke"
echo 'back' >"$a/purge"
cat "$a/device_ca.pem" >/dev/null
check_events "$MNT/events"
check_events "$p/events" p
check_events "$a/events" p a
for type in project.created signing_ca.activated app.created device_ca.issued device_ca.revoked device_ca.purged; do
    has_events "$MNT/events" $type 1 || fail "no event $type"
done
assert_eq "$(events "$a/events" device_ca.issued) $(events "$p/events" device_ca.issued)" "1 2" "issued, app and project"
assert_eq "$(events "$MNT/events" device_ca.issued)" 3 "issued, fleet"
assert_has "$(grep device_ca.revoked "$a/events")" '\\"quoted\\" reason: \\\\ and' "a reason in JSON"
assert_eq "$(stat -c %a "$MNT/events") $(stat -c %a "$MNT/audit")" "440 400" "modes"
# the fleet's are those of the projects, a line for a line
assert_eq "$(cat "$p/events" "$PROJECTS/q/events" | sort)" "$(sort "$MNT/events")" "fleet and projects"
# nothing in events is secret
assert_lacks "$(cat "$MNT/events")" 'PRIVATE|BEGIN' "secrets in events"

# what is refused and what is only read tells nothing
before=$(events "$MNT/events")
assert_errnos <<LINES
EINVAL write $a/renew 'compromised: no\n'
EEXIST mkdir $PROJECTS/p/apps/a
OK read $a/device_ca.pem
OK read $p/status
LINES
assert_eq "$(events "$MNT/events")" "$before" "events after what changed nothing"

# ---- poll: a line of one's own level wakes, that of another does not ----
cat >"$T/poller.py" <<'PYTHON'
"""poller FILE SECONDS: reads to the end, says `ready`, polls until there is more, and says that; `woken` for each empty waking."""
import os, select, sys, time
fd = os.open(sys.argv[1], os.O_RDONLY)
while os.read(fd, 1 << 16):
    pass
poll = select.poll()
poll.register(fd, select.POLLIN)
print("ready", flush=True)
end, data = time.time() + float(sys.argv[2]), b""
while not data and time.time() < end:
    if poll.poll(1000 * (end - time.time())):
        data = os.read(fd, 1 << 16)
        print(data.decode() if data else "woken\n", end="", flush=True)
PYTHON
# poll_start NAME FILE SECONDS
poll_start() {
    : >"$T/$1.poll"
    python3 "$T/poller.py" "$2" "$3" >"$T/$1.poll" &
    wait_until 10 grep -q ready "$T/$1.poll"
}
poll_start fleet "$MNT/events" 20
poll_start project "$p/events" 20
poll_start app "$a/events" 20
poll_start other "$b/events" 3
poll_start elsewhere "$PROJECTS/q/events" 3
sleep 0.3
touch "$a/renew"
for name in fleet project app; do
    wait_until 10 grep -q '"type":"device_ca.renewed"' "$T/$name.poll"
    tail -n +2 "$T/$name.poll" | python3 -c 'import json, sys; [json.loads(l) for l in sys.stdin]'
    assert_lacks "$(cat "$T/$name.poll")" woken "wakings of $name with nothing to read"
done
wait
assert_eq "$(cat "$T/other.poll" "$T/elsewhere.poll")" $'ready\nready' "pollers of other app instances and projects"

# ---- poll and tail -f go on when the worker dies ----
poll_start killed "$p/events" 30
kill_worker
wait_until 10 grep -q woken "$T/killed.poll" # it may have missed something
touch "$b/renew"
wait_until 10 grep -q '"app":"b"' "$T/killed.poll"
wait

tail -n +1 -f "$MNT/events" >"$T/tail" &
tail_pid=$!
tail_has() { [ "$(grep -c device_ca.renewed "$T/tail")" -ge "$1" ]; }
wait_until 10 tail_has 2
touch "$a/renew"
wait_until 10 tail_has 3
kill_worker
touch "$a/renew"
wait_until 10 tail_has 4
for _ in $(seq 30); do touch "$b/renew"; done
wait_until 10 tail_has 34
kill $tail_pid
wait $tail_pid 2>/dev/null || true
cmp "$T/tail" "$MNT/events" || fail "tail -f saw something else than the file"

# a poller that is woken at each line, with many lines and deaths, sees every one once and in order
cat >"$T/follow.py" <<'PYTHON'
import json, os, select, sys, time
fd = os.open(sys.argv[1], os.O_RDONLY)
poll, data, end = select.poll(), b"", time.time() + 40
poll.register(fd, select.POLLIN)
while b'"end of the test' not in data and time.time() < end:
    more = os.read(fd, 4096)
    if more:
        data += more
    else:
        poll.poll(20000)
ids = [json.loads(line)["id"] for line in data.decode().splitlines()]
assert b"end of the test" in data, "never woken"
assert ids == sorted(set(ids)), "lines twice or out of order"
print(len(ids))
PYTHON
python3 "$T/follow.py" "$p/events" >"$T/follow.out" &
follower=$!
for round in 1 2 3; do
    for _ in $(seq 15); do touch "$a/renew"; done
    kill_worker
    touch "$b/renew"
    sleep 0.1
done
echo '"end of the test' >"$a/revoke"
wait $follower || fail "the follower"
assert_eq "$(cat "$T/follow.out")" "$(wc -l <"$p/events")" "lines that a poller saw, of those in the file (round $round)"
echo lift >"$a/purge"

# ids go on after a restart, and the old lines are the same
cp "$MNT/events" "$T/events"
restart_certfs
cmp <(head -c "$(stat -c %s "$T/events")" "$MNT/events") "$T/events" || fail "events changed by a restart"
check_events "$MNT/events"

# ---- audit: who, what, before the key leaves ----
audit_lines() { # OBJECT PATTERN
    grep -c "\"object\":\"[^\"]*$1\"" "$MNT/audit" || true
}
before=$(wc -l <"$MNT/audit")
cat "$a/device_ca.pem" "$a/status" "$a/info" "$a/trust_bundle.pem" >/dev/null
assert_eq "$(grep -c 'read' <(tail -n +$((before + 1)) "$MNT/audit") || true)" 0 "audit of public files"
last=$(field "$a/status" generation)
chmod 755 "$T"
cp /bin/cat "$T/readme-cat"
for file in device_ca.key bundle.pem user_data generations/"$last"/device_ca.key; do
    before=$(wc -l <"$MNT/audit")
    # shellcheck disable=SC2016
    pid=$(sh -c 'echo $$; exec "$0" "$1" >/dev/null' "$T/readme-cat" "$a/$file")
    python3 - "$MNT/audit" "$before" "$file" "$pid" "$last" <<'PYTHON'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
new = lines[int(sys.argv[2]):]
assert len(new) == 1, new
row = new[0]
assert (row["uid"], row["gid"], row["pid"], row["command"]) == (0, 0, int(sys.argv[4]), "readme-cat"), row
assert row["object"] == "projects/p/apps/a/" + sys.argv[3].removeprefix(f"generations/{sys.argv[5]}/"), row
assert row["generation"] == int(sys.argv[5]), row
assert [r["id"] for r in lines] == sorted({r["id"] for r in lines}), "ids"
PYTHON
done
check_audit_size() { assert_eq "$(stat -c %s "$MNT/audit")" "$(wc -c <"$MNT/audit")" "st_size of audit"; }
check_audit_size

# another user, another group
mkdir "$p/apps/theirs"
chown 1234:4321 "$p/apps/theirs"
chmod 755 "$T"
setpriv --reuid 1234 --regid 4321 --clear-groups cat "$p/apps/theirs/device_ca.key" >/dev/null
assert_has "$(tail -n 1 "$MNT/audit")" '"uid":1234,"gid":4321,"pid":[0-9]+,"command":"cat"' "audit of another user"
assert_fails "Permission denied" setpriv --reuid 1234 --regid 4321 --clear-groups cat "$MNT/audit"

# durable before the key leaves: the worker dies as soon as the first byte is there
python3 - "$b/device_ca.key" "$WORKER_PID" <<'PYTHON'
import os, signal, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
assert os.read(fd, 1)
os.kill(int(sys.argv[2]), signal.SIGKILL)
PYTHON
wait_until 20 find_worker "$WORKER_PID"
assert_has "$(tail -n 1 "$MNT/audit")" '"command":"python3?[0-9.]*",.*apps/b/device_ca.key|"command":"python3?[0-9.]*",.*b/device_ca.key' \
    "audit of a key read just before a crash"

# ---- readers ----
mkdir "$p/apps/r"
r=$p/apps/r
assert_eq "$(field "$r/readers" current) $(field "$r/readers" older)" "[] []" "readers of a new app instance"
cat "$r/device_ca.key" >/dev/null
"$T/readme-cat" "$r/bundle.pem" >/dev/null
cat "$r/device_ca.key" >/dev/null
touch "$r/renew"
"$T/readme-cat" "$r/bundle.pem" >/dev/null
python3 - "$r/readers" <<'PYTHON'
import sys, yaml
readers = yaml.safe_load(open(sys.argv[1]))
assert readers["generation"] == 2, readers
assert [(x["command"], x["generation"], x["uid"]) for x in readers["current"]] == [("readme-cat", 2, 0)], readers
assert [(x["command"], x["generation"], x["reads"]) for x in readers["older"]] == [("cat", 1, 2)], readers
PYTHON
check_clean

# ---- audit: who triggered what ----
echo "why not" >"$p/apps/theirs/purge"
assert_has "$(tail -n 1 "$MNT/audit")" '"uid":0,.*purge' "audit of a trigger"
setpriv --reuid 1234 --regid 4321 --clear-groups touch "$p/apps/theirs/renew"
assert_has "$(tail -n 1 "$MNT/audit")" '"uid":1234,"gid":4321,.*"command":"touch".*renew' "audit of another user's trigger"
touch "$p/force_update"
assert_has "$(tail -n 1 "$MNT/audit")" '"uid":0,.*force_update' "audit of a trigger of the project"

# the name of a command may be any bytes, and the kernel cuts it after 15: each line of the audit is JSON all the same
cp /bin/cat "$T/abcdefghijklmn"$'\xc3\xa9'
"$T/abcdefghijklmn"$'\xc3\xa9' "$PROJECTS/p/apps/b/device_ca.key" >/dev/null
cp /bin/cat "$T/"$'a"b\\\x01\xff'
"$T/"$'a"b\\\x01\xff' "$PROJECTS/p/apps/b/device_ca.key" >/dev/null
jq -e . "$MNT/audit" >/dev/null || fail "audit is not JSON"
assert_eq "$(tail -n 2 "$MNT/audit" | jq -r .command | tr '\n' ' ')" 'abcdefghijklmn? a"b\?? ' "names of commands"
python3 -c 'import sys, yaml; yaml.safe_load(sys.stdin)' <"$PROJECTS/p/apps/b/readers"

# ---- who follows a log sees all of it, once, and may go back ----
cat >"$T/follow.py" <<'PYTHON'
"""follow FILE LINES: reads until so many lines have come since it began to read, and prints what came; then once more, from the start."""
import os, select, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
poll = select.poll()
poll.register(fd, select.POLLIN)
data = b""
while part := os.read(fd, 5000):
    data += part
print("ready", flush=True)
old = len(data)
while data[old:].count(b"\n") < int(sys.argv[2]):
    poll.poll(20000)
    part = os.read(fd, 3000)
    data += part
sys.stdout.buffer.write(data)
again = b""
while part := os.pread(fd, 70000, len(again)):
    again += part
assert again == data, (len(again), len(data))
PYTHON
python3 "$T/follow.py" "$p/events" 1500 >"$T/followed" &
follower=$!
wait_until 10 grep -q ready "$T/followed"
for i in {1..1500}; do
    echo "v=$i" >"$b/details"
done
wait "$follower" || fail "a follower of a log"
cat "$p/events" >"$T/events"
assert_same <(tail -n +2 "$T/followed") "$T/events" "what a follower saw"
