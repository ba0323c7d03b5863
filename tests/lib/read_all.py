"""Reads every file of a mount, as LTP's read_all does: in several sizes, at several offsets, by several processes at once.

    read_all.py MOUNT SECONDS [UID]    four processes, each with an order of its own, as UID; at least once through the tree

No read hangs (ten seconds), none gives another error than the file's mode or the contract explains, and what is read in pieces at any
offset is what was read in one. Prints how many files and reads.
"""

import errno
import os
import random
import signal
import stat
import sys
import time

# what certificate files of a project without signing CA or of a revoked app instance may say
EXPECTED = {errno.ENOKEY, errno.EKEYREVOKED, errno.EACCES, errno.ENODATA}
CHANGES = {"events", "audit", "metrics", "status", "status.json", "readers", "dashboard.html", "progress"}  # while others read


def files(mount):
    for directory, _, names in os.walk(mount):
        for name in names:
            yield os.path.join(directory, name)


def pieces(fd, whole, exact):
    """How many reads."""
    count = 0
    for size in (1, 100, 4096, 1 << 20):
        for offset in (0, 1, len(whole) // 2, max(len(whole) - 1, 0), len(whole), len(whole) + 1, 1 << 40):
            got, count = os.pread(fd, size, offset), count + 1
            assert not exact or got == whole[offset:offset + size], f"{size} bytes at {offset}: {len(got)}"
    return count


def read(path, uid):
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        assert error.errno in EXPECTED, error
        assert error.errno != errno.EACCES or uid != 0, error
        return 0
    try:
        mode = os.fstat(fd).st_mode
        assert uid == 0 or mode & 0o004, f"user {uid} may open what has mode {stat.filemode(mode)}"
        whole = b""
        while more := os.read(fd, 1 << 16):
            whole += more
        return 1 + pieces(fd, whole, os.path.basename(path) not in CHANGES)
    finally:
        os.close(fd)


def process(mount, seconds, uid, number):
    pick, count, end = random.Random(number), 0, time.time() + seconds
    everything = list(files(mount))
    if uid:
        os.setresgid(uid, uid, uid)
        os.setgroups([])
        os.setresuid(uid, uid, uid)
    while True:
        pick.shuffle(everything)
        for path in everything:
            signal.alarm(10)
            try:
                count += read(path, uid)
            except BaseException as error:
                sys.exit(f"{path}: {type(error).__name__}: {error}")
        signal.alarm(0)
        if time.time() > end:
            print(f"user {uid}: {len(everything)} files, {count} reads", flush=True)
            return


def main():
    mount, seconds, uid = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0
    children = []
    for number in range(4):
        pid = os.fork()
        if pid == 0:
            process(mount, seconds, uid, number)
            os._exit(0)
        children.append(pid)
    ends = [os.waitpid(pid, 0)[1] for pid in children]
    return 1 if any(ends) else 0


if __name__ == "__main__":
    sys.exit(main())
