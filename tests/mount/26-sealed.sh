#!/bin/bash
# No private key, uploaded or issued, is in the store's files in the clear, nor a password; a restart changes no byte.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

start_certfs
make_root root
make_intermediate plain root
make_intermediate locked root key=rsa2048
mkdir "$PROJECTS/plain" "$PROJECTS/locked"
upload plain plain
encrypt_key "$CA/locked.key" "$T/locked.key" Correct-Horse-Battery
cp "$CA/locked.chain" "$PROJECTS/locked/signing_ca/cert.pem"
cp "$T/locked.key" "$PROJECTS/locked/signing_ca/key.pem"
echo Correct-Horse-Battery >"$PROJECTS/locked/signing_ca/password"
printf '[certificate]\nkey_type = rsa-2048\n' >"$PROJECTS/locked/policy"
for project in plain locked; do
    mkdir "$PROJECTS/$project"/apps/gw-{1,2,3}
    for i in 1 2 3; do
        mkdir -p "$T/out/$project/gw-$i"
        cp "$PROJECTS/$project/apps/gw-$i"/{device_ca.pem,device_ca.key,bundle.pem} "$T/out/$project/gw-$i/"
    done
    touch "$PROJECTS/$project/apps/gw-3/renew"
    touch "$PROJECTS/$project/apps/gw-2/purge"
done

# search STAGE: in every file of the store, write-ahead log and temporary files included
search() {
    python3 - "$T/store" "$T/out" "$CA" "$1" <<'PYTHON'
import base64, glob, pathlib, subprocess, sys
import pem
store, out, ca, stage = sys.argv[1:]
needles = {"password": b"Correct-Horse-Battery", "PEM": b"PRIVATE KEY-----"}
for path in glob.glob(f"{out}/*/*/device_ca.key") + [f"{ca}/plain.key", f"{ca}/locked.key"]:
    der = pem.key(pathlib.Path(path).read_bytes())
    # a piece from within the secret part: of P-256 the scalar, of RSA something past the modulus
    secret = der[36:68] if len(der) < 200 else der[len(der) // 2:len(der) // 2 + 32]
    needles[path] = secret
    needles[path + " in hex"] = secret.hex().encode()
    whole = base64.b64encode(der)
    needles[path + " in base64"] = whole[len(whole) // 2:len(whole) // 2 + 32]
files = [p for p in pathlib.Path(store).rglob("*") if p.is_file()]
assert any(p.stat().st_size > 4096 for p in files), files
for path in files:
    data = path.read_bytes()
    for name, needle in needles.items():
        assert needle not in data and needle.upper() not in data, f"{stage}: {name} is in {path.name}"
print(f"{stage}: {len(files)} files, {len(needles)} secrets looked for")
PYTHON
}
search mounted
assert_eq "$(stat -c %a "$T/store")" 755 "mode of a directory that was there"
for file in "$T"/store/*; do
    assert_eq "$(stat -c %a "$file" | cut -c 2-)" 00 "what others may do with $file"
done
stop_certfs
search unmounted
start_certfs
for project in plain locked; do
    for file in gw-1/device_ca.pem gw-1/device_ca.key gw-1/bundle.pem gw-3/device_ca.key; do
        assert_same "$T/out/$project/$file" "$PROJECTS/$project/apps/$file" "after a restart"
    done
    ! cmp -s "$T/out/$project/gw-2/device_ca.key" "$PROJECTS/$project/apps/gw-2/device_ca.key" || fail "the purged key is back"
done

# where it would leak: a core dump, the command line, the environment
assert_has "$(cat "/proc/$WORKER_PID/limits")" "Max core file size +0 +0" "core dumps of the worker"
assert_has "$(cat "/proc/$SUPERVISOR_PID/limits")" "Max core file size +0 +0" "core dumps of the supervisor"
check_clean
