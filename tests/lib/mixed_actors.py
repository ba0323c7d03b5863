"""The actors of mixed.py: each does one thing again and again, and knows afterwards what must be true."""

import collections
import errno
import hashlib
import json
import os
import pathlib
import select
import subprocess
import time

import pem

LAST_WORDS = "the-end-of-the-load"


def write(path, data, flags=os.O_WRONLY | os.O_TRUNC):
    fd = os.open(path, flags, 0o600)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def retried(change):
    """EIO: the bytes died with their worker, and nothing has happened."""
    for _ in range(100):
        try:
            return change()
        except OSError as error:
            if error.errno != errno.EIO:
                raise
    raise AssertionError("EIO a hundred times")


def refused(change, code):
    try:
        retried(change)
    except OSError as error:
        assert error.errno == code, error
        return
    raise AssertionError(f"succeeded, wanted {errno.errorcode[code]}")


def field(path, name):
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return value.strip().strip('"')
    raise AssertionError(f"{path} has no {name}")


class Actor:
    """name, count of its steps, facts (what JSON takes): all that judge() may use of what step() learned, which is in another process."""

    def __init__(self, mount, base, number):
        self.projects, self.base, self.number = mount / "projects", base, number
        self.mount, self.name, self.count = mount, f"{type(self).__name__.lower()}-{number}", 0
        self.apps = self.projects / "load" / "apps"
        self.facts = {"seen": {}}
        self.prepare()

    def prepare(self):
        pass

    def end(self):
        pass

    def read(self, app, file="bundle.pem"):
        """The certificate's serial number, remembered; a bundle's key is its own."""
        blocks = pem.blocks((app / file).read_bytes())
        certificate = next(der for label, der in blocks if label == "CERTIFICATE")
        if blocks[0][0] == "PRIVATE KEY":
            assert pem.matches(certificate, blocks[0][1]), f"{app}: the key is another's"
        serial = f"{pem.serial(certificate):X}"
        seen = self.facts["seen"].setdefault(str(app), [])
        if serial not in seen:
            seen.append(serial)
        return serial

    def judge(self):
        """What was seen is in the store."""
        for app, serials in self.facts["seen"].items():
            if not os.path.isdir(app):
                continue
            files = pathlib.Path(app).glob("generations/*/device_ca.pem")
            there = {f"{pem.serial(pem.certificates(file.read_bytes())[0]):X}" for file in files}
            assert set(serials) <= there, f"{app}: {len(set(serials) - there)} certificates that were read are not there"

    def events(self, kind, project, app=None):
        return followed[self.mount].facts["events"].get(f"{kind} {project} {app}", 0)

    def happened(self, kind, project, app, times):
        told = self.events(kind, project, app)
        assert told == times, f"{kind} of {project}/{app}: {told} events, wanted {times}"


followed = {}  # mount: the Follower of its events


class Hot(Actor):
    def prepare(self):
        self.app = self.projects / "load" / "apps" / f"hot-{self.number}"
        self.app.mkdir()
        self.facts["longest"], self.hash = 0, hashlib.sha256((self.app / "device_ca.pem").read_bytes()).hexdigest()

    def step(self):
        begin = time.monotonic()
        data = (self.app / "device_ca.pem").read_bytes()
        self.facts["longest"] = max(self.facts["longest"], time.monotonic() - begin)
        assert hashlib.sha256(data).hexdigest() == self.hash, "a certificate that nobody renewed has changed"
        if self.count % 64 == 0:
            self.read(self.app)


class Fresh(Actor):
    """First reads; every third is removed again, and then revoked."""

    def prepare(self):
        self.facts["gone"] = {}

    def step(self):
        app = self.apps / f"f-{self.number}-{self.count}"
        app.mkdir()
        serial = self.read(app)
        assert serial == self.read(app, "device_ca.pem"), "two certificates for one app instance"
        if self.count % 3 == 0:
            app.rmdir()
            assert not app.exists(), "removed, and there"
            self.facts["gone"][app.name] = serial

    def judge(self):
        super().judge()
        there, gone = set(os.listdir(self.apps)), self.facts["gone"]
        crl = subprocess.run(["openssl", "crl", "-noout", "-text", "-in", self.projects / "load/signing_ca/crl.pem"],
                             capture_output=True, text=True, check=True).stdout.split()
        for i in range(self.count):
            name = f"f-{self.number}-{i}"
            assert (name in there) != (name in gone), f"{name} is {'there' if name in there else 'not there'}"
            assert gone.get(name, crl[0]) in crl, f"{name} is removed and not revoked"
            self.happened("app.created", "load", name, 1)
            self.happened("device_ca.issued", "load", name, 1)
            self.happened("app.removed", "load", name, 1 if name in gone else 0)


