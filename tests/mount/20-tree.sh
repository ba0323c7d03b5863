#!/bin/bash
# The names, types, modes, owners and link counts of the whole tree; no file has size 0 but those that can't be read.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

start_certfs
new_project plant
mkdir "$PROJECTS/plant/apps/gw"
cat "$PROJECTS/plant/apps/gw/device_ca.pem" >/dev/null

# every name that the contract gives, with mode and type; what is not here yet may be absent, nothing else may be there
python3 - "$MNT" <<'PYTHON'
import os, stat, sys

mount = sys.argv[1]
# nothing to tell yet, nothing written yet
MAY_BE_EMPTY = ("audit", "affected", "csr.pem", "user_data.in", "user_data", "details")
TREE = {
    "": "755 README=444 status=444 status.json=444 metrics=444? events=440 audit=400 dashboard.html=444? projects/",
    "projects": "755 plant/",
    "projects/plant": "755 policy=644 status=444 status.json=444 events=440 update=644 force_update=644 progress=644"
                      " app_policy/? signing_ca/ apps/",
    "projects/plant/app_policy": "755 user_data.in=600 details=600?|644",
    "projects/plant/signing_ca": "755 cert.pem=644 key.pem=200 password=200 info=444 info.json=444 status=444"
                                 " status.json=444 crl.pem=444? csr.pem=444? next/? affected=444? compromised=644",
    "projects/plant/apps": "755 gw/",
    "projects/plant/apps/gw": "755 device_ca.pem=444 device_ca.key=400 bundle.pem=400 trust_bundle.pem=444"
                              " config.toml=444 config.yaml=444 user_data.in=600? user_data=400? details=600?|644"
                              " status=444 status.json=444 info=444 info.json=444 events=440 renew=644 purge=644"
                              " revoke=644 readers=444 generations/",
    "projects/plant/apps/gw/generations": "755 1/",
    "projects/plant/apps/gw/generations/1": "755 device_ca.pem=444 device_ca.key=400 info=444",
}
problems = []


def modes(text):
    return {int(mode, 8) for mode in text.replace("?", "").split("|") if mode}


def check(path, wanted):
    mode, *entries = wanted.split()
    directory = os.path.join(mount, path)
    if not os.path.isdir(directory):
        return
    wanted = {}
    for entry in entries:
        name, _, rest = entry.partition("=")
        wanted[name.rstrip("?").rstrip("/")] = (entry, rest)
    found = {entry.name: entry for entry in os.scandir(directory)}
    for name in sorted(set(found) - set(wanted)):
        problems.append(f"{path}/{name} is not in the contract")
    for name, (text, rest) in wanted.items():
        if name not in found:
            if "?" not in text:
                problems.append(f"{path}/{name} is missing")
            continue
        check_entry(path, found[name], "/" in text, rest)
    inside = sum(entry.is_dir() for entry in found.values())
    if os.stat(directory).st_nlink not in (1, 2 + inside):
        problems.append(f"{path}: {os.stat(directory).st_nlink} links for {inside} directories")


def check_entry(path, entry, directory, rest):
    at = os.stat(entry.path)
    name = f"{path}/{entry.name}"
    if entry.is_dir(follow_symlinks=False) != directory or stat.S_ISDIR(at.st_mode) != directory:
        problems.append(f"{name}: wrong type")
    if entry.inode() != at.st_ino:
        problems.append(f"{name}: readdir and stat disagree about the inode")
    if (at.st_uid, at.st_gid) != (0, 0):
        problems.append(f"{name}: owner {at.st_uid}:{at.st_gid}")
    if directory:
        return
    if at.st_nlink != 1:
        problems.append(f"{name}: {at.st_nlink} links")
    if stat.S_IMODE(at.st_mode) not in modes(rest):
        problems.append(f"{name}: mode {stat.S_IMODE(at.st_mode):o}, wanted {rest}")
    if at.st_size == 0 and stat.S_IMODE(at.st_mode) != 0o200 and entry.name not in MAY_BE_EMPTY:
        problems.append(f"{name}: size 0")


for path, wanted in TREE.items():
    check(path, wanted)
inodes = {}
for directory, names, files in os.walk(mount):
    for name in names + files:
        at = os.lstat(os.path.join(directory, name))
        if at.st_ino in inodes:
            problems.append(f"{directory}/{name} has the inode of {inodes[at.st_ino]}")
        inodes[at.st_ino] = f"{directory}/{name}"
print("\n".join(problems))
sys.exit(bool(problems))
PYTHON

# sizes of files that show what is: exactly what a read returns
for file in "$MNT"/{README,status,status.json} "$PROJECTS"/plant/{policy,status,status.json} \
    "$PROJECTS"/plant/signing_ca/{cert.pem,info,info.json,status,status.json} \
    "$PROJECTS"/plant/apps/gw/{status,status.json,info,info.json,renew,purge,config.toml}; do
    assert_eq "$(wc -c <"$file")" "$(stat -c %s "$file")" "size of $file"
done
assert_eq "$(cat "$PROJECTS/plant/signing_ca/key.pem" "$PROJECTS/plant/signing_ca/password")" "" "write-only files, read by root"

# root reads, statfs answers, the kernel's flags
df "$MNT" >/dev/null
flags=$(awk -v m="$MNT" '$5 == m {print $6; exit}' /proc/self/mountinfo)
for option in nosuid nodev noexec; do
    assert_has "$flags" "(^|,)$option(,|$)" "mount options"
done
assert_has "$(awk -v m="$MNT" '$5 == m' /proc/self/mountinfo)" default_permissions "mount options"

# the .json twin has the keys of the text, and the text is what it says
python3 - "$PROJECTS/plant" <<'PYTHON'
import json, re, sys
for path in ("status", "signing_ca/status", "signing_ca/info", "apps/gw/status", "apps/gw/info"):
    text = open(f"{sys.argv[1]}/{path}").read()
    keys = re.findall(r"^([a-z0-9_]+):", text, re.M)
    twin = json.load(open(f"{sys.argv[1]}/{path}.json"))
    assert list(twin) == keys, (path, keys, list(twin))
    assert re.search(r"^state: [A-Z_]+$", text, re.M) or path.endswith("info"), path
    for time in re.findall(r"^(?:valid_from|valid_till): (.*)$", text, re.M):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", time), (path, time)
PYTHON
check_clean
