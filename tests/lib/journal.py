#!/usr/bin/env python3
"""Takes the entries that a program sends to systemd's journal: journal.py SOCKET FILE.

Each is appended to FILE as a line, a JSON object of strings. The protocol is systemd's "native" one: `NAME=VALUE` lines, or `NAME`, a
line's end, 8 bytes of length, the value and a line's end.
"""

import json
import os
import socket
import sys


def parse(data):
    entry = {}
    while data:
        name, equals, rest = data.partition(b"=")
        if equals and b"\n" not in name:
            value, _, data = rest.partition(b"\n")
        else:
            name, _, rest = data.partition(b"\n")
            size = int.from_bytes(rest[:8], "little")
            value, data = rest[8:8 + size], rest[9 + size:]
        entry[name.decode()] = value.decode()
    return entry


def main():
    path, file = sys.argv[1:]
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(path + ".new")
    os.chmod(path + ".new", 0o666)
    open(file, "wb").close()
    os.rename(path + ".new", path)
    while True:
        data = sock.recv(1 << 20)
        with open(file, "a", encoding="utf-8") as out:
            print(json.dumps(parse(data)), file=out, flush=True)


main()