class Directories(Actor):
    def step(self):
        name = f"d-{self.number}-{self.count}"
        (self.apps / name).mkdir()
        assert (self.apps / name / "status").exists()
        (self.apps / name).rmdir()
        (self.projects / name).mkdir()
        (self.projects / name).rmdir()
        assert not (self.projects / name).exists() and not (self.apps / name).exists()

    def judge(self):
        there = set(os.listdir(self.apps)) | set(os.listdir(self.projects))
        for i in range(self.count):
            name = f"d-{self.number}-{i}"
            assert name not in there, f"{name} was removed"
            for kind in ("app.created", "app.removed"):
                self.happened(kind, "load", name, 1)
            for kind in ("project.created", "project.removed"):
                self.happened(kind, name, None, 1)


class Renewed(Actor):
    def prepare(self):
        self.app = self.apps / f"renewed-{self.number}"
        self.app.mkdir()
        self.serial = self.read(self.app)

    def step(self):
        os.utime(self.app / "renew")
        serial = self.read(self.app)
        assert serial != self.serial, "renew has returned, and the certificate is the old one"
        self.serial = serial

    def judge(self):
        super().judge()
        assert int(field(self.app / "renew", "counter")) == self.count, "counter of renew"
        assert len(os.listdir(self.app / "generations")) == self.count + 1, "generations"
        self.happened("device_ca.renewed", "load", self.app.name, self.count)


class Purged(Actor):
    """With hooks, by written text."""

    def prepare(self):
        self.app = self.apps / f"purged-{self.number}"
        self.app.mkdir()
        self.serial = self.read(self.app)

    def step(self):
        retried(lambda: write(self.app / "purge", f"round {self.count}\n".encode()))
        serial = self.read(self.app)
        assert serial != self.serial, "purge has returned, and the certificate is the old one"
        self.serial = serial

    def judge(self):
        super().judge()
        assert int(field(self.app / "purge", "counter")) == self.count, "counter of purge"
        wait_for(self.app / "purge")
        assert field(self.app / "status", "delivered_generation") == field(self.app / "status", "generation"), "delivered"


def wait_for(path):
    for _ in range(1200):
        if field(path, "state") == "done":
            return
        time.sleep(0.05)
    raise AssertionError(f"{path}: {field(path, 'state')} for a minute")


class Rolled(Actor):
    """force_update of a project with hooks; update where it is idle."""

    def prepare(self):
        self.project = self.projects / "rolled"
        self.members = [self.project / "apps" / f"r{i}" for i in range(4)]
        for app in self.members:
            app.mkdir()
        self.serials = [self.read(app) for app in self.members]
        self.facts["updates"] = 0

    def step(self):
        os.utime(self.project / "force_update")
        serials = [self.read(app) for app in self.members]
        assert not set(serials) & set(self.serials), "force_update has returned, and a certificate is the old one"
        self.serials = serials
        try:
            os.utime(self.project / "update")
            self.facts["updates"] += 1
        except OSError as error:
            assert error.errno == errno.EBUSY, error
        time.sleep(0.1)

    def judge(self):
        super().judge()
        assert int(field(self.project / "force_update", "counter")) == self.count, "counter of force_update"
        assert int(field(self.project / "update", "counter")) == self.facts["updates"], "counter of update"
        wait_for(self.project / "progress")
        assert field(self.project / "progress", "failed") == "0", "failed in progress"


