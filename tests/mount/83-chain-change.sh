#!/bin/bash
# A certificate that is open while the chain above it is swapped: what was opened, whole, or an error, never a part of each. (What the kernel
# remembers hides it: here it forgets.)
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

start_certfs
new_project p # under int
cp "$CA/int.key" "$CA/int2.key"
make_ca int2 parent=root subject=/CN=int # another certificate of the same key and name
mkdir "$PROJECTS/p/apps/gw"
python3 - "$PROJECTS/p" "$CA" <<'PYTHON'
import os, sys
project, ca = sys.argv[1:]
gw = project + "/apps/gw"

def read(path):
    with open(path, "rb") as file:
        return file.read()

def swap(name):
    with open(project + "/signing_ca/cert.pem", "wb") as file:
        file.write(read(f"{ca}/{name}.chain"))

errors = whole = 0
for name in ("device_ca.pem", "bundle.pem", "generations/1/device_ca.pem"):
    for size in (0, 100, 700, 900):
        swap("int")
        old = read(f"{gw}/{name}")
        fd = os.open(f"{gw}/{name}", os.O_RDONLY)
        got = os.read(fd, size) if size else b""
        swap("int2")
        assert read(f"{gw}/{name}") != old, f"{name}: the chain was not swapped"
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        try:
            while more := os.read(fd, 65536):
                got += more
            assert got == old, f"{name}, after {size} bytes: {len(got)} bytes that are not those that were opened ({len(old)})"
            whole += 1
        except OSError:
            errors += 1
        assert os.fstat(fd).st_size > 1000, "fstat"
        os.close(fd)
        assert len(read(f"{gw}/{name}")) > 1000, "read again"
assert whole > 0, errors
PYTHON
check_clean
