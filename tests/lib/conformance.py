"""What POSIX and Linux say of each call, tried on a mount: pjdfstest's applicable questions and some more.

    conformance.py MOUNT    with a project p that has an active signing CA, and its app instance gw

A row: the wanted outcome (an errno's name, OK, or a value), a call, and, where a disk filesystem would answer otherwise, why.
Prints each surprise; exit status 1 if there was one.
"""

import errno
import fcntl
import os
import select
import stat
import sys

from conformance_calls import *

LONG = "n" * 255
OPEN = [
    ("EEXIST", opens(POLICY, os.O_CREAT | os.O_EXCL | os.O_WRONLY), ""),
    ("EEXIST", opens(G, os.O_CREAT | os.O_EXCL | os.O_WRONLY), ""),
    ("OK", opens(POLICY, os.O_CREAT | os.O_RDONLY), ""),
    ("ENOTDIR", opens(POLICY, os.O_DIRECTORY), ""),
    ("OK", opens(G, os.O_DIRECTORY), ""),
    ("EISDIR", opens(G, os.O_WRONLY), ""),
    ("EISDIR", opens(G, os.O_RDWR), ""),
    ("EISDIR", opens(G, os.O_CREAT | os.O_RDONLY), ""),
    ("OK", opens(POLICY, os.O_NOFOLLOW), ""),
    ("OK", opens(POLICY, os.O_PATH), ""),
    ("ENOTSUP", opens(P, os.O_TMPFILE | os.O_RDWR), TREE),
    ("EPERM", opens(f"{G}/new", os.O_CREAT | os.O_WRONLY), TREE),
    ("ENOENT", opens(f"{G}/new", os.O_WRONLY), ""),
    ("ENOENT", opens(f"{G}/none/new", os.O_CREAT | os.O_WRONLY), ""),
    ("ENOTDIR", opens(f"{POLICY}/x", os.O_RDONLY), ""),
    ("ENOTDIR", opens(f"{POLICY}/x", os.O_CREAT | os.O_WRONLY), ""),
    ("ENOENT", opens("", os.O_RDONLY), ""),
    ("EACCES", as_nobody(opens(f"{G}/device_ca.key", os.O_RDONLY)), ""),
    ("EACCES", as_nobody(opens(POLICY, os.O_WRONLY)), ""),
    ("EACCES", as_nobody(opens(POLICY, os.O_RDONLY | os.O_TRUNC)), ""),
    ("OK", as_nobody(opens(PEM, os.O_RDONLY)), ""),
    ("[rollout]\nmax_parallel = 3\n", replaced_policy(os.O_WRONLY | os.O_TRUNC, b"[rollout]\nmax_parallel = 3\n"), ""),
    ("[rollout]\nmax_parallel = 3\n", replaced_policy(os.O_RDWR, b"[rollout]\nmax_parallel = 3\n", 0), ""),
    ("EINVAL", replaced_policy(os.O_WRONLY | os.O_TRUNC, b"nonsense\n"), TEXT),
]
PATHS = [
    ("ENAMETOOLONG", lambda: os.stat(f"{G}/{LONG}n"), ""),
    ("ENAMETOOLONG", lambda: os.mkdir(f"{APPS}/{LONG}n"), ""),
    ("ENOENT", lambda: os.stat(f"{G}/{LONG}"), ""),
    ("ENAMETOOLONG", lambda: os.mkdir(f"{APPS}/{LONG}"), "names have at most 64 bytes: SPEC 1"),
    ("ENAMETOOLONG", lambda: os.stat(f"{G}/" + "./" * 2100), ""),
    ("OK", lambda: os.stat(f"{G}//./../gw///status"), ""),
    ("OK", lambda: os.stat(f"{G}/"), ""),
    ("ENOTDIR", lambda: os.stat(f"{PEM}/"), ""),
    ("ENOTDIR", lambda: os.stat(f"{PEM}/."), ""),
    ("ENOTDIR", lambda: os.stat(f"{PEM}/.."), ""),
    ("OK", made(lambda app: os.rmdir(f"{app}/")), ""),
    ("EINVAL", made(lambda app: os.rmdir(f"{app}/.")), ""),
    ("ENOTEMPTY", made(lambda app: os.rmdir(f"{app}/..")), ""),
    ("EEXIST", lambda: os.mkdir(f"{APPS}/."), ""),
    ("EEXIST", lambda: os.mkdir(f"{APPS}/.."), ""),
    ("EISDIR", lambda: os.open(f"{APPS}/new/", os.O_CREAT | os.O_WRONLY), ""),
    (True, lambda: os.path.samefile(f"{G}/..", APPS), ""),
    (True, lambda: os.path.samefile(f"{MNT}/projects/..", MNT), ""),
    (True, lambda: os.stat(f"{MNT}/..").st_dev != os.stat(MNT).st_dev, ""),
    ("OK", lambda: opened(G, os.O_RDONLY, lambda fd: os.stat("status", dir_fd=fd)), ""),
    ("ENOTDIR", lambda: opened(PEM, os.O_RDONLY, lambda fd: os.stat("status", dir_fd=fd)), ""),
    ("ENOENT", made(removed), ""),
    (False, made(busy), ""),
]
NAMES = [
    ("EEXIST", lambda: os.mkdir(G), ""),
    ("EEXIST", lambda: os.mkdir(POLICY), ""),
    ("EPERM", lambda: os.mkdir(f"{G}/new"), TREE),
    ("ENOENT", lambda: os.mkdir(f"{APPS}/none/new"), ""),
    ("ENOTDIR", lambda: os.mkdir(f"{POLICY}/new"), ""),
    ("EACCES", as_nobody(lambda: os.mkdir(f"{APPS}/new")), ""),
    ("EACCES", as_nobody(lambda: os.rmdir(G)), ""),
    ("ENOTDIR", lambda: os.rmdir(POLICY), ""),
    ("ENOTEMPTY", lambda: os.rmdir(P), ""),
    ("EPERM", lambda: os.rmdir(DIR), TREE),
    ("EBUSY", lambda: os.rmdir(MNT), ""),
    ("ENOENT", lambda: os.rmdir(f"{APPS}/none"), ""),
    ("EISDIR", lambda: os.unlink(G), ""),
    ("EPERM", lambda: os.unlink(PEM), TREE),
    ("EPERM", lambda: os.rename(G, f"{APPS}/other"), TREE),
    ("OK", lambda: os.rename(POLICY, POLICY), ""),
    ("EPERM", lambda: os.rename(POLICY, f"{P}/other"), TREE),
    ("ENOTDIR", lambda: os.rename(G, POLICY), ""),
    ("EISDIR", lambda: os.rename(POLICY, G), ""),
    ("EINVAL", lambda: os.rename(P, f"{G}/below"), ""),
    ("ENOTEMPTY", lambda: os.rename(G, P), ""),
    ("ENOENT", lambda: os.rename(f"{P}/none", f"{P}/other"), ""),
    ("EXDEV", lambda: os.rename(POLICY, "/tmp/certfs-conformance"), ""),
    ("EBUSY", lambda: os.rename(f"{P}/.", f"{MNT}/projects/q"), ""),
    ("EEXIST", lambda: renameat2(POLICY, f"{P}/update", NOREPLACE), ""),
    ("EPERM", lambda: renameat2(POLICY, f"{P}/other", NOREPLACE), TREE),
    ("EPERM", lambda: renameat2(POLICY, f"{P}/update", EXCHANGE), TREE),
    ("EINVAL", lambda: renameat2(POLICY, f"{P}/update", EXCHANGE | NOREPLACE), ""),
    ("EPERM|EINVAL", lambda: renameat2(POLICY, f"{P}/other", WHITEOUT), TREE),
    ("EPERM", lambda: os.link(PEM, f"{G}/linked"), TREE),
    ("EEXIST", lambda: os.link(PEM, POLICY), ""),
    ("EPERM", lambda: os.link(G, f"{APPS}/linked"), ""),
    ("EXDEV", cross_device, ""),
    ("EPERM", lambda: os.symlink("target", f"{G}/link"), TREE),
    ("EEXIST", lambda: os.symlink("target", POLICY), ""),
    ("EINVAL", lambda: os.readlink(POLICY), ""),
    ("EPERM", lambda: os.mkfifo(f"{G}/fifo"), TREE),
    ("EPERM", lambda: os.mknod(f"{G}/node", stat.S_IFCHR | 0o600, os.makedev(1, 3)), TREE),
    ("EPERM", lambda: socket_at(f"{G}/s"), TREE),
    ("EEXIST", lambda: os.mknod(POLICY, stat.S_IFREG | 0o600), ""),
]
ATTRIBUTES = [
    ("EPERM|EACCES", lambda: os.truncate(PEM, 0), "issued certificates are not written: SPEC 1"),
    ("EISDIR", lambda: os.truncate(G, 0), ""),
    ("EACCES", as_nobody(lambda: os.truncate(POLICY, 0)), ""),
    ("EINVAL", lambda: opened(POLICY, os.O_RDONLY, lambda fd: os.ftruncate(fd, 0)), ""),
    ("EFBIG", lambda: opened(POLICY, os.O_WRONLY, lambda fd: os.ftruncate(fd, 1 << 40)), "an upload has at most 1 MiB: SPEC 3"),
    ("EINVAL", lambda: opened(POLICY, os.O_WRONLY, lambda fd: os.ftruncate(fd, -1)), ""),
    (True, stays(POLICY, lambda: os.utime(POLICY, (1, 1)), "st_mtime"), "succeeds and changes nothing (cp -p): SPEC 3"),
    (True, stays(POLICY, lambda: os.chmod(POLICY, 0o600), "st_mode"), "the same"),
    (True, stays(POLICY, lambda: os.chown(POLICY, 1, 1), "st_uid"), "the same"),
    ("EPERM", lambda: os.chmod(PEM, 0o600), TREE),
    ("EPERM", lambda: os.chown(PEM, 1, 1), TREE),
    ("EPERM", as_nobody(lambda: os.chmod(G, 0o777)), ""),
    ("EPERM", as_nobody(lambda: os.chown(G, NOBODY, NOBODY)), ""),
    ("EPERM", as_nobody(lambda: os.utime(POLICY, (1, 1))), ""),
    ("EACCES", as_nobody(lambda: os.utime(POLICY)), ""),
    (0o2750, made(lambda app: (os.chmod(app, 0o2750), stat.S_IMODE(os.stat(app).st_mode))[1]), ""),
    ((7, 8), made(lambda app: (os.chown(app, 7, 8), os.stat(app).st_uid, os.stat(app).st_gid)[1:]), ""),
    ("ENODATA", lambda: os.getxattr(PEM, "user.none"), ""),
    ("ERANGE", lambda: small_xattr(PEM), ""),
    ("ENOTSUP|EPERM", lambda: os.setxattr(PEM, "user.x", b"y"), TREE),
    ("ENOTSUP|EPERM", lambda: os.removexattr(PEM, "user.certfs.serial"), TREE),
    (True, lambda: "user.certfs.serial" in os.listxattr(PEM), ""),
    ("ENOTSUP", lambda: opened(POLICY, os.O_RDWR, fallocate), TEXT),
    (64, lambda: os.statvfs(MNT).f_namemax, ""),
    (True, lambda: os.statvfs(MNT).f_flag & (os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC) == os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC, ""),
    ("EACCES", lambda: os.execv(PEM, ["x"]), "noexec"),
    (True, size_of(PEM), ""),
    (True, size_of(f"{G}/status"), ""),
]


