#!/bin/bash
# -o ro: what there is can be read, nothing is issued, nothing fires.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

start_certfs
new_project p
mkdir "$PROJECTS/p/apps/gw" "$PROJECTS/p/apps/never"
cat "$PROJECTS/p/apps/gw/bundle.pem" >"$T/bundle.pem"
restart_certfs -o ro
assert_has "$(awk -v m="$MNT" '$5 == m { print $6 }' /proc/self/mountinfo)" '^ro,' "mount flags"
assert_errnos <<END
OK read $PROJECTS/p/apps/gw/device_ca.pem
OK read $PROJECTS/p/status
EROFS read $PROJECTS/p/apps/never/device_ca.pem
EROFS read $PROJECTS/p/apps/never/bundle.pem
EROFS mkdir $PROJECTS/q
EROFS rmdir $PROJECTS/p/apps/never
EROFS touch $PROJECTS/p/apps/gw/renew
EROFS write $PROJECTS/p/apps/gw/purge 'reason\n'
EROFS write $PROJECTS/p/policy '[certificate]\n'
EROFS write $PROJECTS/p/signing_ca/key.pem x
EROFS chmod 700 $PROJECTS/p
EROFS create $PROJECTS/p/signing_ca/.cert.pem.x
END
assert_eq "$(field "$PROJECTS/p/apps/gw/status" generation)" 1 generation
assert_eq "$(field "$PROJECTS/p/apps/never/status" state)" NOT_ISSUED state
check_clean

# keys that there are, too
assert_errno OK read "$PROJECTS/p/apps/gw/device_ca.key"
assert_same "$PROJECTS/p/apps/gw/bundle.pem" "$T/bundle.pem" "bundle.pem with -o ro"
