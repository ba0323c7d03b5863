#!/bin/bash
# A hot read asks the server once: OPEN. Attributes and pages are the kernel's. (RELEASE has no answer to wait for.)
# variants: plain
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need strace

ROUNDS=1000
start_certfs
new_project p
mkdir "$PROJECTS/p/apps/gw"
cat "$PROJECTS/p/apps/gw"/{device_ca.pem,device_ca.key,bundle.pem} >/dev/null

# requests FILE: what arrives at the server while FILE is read, by opcode
requests() {
    strace -qq -f -p "$WORKER_PID" -e trace=read,readv,splice -x -s 8 -o "$T/trace" 2>"$T/strace.log" &
    local tracer=$!
    wait_until 5 grep -q '^TracerPid:[[:space:]]*[1-9]' "/proc/$WORKER_PID/status"
    sleep 0.3
    python3 - "$1" $ROUNDS <<'PYTHON'
import os, sys
path, rounds = sys.argv[1], int(sys.argv[2])
for _ in range(rounds):
    fd = os.open(path, os.O_RDONLY)
    while os.read(fd, 65536):
        pass
    os.close(fd)
PYTHON
    sleep 0.2
    kill "$tracer"
    wait "$tracer" || true
    # a request begins with its length, then its opcode, little-endian
    python3 - "$T/trace" <<'PYTHON'
import collections, re, sys
NAMES = {1: "LOOKUP", 3: "GETATTR", 14: "OPEN", 15: "READ", 18: "RELEASE", 25: "FLUSH", 34: "ACCESS", 2: "FORGET", 42: "BATCH_FORGET"}
counts = collections.Counter()
for line in open(sys.argv[1], errors="replace"):
    match = re.search(r'"((?:\\x[0-9a-f]{2}){8})', line)
    size = re.search(r"\) += (\d+)$", line)
    if match and size:
        data = bytes.fromhex(match[1].replace("\\x", ""))
        length, opcode = int.from_bytes(data[:4], "little"), int.from_bytes(data[4:], "little")
        if length == int(size[1]) and length >= 40:
            counts[NAMES.get(opcode, str(opcode))] += 1
print(" ".join(f"{name}={count}" for name, count in sorted(counts.items())))
PYTHON
}

for name in device_ca.pem device_ca.key bundle.pem; do
    begin=$SECONDS
    counts=$(requests "$PROJECTS/p/apps/gw/$name")
    echo "$name: $counts"
    declare -A of=([OPEN]=0 [RELEASE]=0)
    total=0
    for pair in $counts; do
        of[${pair%=*}]=${pair#*=}
        total=$((total + ${pair#*=}))
    done
    assert_eq "${of[OPEN]}" $ROUNDS "$name: OPEN requests for $ROUNDS reads"
    # lookups and attributes once a second, for each name of the path
    rest=$((total - of[OPEN] - of[RELEASE]))
    most=$((10 * (SECONDS - begin + 2)))
    [ $rest -le $((most < ROUNDS / 4 ? most : ROUNDS / 4)) ] || fail "$name: $rest requests beside OPEN and RELEASE: $counts"
    unset of
done
