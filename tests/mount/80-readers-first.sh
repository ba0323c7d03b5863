#!/bin/bash
# variants: plain asan tsan
# While a job has keys made that take long, who reads waits for none of the job's: neither for a certificate of a new app instance, nor for
# one that the job has taken in hand already, nor does a renewal.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/life.sh
. "$SOURCE/tests/lib/life.sh"

APPS=30
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
cat "$p/apps/a$((APPS - 1))/device_ca.pem" "$p/apps/new/device_ca.pem" >/dev/null
touch "$p/apps/a$((APPS - 2))/renew"
count=$(events "$p/events" device_ca.renewed)
((count < APPS - 2)) || fail "who read waited for the job: it had issued $count of $APPS"
wait_until 300 state_is "$p/progress" "done"
assert_eq "$(field "$p/progress" failed)" 0 failures
check_clean
