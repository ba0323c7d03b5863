#!/bin/bash
# timeout: 120
# Hooks: what they are told, in which order, in which of purge, update and force_update; failures, time limits, a dead worker.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/life.sh
. "$SOURCE/tests/lib/life.sh"

# One executable for all kinds. It notes `start|end KIND PROJECT APP OPERATION GENERATION`, keeps what it is told, and does
# what $T/do/KIND (or $T/do/KIND.APP) says in between.
umask 0
mkdir "$T/do" "$T/told"
umask 022
chmod 755 "$T"
cat >"$T/hook" <<SCRIPT
#!/bin/sh
T='$T'
SCRIPT
cat >>"$T/hook" <<'SCRIPT'
told=$T/told/$(date +%s%N).$$.$CERTFS_HOOK
env >"$told.part"
cat >"$told.json"
ls /proc/self/fd >"$told.fds"
cat /proc/self/status >"$told.status"
mv "$told.part" "$told.env" # last: who sees it finds the others whole
note() {
    echo "$1 $CERTFS_HOOK ${CERTFS_PROJECT:--} ${CERTFS_APP:--} ${CERTFS_OPERATION:--} ${CERTFS_GENERATION:--}" >>"$T/log.$CERTFS_HOOK" || :
    [ "$CERTFS_HOOK" = event ] || echo "$1 $CERTFS_HOOK $CERTFS_PROJECT $CERTFS_APP $CERTFS_OPERATION $CERTFS_GENERATION" >>"$T/log"
}
# waits until the test says `go`
wait_for_go() {
    while [ ! -e "$T/go" ] && [ -e "$T/hook" ]; do
        sleep 0.05
    done
}
note start
for todo in "$T/do/$CERTFS_HOOK" "$T/do/$CERTFS_HOOK.${CERTFS_APP-}"; do
    [ ! -e "$todo" ] || . "$todo"
done
note end
SCRIPT
chmod 755 "$T/hook"

HOOKS=('[hooks]' "details = $T/hook" "push = $T/hook" "purge = $T/hook" "restart = $T/hook" "event = $T/hook")
write_conf "${HOOKS[@]}" 'timeout_seconds = 3' 'retries = 2'

# forget: what the hooks have noted so far
forget() {
    rm -f "$T/go" "$T"/do/*
    touch "$T/log"
    chmod 666 "$T/log"
    : >"$T/log"
}

# noted PATTERN: how many lines of the log
noted() {
    grep -Ec -- "$1" "$T/log" || true
}

has_noted() {
    [ "$(noted "$1")" -ge "$2" ]
}

# kinds PROJECT APP: of the hooks started for it, in order
kinds() {
    sed -n "s/^start \([a-z]*\) $1 $2 .*/\1/p" "$T/log" | tr '\n' ' '
}

operations() {
    sed -n "s/^start [a-z]* $1 $2 \([^ ]*\) .*/\1/p" "$T/log" | sort -u
}

purge_is() {
    [ "$(field "$1/purge" state)" = "$2" ]
}

# purged APP [SECONDS]
purged() {
    wait_until "${2:-20}" purge_is "$1" "done"
}

# soft ASSERTION…: goes on after a failure, and fails at the end
SOFT=()
soft() {
    local text
    text=$( ("$@") 2>&1) || SOFT+=("$text")
}

start_certfs
new_project p
p=$PROJECTS/p
mkdir "$p"/apps/{a,b,c,d}
a=$p/apps/a b=$p/apps/b

# ---- a purge: every kind in its order, told the same operation; the event hook beside it ----
forget
touch "$a/purge"
purged "$a"
assert_eq "$(kinds p a)" "details push purge restart " "hooks of a purge"
assert_eq "$(operations p a | wc -l)" 1 "operation ids of a purge"
assert_eq "$(sed -n 's/^start push p a [^ ]* //p' "$T/log")" "$(field "$a/status" generation)" "CERTFS_GENERATION of push"
assert_eq "$(field "$a/status" delivered_generation)" "$(field "$a/status" generation)" "delivered_generation"
assert_has "$(field "$a/status" delivered_at)" '^2[0-9]{3}-.*Z$' "delivered_at"
assert_lacks "$(cat "$a/status")" DEVICE_CA_NOT_DELIVERED "after push"
for kind in details push purge restart; do
    assert_eq "$(events "$a/events" "hook.$kind\"")" 1 "events of hook $kind"
