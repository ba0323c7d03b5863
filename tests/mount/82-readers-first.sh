#!/bin/bash
# variants: plain tsan
# timeout: 300
# While a job has keys made that take long, who reads waits for none of the job's: neither for a certificate of a new app instance, nor for
# one that the job has taken in hand already, nor does a renewal. And the job can be paused.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/life.sh
. "$SOURCE/tests/lib/life.sh"

APPS=100
start_certfs
new_project p
p=$PROJECTS/p
for ((i = 0; i < APPS; i++)); do
    mkdir "$p/apps/a$i"
done
cat "$p"/apps/*/device_ca.pem >/dev/null
printf '[certificate]\nkey_type = rsa-3072\n' >"$p/policy"
touch "$p/force_update"
mkdir "$p/apps/new"
cat "$p/apps/a31/device_ca.pem" "$p/apps/new/device_ca.pem" >/dev/null
touch "$p/apps/a30/renew"
count=$(events "$p/events" device_ca.renewed)
((count < 28)) || fail "who read waited for the job: it had issued $count"
assert_eq "$(field "$p/progress" 'done')" 0 "done before the first batch has ended"

# ---- pause ----
has_done() {
    [ "$(field "$p/progress" 'done')" -gt 0 ]
}
rests() { # nothing is issued for a while
    local before
    before=$(events "$p/events" device_ca.renewed)
    sleep 5
    [ "$(events "$p/events" device_ca.renewed)" = "$before" ]
}
wait_until 120 has_done
echo pause >"$p/progress"
wait_until 120 rests
count=$(events "$p/events" device_ca.renewed)
((count < APPS)) || fail "a job that was paused went on to its end"
assert_eq "$(field "$p/progress" state)" paused "state"
echo cancel >"$p/progress"
check_clean
