"""Load on a mount that notes what it was told, and looks later whether that was true.

    load.py run PROJECT NOTES THREADS    until the mount gives EIO or worse, or is gone; THREADS clients in apps/ of PROJECT
    load.py verify PROJECT NOTES         every certificate that was read is there, and so is what was made; else a line for each

NOTES gets a line, in one write, after each answer: `cert APP SHA256`, `made APP`, `removing APP` (before it), `removed APP`. Whoever cuts
the power writes `cut` before: answers that come later prove nothing (an fsync that is under way while ext4 is shut down may say that it
has succeeded), until the next `life`.
"""

import errno
import hashlib
import os
import pathlib
import random
import sys
import threading
import time

# the machine is going down; what else comes is a fault
GOING_DOWN = {errno.EIO, errno.ENOTCONN, errno.ECONNABORTED, errno.EROFS, errno.ENOENT, errno.ENODEV}


class Client(threading.Thread):
    def __init__(self, project, notes, number):
        super().__init__()
        self.apps = pathlib.Path(project) / "apps"
        self.notes = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.pick = random.Random()
        self.prefix = f"{number}-{time.time_ns() // 1000000}"
        self.names, self.fault = [], None

    def note(self, *words):
        os.write(self.notes, (" ".join(words) + "\n").encode())

    def make(self):
        name = f"{self.prefix}-{self.pick.getrandbits(32):08x}"
        (self.apps / name).mkdir()
        self.note("made", name)
        self.names.append(name)
        self.read(name)

    def read(self, name):
        data = (self.apps / name / "device_ca.pem").read_bytes()
        self.note("cert", name, hashlib.sha256(data).hexdigest())

    def renew(self, name):
        os.utime(self.apps / name / self.pick.choice(("renew", "purge")))
        self.read(name)

    def remove(self, name):
        self.note("removing", name)
        self.names.remove(name)
        try:
            (self.apps / name).rmdir()
        except OSError as error:
            if error.errno == errno.EBUSY:  # its purge is not over
                return
            raise
        self.note("removed", name)

    def step(self):
        dice = self.pick.random()
        if dice < 0.5 or not self.names:
            self.make()
        elif dice < 0.8:
            self.renew(self.pick.choice(self.names))
        elif dice < 0.9:
            self.read(self.pick.choice(self.names))
        else:
            self.remove(self.pick.choice(self.names))

    def run(self):
        try:
            while True:
                self.step()
        except OSError as error:
            if error.errno not in GOING_DOWN:
                self.fault = error


def run(project, notes, threads):
    clients = [Client(project, notes, i) for i in range(int(threads))]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return [f"{client.fault}" for client in clients if client.fault]


def told(notes):
    """What must be there: {app: hashes of its certificates}; and what must not."""
    there, gone, sure = {}, set(), True
    for line in pathlib.Path(notes).read_text().splitlines():
        word, *names = line.split()
        if word in ("life", "cut"):
            sure = word == "life"
        elif word == "removing":
            there.pop(names[0], None)
        elif sure and word == "made":
            there[names[0]] = set()
        elif sure and word == "cert":
            there[names[0]].add(names[1])
        elif sure:
            gone.add(names[0])
    return there, gone


def have(app):
    return {hashlib.sha256((n / "device_ca.pem").read_bytes()).hexdigest() for n in (app / "generations").iterdir()}


def verify(project, notes):
    there, gone = told(notes)
    apps = pathlib.Path(project) / "apps"
    found = set(os.listdir(apps))
    lost = [f"{name} was made and is not there" for name in there if name not in found]
    lost += [f"{name} was removed and is there" for name in gone & found]
    for name, hashes in there.items():
        if hashes and name in found and hashes - have(apps / name):
            lost.append(f"{name}: {len(hashes - have(apps / name))} certificates that were read are not there")
    print(f"{len(there)} app instances, {sum(map(len, there.values()))} certificates, {len(lost)} lost")
    return lost


if __name__ == "__main__":
    faults = {"run": run, "verify": verify}[sys.argv[1]](*sys.argv[2:])
    for fault in faults[:20]:
        print(fault, file=sys.stderr)
    sys.exit(1 if faults else 0)
