#!/bin/bash
# mkdir, rmdir, triggers and uploads (by cp, and by temporary file and rename) while the worker is killed again and
# again: each succeeds, and has happened exactly once; what is refused is never told to be taken. Only an upload whose bytes were still arriving may get EIO.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

start_certfs
new_project p
new_project uploads
new_project renames
mkdir "$PROJECTS/parts"
make_intermediate other root
mkdir "$PROJECTS/p/apps/gw" "$PROJECTS/p/apps/bare"

# change KIND NUMBER: one actor, until $T/stop is there
change() {
    python3 - "$PROJECTS" "$1" "$2" "$T" <<'PYTHON'
import errno, os, pathlib, sys, time
import pem
projects, kind, number, base = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3], pathlib.Path(sys.argv[4])
apps = projects / "p" / "apps"
count = 0

def write(path, data, flags=os.O_WRONLY | os.O_TRUNC):
    fd = os.open(path, flags, 0o600)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)

def directories():
    (apps / f"d-{number}").mkdir()
    assert (apps / f"d-{number}").is_dir()
    (apps / f"d-{number}").rmdir()
    assert not (apps / f"d-{number}").exists()

def keep():
    (apps / f"k-{number}-{count}").mkdir()

def touch():
    os.utime(apps / "gw" / kind)

def bare():
    # nobody is told when it has fired: not too many at once
    os.close(os.open(apps / "bare" / "renew", os.O_WRONLY | os.O_TRUNC))
    time.sleep(0.02)

def text():
    # EIO: the bytes died with their worker, and nothing has happened
    retried(lambda: write(apps / "gw" / "purge", f"round {count}\n".encode()))

def retried(change):
    for _ in range(50):
        try:
            return change()
        except OSError as error:
            if error.errno != errno.EIO:
                raise
    raise AssertionError("EIO fifty times")

def refused():
    try:
        write(projects / "uploads" / "signing_ca" / "next" / "cert.pem", b"no certificate\n")
    except OSError as error:
        assert error.errno in (errno.EKEYREJECTED, errno.EIO), error
    else:
        raise AssertionError("what is refused was told to be taken")

def upload(how):
    name = "other" if count % 2 == 0 else "int"
    data = b"".join((base / "ca" / f"{name}.{part}").read_bytes() for part in ("chain", "key"))
    directory = projects / ("renames" if how == "rename" else "uploads") / "signing_ca"
    if how == "write":
        retried(lambda: write(directory / "cert.pem", data))
        return
    temporary = directory / f".cert.pem.{count}"
    # Once it is closed it is there, whoever dies
    retried(lambda: write(temporary, data, os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
    temporary.rename(directory / "cert.pem")

def parts():
    name = "other" if count % 2 == 0 else "int"
    directory = projects / "parts" / "signing_ca"
    for part, file in (("chain", "cert.pem"), ("key", "key.pem")):
        retried(lambda: write(directory / file, (base / "ca" / f"{name}.{part}").read_bytes()))
    active = pem.certificates((directory / "cert.pem").read_bytes())[0]
    assert active == pem.certificates((base / "ca" / f"{name}.chain").read_bytes())[0], "both parts are there, and another one is active"
    assert "staged: []" in (directory / "status").read_text(), "what is active waits still"

def anew():
    # as mv and install do
    target = apps / "gw" / "details"
    target.unlink()
    retried(lambda: write(target, f"number={count}\n".encode(), os.O_WRONLY | os.O_CREAT))
    assert target.read_text() == f"number={count}\n"

ACTIONS = {"directories": directories, "keep": keep, "renew": touch, "purge": text, "refused": refused, "bare": bare,
           "parts": parts, "anew": anew,
           "upload": lambda: upload("write"), "rename": lambda: upload("rename")}
while not (base / "stop").exists():
    ACTIONS[kind]()
    count += 1
(base / f"count-{kind}-{number}").write_text(str(count))
PYTHON
}

actors=()
for actor in directories:1 directories:2 keep:1 keep:2 renew:1 renew:2 purge:1 upload:1 rename:1 parts:1 anew:1 refused:1 bare:1; do
    change "${actor%:*}" "${actor#*:}" 2>"$T/err-$actor" &
    actors+=("$!:$actor")
done
for _ in $(seq 80); do
    sleep 0.1
    ! find_worker || kill -9 "$WORKER_PID" 2>/dev/null || true
done
touch "$T/stop"
failed=
for actor in "${actors[@]}"; do
    wait "${actor%%:*}" || failed+="${actor#*:}: $(grep -aE "^[A-Za-z]*(Error|Exception)" "$T/err-${actor#*:}")"$'\n'
done
[ -z "$failed" ] || fail "$failed"
wait_until 10 find_worker

total() {
    local sum=0 file
    for file in "$T/count-$1-"*; do
        sum=$((sum + $(cat "$file")))
    done
    [ "$sum" -ge "$2" ] || fail "only $sum times $1: no test"
    echo "$sum"
}
gw=$PROJECTS/p/apps/gw
renewed=$(total renew 20) purged=$(total purge 10)
echo "$renewed renewed, $purged purged, $(total keep 20) made, $(total refused 5) refused, $(total upload 5) and $(total rename 5) uploads"
assert_eq "$(field "$gw/renew" counter)" "$renewed" "counter of renew"
assert_eq "$(field "$gw/purge" counter)" "$purged" "counter of purge"
bare_truncations() { [ "$(field "$PROJECTS/p/apps/bare/renew" counter)" = "$(total bare 20)" ]; }
wait_until 30 bare_truncations
assert_eq "$(find "$PROJECTS/p/apps" -maxdepth 1 -name 'k-*' | wc -l)" "$(total keep 20)" "app instances made"
assert_eq "$(find "$PROJECTS/p/apps" -maxdepth 1 -name 'd-*' | wc -l)" 0 "app instances removed"
for kind in upload rename; do
    last=int
    [ $(($(total $kind 5) % 2)) = 0 ] || last=other
    assert_eq "$(active ${kind}s | tr -d :)" "$(fingerprint "$CA/$last.pem" | tr -d :)" "$kind: the last upload"
    assert_eq "$(field "$PROJECTS/${kind}s/signing_ca/status" rejected)" "" "$kind: what was refused"
done
assert_pair "$gw/device_ca.pem" "$gw/device_ca.key"
check_clean
