#!/bin/bash
# variants: plain asan tsan
# Readers against purge and renew at full speed: each open file is one generation, whole, of the size that fstat told.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

SECONDS_LONG=8
start_certfs
new_project p
mkdir "$PROJECTS/p/apps/gw" "$PROJECTS/p/apps/still"
gw=$PROJECTS/p/apps/gw

# reader NUMBER: pieces of 300 bytes, so that a change falls between two of them
reader() {
    python3 - "$gw" "$1" "$T" $SECONDS_LONG <<'PYTHON'
import os, pathlib, random, sys, time
import pem
gw, number, base, end = pathlib.Path(sys.argv[1]), int(sys.argv[2]), pathlib.Path(sys.argv[3]), time.monotonic() + int(sys.argv[4])
names, reads, seen = ("device_ca.pem", "device_ca.key", "bundle.pem"), 0, set()
pick = random.Random(number)
while time.monotonic() < end:
    name = names[reads % 3]
    fd = os.open(gw / name, os.O_RDONLY)
    size, data = os.fstat(fd).st_size, b""
    while piece := os.read(fd, 300):
        data += piece
        if pick.random() < 0.05:
            time.sleep(0.002)
    size_after = os.fstat(fd).st_size
    os.close(fd)
    assert len(data) == size == size_after, f"{name}: {len(data)} bytes, fstat {size}, then {size_after}"
    assert data.endswith(b"-----\n"), f"{name} does not end with a newline"
    blocks = pem.blocks(data)
    wanted = {"device_ca.pem": 3, "device_ca.key": 1, "bundle.pem": 4}[name]
    assert len(blocks) == wanted == data.count(b"-----END"), f"{name}: {len(blocks)} blocks"
    if name == "bundle.pem":
        assert pem.matches(blocks[1][1], blocks[0][1]), "bundle.pem: key and certificate of two generations"
        seen.add(pem.serial(blocks[1][1]))
        if reads % 50 == 2:
            (base / f"sample-{number}-{reads}").write_bytes(data)
    reads += 1
assert reads >= 100, f"only {reads} reads"
assert len(seen) >= 20, f"only {len(seen)} generations seen"
print(reads, len(seen))
PYTHON
}

actors=()
for i in 1 2 3 4; do
    reader $i >"$T/out-$i" 2>"$T/err-$i" &
    actors+=($!)
done
end=$((SECONDS + SECONDS_LONG)) rounds=0
while [ $SECONDS -lt $end ]; do
    touch "$gw/purge"
    touch "$gw/renew"
    rounds=$((rounds + 1))
done
for i in 1 2 3 4; do
    wait "${actors[i - 1]}" || fail "reader $i: $(tail -n 1 "$T/err-$i") $(grep -a Error "$T/err-$i")"
done
echo "$rounds rounds; reads and generations: $(paste -sd ';' "$T"/out-*)"
assert_eq "$(field "$gw/purge" counter) $(field "$gw/renew" counter)" "$rounds $rounds" counters

for sample in $(find "$T" -name 'sample-*' | shuf -n 40); do
    assert_pair "$sample" "$sample"
done
verify_chain "$gw/device_ca.pem" "$CA/root.pem"

# a handle opened before a change gives its generation to the end
exec 7<"$gw/bundle.pem"
head -c 100 <&7 >"$T/old-start"
before=$(serial "$gw/bundle.pem")
touch "$gw/purge"
assert_ne "$(serial "$gw/bundle.pem")" "$before" serial
cat <&7 >"$T/old-rest"
exec 7<&-
cat "$T/old-start" "$T/old-rest" >"$T/old"
assert_pair "$T/old" "$T/old"
assert_eq "$(serial "$T/old")" "$before" "serial from a handle opened before"
check_clean
