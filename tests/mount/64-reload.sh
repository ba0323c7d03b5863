#!/bin/bash
# timeout: 60
# SIGHUP reads the configuration again: a good one holds for all that comes, a bad one changes nothing, and no client sees either.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

# The log of a daemon in the foreground is a file.
write_conf '[limits]' 'projects = 2'
"$CERTFS" mount -f -c "$CONF" "$MNT" >"$T/log" 2>&1 </dev/null &
wait_until 20 mounted
wait_until 20 test -e "$MNT/README"
find_supervisor
find_worker
reload() {
    kill -HUP "$SUPERVISOR_PID"
}
logged() {
    grep -Eq -- "$1" "$T/log"
}
new_project p
mkdir "$PROJECTS/q" "$PROJECTS/p/apps/a"
assert_fails "." mkdir "$PROJECTS/r"

# readers all the while
(
    while [ ! -e "$T/stop" ]; do
        cat "$PROJECTS/p/apps/a/device_ca.pem" "$MNT/status" >/dev/null || echo "a reader failed" >>"$T/errors"
    done
) 2>>"$T/errors" &
readers=$!

old=$WORKER_PID
write_conf '[limits]' 'projects = 3'
reload
wait_until 10 find_worker "$old"
mkdir "$PROJECTS/r"
assert_fails "." mkdir "$PROJECTS/s"

# a bad file: told with its line, and nothing changes
old=$WORKER_PID
write_conf '[limits]' 'projects = many'
reload
wait_until 10 logged "configuration stays as it was: $CONF:4: "
find_worker
assert_eq "$WORKER_PID" "$old" "worker after a bad configuration"
assert_fails "." mkdir "$PROJECTS/s"

# what can't change is told, and the rest holds
write_conf '[limits]' 'projects = 4' '[daemon]' 'user = nobody'
reload
wait_until 10 logged "daemon.user can't change while mounted"
wait_until 10 find_worker "$old"
mkdir "$PROJECTS/s"
assert_eq "$(stat -c %U "$STORE")" root "owner of the store"

touch "$T/stop"
wait "$readers"
[ ! -s "$T/errors" ] || fail "readers during a reload: $(head -n 3 "$T/errors")"
stop_certfs
check_clean
