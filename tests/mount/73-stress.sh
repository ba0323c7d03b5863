#!/bin/bash
# timeout: 300
# stress-ng's filesystem stressors in a project and among projects, and four readers of every file, as root and as nobody: the daemon lives,
# its memory is bounded, nothing hangs, the store is clean, and all works afterwards. SOAK: a minute each.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need stress-ng

# What a fixed tree lets them do: make and remove directories, list, stat, open, watch, handles, touch.
WORK=(dirdeep dnotify fstat getdent handle inotify io open touch chattr)
# These want files of their own at once, and end with EPERM or after a few calls: only that the daemon bears it.
REFUSED=(access chdir chmod chown copy-file dentry dir dirmany fcntl fiemap file-ioctl filename flock fpunch fsize hdd inode-flags iomix lease link mknod
    locka lockf lockofd readahead rename symlink sync-file utime verity xattr)
# Not run: bind-mount, binderfs, procfs, fanotify (whole mounts, other filesystems), dup, eventfd, ioprio (no filesystem at all).
MEMORY=200000 # KiB of the worker
seconds=1
[ -z "${SOAK-}" ] || seconds=60

start_certfs
new_project p
mkdir "$PROJECTS/p/apps"/{gw,never,revoked} "$PROJECTS/bare" "$PROJECTS/bare/apps/gw"
cat "$PROJECTS/p/apps/gw/bundle.pem" >"$T/bundle.pem"
echo stolen >"$PROJECTS/p/apps/revoked/revoke"
chmod 755 "$T"

memory() {
    find_worker
    sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$WORKER_PID/status"
}
worker=$WORKER_PID
# lives WHAT
lives() {
    find_worker
    assert_eq "$WORKER_PID" "$worker" "the worker after $1"
    assert_same "$PROJECTS/p/apps/gw/bundle.pem" "$T/bundle.pem" "a key after $1"
}
# stress SECONDS NAME: prints its operations
stress() {
    local directory text total=0
    for directory in "$PROJECTS" "$PROJECTS/p/apps"; do
        text=$(timeout -k 5 $(($1 + 30)) stress-ng "--$2" 2 -t "${1}s" --temp-path "$directory" --metrics-brief 2>&1) || [ $? != 124 ] ||
            fail "stress-ng --$2 hangs"
        total=$((total + $(sed -n "s/^stress-ng: metrc:.* $2  *\([0-9]*\) .*/\1/p" <<<"$text" | grep . || echo 0)))
    done
    echo "$total"
}

echo "memory at the start: $(memory) KiB"
for name in "${WORK[@]}"; do
    echo "$name: $(stress $seconds "$name") operations, $(memory) KiB"
    lives "$name"
done
for name in "${REFUSED[@]}"; do
    stress 1 "$name" >/dev/null
done
lives "what is refused"
for uid in 0 65534; do
    timeout 120 python3 "$SOURCE/tests/lib/read_all.py" "$MNT" $((3 * seconds)) $uid || fail "read_all as $uid"
    lives "read_all as $uid"
done
echo "memory at the end: $(memory) KiB"
[[ $BUILDDIR == *asan* ]] || [ "$(memory)" -lt $MEMORY ] || fail "the worker has $(memory) KiB"
assert_eq "$(ls "$PROJECTS")" $'bare\np' "what stressors have left"
assert_errno OK mkdir "$PROJECTS/p/apps/after"
assert_errno OK read "$PROJECTS/p/apps/after/bundle.pem"
stop_certfs
check_clean