FILES = [
    (0, pread_at(1 << 20), ""),
    (10, pread_at(0), ""),
    ("EINVAL", pread_at(-1), ""),
    ("EBADF", lambda: opened(POLICY, os.O_WRONLY, lambda fd: os.read(fd, 1)), ""),
    ("EBADF", reads(PEM, lambda fd: os.write(fd, b"x")), ""),
    ("EISDIR", lambda: opened(G, os.O_RDONLY, lambda fd: os.read(fd, 1)), ""),
    (7, reads(PEM, lambda fd: os.lseek(fd, 7, os.SEEK_SET)), ""),
    ("EINVAL", reads(PEM, lambda fd: os.lseek(fd, -1, os.SEEK_SET)), ""),
    (True, lambda: opened(PEM, os.O_RDONLY, lambda fd: os.lseek(fd, 0, os.SEEK_END) == os.fstat(fd).st_size), ""),
    (0, reads(PEM, lambda fd: sparse(fd, os.SEEK_DATA)), ""),
    (5, reads(PEM, dup_shares_offset), ""),
    (True, mapped, ""),
    ("OK", lambda: opened(POLICY, os.O_WRONLY, os.fsync), ""),
    ("OK", lambda: opened(POLICY, os.O_RDONLY, os.fdatasync), ""),
    ("OK", lambda: opened(G, os.O_RDONLY, os.fsync), ""),
    ("OK", os.sync, ""),
    (True, lock_conflicts(lambda fd: fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)), ""),
    (True, lock_conflicts(ofd_lock), ""),
    (True, polled(PEM, select.POLLIN), ""),
    (True, polled(f"{MNT}/events", select.POLLIN), ""),
    (True, polled(POLICY, select.POLLOUT, os.O_WRONLY), ""),
    ("ENOTTY", reads(PEM, lambda fd: fcntl.ioctl(fd, 0x5401, bytes(64))), ""),
]
DIRECTORIES = [
    (True, lambda: seek_directory(G), ""),
    (True, lambda: seek_directory(APPS), ""),
    (True, lambda: seek_directory(MNT), ""),
    (True, rewind_sees_new, ""),
    (True, lambda: opened(G, os.O_RDONLY, listing) == sorted(os.listdir(G)), ""),
    ("ENOTDIR", lambda: os.listdir(PEM), ""),
]


def attempt(call):
    try:
        result = call()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    return result


def main():
    surprises = tried = 0
    for table in ("OPEN", "PATHS", "NAMES", "ATTRIBUTES", "FILES", "DIRECTORIES"):
        for number, (wanted, call, why) in enumerate(globals()[table]):
            got = attempt(call)
            tried += 1
            good = got not in errno.errorcode.values() if wanted == "OK" else got == wanted or \
                isinstance(wanted, str) and "|" in wanted and got in wanted.split("|")
            if not good:
                surprises += 1
                print(f"FAILED: row {number} of {table}: {got!r}, wanted {wanted!r} {why and '(' + why + ')'}", file=sys.stderr)
    print(f"{tried} calls, {surprises} surprises")
    return 1 if surprises else 0


if __name__ == "__main__":
    sys.exit(main())
