#!/bin/bash
# Whom a job reaches, how fast, and what is said of it: per_minute, revoked gateways, progress from the start, the failed step of a purge.
# variants: plain
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need sqlite3

cat >"$T/push" <<END
#!/bin/sh
[ ! -e "$T/broken" ] || { echo "the gateway does not answer" >&2; exit 1; }
[ ! -e "$T/slow" ] || { touch "$T/begun" && sleep 5; }
echo "\$CERTFS_APP" >>"$T/pushed"
END
chmod 755 "$T/push"
write_conf "[hooks]" "push = $T/push" "retries = 0"
start_certfs
new_project p
p=$PROJECTS/p
mkdir "$p/apps/"{a,b,c,d,e,f}
for app in a b c d e f; do
    cat "$p/apps/$app/device_ca.pem" >/dev/null
done
done_with() {
    [ "$(field "$p/progress" state)" = "done" ]
}
pushed() {
    wc -l <"$T/pushed"
}

# ---- an update pushes what has not been delivered, and says so; a revoked gateway gets nothing ----
echo stolen >"$p/apps/f/revoke"
assert_has "$(field "$p/update" would)" 'and others that have not been delivered' "would of update"
touch "$p/update"
wait_until 20 done_with
assert_eq "$(sort "$T/pushed" | tr '\n' ' ')" 'a b c d e ' "gateways that an update reached"
assert_lacks "$(cat "$p/apps/f/status")" delivered "status of a revoked app instance"
assert_eq "$(field "$p/update" state)" "done" "state of the update"
touch "$p/force_update"
wait_until 20 done_with
assert_lacks "$(cat "$T/pushed")" f "gateways that force_update reached"
assert_eq "$(field "$p/progress" failed)" 0 "failures"

# ---- progress knows how many there are from the start ----
touch "$T/slow"
touch "$p/force_update"
assert_eq "$(field "$p/progress" total)" 6 "total at the start"
assert_eq "$(field "$p/progress" state)" running "state at the start"
mkdir "$p/apps/late"
cat "$p/apps/late/device_ca.pem" >/dev/null
rm "$T/slow"
wait_until 30 done_with
assert_eq "$(field "$p/progress" 'done') $(field "$p/progress" total)" "7 7" "done and total, with one that was issued meanwhile"
rmdir "$p/apps/late"

# ---- per_minute: evenly, and what is passed by costs nothing ----
printf '[rollout]\nper_minute = 20\n' >"$p/policy"
: >"$T/pushed"
touch "$p/force_update"
sleep 7
count=$(pushed)
((count >= 1 && count <= 4)) || fail "20 a minute: $count in seven seconds"
assert_eq "$(field "$p/progress" state)" running "a job that waits for its pace"
wait_until 30 done_with
assert_eq "$(pushed)" 5 "pushed in the end"
printf '[rollout]\nper_minute = 1\n' >"$p/policy"
touch "$p/update" # all of them are as they should be
wait_until 20 done_with
printf '[rollout]\nper_minute = 0\n' >"$p/policy"

# ---- what failed is said, and what a touch would do ----
touch "$T/broken"
touch "$p/apps/a/purge"
failed() {
    [ "$(field "$p/apps/a/purge" state)" = failed ]
}
wait_until 20 failed
assert_has "$(field "$p/apps/a/purge" would)" 'go on with purge-[0-9-]+ at the step that failed: push' "would of a purge that failed"
generation=$(field "$p/apps/a/status" generation)
assert_eq "$(field "$p/apps/a/status" severity)" WARN "severity of what was not delivered"
assert_has "$(field "$p/apps/a/status" message)" "has not got generation $generation yet" "message of what was not delivered"
touch "$p/force_update"
wait_until 20 done_with
assert_has "$(cat "$p/status")" 'cause: UPDATE_INCOMPLETE.*did not reach 5 of 6 app instances' "notice of a job that left some behind"
rm "$T/broken"
touch "$p/apps/a/purge"
delivered() {
    [ "$(field "$p/apps/a/purge" state)" = "done" ]
}
wait_until 20 delivered
touch "$p/force_update"
wait_until 20 done_with
assert_lacks "$(cat "$p/status")" UPDATE_INCOMPLETE "status after a job that reached all"

# ---- a store that can't be written for a while does not end a job, nor count as failures ----
rm -f "$T/begun"
touch "$T/slow"
touch "$p/force_update"
wait_until 20 test -e "$T/begun"
rm "$T/slow"
{ # longer than the note of what the hooks did waits for the lock, and then that of the batch
    echo 'BEGIN IMMEDIATE;'
    sleep 20
    echo 'COMMIT;'
} | sqlite3 -cmd '.timeout 5000' "$STORE"
assert_ne "$(field "$p/progress" state)" "done" "a job whose store was locked"
wait_until 60 done_with
assert_eq "$(field "$p/progress" failed)" 0 "failures while the store was locked"

# ---- a project may go while its job rests: with it goes the job ----
new_project going
mkdir "$PROJECTS/going/apps/x"
cat "$PROJECTS/going/apps/x/device_ca.pem" >/dev/null
touch "$T/slow"
touch "$PROJECTS/going/force_update"
echo pause >"$PROJECTS/going/progress"
rm "$T/slow"
rmdir "$PROJECTS/going/apps/x" "$PROJECTS/going"
check_clean
kill_worker
check_clean
assert_lacks "$(cat "$T/mount.log")" 'force_update of .*: ' "what is logged of the job that went"
