"""requests.py TREE_H DIRECTORY: inputs for fuzz_request, a few for each kind of file that tree.h names."""

import pathlib
import re
import struct
import sys

# in the order of fuzz_request.c's table
OPERATIONS = """LOOKUP GETATTR SETATTR READLINK SYMLINK MKNOD MKDIR UNLINK RMDIR RENAME LINK OPEN READ WRITE STATFS RELEASE FSYNC
    SETXATTR GETXATTR LISTXATTR REMOVEXATTR FLUSH OPENDIR READDIR RELEASEDIR ACCESS CREATE POLL IOCTL FALLOCATE READDIRPLUS RENAME2
    LSEEK COPY_FILE_RANGE SYNCFS FORGET""".split()
LAST_NODE, LAST_HANDLE = 0x80, 1


def request(operation, node, switches=0, rest=b""):
    return bytes([OPERATIONS.index(operation), node, switches]) + struct.pack("<H", len(rest)) + rest


FLUSH = RELEASE = struct.pack("<QIIQ", 0, 0, 0, 0)
READ = struct.pack("<QQIIQII", 0, 0, 4096, 0, 0, 0, 0)
OPEN_READ, OPEN_WRITE = struct.pack("<II", 0, 0), struct.pack("<II", 0o1001, 0)
MKDIR = struct.pack("<II", 0o755, 0)
CREATE = struct.pack("<IIII", 0o102, 0o600, 0, 0)
TOUCH = struct.pack("<II", 0x1B0, 0) + bytes(80)
XATTR = struct.pack("<II", 100, 0)
POLL = struct.pack("<QQII", 0, 5, 1, 1)


def write(data):
    return struct.pack("<QQIIQII", 0, 0, len(data), 0, 0, 0, 0) + data


def closed(node, *requests):
    return b"".join(requests) + request("RELEASE", node, LAST_HANDLE, RELEASE)


def of_kind(node):
    yield "read", closed(node, request("GETATTR", node), request("OPEN", node, 0, OPEN_READ),
                         request("READ", node, LAST_HANDLE, READ), request("READDIR", node, 0, READ),
                         request("POLL", node, LAST_HANDLE, POLL))
    yield "write", closed(node, request("OPEN", node, 0, OPEN_WRITE),
                          request("WRITE", node, LAST_HANDLE, write(b"reason\n")),
                          request("FLUSH", node, LAST_HANDLE, FLUSH)) + request("SETATTR", node, 0, TOUCH)
    yield "names", (request("LOOKUP", node, 0, b"device_ca.pem") + request("OPEN", LAST_NODE, 0, OPEN_READ) +
                    request("READ", LAST_NODE, LAST_HANDLE, READ) + request("MKDIR", node, 0, MKDIR + b"new") +
                    request("GETXATTR", node, 0, XATTR + b"user.certfs.state") + request("LISTXATTR", node, 0, XATTR) +
                    request("RMDIR", node, 0, b"new"))
    yield "upload", (request("CREATE", node, 0, CREATE + b".x") + request("WRITE", LAST_NODE, LAST_HANDLE, write(b"a")) +
                     request("FLUSH", LAST_NODE, LAST_HANDLE, FLUSH) +
                     request("RENAME", node, 0, bytes(8) + b".x\0key.pem") + request("UNLINK", node, 0, b".x"))


def main():
    text = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
    for name, number in re.findall(r"^\s*KIND_(\w+) = (\d+)", text, re.M):
        if name != "COUNT":
            for what, data in of_kind(int(number)):
                (pathlib.Path(sys.argv[2]) / f"{name.lower()}-{what}").write_bytes(data)


if __name__ == "__main__":
    main()
