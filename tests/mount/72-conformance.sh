#!/bin/bash
# POSIX and Linux, call by call (tests/lib/conformance.py): as on any filesystem, but where the contract says otherwise.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

start_certfs
new_project p
mkdir "$PROJECTS/p/apps/gw"
cat "$PROJECTS/p/apps/gw/device_ca.pem" >/dev/null
chmod 755 "$T"
python3 "$SOURCE/tests/lib/conformance.py" "$MNT" || fail "conformance"
check_clean
