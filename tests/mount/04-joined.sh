#!/bin/bash
# variants: plain asan tsan
# However many wait for a new certificate, it is issued once.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

start_certfs
new_project p
for round in $(seq 10); do
    app=$PROJECTS/p/apps/gw-$round
    mkdir "$app" "$T/$round"
    # 100 processes that go at once
    python3 - "$app" "$T/$round" <<'PYTHON'
import multiprocessing, pathlib, sys
app, out = map(pathlib.Path, sys.argv[1:])
names = ("device_ca.pem", "bundle.pem", "device_ca.key")

def read(i, barrier):
    barrier.wait()
    (out / f"{i}-{names[i % 3]}").write_bytes((app / names[i % 3]).read_bytes())

fork = multiprocessing.get_context("fork")
barrier = fork.Barrier(100)
readers = [fork.Process(target=read, args=(i, barrier)) for i in range(100)]
for reader in readers:
    reader.start()
for reader in readers:
    reader.join()
sys.exit(any(reader.exitcode for reader in readers))
PYTHON
    assert_eq "$(find "$T/$round" -type f | wc -l)" 100 "answers"
    for name in device_ca.pem device_ca.key bundle.pem; do
        assert_eq "$(sha256sum "$T/$round"/*-$name | cut -c 1-64 | sort -u | wc -l)" 1 "different $name"
        cmp "$(find "$T/$round" -name "*-$name" | head -n 1)" "$app/$name"
    done
    cat "$app/device_ca.key" "$app/device_ca.pem" | cmp - "$app/bundle.pem"
    assert_eq "$(field "$app/status" generation)" 1 generation
    assert_eq "$(echo "$app"/generations/*)" "$app/generations/1" generations
done
assert_pair "$app/device_ca.pem" "$app/device_ca.key"
check_clean
