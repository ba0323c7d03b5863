#!/bin/bash
# timeout: 300
# A scan issues nothing; tar, rsync, cp -a, zip and mmap of a tree that nobody has read take it whole.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need getfattr zip unzip rsync

APPS=1000
# grow PROJECT COUNT: COUNT new app instances of a new project
grow() {
    new_project "$1"
    (cd "$PROJECTS/$1/apps" && seq -f 'app-%g' "$2" | xargs mkdir)
}

# judge DIR COUNT WHAT: every app instance below is complete, its key matches, a sample verifies
judge() {
    python3 - "$1" "$2" "$3" <<'PYTHON'
import pathlib, sys
import pem
root, count, what = pathlib.Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
apps = sorted(p for p in root.iterdir() if p.is_dir())
assert len(apps) == count, f"{what}: {len(apps)} app instances"
serials = set()
for app in apps:
    chain = (app / "device_ca.pem").read_bytes()
    key = (app / "device_ca.key").read_bytes()
    certificates = pem.certificates(chain)
    assert len(certificates) == 3, f"{what}: {app}: {len(certificates)} certificates"
    assert pem.matches(certificates[0], pem.key(key)), f"{what}: {app}: the key is another's"
    assert (app / "bundle.pem").read_bytes() == key + chain, f"{what}: {app}: bundle.pem"
    serials.add(pem.serial(certificates[0]))
assert len(serials) == count, f"{what}: {len(serials)} serials"
PYTHON
    verify_chain "$1/app-1/device_ca.pem" "$CA/root.pem"
    assert_pair "$1/app-7/device_ca.pem" "$1/app-7/device_ca.key"
}

start_certfs

grow scanned $APPS
ls -lR "$PROJECTS/scanned" >/dev/null
find "$PROJECTS/scanned" -type f -size -1M -newermt 1990-01-01 >/dev/null
du -a "$PROJECTS/scanned" >/dev/null
getfattr --absolute-names -Rd "$PROJECTS/scanned/apps/app-1" >/dev/null
cat "$PROJECTS/scanned/apps"/app-*/{status,info,config.toml,trust_bundle.pem,renew,purge} >/dev/null
states=$(cat "$PROJECTS/scanned/apps"/app-*/status | grep -c '^state: NOT_ISSUED')
assert_eq "$states" $APPS "app instances not issued after a scan"

tar c -C "$PROJECTS/scanned" apps >"$T/apps.tar" 2>"$T/stderr" || fail "tar: $(cat "$T/stderr")"
assert_eq "$(cat "$T/stderr")" "" "what tar says"
mkdir "$T/tar"
tar x -C "$T/tar" -f "$T/apps.tar"
judge "$T/tar/apps" $APPS tar
rm -rf "$T/apps.tar"
# (status was read before the certificate was issued, and readers tells of this reader)
diff -rx 'status*' -x readers "$T/tar/apps/app-3" "$PROJECTS/scanned/apps/app-3" || fail "the copy differs"
rm -rf "$T/tar"

grow synced 200
rsync -a "$PROJECTS/synced/apps/" "$T/rsync/"
judge "$T/rsync" 200 rsync

grow copied 200
cp -a "$PROJECTS/copied/apps" "$T/cp" 2>"$T/stderr" || fail "cp -a: $(cat "$T/stderr")"
assert_eq "$(cat "$T/stderr")" "" "what cp -a says"
judge "$T/cp" 200 "cp -a"

grow zipped 200
(cd "$PROJECTS/zipped" && zip -qr "$T/apps.zip" apps)
unzip -q "$T/apps.zip" -d "$T/zip"
judge "$T/zip/apps" 200 zip

grow installed 20
for i in $(seq 20); do
    install -d "$T/install/app-$i"
    install -m 600 -t "$T/install/app-$i" "$PROJECTS/installed/apps/app-$i"/{bundle.pem,device_ca.pem,device_ca.key}
done
judge "$T/install" 20 install

grow mapped 200
python3 - "$PROJECTS/mapped/apps" "$T/mmap" <<'PYTHON'
import mmap, pathlib, sys
source, target = map(pathlib.Path, sys.argv[1:])
for app in source.iterdir():
    (target / app.name).mkdir(parents=True)
    for name in ("bundle.pem", "device_ca.key", "device_ca.pem"):
        with open(app / name, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as pages:
            (target / app.name / name).write_bytes(pages[:])
PYTHON
judge "$T/mmap" 200 mmap
check_clean
