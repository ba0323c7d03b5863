#!/bin/bash
# variants: plain
# timeout: 240
# force_update: the same time for 10 and for 3,000 app instances, its effect is there when it returns; killed at random points
# it ends with every app instance re-issued once; what it replaced is revoked, at once or after the grace.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/life.sh
. "$SOURCE/tests/lib/life.sh"
need certtool

use_clock +0
start_certfs
new_project many
make_intermediate int2 root # of its own: a CRL is of a key, whatever project
mkdir "$PROJECTS/few"
upload few int2

# make_apps PROJECT COUNT: issued; their certificates' fingerprints in $T/PROJECT.old
make_apps() {
    python3 - "$PROJECTS/$1/apps" "$2" "$T/$1.old" <<'PYTHON'
import concurrent.futures, hashlib, os, pem, sys
root, count = sys.argv[1], int(sys.argv[2])
def make(n):
    path = f"{root}/app-{n:04}"
    os.mkdir(path)
    with open(path + "/device_ca.pem", "rb") as file:
        return pem.serial(pem.certificates(file.read())[0])
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    serials = list(pool.map(make, range(count)))
assert len(set(serials)) == count
with open(sys.argv[3], "w") as out:
    out.writelines(f"{serial:X}\n" for serial in serials)
PYTHON
}
make_apps few 10
make_apps many 3000

# fire PROJECT TEXT: writes force_update while readers with warm caches read all the time; prints the milliseconds. No read
# that begins after the write has returned may see an old certificate, by whatever way: by path, a second process, mmap, stat's size.
fire() {
    python3 - "$PROJECTS/$1" "$2" "$T/$1.old" <<'PYTHON'
import mmap, os, pem, random, sys, threading, time
project, text = sys.argv[1], sys.argv[2]
old = {int(line, 16) for line in open(sys.argv[3])}
apps = sorted(os.listdir(project + "/apps"))
random.seed(4)
sample = random.sample(apps, min(40, len(apps)))
returned = None
problems, after = [], [0]

def read(app, name):
    path = f"{project}/apps/{app}/{name}"
    begun = time.monotonic()
    with open(path, "rb") as file:
        data = file.read()
        size = os.fstat(file.fileno()).st_size
    fresh = returned is not None and begun > returned
    serial = pem.serial(pem.certificates(data)[0])
    if fresh and serial in old:
        problems.append(f"{path}: an old certificate {begun - returned:.3f} s after the return")
    if len(data) != size:
        problems.append(f"{path}: {len(data)} bytes, st_size {size}")
    after[0] += fresh

for app in sample:
    for name in ("device_ca.pem", "bundle.pem"):
        read(app, name)
stop = threading.Event()
def reader(seed):
    mine = random.Random(seed)
    while not stop.is_set():
        read(mine.choice(sample), mine.choice(("device_ca.pem", "bundle.pem")))
threads = [threading.Thread(target=reader, args=(n,)) for n in range(3)]
for thread in threads:
    thread.start()
time.sleep(0.3)
fd = os.open(project + "/force_update", os.O_WRONLY | os.O_TRUNC)
start = time.monotonic()
os.write(fd, text.encode())
os.close(fd)
returned = time.monotonic()
if len(apps) > 1000:
    with open(project + "/progress", "w") as file:
        file.write("pause\n")
for app in sample:
    read(app, "device_ca.pem")
with open(f"{project}/apps/{sample[0]}/device_ca.pem", "rb") as file:
    with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as map:
        if pem.serial(pem.certificates(map[:])[0]) in old:
            problems.append("an old certificate by mmap")
time.sleep(0.5)
stop.set()
for thread in threads:
    thread.join()
assert after[0] > len(sample), "no reads after the return"
assert not problems, "\n".join(problems[:10])
print(f"{(returned - start) * 1000:.1f}")
PYTHON
}
few_ms=$(fire few "a check")
many_ms=$(fire many "compromised: the template leaked")
printf 'force_update returned after %s ms with 10 app instances, %s ms with 3,000\n' "$few_ms" "$many_ms"

# ---- paused it rests, also over the death of the worker ----
progress=$PROJECTS/many/progress
assert_eq "$(field "$progress" state)" paused "state of a paused job"
kill_worker
before=$(field "$progress" 'done')
sleep 1
assert_eq "$(field "$progress" state) $(field "$progress" 'done')" "paused $before" "a paused job, a second later"
[ "$before" -lt 3000 ] || fail "the job had ended before it was paused"

# ---- killed at random points, it goes on ----
echo resume >"$progress"
for pause in 0.05 0.3 0.11 0.7 0.2; do
    sleep $pause
    printf 'killed at %s of 3000\n' "$(field "$progress" 'done')"
    kill_worker
