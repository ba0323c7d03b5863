#!/bin/bash
# What is refused stays refused: removed app instances, stale handles, uploads given up half-way.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

start_certfs
new_project p
mkdir "$PROJECTS/p/apps/gw"
gw=$PROJECTS/p/apps/gw

# a handle outlives its app instance, and a path does not
cat "$gw/bundle.pem" >"$T/bundle.pem"
exec 7<"$gw/bundle.pem"
rmdir "$gw"
assert_errno ENOENT read "$gw/bundle.pem"
cat <&7 >"$T/late" 2>/dev/null || true
[ ! -s "$T/late" ] || assert_same "$T/late" "$T/bundle.pem" "what a handle of a removed app instance gives"
exec 7<&-
mkdir "$gw"
assert_ne "$(serial "$gw/bundle.pem")" "$(serial "$T/bundle.pem")" "serial of a name used again"

# rmdir and mkdir of the same name in a loop, readers meanwhile: each sees ENOENT or a whole bundle
python3 - "$gw" <<'PYTHON'
import errno, os, pathlib, sys, threading, time
import pem
gw = pathlib.Path(sys.argv[1])
end, failures, serials, whole = time.monotonic() + 4, [], set(), 0

def read():
    global whole
    while time.monotonic() < end:
        try:
            fd = os.open(gw / "bundle.pem", os.O_RDONLY)
        except FileNotFoundError:
            continue
        except OSError as error:
            failures.append(f"open: {error}")
            return
        try:
            blocks = pem.blocks(os.read(fd, 65536))
            assert pem.matches(blocks[1][1], blocks[0][1]), "the key is another's"
            whole += 1
        except Exception as error:
            # ESTALE: removed between open and the first read
            if getattr(error, "errno", 0) != errno.ESTALE:
                failures.append(repr(error))
                return
        finally:
            os.close(fd)

readers = [threading.Thread(target=read) for _ in range(4)]
for reader in readers:
    reader.start()
while time.monotonic() < end:
    serials.add(pem.serial(pem.blocks((gw / "bundle.pem").read_bytes())[1][1]))
    count = len(serials)
    gw.rmdir()
    gw.mkdir()
for reader in readers:
    reader.join()
assert not failures, failures[:3]
assert whole >= 50 and len(serials) >= 20, (whole, len(serials))
PYTHON

# an upload of which half was written, and the writer killed: judged as what it is, nothing changes
before=$(active p)
head -c 300 "$CA/root.pem" >"$T/half"
(
    exec 8>"$PROJECTS/p/signing_ca/cert.pem"
    cat "$T/half" >&8
    kill -9 "$BASHPID"
) 2>/dev/null || true
assert_eq "$(active p)" "$before" "active signing CA"
assert_errno EINVAL write "$PROJECTS/p/apps/gw/renew" 'counter: 1\n'
check_clean