done
first=$(operations p a)

python3 - "$T/told" "$MNT" "$first" <<'PYTHON'
import glob, json, re, sys
directory, mount, operation = sys.argv[1:]
files = sorted(glob.glob(directory + "/*.env"))
assert files
for path in files:
    kind = path.split(".")[-2]
    stem = path[:-4]
    env = dict(line.split("=", 1) for line in open(path).read().splitlines())
    event = json.loads(open(stem + ".json").read())
    assert env["CERTFS_HOOK"] == kind and env["CERTFS_MOUNT"] == mount, env
    assert set(env) <= {"PATH", "PWD", "OLDPWD", "_", "SHLVL"} | {n for n in env if n.startswith("CERTFS_")}, env
    assert env.get("PWD", "/") == "/", env
    for name in ("time", "severity", "type", "message"):
        assert isinstance(event[name], str) and event[name], event
    if kind != "event":
        assert env["CERTFS_PROJECT"] == event["project"] == "p" and env["CERTFS_APP"] == event["app"] == "a", (env, event)
        assert env["CERTFS_OPERATION"] == operation, env
        assert event["generation"] == int(env.get("CERTFS_GENERATION", "0")), (env, event)
    assert open(stem + ".fds").read().split() == ["0", "1", "2", "3"], "descriptors of " + stem  # 3: of ls itself
    status = dict(line.split(":\t", 1) for line in open(stem + ".status").read().splitlines())
    assert int(status["SigBlk"], 16) == 0, "blocked signals"
    assert int(status["SigIgn"], 16) & 1 << 12 == 0, "SIGPIPE is ignored"
    assert status["Uid"].split() == ["0"] * 4, status["Uid"]
PYTHON
tells_project() {
    python3 - "$T/told" <<'PYTHON'
import glob, json, sys
for path in glob.glob(sys.argv[1] + "/*.event.env"):
    env = dict(line.split("=", 1) for line in open(path).read().splitlines())
    event = json.load(open(path[:-4] + ".json"))
    for name in ("project", "app", "generation"):
        got, wanted = env.get("CERTFS_" + name.upper()), event.get(name)
        if got != (None if wanted is None else str(wanted)):
            sys.exit(f"hook event: CERTFS_{name.upper()} is {got}, the event's {name} is {wanted}")
PYTHON
}
soft tells_project

# ---- update: pushes what it re-issues, and no more ----
forget
cat "$b/device_ca.pem" >/dev/null
assert_has "$(cat "$b/status")" '^- \{cause: DEVICE_CA_NOT_DELIVERED, severity: WARN, scope: EDGE_APP_INSTANCE' "read, not pushed"
make_intermediate int2 root
upload p int2
touch "$p/apps/d/purge"
purged "$p/apps/d"
assert_eq "$(field "$b/status" state)" UPDATE_REQUIRED "b under the replaced signing CA"
forget
touch "$p/update"
job_done p
assert_eq "$(kinds p a)$(kinds p b)" "push push " "hooks of an update"
assert_eq "$(kinds p c)" "" "hooks for an app instance never issued"
soft assert_eq "$(kinds p d)" "" "hooks of an update for d, VALID and delivered"
assert_eq "$(field "$b/status" state) $(field "$b/status" delivered_generation)" "VALID $(field "$b/status" generation)" "b after update"
assert_lacks "$(cat "$b/status")" DEVICE_CA_NOT_DELIVERED "after update"

# ---- details: the output replaces them; a bad one is refused, and tried again ----
forget
printf 'ssh_host=old\nkept=no\n' >"$a/details"
cat >"$T/do/details" <<'SCRIPT'
if [ -e "$T/do/tried" ]; then
    printf '# from the controller\nssh_host=new\n'
else
    touch "$T/do/tried"
    printf 'ssh_host=bad\nno such line\n'