class Uploads(Actor):
    """By writing, and by temporary file and rename."""

    def prepare(self):
        self.project = self.projects / f"uploads-{self.number}"
        self.project.mkdir()
        self.sets = [b"".join((self.base / "ca" / f"{name}.{part}").read_bytes() for part in ("chain", "key"))
                     for name in ("int", "other")]

    def step(self):
        directory, data = self.project / "signing_ca", self.sets[self.count % 2]
        if self.number % 2:
            retried(lambda: write(directory / "cert.pem", data))
        else:
            self.by_rename(directory, data)
        assert self.active() == pem.certificates(data)[0], "uploaded, and another is active"
        refused(lambda: write(directory / "next" / "cert.pem", b"no certificate\n"), errno.EKEYREJECTED)

    def by_rename(self, directory, data):
        temporary = directory / f".cert.pem.{self.count}"
        retried(lambda: write(temporary, data, os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
        temporary.rename(directory / "cert.pem")

    def active(self):
        return pem.certificates((self.project / "signing_ca" / "cert.pem").read_bytes())[0]

    def judge(self):
        assert self.active() == pem.certificates(self.sets[(self.count - 1) % 2])[0], "the last upload is not active"
        self.happened("signing_ca.activated", self.project.name, None, self.count)


class Texts(Actor):
    """policy, details, user_data.in: read back at once, and at the end."""

    def prepare(self):
        self.app = self.apps / f"texts-{self.number}"
        self.app.mkdir()

    def texts(self, number):
        return {self.projects / "load" / "policy": f"[rollout]\nmax_parallel = {number % 16 + 1}\n",
                self.app / "details": f"number={number}\n",
                self.app / "user_data.in": f"#cloud-config\n# {number}\nnumber: $details.number\n"}

    def step(self):
        for path, text in self.texts(self.count).items():
            retried(lambda: write(path, text.encode()))
            assert path.read_text() == text, f"{path} was written, and reads differently"
        assert f"number: {self.count}\n" in (self.app / "user_data").read_text(), "user_data of an older template"

    def judge(self):
        for path, text in self.texts(self.count - 1).items():
            assert path.read_text() == text, f"{path} is not what was written last"


class Revoked(Actor):
    def step(self):
        app = self.apps / f"v-{self.number}-{self.count}"
        app.mkdir()
        self.read(app)
        retried(lambda: write(app / "revoke", b"stolen\n"))
        refused((app / "device_ca.key").read_bytes, errno.EKEYREVOKED)

    def judge(self):
        super().judge()
        for i in range(self.count):
            self.happened("device_ca.revoked", "load", f"v-{self.number}-{i}", 1)


class Looker(Actor):
    """Lists, stats and reads all that only tells."""

    def step(self):
        for name in ("status", "status.json", "metrics", "README"):
            assert (self.mount / name).read_bytes()
        for name in ("status", "progress", "signing_ca/status", "signing_ca/crl.pem", "signing_ca/affected"):
            (self.projects / "rolled" / name).read_bytes()
        with os.scandir(self.apps) as entries:
            for entry in list(entries)[:50]:
                try:
                    entry.stat()
                    os.getxattr(entry.path, "user.certfs.state")
                except FileNotFoundError:
                    pass  # removed meanwhile
        os.statvfs(self.mount)


class Follower(Actor):
    """Waits in poll(2) for each new line of events: every one comes once, in order."""

    def prepare(self):
        self.data, self.last, self.fd, self.over = b"", 0, -1, False
        self.facts["events"] = collections.Counter()
        followed[self.mount] = self

    def take(self, line):
        event = json.loads(line)
        assert event["id"] == self.last + 1 or not self.last, f"event {event['id']} after {self.last}"
        self.last = event["id"]
        self.over = self.over or event.get("project") == LAST_WORDS
        self.facts["events"][f"{event['type']} {event.get('project')} {event.get('app')}"] += 1

    def step(self):
        if self.fd < 0:
            self.fd = os.open(self.mount / "events", os.O_RDONLY)
        more = os.read(self.fd, 1 << 16)
        *lines, self.data = (self.data + more).split(b"\n")
        for line in lines:
            self.take(line)
        if not more:
            poll = select.poll()
            poll.register(self.fd, select.POLLIN)
            assert poll.poll(60000), "not woken for a minute"

    def end(self):
        limit = time.time() + 60
        while not self.over:
            assert time.time() < limit, "the last event never came"
            self.step()


CAST = {Follower: 1, Hot: 2, Fresh: 3, Directories: 2, Renewed: 2, Purged: 2, Rolled: 1, Uploads: 2, Texts: 1, Revoked: 1, Looker: 1}


def cast(mount, base):
    """Projects load and rolled have a signing CA already."""
    return [kind(mount, base, number) for kind, count in CAST.items() for number in range(count)]


def last_words(mount):
    (mount / "projects" / LAST_WORDS).mkdir()
