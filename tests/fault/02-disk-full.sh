#!/bin/bash
# The disk fills up under load: ENOSPC to those who want something new, reading goes on, nothing is there by half, and all is well when
# there is room again, without a restart. An event tells of it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/disk.sh
. "$SOURCE/tests/lib/disk.sh"

make_small_disk 3m
start_certfs
new_project p
mkdir "$PROJECTS/p/apps/first" "$PROJECTS/p/apps/unread-"{1..9}
cat "$PROJECTS/p/apps/first/bundle.pem" >"$T/first.pem"

# Until it is full, and on: whatever is refused is refused with ENOSPC, and has not happened. (Some room comes back again and again, when
# the write-ahead log has been moved into the store.)
python3 - "$PROJECTS/p/apps" "$T/read" "$DISK/ballast" <<'PYTHON'
import errno, os, pathlib, sys
apps, kept, ballast = map(pathlib.Path, sys.argv[1:])
kept.mkdir()
refused, fired, made = dict.fromkeys(("mkdir", "read", "renew"), 0), 0, set()

def attempt(what, action):
    try:
        action()
        return True
    except OSError as error:
        assert error.errno == errno.ENOSPC, f"{what}: {error}"
        refused[what] += 1
        return False

def fill():
    with open(ballast, "ab", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC

for i in range(20000):
    if min(refused.values()) > 20:
        break
    if i % 10 == 0 and max(refused.values()):
        fill()
    name = f"a{i}"
    if attempt("mkdir", lambda: (apps / name).mkdir()):
        made.add(name)
    elif not refused["read"]:
        fill()
    reading = name if name in made else f"unread-{i % 9 + 1}"
    attempt("read", lambda: (kept / reading).write_bytes((apps / reading / "bundle.pem").read_bytes()))
    fired += attempt("renew", lambda: os.utime(apps / "first" / "renew"))
    (apps / "first" / "status").read_bytes()
assert min(refused.values()) > 20, f"never full: {refused}"
there = {name for name in os.listdir(apps) if name[0] == "a"}
assert there == made, f"refused but made: {there - made}, made but not there: {made - there}"
assert f"counter: {fired}\n" in (apps / "first" / "renew").read_text(), "a trigger that was refused was counted, or one that fired was not"
print(f"{len(made)} app instances, {fired} renewals; refused: {refused}")
PYTHON
assert_errnos <<LINES
OK read $PROJECTS/p/apps/first/device_ca.pem
OK read $PROJECTS/p/apps/first/status
OK read $PROJECTS/p/status
OK opendir $PROJECTS/p/apps
LINES
check_clean

# all that was read is still what is read, with its key
rm "$DISK/ballast"
mount -o remount,size=64m "$DISK"
assert_errnos <<LINES
OK mkdir $PROJECTS/p/apps/full
OK read $PROJECTS/p/apps/full/bundle.pem
OK touch $PROJECTS/p/apps/first/renew
LINES
for copy in "$T"/read/*; do
    [ ! -s "$copy" ] || assert_same "$copy" "$PROJECTS/p/apps/${copy##*/}/bundle.pem" "what was read before the disk was full"
done
assert_has "$(cat "$MNT/events")" '"severity":"ERROR","type":"store.failed".*disk is full' "event"
check_clean