fi
SCRIPT
touch "$a/purge"
wait_until 10 has_noted 'end details' 1
assert_eq "$(cat "$a/details")" $'ssh_host=old\nkept=no' "details after a bad output"
purged "$a"
assert_eq "$(cat "$a/details")" $'# from the controller\nssh_host=new' "details after the hook"
assert_eq "$(kinds p a)" "details details push purge restart " "hooks with a bad output of details"
assert_eq "$(operations p a | wc -l)" 1 "operation ids over a retry"
assert_has "$(grep hook.details "$a/events")" '"severity":"WARN".*try 1 failed.*line 2' "event of a bad output"

# one that is too long is no shorter one
forget
cat >"$T/do/details" <<'SCRIPT'
if [ -e "$T/do/tried" ]; then
    echo ssh_host=short
else
    touch "$T/do/tried"
    i=0
    while [ $((i += 1)) -le 7000 ]; do echo "key$i=value"; done
fi
SCRIPT
touch "$a/purge"
purged "$a"
assert_eq "$(cat "$a/details")" ssh_host=short "details after an output that is too long"
assert_has "$(grep hook.details "$a/events")" 'try 1 failed.*more than 65536 bytes' "event of an output that is too long"

# ---- fails twice, then succeeds ----
forget
cat >"$T/do/push" <<'SCRIPT'
echo x >>"$T/do/tries"
if [ "$(wc -l <"$T/do/tries")" -lt 3 ]; then
    echo "the node is \"down\"" >&2
    exit 7
fi
SCRIPT
printf 'ssh_host=new\n' >"$a/details"
printf 'echo ssh_host=new\n' >"$T/do/details"
touch "$a/purge"
purged "$a"
assert_eq "$(kinds p a)" "details push push push purge restart " "hooks with two failures"
assert_eq "$(operations p a | wc -l)" 1 "operation ids over retries"
text=$(grep 'hook.push' "$a/events" | tail -n 3)
assert_has "$text" '"severity":"WARN".*try 1 failed.*exited with 7: the node is \\"down\\"' "event of the first failure"
assert_has "$text" '"severity":"WARN".*try 2 failed' "event of the second failure"
assert_has "$(tail -n 1 <<<"$text")" '"severity":"NOTICE".*done' "event of the success"
assert_eq "$(field "$a/status" delivered_generation)" "$(field "$a/status" generation)" "delivered after failures"

# ---- never returns: nobody waits for it, all of it is ended, and the next touch goes on at that step ----
forget
cat >"$T/do/purge" <<'SCRIPT'
trap '' TERM
sleep 1000 &
echo $! >>"$T/do/pids"
echo $$ >>"$T/do/pids"
sleep 1000
SCRIPT
touch "$a/purge"
wait_until 10 has_noted 'start purge' 1
begin=${EPOCHREALTIME/[.,]/}
cat "$a/device_ca.pem" "$a/device_ca.key" "$a/user_data" "$a/status" "$b/device_ca.pem" "$MNT/status" >/dev/null
touch "$b/renew"
[ $((${EPOCHREALTIME/[.,]/} - begin)) -lt 2000000 ] || fail "readers waited for a hook"
assert_eq "$(field "$a/purge" state)" running "purge while its hook runs"
wait_until 40 purge_is "$a" failed
assert_eq "$(kinds p a)" "details push purge purge purge " "hooks up to the end of retries"
while read -r pid; do
    gone "$pid" || fail "process $pid of a hook that was ended is alive"
done <"$T/do/pids"
assert_eq "$(wc -l <"$T/do/pids")" 6 "processes"
text=$(grep 'hook.purge' "$a/events" | tail -n 3)
assert_has "$text" '"severity":"WARN".*try 1 failed.*ended after 3 seconds' "event of the time limit"
assert_has "$(tail -n 1 <<<"$text")" '"severity":"ERROR".*try 3 failed.*given up' "event of the last try"
given_up=$(operations p a)
forget
touch "$a/purge"
purged "$a"
assert_has "$(kinds p a)" '^purge restart ' "hooks after purge was given up"
assert_eq "$(operations p a | head -n 1)" "$given_up" "operation id after purge was given up"
cat "$a/device_ca.pem" >/dev/null
soft assert_eq "$(field "$a/status" state) $(field "$a/status" delivered_generation)" "VALID $(field "$a/status" generation)" \
    "after a purge that was resumed: the certificate that the gateway has got and the one a reader gets"

