# shellcheck shell=bash disable=SC2119,SC2120
# What every script under tests/ begins with: `. "$(dirname "$0")/../lib.sh"`.
#
# From tests/run (or by hand): BUILDDIR, the build to test (default: build/ of this checkout), and
# TEST_TMP, an empty directory of this test's own (default: mktemp -d). A script that fails exits non-zero,
# one that can't run here calls `skip REASON`. Whatever happens, the mount, the daemon and the directory go away.
# Lines at the head of a script that tests/run reads:
#   # variants: plain asan tsan    the builds it runs with (default: plain asan)
#   # timeout: 300                 seconds (default: 120)
set -Eeuo pipefail
export LC_ALL=C.UTF-8 TZ=UTC PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022

SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILDDIR=${BUILDDIR:-$SOURCE/build}
CERTFS=$BUILDDIR/certfs
T=${TEST_TMP:-$(mktemp -d)}
CA=$T/ca
STORE=$T/store/certfs.db
CONF=$T/certfs.conf
MNT=$T/mnt
PROJECTS=$MNT/projects
SUPERVISOR_PID=
WORKER_PID=
export PYTHONPATH=$SOURCE/tests/lib PYTHONDONTWRITEBYTECODE=1
[ "$(id -u)" = 0 ] || { echo "needs root, to mount"; exit 77; }
[ -x "$CERTFS" ] || { echo "$CERTFS is missing: build first" >&2; exit 1; }
mkdir -p "$CA" "$T/store" "$MNT" "$T/san"

# The daemon's sanitizers write here; any report fails the test.
export ASAN_OPTIONS="log_path=$T/san/asan:exitcode=99:detect_stack_use_after_return=1:strict_string_checks=1"
export UBSAN_OPTIONS="log_path=$T/san/ubsan:print_stacktrace=1:halt_on_error=1"
export LSAN_OPTIONS="suppressions=$SOURCE/tests/lib/lsan.supp:print_suppressions=0"
export TSAN_OPTIONS="log_path=$T/san/tsan:exitcode=99:suppressions=$SOURCE/tests/lib/tsan.supp"

# ---- outcome ----

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

skip() {
    printf '%s\n' "$*"
    exit 77
}

need() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || skip "$tool is not installed"
    done
}

# assert_eq GOT WANTED WHAT
assert_eq() {
    [ "$1" = "$2" ] || fail "$3: got '$1', wanted '$2'"
}

assert_ne() {
    [ "$1" != "$2" ] || fail "$3: got '$1' again"
}

# assert_has TEXT PATTERN WHAT: an extended regular expression, any line
assert_has() {
    grep -Eq -- "$2" <<<"$1" || fail "$3: '$2' not found in: $1"
}

assert_lacks() {
    ! grep -Eq -- "$2" <<<"$1" || fail "$3: '$2' found in: $1"
}

# assert_same FILE FILE WHAT
assert_same() {
    cmp -s "$1" "$2" || fail "$3: $1 and $2 differ"
}

# assert_fails PATTERN COMMAND…: it exits non-zero and says PATTERN on stderr
assert_fails() {
    local pattern=$1 text
    shift
    if text=$("$@" 2>&1 >/dev/null); then
        fail "succeeded, should have said '$pattern': $*"
    fi
    assert_has "$text" "$pattern" "$*"
}

# Lines `ERRNO operation arguments…` on stdin (tests/lib/sys.py); `OK` for success. All are tried.
assert_errnos() {
    python3 "$SOURCE/tests/lib/sys.py"
}

# assert_errno ERRNO operation arguments…
assert_errno() {
    assert_errnos <<<"${*@Q}"
}

# wait_until SECONDS COMMAND…: polls; for what the product does in its own time
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -le "$end" ] || fail "waited in vain for: $*"
        sleep 0.02
    done
}

# field FILE KEY: the value of a `key: value` line, unquoted
field() {
    local text
    text=$(cat "$1")
    sed -n "s/^$2: *//p" <<<"$text" | sed 's/^"\(.*\)"$/\1/'
}

# ---- the daemon ----

