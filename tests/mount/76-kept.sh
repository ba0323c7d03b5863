#!/bin/bash
# What was finished outlives the worker that took it, in locked memory: closed dot names, parts of an upload that wait, a name that mv has
# unlinked. SIGHUP loses nothing at all.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

start_certfs
new_project p
mkdir "$PROJECTS/p/apps/gw" "$PROJECTS/q" "$PROJECTS/r"
make_intermediate other root
openssl pkey -in "$CA/other.key" -aes256 -passout pass:sesame -out "$CA/other.enc"
signing=$PROJECTS/q/signing_ca gw=$PROJECTS/p/apps/gw

echo "parts of an upload" # ----

cp "$CA/int.chain" "$signing/cert.pem"
kill_worker
assert_eq "$(field "$signing/status" staged)" "[cert.pem]" "staged after a kill"
kill_worker
cp "$CA/int.key" "$signing/key.pem"
assert_eq "$(active q | tr -d :)" "$(fingerprint "$CA/int.pem" | tr -d :)" "the signing CA of both parts"
kill_worker
assert_eq "$(field "$signing/status" staged)" "[]" "staged after the activation and a kill"

cp "$CA/other.enc" "$PROJECTS/r/signing_ca/key.pem"
kill_worker
cp "$CA/other.chain" "$PROJECTS/r/signing_ca/cert.pem"
kill_worker
assert_eq "$(field "$PROJECTS/r/signing_ca/status" staged)" "[cert.pem, key.pem]" "staged, encrypted"
assert_eq "$(field "$PROJECTS/r/signing_ca/status" missing)" "[password]" "missing"
echo sesame >"$PROJECTS/r/signing_ca/password"
assert_eq "$(active r | tr -d :)" "$(fingerprint "$CA/other.pem" | tr -d :)" "the signing CA with a password"

# what was refused is not kept
assert_fails "." cp "$CA/int.key" "$PROJECTS/r/signing_ca/next/cert.pem.x"
echo nonsense >"$T/nonsense"
assert_fails "Key was rejected" cp "$T/nonsense" "$signing/key.pem"
kill_worker
assert_eq "$(field "$signing/status" staged)" "[]" "staged after a refusal and a kill"

echo "dot names" # ----

echo number=1 >"$gw/.details.x"
chmod 640 "$gw/.details.x"
kill_worker
assert_eq "$(cat "$gw/.details.x")" number=1 "a dot name after a kill"
assert_eq "$(stat -c %a:%s "$gw/.details.x")" 640:9 "its mode and size"
echo number=100 >"$gw/.details.x"
echo number=1 >"$gw/.details.x"
assert_eq "$(cat "$gw/.details.x")" number=1 "a dot name that was written over"
mv "$gw/.details.x" "$gw/.details.y"
kill_worker
[ ! -e "$gw/.details.x" ] || fail "a dot name that was renamed is there again"
mv "$gw/.details.y" "$gw/details"
assert_eq "$(cat "$gw/details")" number=1 "details"
kill_worker
[ ! -e "$gw/.details.y" ] || fail "a dot name that was taken is there again"
cp "$CA/other.chain" "$gw/.removed"
rm "$gw/.removed"
kill_worker
[ ! -e "$gw/.removed" ] || fail "what was removed is there again"

echo "bytes that are still arriving" # ----

# arriving FILE: opens and writes one half, waits for $T/go, writes the other and closes; prints OK or the errno
arriving() {
    python3 - "$1" "$T" <<'PYTHON'
import errno, os, pathlib, sys, time
path, base = sys.argv[1], pathlib.Path(sys.argv[2])
fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
os.write(fd, b"first=1\n")
(base / "half").touch()
while not (base / "go").exists():
    time.sleep(0.01)
try:
    os.write(fd, b"second=2\n")
except OSError as error:
    print(errno.errorcode[error.errno])
    os._exit(0)
try:
    os.close(fd)
    print("OK")
except OSError as error:
    print(errno.errorcode[error.errno])
PYTHON
}

# between FILE COMMAND…: runs it between the halves
between() {
    local pid
    rm -f "$T/go" "$T/half"
    arriving "$1" >"$T/arrived" &
    pid=$!
    wait_until 10 test -e "$T/half"
    "${@:2}"
    touch "$T/go"
    wait "$pid"
    cat "$T/arrived"
}

reload() {
    local old=$WORKER_PID
    kill -HUP "$SUPERVISOR_PID"
    wait_until 20 find_worker "$old"
}

find_worker
assert_eq "$(between "$gw/details" kill_worker)" EIO "a file, killed"
assert_eq "$(cat "$gw/details")" number=1 "details, of which a half arrived"
assert_eq "$(between "$gw/.details.z" kill_worker)" EIO "a dot name, killed"
[ ! -e "$gw/.details.z" ] || fail "half a dot name is there"
find_worker
assert_eq "$(between "$gw/details" reload)" OK "a file, SIGHUP"
assert_eq "$(cat "$gw/details")" $'first=1\nsecond=2' "details"
find_worker
assert_eq "$(between "$gw/.details.z" reload)" OK "a dot name, SIGHUP"
assert_eq "$(cat "$gw/.details.z")" $'first=1\nsecond=2' "the dot name"
# what SIGHUP has kept once is not kept for the next death
find_worker
twice() { reload && kill_worker; }
assert_eq "$(between "$gw/details" twice)" EIO "a file, SIGHUP and killed"

echo "a name that mv has unlinked" # ----

# anew: unlinks, has the worker killed, creates; 75 if that took so long that the name may be back
anew() {
    python3 - "$gw/user_data.in" "$WORKER_PID" <<'PYTHON'
import errno, os, signal, sys, time
path, worker = sys.argv[1], int(sys.argv[2])
os.unlink(path)
begin = time.monotonic()
os.kill(worker, signal.SIGKILL)
absent = not os.path.exists(path)
try:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
except FileExistsError:
    sys.exit(75 if time.monotonic() - begin > 0.9 else 1)
sys.exit(0 if absent else 1)
PYTHON
}
for _ in 1 2 3 4 5; do
    old=$WORKER_PID
    find_worker
    status=0
    anew || status=$?
    wait_until 20 find_worker "$old"
    [ "$status" = 75 ] || break
done
assert_eq "$status" 0 "created anew"

echo "the memory" # ----

# the second of its two parts; lo: locked, which sanitizers do not do; dd: in no core dump
awk '/memfd:certfs-shared/ {mine = 1} mine && /^VmFlags/ {print; mine = 0}' "/proc/$SUPERVISOR_PID/smaps" >"$T/flags"
wanted=' lo .*dd '
! grep -Eq 'lib[at]san' "/proc/$SUPERVISOR_PID/maps" || wanted=' dd '
tail -n 1 "$T/flags" | grep -q "$wanted" || fail "not locked, or dumped: $(cat "$T/flags")"
check_clean