# ---- purge while a purge runs: one more, however often; rmdir must wait ----
forget
echo wait_for_go >"$T/do/purge"
touch "$a/purge"
wait_until 10 has_noted 'start purge' 1
echo again >"$a/purge"
touch "$a/purge"
assert_errno EBUSY rmdir "$a"
[ -d "$a" ] || fail "rmdir: EBUSY, but it is gone"
touch "$T/go"
wait_until 20 has_noted 'end restart' 2
purged "$a"
sleep 1
assert_eq "$(kinds p a)" "details push purge restart details push purge restart " "hooks of two purges"
soft assert_eq "$(operations p a | wc -l)" 2 "operation ids of two purges"
assert_eq "$(field "$a/status" delivered_generation)" "$(field "$a/status" generation)" "delivered after two purges"

# ---- the worker dies in the middle of a hook ----
for step in push restart; do
    forget
    echo wait_for_go >"$T/do/$step"
    touch "$a/purge"
    wait_until 10 has_noted "start $step" 1
    kill_worker
    wait_until 10 has_noted "start $step" 2
    touch "$T/go"
    purged "$a"
    assert_eq "$(noted "start $step p a")" 2 "$step, over the death of the worker"
    assert_eq "$(noted "start details p a")" 1 "details, over the death of the worker in $step"
    assert_eq "$(operations p a | wc -l)" 1 "operation ids over the death of the worker in $step"
done

# ---- force_update: no more than max_parallel at once, each in its order ----
mkdir "$PROJECTS/q" && upload q int2
q=$PROJECTS/q
printf '[rollout]\nmax_parallel = 3\n' >"$q/policy"
mkdir "$q"/apps/n{1..7} "$q/apps/never"
for app in "$q"/apps/n?; do
    cat "$app/device_ca.pem" >/dev/null
done
forget
echo 'sleep 0.2' >"$T/do/push"
touch "$q/force_update"
wait_until 10 has_noted 'end push q' 2
kill_worker
job_done q
for n in 1 2 3 4 5 6 7; do
    assert_has "$(kinds q "n$n")" '^((details )+(push )+(purge )+(restart )+)+$' "hooks of force_update for n$n"
    assert_eq "$(field "$q/apps/n$n/status" generation) $(field "$q/apps/n$n/status" delivered_generation)" "2 2" "n$n after force_update"
done
assert_eq "$(kinds q never)" "" "hooks of force_update for what was never issued"
assert_eq "$(operations q 'n[1-7]' | wc -l)" 1 "operation ids of force_update"
# how many at once: hooks that a dead worker left behind may still run beside the new one's, so this is another one
forget
echo 'sleep 0.2' >"$T/do/push"
touch "$q/force_update"
job_done q
python3 - "$T/log" <<'PYTHON'
import sys
now = most = 0
for line in open(sys.argv[1]):
    now += 1 if line.startswith("start") else -1
    most = max(most, now)
assert now == 0 and 2 <= most <= 3, (now, most)
PYTHON

# ---- force_update over the death of the worker: goes on at the step, as the same operation ----
mkdir "$PROJECTS/r" && upload r int2
r=$PROJECTS/r
mkdir "$r/apps/x"
cat "$r/apps/x/device_ca.pem" >/dev/null
forget
echo wait_for_go >"$T/do/purge"
touch "$r/force_update"
wait_until 10 has_noted 'start purge r' 1
kill_worker
wait_until 10 has_noted 'start purge r' 2
touch "$T/go"
job_done r
assert_eq "$(operations r x | wc -l)" 1 "operation ids of force_update over the death of the worker"
soft assert_eq "$(kinds r x)" "details push purge purge restart " "hooks of force_update over the death of the worker"

# ---- a purge of an app instance while a job is at it is not lost ----
forget
echo wait_for_go >"$T/do/push"
touch "$r/force_update"
wait_until 10 has_noted 'start push r' 1
touch "$r/apps/x/purge"
touch "$T/go"
job_done r
for _ in $(seq 100); do
    ! purge_is "$r/apps/x" "done" || break
    sleep 0.1
