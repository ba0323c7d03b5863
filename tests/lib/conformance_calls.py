"""The calls that conformance.py tries: small programs, each with one outcome. sys.argv[1]: the mount."""

import ctypes
import fcntl
import mmap
import os
import select
import sys
import tempfile

MNT = sys.argv[1].rstrip("/")
P, G = f"{MNT}/projects/p", f"{MNT}/projects/p/apps/gw"
APPS, POLICY, PEM, DIR = f"{P}/apps", f"{P}/policy", f"{G}/device_ca.pem", f"{G}/generations"
LIBC = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, NOREPLACE, EXCHANGE, WHITEOUT = -100, 1, 2, 4
NOBODY = 65534

TREE = "the tree is fixed: SPEC 2"
TEXT = "a write is taken as a whole when the file is closed"


def renameat2(old, new, flags):
    if LIBC.renameat2(AT_FDCWD, old.encode(), AT_FDCWD, new.encode(), flags) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def opened(path, flags, call, mode=0o644):
    fd = os.open(path, flags, mode)
    try:
        return call(fd)
    finally:
        os.close(fd)


def opens(path, flags):
    return lambda: opened(path, flags, lambda fd: None)


def reads(path, call):
    return lambda: opened(path, os.O_RDONLY, call)


def as_nobody(call):
    def run():
        os.seteuid(NOBODY)
        try:
            return call()
        finally:
            os.seteuid(0)
    return run


def made(call):
    """With a new app instance, which is removed afterwards."""
    def run():
        os.mkdir(f"{APPS}/made")
        try:
            return call(f"{APPS}/made")
        finally:
            if os.path.isdir(f"{APPS}/made"):
                os.rmdir(f"{APPS}/made")
    return run


def removed(app):
    """A directory that is held open and removed answers ENOENT, as on any filesystem."""
    fd = os.open(app, os.O_RDONLY | os.O_DIRECTORY)
    os.rmdir(app)
    try:
        return os.stat("status", dir_fd=fd)
    finally:
        os.close(fd)


def busy(app):
    """The working directory can be removed; what is looked up in it is gone."""
    os.chdir(app)
    try:
        os.rmdir(app)
        return os.path.exists("status")
    finally:
        os.chdir("/")


def listing(fd):
    return sorted(os.listdir(fd))


class Directory:
    """readdir(3) of libc: telldir, seekdir, rewinddir."""

    LIBC.opendir.restype = LIBC.readdir.restype = ctypes.c_void_p
    LIBC.telldir.restype = ctypes.c_long
    for name in ("readdir", "telldir", "rewinddir", "closedir"):
        getattr(LIBC, name).argtypes = [ctypes.c_void_p]
    LIBC.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]

    def __init__(self, path):
        self.dir = LIBC.opendir(path.encode())

    def next(self):
        entry = LIBC.readdir(self.dir)
        return ctypes.string_at(entry + 19).decode() if entry else None

    def rest(self):
        return list(iter(self.next, None))


def seek_directory(path):
    directory = Directory(path)
    places, names = [], []
    while True:
        places.append(LIBC.telldir(directory.dir))
        names.append(directory.next())
        if names[-1] is None:
            break
    for place, name in reversed(list(zip(places, names))):
        LIBC.seekdir(directory.dir, place)
        if directory.next() != name:
            return f"seekdir to {name} led elsewhere"
    LIBC.rewinddir(directory.dir)
    again = directory.rest()
    LIBC.closedir(directory.dir)
    return names[:2] == [".", ".."] and again == names[:-1] and len(set(again)) == len(again)


def rewind_sees_new():
    directory = Directory(APPS)
    directory.rest()
    os.mkdir(f"{APPS}/later")
    LIBC.rewinddir(directory.dir)
    found = "later" in directory.rest()
    LIBC.closedir(directory.dir)
    os.rmdir(f"{APPS}/later")
    return found


def lock_conflicts(how):
    """A second open file can't lock what the first has locked, and can when that is closed."""
    def run():
        first, second = os.open(POLICY, os.O_RDWR), os.open(POLICY, os.O_RDWR)
        how(first)
        try:
            how(second)
            return "two have the lock"
        except BlockingIOError:
            pass
        os.close(first)
        how(second)
        os.close(second)
        return True
    return run


def ofd_lock(fd):
    import struct
    fcntl.fcntl(fd, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))  # F_OFD_SETLK


def mapped():
    with open(PEM, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as memory:
        return memory[:] == file.read()


def pread_at(offset, size=10):
    return reads(PEM, lambda fd: len(os.pread(fd, size, offset)))


def sparse(fd, whence):
    return os.lseek(fd, 0, whence)


def dup_shares_offset(fd):
    other = os.dup(fd)
    os.read(fd, 5)
    place = os.lseek(other, 0, os.SEEK_CUR)
    os.close(other)
    return place


def polled(path, events, flags=os.O_RDONLY):
    def run():
        def ask(fd):
            poll = select.poll()
            poll.register(fd, events)
            return bool(poll.poll(0))
        return opened(path, flags, ask)
    return run


def replaced_policy(flags, text, size=None):
    """The policy after a write in this way; then as it was."""
    def run():
        before = open(POLICY, "rb").read()
        def change(fd):
            if size is not None:
                os.ftruncate(fd, size)
            if text:
                os.write(fd, text)
        try:
            opened(POLICY, flags, change)
            return open(POLICY, "rb").read().decode()
        finally:
            with open(POLICY, "wb") as file:
                file.write(before)
    return run


def size_of(path):
    return lambda: os.stat(path).st_size == len(open(path, "rb").read())


def stays(path, change, what):
    """change succeeds, and the attribute stays as it was."""
    def run():
        before = getattr(os.stat(path), what)
        change()
        return getattr(os.stat(path), what) == before
    return run


def socket_at(path):
    import socket
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(path)


def cross_device():
    with tempfile.NamedTemporaryFile() as file:
        os.link(file.name, f"{G}/linked")


def fallocate(fd):
    """The system call: libc's posix_fallocate goes on by writing."""
    if LIBC.fallocate(fd, 0, ctypes.c_long(0), ctypes.c_long(100)) != 0:
        raise OSError(ctypes.get_errno(), "fallocate")


def small_xattr(path):
    if LIBC.getxattr(path.encode(), b"user.certfs.serial", ctypes.create_string_buffer(2), 2) < 0:
        raise OSError(ctypes.get_errno(), "getxattr")
