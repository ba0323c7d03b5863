#!/bin/bash
# timeout: 300
# The policy is written while issues take seconds: they begin anew. Whoever has been told that a file's node is stale is answered with a
# certificate the next time, however late: the kernel looks the name up once more, and only once.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

start_certfs
new_project p
mkdir "$PROJECTS"/p/apps/gw-{1..4}
cat "$PROJECTS"/p/apps/*/device_ca.pem >/dev/null
python3 - "$PROJECTS/p" <<'PYTHON'
import os, sys, threading, time
project = sys.argv[1]
apps = [entry.path for entry in os.scandir(project + "/apps")]
failures = []

def policy(parallel):
    with open(project + "/policy", "w") as file:
        file.write(f"[certificate]\nkey_type = rsa-4096\n[rollout]\nmax_parallel = {parallel}\n")

def reader(app, name):
    try:
        with open(f"{app}/{name}", "rb") as file:
            assert file.read().startswith(b"-----BEGIN")
    except OSError as error:
        failures.append(f"{app}/{name}: {error.strerror}")

policy(1)
for app in apps:
    os.utime(app + "/purge")
threads = [threading.Thread(target=reader, args=(app, name)) for app in apps for name in ("device_ca.pem", "bundle.pem")]
for thread in threads:
    thread.start()
for parallel in range(2, 6):
    time.sleep(0.3)
    policy(parallel)
for thread in threads:
    thread.join()
assert not failures, failures
PYTHON
check_clean