done
soft assert_eq "$(field "$r/apps/x/purge" state)" "done" "a purge that was triggered while force_update was at the app instance"
soft assert_has "$(operations r x)" '^purge-' "hooks of a purge that was triggered while force_update was at the app instance"

# ---- a compromise while a job runs: it waits for another signing CA, and nothing counts as failed ----
mkdir "$PROJECTS/s"
make_root own
upload s own
s=$PROJECTS/s
mkdir "$s/apps/y"
cat "$s/apps/y/device_ca.pem" >/dev/null
forget
echo wait_for_go >"$T/do/details"
touch "$s/force_update"
wait_until 10 has_noted 'start details s' 1
echo stolen >"$s/signing_ca/compromised"
touch "$T/go"
sleep 8
soft assert_eq "$(field "$s/progress" state) $(field "$s/progress" failed)" "paused 0" "progress after a compromise"
rm -f "$T/do/details"
upload s int2
soft job_done s 20
soft assert_has "$(kinds s y)" 'push purge restart $' "hooks after another signing CA was uploaded"

# ---- event: every event, in order ----
told_all() {
    python3 - "$MNT/events" "$T/told" 2>"$T/told_all" <<'PYTHON'
import glob, json, sys
wanted = [json.loads(line)["id"] for line in open(sys.argv[1])]
# a hook whose worker died before it told anything has an empty file, and so has one that has just begun
texts = [open(path).read() for path in sorted(glob.glob(sys.argv[2] + "/*.event.json"))]
got = [json.loads(text)["id"] for text in texts if text]
if not got or got[-1] != wanted[-1]:
    sys.exit(f"told up to {got[-1:]}, there are {wanted[-1:]}")
assert sorted(set(got)) == wanted, set(wanted) - set(got)
assert got == sorted(got), "not in order"
assert len(got) - len(set(got)) <= 8, "told again and again"
PYTHON
}
for _ in $(seq 60); do
    ! told_all || break
    sleep 0.5
done
told_all || fail "events told to the hook: $(cat "$T/told_all")"

# ---- as another user; what can't be started ----
stop_certfs
check_clean
write_conf "${HOOKS[@]}" 'user = nobody' 'retries = 0'
rm -f "$T"/told/* "$T"/log.*
start_certfs
forget
touch "$a/purge"
purged "$a"
assert_eq "$(kinds p a)" "details push purge restart " "hooks as nobody"
python3 - "$T/told" <<'PYTHON'
import glob, pwd, sys
nobody = pwd.getpwnam("nobody")
# The event hook runs beside the steps: it may be writing its own at this moment.
files = [path for path in glob.glob(sys.argv[1] + "/*.status") if "CapEff" in open(path).read()]
assert len(files) >= 4
for path in files:
    status = dict(line.split(":\t", 1) for line in open(path).read().splitlines())
    assert status["Uid"].split() == [str(nobody.pw_uid)] * 4, status["Uid"]
    assert status["Gid"].split() == [str(nobody.pw_gid)] * 4, status["Gid"]
    assert set(status["Groups"].split()) <= {str(nobody.pw_gid)}, status["Groups"]
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0, status["CapEff"]
PYTHON
restart_with() {
    stop_certfs
    write_conf "$@"
    start_certfs
}
chmod 644 "$T/hook"
touch "$a/purge"
wait_until 10 purge_is "$a" failed
assert_has "$(tail -n 1 "$a/events")" '"type":"hook.details".*'"$T/hook"' can.t be started' "a hook that is not executable"
chmod 755 "$T/hook"
restart_with '[hooks]' "push = $T/hook" 'user = no-such-user' 'retries = 0'
touch "$b/purge"
wait_until 10 purge_is "$b" failed
assert_has "$(tail -n 1 "$b/events")" 'hooks.user = no-such-user: there is no such user' "a user that is not there"
# ---- no hooks any more: what was given up ends at the next touch; deliveries are nobody's business ----
restart_with
touch "$b/purge"
purged "$b"
assert_lacks "$(cat "$b/status")" DEVICE_CA_NOT_DELIVERED "without a hook push"
stop_certfs
check_clean

[ ${#SOFT[@]} = 0 ] || fail "$(printf '%s\n' "${#SOFT[@]} findings:" "${SOFT[@]}")"
