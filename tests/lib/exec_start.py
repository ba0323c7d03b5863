#!/usr/bin/env python3
"""Starts a unit's program as systemd would, where there is no systemd.

    exec_start.py UNIT

Makes its RuntimeDirectory and StateDirectory, runs its ExecStart line with a NOTIFY_SOCKET, and waits until READY=1 is told.
Prints the process id, and leaves the process running. Exit status 1: it ended, or said nothing for a minute.
"""

import os
import pathlib
import shlex
import socket
import subprocess
import sys
import tempfile


def settings(path):
    """key: values of the unit."""
    found = {}
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith(("#", ";")):
            found.setdefault(key.strip(), []).append(value.strip())
    return found


def make_directories(unit):
    for key, base, mode in (("RuntimeDirectory", "/run", "RuntimeDirectoryMode"),
                            ("StateDirectory", "/var/lib", "StateDirectoryMode")):
        for name in " ".join(unit.get(key, [])).split():
            path = pathlib.Path(base, name)
            path.mkdir(exist_ok=True)
            path.chmod(int(unit.get(mode, ["0755"])[0], 8))


def main():
    unit = settings(pathlib.Path(sys.argv[1]))
    make_directories(unit)
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"{directory}/notify")
        listener.settimeout(60)
        for line in unit.get("ExecStartPre", []):
            subprocess.run(shlex.split(line.lstrip("-+!@")), check=not line.startswith("-"))
        with open("/tmp/exec_start.log", "ab") as log:
            process = subprocess.Popen(shlex.split(unit["ExecStart"][0].lstrip("-+!@:")), stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=log, env=os.environ | {"NOTIFY_SOCKET": f"{directory}/notify"})
        while b"READY=1" not in listener.recv(4096).split(b"\n"):
            if process.poll() is not None:
                sys.exit(f"it ended with {process.returncode}")
        print(process.pid)


if __name__ == "__main__":
    main()