write_conf() {
    printf '[store]\npath = %s\n' "$STORE" >"$CONF"
    [ $# = 0 ] || printf '%s\n' "$@" >>"$CONF"
}

# Every process that serves $CONF: `certfs mount -c CONF …` by its argument list.
daemon_pids() {
    local file
    for file in /proc/[0-9]*/cmdline; do
        if grep -qzxF -- "$CONF" "$file" 2>/dev/null && grep -qzxF mount "$file" 2>/dev/null; then
            file=${file#/proc/}
            echo "${file%/cmdline}"
        fi
    done
}

parent_of() {
    sed -n 's/^PPid:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null
}

alive() {
    [ -d "/proc/$1" ] && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}

gone() {
    ! alive "$1"
}

# The living worker that is not $1. (By the list of children: quick enough to ask 50 times a second.)
find_worker() {
    local pid children=
    read -r children <"/proc/$SUPERVISOR_PID/task/$SUPERVISOR_PID/children" || [ -n "$children" ] || return 1
    for pid in $children; do
        if [ "$pid" != "${1-}" ] && alive "$pid" && grep -qzxF -- "$CONF" "/proc/$pid/cmdline" 2>/dev/null; then
            WORKER_PID=$pid
            return 0
        fi
    done
    return 1
}

find_supervisor() {
    local pids pid
    pids=$(daemon_pids)
    for pid in $pids; do
        if alive "$pid" && ! grep -qx "$(parent_of "$pid")" <<<"$pids"; then
            SUPERVISOR_PID=$pid
            return 0
        fi
    done
    return 1
}

mounted() {
    grep -qF " ${1:-$MNT} " /proc/self/mountinfo
}

# start_certfs [options of certfs mount]; the mount answers when this returns
start_certfs() {
    [ -e "$CONF" ] || write_conf
    "${DAEMON_ENV[@]}" "$CERTFS" mount -c "$CONF" "$@" "$MNT" >>"$T/mount.log" 2>&1 </dev/null ||
        fail "certfs mount: $(cat "$T/mount.log")"
    mounted || fail "certfs mount returned 0 without a mount"
    wait_until 10 find_supervisor
    wait_until 10 find_worker
}
DAEMON_ENV=(env)

# A number may be another's by now, a thread's, too.
ended() {
    ! alive "$1" || ! grep -qzxF -- "$CONF" "/proc/$1/cmdline" 2>/dev/null
}

stop_certfs() {
    umount "$MNT"
    wait_until 30 ended "$SUPERVISOR_PID"
    [ -z "$WORKER_PID" ] || wait_until 30 ended "$WORKER_PID"
}

restart_certfs() {
    stop_certfs
    start_certfs "$@"
}

# kill -9 of the worker; returns when another has taken over
kill_worker() {
    local old
    find_worker || return 0
    old=$WORKER_PID
    kill -9 "$old"
    wait_until 20 find_worker "$old"
}

# A clock for the daemon: DAEMON_ENV before start_certfs, then set_clock OFFSET (seconds, signed).
use_clock() {
    local lib
    lib=$(compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' | head -n 1) || true
    [ -n "$lib" ] || skip "libfaketime is not installed"
    set_clock "${1:-+0}"
    DAEMON_ENV=(env "LD_PRELOAD=$lib" FAKETIME_NO_CACHE=1 "FAKETIME_TIMESTAMP_FILE=$T/store/clock"
        FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_DONT_RESET=1 "FAKETIME_SKIP_CMDS=")
}

set_clock() {
    printf '%s\n' "$1" >"$T/store/clock.new"
    mv "$T/store/clock.new" "$T/store/clock"
}

check_clean() {
    "$CERTFS" check -c "$CONF" >"$T/check.out" 2>&1 || fail "certfs check: $(cat "$T/check.out")"
}

clean_up() {
    local status=$? pid point
    trap - EXIT ERR
    set +e
    # shellcheck disable=SC2046
    kill $(jobs -p) 2>/dev/null
    while mounted; do
        umount "$MNT" 2>/dev/null || umount -l "$MNT" || break
    done
    for pid in $(daemon_pids); do
        kill -TERM "$pid" 2>/dev/null
    done
    for _ in $(seq 250); do
        [ -n "$(daemon_pids)" ] || break
        sleep 0.02
    done
    for pid in $(daemon_pids); do
        kill -9 "$pid" 2>/dev/null
    done
    if compgen -G "$T/san/*" >/dev/null; then
        echo "FAILED: sanitizer reports" >&2
        head -n 120 "$T"/san/* >&2
        [ "$status" != 0 ] || status=1
    fi
    if [ "$status" != 0 ] && [ "$status" != 77 ] && [ -s "$T/mount.log" ]; then
        sed 's/^/daemon: /' "$T/mount.log" | tail -n 40 >&2
    fi
    while read -r _ _ _ _ point _; do
        [[ $point/ != "$T"/* ]] || umount -l "$point"
    done </proc/self/mountinfo
    mounted || rm -rf --one-file-system "$T"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' HUP INT TERM
trap 'printf "FAILED: %s line %s: %s\n" "${BASH_SOURCE[0]##*/}" "$LINENO" "$BASH_COMMAND" >&2' ERR

# shellcheck source=tests/lib/ca.sh
. "$SOURCE/tests/lib/ca.sh"
