"""Tries system calls and compares their errno: lines `ERRNO operation arguments…` on stdin.

OK stands for success. Arguments are split as a shell does. Every line is tried; each surprise is
printed, and the exit status is 1 if there was one.
"""

import errno
import os
import shlex
import socket
import stat
import sys


def open_close(flags, mode=0o644):
    return lambda path: os.close(os.open(path, flags, mode))


def read(path, size="all"):
    with open(path, "rb", buffering=0) as file:
        data = file.read() if size == "all" else file.read(int(size))
        return len(data)


def write(path, text, flags=os.O_WRONLY | os.O_TRUNC):
    """Writes and closes; an error at close counts (os.close reports it)."""
    fd = os.open(path, flags)
    try:
        os.write(fd, text.encode().decode("unicode_escape").encode("latin-1"))
    except OSError:
        os.close(fd)
        raise
    os.close(fd)


def mksock(path):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)


def rename_exchange(a, b):
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, a.encode(), -100, b.encode(), 2) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


OPERATIONS = {
    "stat": os.stat,
    "read": read,
    "readlink": os.readlink,
    "opendir": os.listdir,
    "open_r": open_close(os.O_RDONLY),
    "open_w": open_close(os.O_WRONLY),
    "open_rw": open_close(os.O_RDWR),
    "open_trunc": open_close(os.O_WRONLY | os.O_TRUNC),
    "open_dir": open_close(os.O_RDONLY | os.O_DIRECTORY),
    "create": open_close(os.O_WRONLY | os.O_CREAT),
    "create_excl": open_close(os.O_WRONLY | os.O_CREAT | os.O_EXCL),
    "tmpfile": open_close(os.O_WRONLY | getattr(os, "O_TMPFILE", 0)),
    "write": write,
    "append": lambda path, text: write(path, text, os.O_WRONLY | os.O_APPEND),
    "truncate": lambda path, size: os.truncate(path, int(size)),
    "mkdir": os.mkdir,
    "rmdir": os.rmdir,
    "unlink": os.unlink,
    "rename": os.rename,
    "exchange": rename_exchange,
    "link": os.link,
    "symlink": os.symlink,
    "mkfifo": os.mkfifo,
    "mkreg": lambda path: os.mknod(path, stat.S_IFREG | 0o644),
    "mksock": mksock,
    "mkdev": lambda path: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3)),
    "chmod": lambda mode, path: os.chmod(path, int(mode, 8)),
    "chown": lambda uid, gid, path: os.chown(path, int(uid), int(gid)),
    "utimes": lambda path, time: os.utime(path, (int(time), int(time))),
    "touch": os.utime,
    "setxattr": lambda path, name, value: os.setxattr(path, name, value.encode()),
    "removexattr": os.removexattr,
    "getxattr": os.getxattr,
}


def attempt(operation, arguments):
    try:
        OPERATIONS[operation](*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    return "OK"


def main():
    surprises = 0
    for line in sys.stdin:
        words = shlex.split(line, comments=True)
        if not words:
            continue
        wanted, operation, *arguments = words
        got = attempt(operation, arguments)
        if got not in wanted.split("|"):
            surprises += 1
            print(f"FAILED: {operation} {' '.join(arguments)}: {got}, wanted {wanted}", file=sys.stderr)
    return 1 if surprises else 0


if __name__ == "__main__":
    sys.exit(main())
