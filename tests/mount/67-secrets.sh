#!/bin/bash
# timeout: 300
# variants: plain
# No private key, password or PIN in a core image of the worker, what it logs and tells, or memory that may be swapped; and
# what was deleted is gone from the store's files.
# shellcheck source=tests/lib/journal.sh
. "$(dirname "$0")/../lib/journal.sh"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/token.sh
. "$SOURCE/tests/lib/token.sh"

need gcore readelf sqlite3
PASSWORD=Correct-Horse-Battery
make_token
journal_start
write_conf '[log]' 'level = debug'
start_certfs
make_root root
make_intermediate plain root
make_intermediate locked root key=rsa2048
make_intermediate held root
mkdir "$PROJECTS"/{plain,locked,held} "$PROJECTS"/{plain,locked,held}/apps/gw-{1,2,3,4}
upload plain plain
encrypt_key "$CA/locked.key" "$T/locked.key" "$PASSWORD"
cp "$CA/locked.chain" "$PROJECTS/locked/signing_ca/cert.pem"
cp "$T/locked.key" "$PROJECTS/locked/signing_ca/key.pem"
echo "$PASSWORD" >"$PROJECTS/locked/signing_ca/password"
softhsm2-util --import "$CA/held.key" --token certfs --label held --id 01 --pin "$PIN" >/dev/null
cp "$CA/held.chain" "$PROJECTS/held/signing_ca/cert.pem"
printf 'pkcs11:token=certfs;object=held?pin-value=%s' "$PIN" >"$T/uri"
cp "$T/uri" "$PROJECTS/held/signing_ca/key.pem"
printf '[certificate]\nkey_type = rsa-2048\n' >"$PROJECTS/locked/policy"
for project in plain locked held; do
    for app in gw-1 gw-2 gw-3 gw-4; do
        mkdir -p "$T/out/$project/$app"
        cp "$PROJECTS/$project/apps/$app"/{device_ca.pem,device_ca.key,bundle.pem} "$T/out/$project/$app/"
    done
    touch "$PROJECTS/$project/apps/gw-3/renew"
    cat "$PROJECTS/$project/apps/gw-3/device_ca.key" >/dev/null
done

# Far behind in the receiving buffers, where the requests after it do not reach.
mkdir "$PROJECTS/waiting"
{ head -c 8000 /dev/zero | tr '\0' x; printf %s "$PASSWORD"; } >"$T/long"
for _ in 1 2 3 4 5 6 7 8; do
    cp "$T/long" "$PROJECTS/waiting/signing_ca/password"
done

