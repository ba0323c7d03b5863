#!/bin/bash
# variants: plain
# -o ro within the renewal window: nothing is issued, and what is good is served; behind its end it is not.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/life.sh
. "$SOURCE/tests/lib/life.sh"

use_clock +0
start_certfs
new_project p
app=$PROJECTS/p/apps/gw
mkdir "$app"
cat "$app/bundle.pem" >"$T/bundle.pem"
restart_certfs -o ro
days_on 340
wait_state "$app/status" EXPIRING
assert_same "$app/bundle.pem" "$T/bundle.pem" "bundle.pem in the renewal window"
days_on 366
wait_state "$app/status" EXPIRED
assert_errno EROFS read "$app/bundle.pem"
