#!/usr/bin/env python3
"""Starts and stops a unit's program as systemd would, where there is no systemd.

    exec_start.py UNIT            as its User=, with the StateDirectory= and RuntimeDirectory= that it asks for, a NOTIFY_SOCKET, and
                                  the descriptors that ExecStartPre= stored; waits until READY=1 is told
    exec_start.py UNIT stop PID   SIGTERM, then ExecStopPost=

Prints the process id, and leaves the process running. Exit status 1: it ended, or said nothing for a minute.
"""

import array
import os
import pathlib
import pwd
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time


def settings(path):
    """key: values of the unit."""
    found = {}
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith(("#", ";")):
            found.setdefault(key.strip(), []).append(value.strip())
    return found


def words(line):
    return shlex.split(line.lstrip("-+!@:").replace("$$", "$"))


def make_directories(unit):
    owner = pwd.getpwnam(unit.get("User", ["root"])[0])
    for key, base, mode in (("RuntimeDirectory", "/run", "RuntimeDirectoryMode"),
                            ("StateDirectory", "/var/lib", "StateDirectoryMode")):
        for name in " ".join(unit.get(key, [])).split():
            path = pathlib.Path(base, name)
            path.mkdir(exist_ok=True)
            path.chmod(int(unit.get(mode, ["0755"])[0], 8))
            for each in (path, *path.rglob("*")):
                shutil.chown(each, owner.pw_uid, owner.pw_gid)


class Listener:
    """What the unit's processes tell, and the descriptors that they store."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.settimeout(0.2)
        self.stored = []
        self.ready = False

    def listen(self):
        try:
            text, ancillary, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(64))
        except TimeoutError:
            return
        fds = array.array("i")
        for _, _, data in ancillary:
            fds.frombytes(data)
        lines = text.decode().splitlines()
        if "FDSTORE=1" in lines:
            self.stored += fds
            return
        if "FDSTOREREMOVE=1" in lines:
            fds += array.array("i", self.stored)
            self.stored = []
        for fd in fds:  # BARRIER=1: its sender waits for this
            os.close(fd)
        self.ready |= "READY=1" in lines


def command(unit, stored):
    """The main process: as the user, with descriptors from 3 on, and LISTEN_PID its own."""
    user = unit.get("User", ["root"])[0]
    start = ["setpriv", "--reuid", user, "--regid", user, "--init-groups"] if user != "root" else []
    line = 'LISTEN_PID=$$ exec "$@"'
    if stored:
        line += f" 3<&{stored[0]}"
    return ["sh", "-c", line, "sh", *start, *words(unit["ExecStart"][0])]


def start(unit, listener, environment):
    for line in unit.get("ExecStartPre", []):
        process = subprocess.Popen(words(line), env=environment)
        while process.poll() is None:
            listener.listen()
        listener.listen()
        if process.returncode != 0 and not line.startswith("-"):
            sys.exit(f"{line}: {process.returncode}")
    if listener.stored:
        environment |= {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "certfs-connection"}
    with open("/tmp/exec_start.log", "ab") as log:
        return subprocess.Popen(command(unit, listener.stored), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                                pass_fds=listener.stored)


def stop(unit, pid):
    os.kill(pid, signal.SIGTERM)
    while pathlib.Path(f"/proc/{pid}").exists() and "State:\tZ" not in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8"):
        time.sleep(0.02)
    for line in unit.get("ExecStopPost", []):
        subprocess.run(words(line), env=os.environ | {"SERVICE_RESULT": "success"}, check=not line.startswith("-"))


def main():
    unit = settings(pathlib.Path(sys.argv[1]))
    if len(sys.argv) == 4:
        stop(unit, int(sys.argv[3]))
        return
    make_directories(unit)
    with tempfile.TemporaryDirectory() as directory:
        listener = Listener(f"{directory}/notify")
        os.chmod(directory, 0o711)
        os.chmod(f"{directory}/notify", 0o777)
        process = start(unit, listener, os.environ | {"NOTIFY_SOCKET": f"{directory}/notify"})
        end = time.monotonic() + 60
        while not listener.ready:
            if process.poll() is not None or time.monotonic() > end:
                sys.exit(f"it ended with {process.returncode}")
            listener.listen()
        print(process.pid)


if __name__ == "__main__":
    main()