# look_for WHERE FILE…: every form of every secret
look_for() {
    python3 - "$T" "$PASSWORD" "$PIN" "$@" <<'PYTHON'
import base64, glob, pathlib, sys
import pem
tmp, password, pin, where, *files = sys.argv[1:]
needles = {"the password": password.encode(), "the PIN": b"pin-value=" + pin.encode()}
keys = glob.glob(f"{tmp}/out/*/*/device_ca.key") + [f"{tmp}/ca/{name}.key" for name in ("plain", "locked", "held")]
for path in keys:
    der = pem.key(pathlib.Path(path).read_bytes())
    # a piece from within the secret part: of P-256 the scalar, of RSA something past the modulus
    secret = der[36:68] if len(der) < 200 else der[len(der) // 2:len(der) // 2 + 32]
    name = path.removeprefix(tmp + "/")
    needles[name] = secret
    needles[name + ", little endian"] = secret[::-1]
    needles[name + " in hex"] = secret.hex().encode()
    whole = base64.b64encode(der)
    needles[name + " in base64"] = whole[len(whole) // 2:len(whole) // 2 + 32]
master = pathlib.Path(f"{tmp}/store/master.key").read_bytes()
needles["the master key"] = master
found = []
for file in files:
    data = pathlib.Path(file).read_bytes()
    found += [f"{name} ({file.removeprefix(tmp)}+{data.index(needle):x})" for name, needle in needles.items() if needle in data]
for line in found:
    print(f"{where}: {line}")
print(f"{where}: {sum(pathlib.Path(f).stat().st_size for f in files)} bytes, {len(needles)} secrets looked for, {len(found)} found")
sys.exit(1 if found else 0)
PYTHON
}

# ---- the worker's memory, as a core image has it ----

# Without the notes at its end: they hold the threads' registers, in which what was moved last may stand, and no memory.
dump() {
    local notes
    gcore -o "$T/core" "$WORKER_PID" >"$T/gcore.out" 2>&1 || fail "gcore: $(tail -n 3 "$T/gcore.out")"
    notes=$(readelf -lW "$T/core.$WORKER_PID" | sed -n 's/^ *NOTE  *\(0x[0-9a-f]*\) .*/\1/p')
    truncate -s $((notes)) "$T/core.$WORKER_PID"
}
dump
look_for "core image" "$T/core.$WORKER_PID" >"$T/look.out" || fail "$(cat "$T/look.out")"
# With the filter of core images taken away by root: OpenSSL keeps primes of RSA keys in the ordinary heap, all else is in memory that is
# marked as not for dumps. And that the search finds what is there: the certificates are.
echo 0x33 >"/proc/$WORKER_PID/coredump_filter"
dump
look_for "core image, not filtered" "$T/core.$WORKER_PID" >"$T/look.out" || true
! grep ': ' "$T/look.out" | grep -Ev '^core image, not filtered: (out|ca)/locked|secrets looked for' || fail "more than RSA's primes"
grep -aqF "$(sed -n 3p "$CA/plain.pem")" "$T/core.$WORKER_PID" || fail "the core image has not even certificates"
rm "$T/core.$WORKER_PID"

# what holds keys is locked, and the kernel writes no core at all
locked=$(sed -n 's/^VmLck:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$WORKER_PID/status")
[ "$locked" -ge 256 ] || fail "$locked KiB of the worker are locked"
assert_has "$(cat "/proc/$WORKER_PID/limits")" 'Max core file size +0 +0' "core dumps of the worker"
old=$WORKER_PID
kill -ABRT "$old"
wait_until 20 find_worker "$old"
assert_has "$(cat "$T/mount.log" "$MNT/events")" . "there is a log"
for core in "/core.$old" /core; do
    [ ! -e "$core" ] || fail "the kernel dumped the worker"
done

# ---- what it tells ----

cat "$MNT/events" >"$T/events"
cat "$MNT/audit" >"$T/audit"
cat "$PROJECTS"/*/status "$PROJECTS"/*/signing_ca/status >"$T/status"
tr '\0' '\n' <"/proc/$WORKER_PID/cmdline" >"$T/cmdline"
tr '\0' '\n' <"/proc/$WORKER_PID/environ" >"$T/environ"
assert_has "$(journal .CERTFS_EVENT)" '^device_ca.issued$' "events in the journal at level debug"
look_for "log, events, audit, status, /proc" "$T"/{journal,mount.log,events,audit,status,cmdline,environ} || fail "see above"

# ---- the store's files, and what was deleted from them ----

sealed() {
    sqlite3 "$STORE" "SELECT hex(sealed) FROM generation WHERE sealed IS NOT NULL AND app IN (SELECT a.id FROM app a JOIN project p ON
        p.id=a.project WHERE p.name='plain' AND a.name IN ('gw-1', 'gw-2')) UNION ALL SELECT hex(sealed) FROM signing_key k WHERE
        k.id IN (SELECT key FROM signing_ca c JOIN project p ON p.id=c.project WHERE p.name='locked')"
}
sealed >"$T/sealed"
assert_eq "$(grep -c . "$T/sealed")" 3 "sealed keys that are about to go"
look_for "store" "$T"/store/certfs.db* || fail "see above"
# still_there: any of them, in any file
still_there() {
    python3 - "$T/sealed" "$T"/store/certfs.db* <<'PYTHON'
import pathlib, sys
blobs = [bytes.fromhex(line) for line in pathlib.Path(sys.argv[1]).read_text().split()]
data = b"".join(pathlib.Path(f).read_bytes() for f in sys.argv[2:])
# a blob on overflow pages is in pieces: its first 64 bytes are in one
count = sum(blob[:64] in data for blob in blobs)
print(count)
sys.exit(0 if count else 1)
PYTHON
}
assert_eq "$(still_there)" 3 "sealed keys found before"
rmdir "$PROJECTS/plain/apps/gw-1"
echo 'compromised: stolen' >"$PROJECTS/plain/apps/gw-2/purge"
cat "$PROJECTS/plain/apps/gw-2/device_ca.key" >"$T/new.key"
rmdir "$PROJECTS"/locked/apps/*
rmdir "$PROJECTS/locked"
stop_certfs # the write-ahead log goes into the database
assert_eq "$(still_there || true)" 0 "sealed keys that are left in the files of the store"
check_clean
