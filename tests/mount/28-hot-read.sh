#!/bin/bash
# variants: plain
# A hot read costs the server one open (and the release, which nobody waits for): no read, no getattr, no flush.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need strace

start_certfs
new_project p
mkdir "$PROJECTS/p/apps/gw"
file=$PROJECTS/p/apps/gw/device_ca.pem
cat "$file" >/dev/null

strace -f -y -xx -s 24 -e trace=read,readv,splice -o "$T/trace" -p "$WORKER_PID" 2>"$T/strace.err" &
tracer=$!
attached() { grep -q attached "$T/strace.err"; }
gone "$tracer" || wait_until 10 attached || true
attached || skip "strace can't attach: $(head -n 1 "$T/strace.err")"
python3 - "$file" <<'PYTHON'
import os, sys
for _ in range(1000):
    fd = os.open(sys.argv[1], os.O_RDONLY)
    os.read(fd, 65536)
    os.close(fd)
PYTHON
kill "$tracer"
wait "$tracer" || true

python3 - "$T/trace" <<'PYTHON'
import collections, re, sys
NAMES = {1: "LOOKUP", 3: "GETATTR", 14: "OPEN", 15: "READ", 18: "RELEASE", 25: "FLUSH"}
count = collections.Counter()
for line in open(sys.argv[1]):
    # the header of a request: length, opcode
    match = re.search(r'= [1-9]', line) and re.search(r'"((?:\\x[0-9a-f]{2}){8})', line)
    if match and ("fuse" in line or r"\x66\x75\x73\x65" in line or "resumed" in line or "iov" in line):  # -xx: paths, too
        data = bytes.fromhex(match[1].replace("\\x", ""))
        opcode = int.from_bytes(data[4:8], "little")
        count[NAMES.get(opcode, opcode)] += 1
print(dict(count))
if count["OPEN"] == 0:
    sys.exit("no request was seen: does the worker read them in another way?")
assert count["OPEN"] <= 1000 and count["RELEASE"] <= 1000, count
others = sum(count.values()) - count["OPEN"] - count["RELEASE"]
assert others <= 50, f"{others} other requests"
PYTHON
