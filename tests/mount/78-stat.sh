#!/bin/bash
# stat is right at once after a trigger, though the kernel remembers names and attributes for a second; and who has an older generation open
# is told its size, not that of the newest.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

start_certfs
new_project p
mkdir "$PROJECTS/p/apps/gw"
python3 - "$PROJECTS/p" <<'PYTHON'
import os, sys
project = sys.argv[1]
gw = project + "/apps/gw"
files = [f"{gw}/{name}" for name in ("device_ca.pem", "device_ca.key", "bundle.pem")]

def read(path):
    with open(path, "rb") as file:
        return file.read()

def policy(key_type):
    with open(project + "/policy", "w") as file:
        file.write(f"[certificate]\nkey_type = {key_type}\n")

TYPES = ["rsa-2048", "ec-p256"] * 10
for number, key_type in enumerate(TYPES):
    before = [read(path) for path in files]  # now the kernel knows them
    opened = [open(path, "rb") for path in files]
    policy(key_type)
    os.utime(gw + ("/renew" if number % 2 else "/purge"))
    if number % 4 < 2:  # nobody has them open
        for file in opened:
            file.close()
    sizes = [os.stat(path).st_size for path in files]
    after = [read(path) for path in files]
    if number % 4 < 2:
        assert sizes == [len(data) for data in after], f"{key_type}: stat says {sizes} before reading {[len(data) for data in after]}"
        continue
    for file, data in zip(opened, before):
        assert os.fstat(file.fileno()).st_size == len(data), "fstat of an older generation"
        assert file.read() == data, "an older generation"
        file.close()
    assert before != after

# changed again and again, and never opened: the name is still that of an older node
for number, key_type in enumerate(TYPES):
    policy(key_type)
    os.utime(gw + ("/renew" if number % 2 else "/purge"))
    size = os.stat(gw + "/device_ca.key").st_size
    assert (size > 1000) == (key_type == "rsa-2048"), f"stat says {size} for {key_type}"
PYTHON
check_clean
