"""Other programs that issue certificates, and another FUSE filesystem, as Debian packages them, beside certfs in the same run.

Each issues a device CA for a new P-256 key. certfs does more for it: it keeps the key sealed, records events, and has all on disk before the
answer. What a peer makes is under the bench's directory, and goes with it.
"""
import json, os, socket, subprocess, time, urllib.request

EXAMPLES = "/usr/share/doc/libfuse3-dev/examples"
# certdb/sqlite/migrations of cfssl, whose package leaves them out
CFSSL_TABLE = ("CREATE TABLE certificates(serial_number blob NOT NULL, authority_key_identifier blob NOT NULL, ca_label blob,"
               " status blob NOT NULL, reason int, expiry timestamp, revoked_at timestamp, pem blob NOT NULL,"
               " PRIMARY KEY(serial_number, authority_key_identifier))")


def quiet(*command, **more):
    subprocess.run([str(c) for c in command], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, **more)


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


class OpensslCa:
    """A key and a request by `openssl req`, the certificate by `openssl ca`, whose database takes one at a time."""
    what = "openssl req, openssl ca"

    def __init__(self, directory, ca):
        self.path, self.count = directory, 0
        os.mkdir(f"{directory}/new")
        write(f"{directory}/index.txt", "")
        write(f"{directory}/ca.cnf", f"[ca]\ndefault_ca = d\n[d]\ndatabase = {directory}/index.txt\nnew_certs_dir = {directory}/new\n"
              f"certificate = {ca}\nprivate_key = {ca}.key\nrand_serial = yes\ndefault_md = sha256\ndefault_days = 365\n"
              "policy = p\nx509_extensions = e\n[p]\ncommonName = supplied\n[e]\n"
              "basicConstraints = critical,CA:TRUE,pathlen:0\nkeyUsage = critical,digitalSignature,keyCertSign,cRLSign\n")

    def issue(self):
        self.count += 1
        file = f"{self.path}/{self.count}"
        quiet("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN=gw-{self.count}",
              "-keyout", file + ".key", "-out", file + ".csr")
        quiet("openssl", "ca", "-batch", "-notext", "-config", f"{self.path}/ca.cnf", "-in", file + ".csr", "-out", file + ".pem")

    def stop(self):
        pass


class Certtool:
    what = "certtool --generate-certificate"

    def __init__(self, directory, ca):
        self.path, self.ca, self.count = directory, ca, 0

    def issue(self):
        self.count += 1
        file = f"{self.path}/{self.count}"
        write(file + ".cfg", f'cn = "gw-{self.count}"\nca\npath_len = 0\nexpiration_days = 365\nsigning_key\ncert_signing_key\ncrl_signing_key\n')
        quiet("certtool", "--generate-privkey", "--key-type", "ecdsa", "--curve", "secp256r1", "--outfile", file + ".key")
        quiet("certtool", "--generate-certificate", "--load-privkey", file + ".key", "--load-ca-certificate", self.ca,
              "--load-ca-privkey", self.ca + ".key", "--template", file + ".cfg", "--outfile", file + ".pem")

    def stop(self):
        pass


