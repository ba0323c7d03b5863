#!/bin/bash
# variants: plain
# timeout: 300
# Each write and each fsync of an issue fails once, one position after the other (EIO, and ENOSPC for writes): the reader gets that errno
# or a whole certificate, the next one gets a whole certificate without a restart, and an event tells of it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need strace

start_certfs
new_project p
mkdir "$PROJECTS/p/apps/warm"
cat "$PROJECTS/p/apps/warm/bundle.pem" >/dev/null

STRACE_PID=
# inject CALLS:error=ERRNO:when=N: into the worker, until injected_end
inject() {
    # ignoring the calls of strace's own; its first line is written when it has attached
    strace -f -q -e "trace=${1%%:*}" -e "inject=$1" -o "$T/strace.out" -p "$WORKER_PID" 2>"$T/strace.err" &
    STRACE_PID=$!
    wait_until 10 traced
}

traced() {
    local task
    for task in /proc/"$WORKER_PID"/task/*; do
        ! grep -q '^TracerPid:[[:space:]]*0$' "$task/status" || return 1
    done
}

injected_end() {
    kill -INT "$STRACE_PID" 2>/dev/null || true
    wait "$STRACE_PID" 2>/dev/null || true
    ! grep -qs 'INJECTED' "$T/strace.out" || hit=$((hit + 1))
}

# attempt CALL ERRNO POSITION: an issue whose POSITIONth call of that kind fails; false when there is no such position any more
attempt() {
    local app=$PROJECTS/p/apps/$1-$2-$3 got
    mkdir "$app"
    : >"$T/strace.out"
    inject "$1:error=$2:when=$3"
    got=$(cat "$app/bundle.pem" 2>&1 >"$T/got.pem") || true
    injected_end
    if [ -z "$got" ]; then
        assert_pair "$T/got.pem" "$T/got.pem"
    else
        assert_has "$got" "$4" "$app: what the reader is told"
        [ ! -s "$T/got.pem" ] || fail "$app: an error after bytes"
        refused=$((refused + 1))
    fi
    # the cause is gone: it works, and what a reader had stays
    cat "$app/bundle.pem" >"$T/again.pem" || fail "$app: no recovery"
    assert_pair "$T/again.pem" "$T/again.pem"
    [ -n "$got" ] || assert_same "$T/got.pem" "$T/again.pem" "$app"
    grep -q INJECTED "$T/strace.out"
}

# walk CALL ERRNO MESSAGE LEAST: all positions
walk() {
    local position=1 misses=0 hit=0 refused=0
    while [ $misses -lt 3 ] && [ $position -le 60 ]; do
        attempt "$1" "$2" $position "$3" && misses=0 || misses=$((misses + 1))
        position=$((position + 1))
    done
    echo "$1 $2: $hit positions failed, $refused readers were told"
    [ "$hit" -ge "$4" ] || fail "$1: only $hit positions were hit"
    [ "$refused" -ge 1 ] || fail "$1: no reader noticed"
}

walk fdatasync EIO 'Input/output error' 1
walk pwrite64 EIO 'Input/output error' 5
walk pwrite64 ENOSPC 'No space left on device' 5
assert_has "$(cat "$MNT/events")" '"severity":"ERROR","type":"store.failed".*(disk reports an error|disk is full)' "event"

# for good: whoever asks is told, reading of what there is goes on, a key needs its audit record
inject "pwrite64,fdatasync,fsync,ftruncate:error=EIO:when=1+"
mkdir "$PROJECTS/p/apps/never" 2>"$T/err" && fail "a mkdir without a disk"
assert_errnos <<LINES
EIO mkdir $PROJECTS/q
EIO touch $PROJECTS/p/apps/warm/renew
EIO open_r $PROJECTS/p/apps/warm/device_ca.key
OK read $PROJECTS/p/apps/warm/device_ca.pem
OK read $PROJECTS/p/apps/warm/status
LINES
hit=0
injected_end
assert_errnos <<LINES
OK mkdir $PROJECTS/p/apps/never
OK read $PROJECTS/p/apps/never/bundle.pem
OK touch $PROJECTS/p/apps/warm/renew
OK open_r $PROJECTS/p/apps/warm/device_ca.key
LINES

# and while reading the store
restart_certfs
inject "pread64:error=EIO:when=1+"
assert_errno EIO read "$PROJECTS/p/apps/warm/device_ca.pem"
hit=0
injected_end
assert_errno OK read "$PROJECTS/p/apps/warm/device_ca.pem"
check_clean