done
job_done few
job_done many 100
assert_eq "$(field "$PROJECTS/many/progress" operation)" force_update operation
assert_eq "$(field "$PROJECTS/many/progress" total) $(field "$PROJECTS/many/progress" 'done')" "3000 3000" "total and done"
assert_eq "$(field "$PROJECTS/few/progress" total) $(field "$PROJECTS/few/progress" 'done')" "10 10" "total and done"
assert_eq "$(field "$PROJECTS/many/progress" eta_seconds)" 0 "eta_seconds at the end"
assert_eq "$(field "$PROJECTS/many/force_update" counter) $(field "$PROJECTS/many/force_update" state)" "1 done" "the trigger"
assert_eq "$(field "$PROJECTS/many/force_update" reason)" "compromised: the template leaked" "reason"
assert_eq "$(field "$PROJECTS/many/status" apps_valid)" 3000 "apps_valid"
python3 - "$PROJECTS/many" "$T/many.old" <<'PYTHON'
import os, pem, sys
project, old = sys.argv[1], {int(line, 16) for line in open(sys.argv[2])}
serials = set()
for app in os.listdir(project + "/apps"):
    path = f"{project}/apps/{app}"
    assert os.getxattr(path, "user.certfs.generation") == b"2", (app, os.getxattr(path, "user.certfs.generation"))
    with open(path + "/bundle.pem", "rb") as file:
        data = file.read()
    certificate = pem.certificates(data)[0]
    assert pem.matches(certificate, pem.key(data)), app
    serials.add(pem.serial(certificate))
assert len(serials) == 3000 and not serials & old, (len(serials), len(serials & old))
PYTHON
assert_eq "$(events "$PROJECTS/many/events" force_update.done)" 1 "events of the end"
assert_eq "$(events "$PROJECTS/many/events" device_ca.renewed)" 3000 "renewed events"

# ---- `compromised` in the text: every old serial is revoked at once ----
crl_serials() { # CRL: serials with their reason codes
    openssl crl -in "$1" -noout -text | awk '/Serial Number:/ {serial = $3} /CRL Reason Code/ {getline; sub(/^ +/, ""); print serial " " $0}'
}
# same_set FILE FILE WHAT: the same serials, leading zeros or not
same_set() {
    assert_eq "$(sed 's/^0*//' "$1" | sort | sha256sum)" "$(sed 's/^0*//' "$2" | sort | sha256sum)" "$3"
}
cp "$PROJECTS/many/signing_ca/crl.pem" "$T/many.crl"
crl_serials "$T/many.crl" >"$T/revoked"
assert_eq "$(cut -d ' ' -f 2- "$T/revoked" | sort -u)" "CA Compromise" "reasons"
cut -d ' ' -f 1 "$T/revoked" >"$T/revoked.serials"
same_set "$T/revoked.serials" "$T/many.old" "revoked serials"
app=$PROJECTS/many/apps/app-0007
cp "$app/generations/1/device_ca.pem" "$T/old.pem"
cp "$app/device_ca.pem" "$T/new.pem"
judge_crl() { # CERT CRL: openssl's verdict on the device CA alone
    openssl verify -crl_check -CAfile "$CA/root.pem" -untrusted "$CA/int.pem" -CRLfile "$2" "$1" 2>&1
}
assert_has "$(judge_crl "$T/old.pem" "$T/many.crl" || true)" 'certificate revoked' "openssl on the old certificate"
assert_has "$(judge_crl "$T/new.pem" "$T/many.crl")" ': OK$' "openssl on the new certificate"
certtool_crl() {
    cat "$CA/int.pem" "$CA/root.pem" >"$T/certtool.ca"
    certtool --verify --load-ca-certificate "$T/certtool.ca" --load-crl "$2" --infile "$1" 2>&1
}
assert_has "$(certtool_crl "$T/old.pem" "$T/many.crl" || true)" '[Rr]evoked' "certtool on the old certificate"
assert_has "$(certtool_crl "$T/new.pem" "$T/many.crl")" 'Verified. The certificate is trusted' "certtool on the new certificate"

# ---- without: after revoke_grace_hours ----
cp "$PROJECTS/few/signing_ca/crl.pem" "$T/few.crl"
assert_eq "$(crl_serials "$T/few.crl")" "" "revoked before the grace is over"
days_on 2 20
assert_eq "$(crl_serials "$PROJECTS/few/signing_ca/crl.pem")" "" "revoked four hours before the grace is over"
days_on 3 1
sleep 3
cp "$PROJECTS/few/signing_ca/crl.pem" "$T/few.crl"
crl_serials "$T/few.crl" >"$T/revoked"
assert_eq "$(cut -d ' ' -f 2- "$T/revoked" | sort -u)" "Superseded" "reasons"
cut -d ' ' -f 1 "$T/revoked" >"$T/revoked.serials"
same_set "$T/revoked.serials" "$T/few.old" "revoked serials"
check_fake