class Cfssl:
    """`cfssl serve`, asked by curl with 16 requests at once; its store is SQLite as cfssl opens it."""

    def __init__(self, directory, ca, store):
        self.what = "cfssl serve" + (", SQLite store" if store else ", no store")
        write(f"{directory}/conf.json", json.dumps({"signing": {"default": {
            "expiry": "8760h", "usages": ["cert sign", "crl sign", "digital signature"],
            "ca_constraint": {"is_ca": True, "max_path_len": 0, "max_path_len_zero": True}}}}))
        write(f"{directory}/request.json", json.dumps({"request": {"CN": "gw-1", "hosts": [""], "names": [],
                                                                   "key": {"algo": "ecdsa", "size": 256}}}))
        quiet("openssl", "ec", "-in", ca + ".key", "-out", f"{directory}/ca.key")  # it takes no PKCS#8
        quiet("openssl", "x509", "-in", ca, "-out", f"{directory}/ca.pem")
        self.directory, self.port = directory, self.free_port()
        command = ["cfssl", "serve", "-loglevel=4", "-address=127.0.0.1", f"-port={self.port}", f"-ca={directory}/ca.pem",
                   f"-ca-key={directory}/ca.key", f"-config={directory}/conf.json"]
        if store:
            quiet("sqlite3", f"{directory}/c.db", CFSSL_TABLE)
            write(f"{directory}/db.json", json.dumps({"driver": "sqlite3", "data_source": f"{directory}/c.db"}))
            command.append(f"-db-config={directory}/db.json")
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        self.url = f"http://127.0.0.1:{self.port}/api/v1/cfssl/newcert"

    @staticmethod
    def free_port():
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            return s.getsockname()[1]

    def answers(self):
        try:
            with open(f"{self.directory}/request.json", "rb") as f:
                return urllib.request.urlopen(self.url, f.read(), 2).status == 200
        except OSError:
            return False

    def issue_many(self, count):
        quiet("curl", "-sf", "-Z", "--parallel-max", "16", "-d", f"@{self.directory}/request.json", "-o", "/dev/null", f"{self.url}?[1-{count}]")

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Passthrough:
    """passthrough_ll of libfuse's examples, over a directory with as many files as the floor has."""

    def __init__(self, directory, count, size):
        self.path, program = f"{directory}/mnt", f"{directory}/passthrough_ll"
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "fuse3"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
        quiet("gcc", "-O2", f"{EXAMPLES}/passthrough_ll.c", "-o", program, *flags)
        os.mkdir(self.path)
        os.mkdir(f"{directory}/source")
        for i in range(1, count + 1):
            write(f"{directory}/source/a{i:07}", "x" * size)
        self.process = subprocess.Popen([program, "-f", "-o", f"source={directory}/source,cache=always", self.path],
                                        stderr=subprocess.DEVNULL, start_new_session=True)

    def answers(self):
        return os.path.ismount(self.path)

    def stop(self):
        subprocess.run(["umount", self.path])
        self.process.wait()


# ---- beside certfs ----

def start(bench, name, make):
    directory = os.path.join(bench.directory, name)
    os.mkdir(directory)
    peer = make(directory)
    end = time.monotonic() + 30
    while hasattr(peer, "answers") and not peer.answers():
        if time.monotonic() > end:
            raise SystemExit(f"bench: {name} does not answer")
        time.sleep(0.02)
    return peer


def rate(peer, count):
    begin = time.monotonic()
    if hasattr(peer, "issue_many"):
        peer.issue_many(count)
    else:
        for _ in range(count):
            peer.issue()
    return count / (time.monotonic() - begin)


def against_issuer(bench, fs, peer, readers, each):
    """certfs gets ten times as many: a slice of it would be too short otherwise."""
    def mine():
        fs.next += 10 * each
        return bench.load("first", fs.apps, "device_ca.pem", readers, fs.next - 10 * each, 10 * each)

    certfs, other = bench.alternate(mine, lambda: rate(peer, each), 3)
    peer.stop()
    bench.row(f"first read, {readers} readers, against {peer.what}", "/s", certfs, other, "", True)


def against_passthrough(bench, fs, size):
    peer = start(bench, "passthrough", lambda d: Passthrough(d, 1, size))
    certfs, other = bench.alternate(lambda: bench.load("hot", f"{fs.apps}/sample/device_ca.pem", 8000),
                                    lambda: bench.load("hot", f"{peer.path}/a0000001", 8000), 5)
    peer.stop()
    bench.row("hot read, against passthrough_ll", "us", certfs, other, "")


def compare(bench, fs, size):
    """fs: a store with 12,000 app instances without a certificate; it is removed."""
    subprocess.run([os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../conf/install-packages"), "bench"], check=True,
                   stdout=subprocess.DEVNULL)
    fs.next = 1
    against_passthrough(bench, fs, size)
    for name, make, readers, each in (
            ("openssl", lambda d: OpensslCa(d, bench.ca), 1, 20),
            ("certtool", lambda d: Certtool(d, bench.ca), 1, 20),
            ("cfssl", lambda d: Cfssl(d, bench.ca, False), 16, 100),
            ("cfssl-store", lambda d: Cfssl(d, bench.ca, True), 16, 100)):
        against_issuer(bench, fs, start(bench, name, make), readers, each)
    fs.remove()
