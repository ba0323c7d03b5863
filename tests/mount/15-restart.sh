#!/bin/bash
# A restart keeps everything, byte for byte; at rest no private key is to be found; a removed one is gone.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

start_certfs
new_project p
new_project rsa rsa2048
for app in "$PROJECTS"/{p,rsa}/apps/{a,b,never}; do
    mkdir "$app"
done
printf '[certificate]\nvalidity_days = 90\n' >"$PROJECTS/p/policy"
cat "$PROJECTS"/{p,rsa}/apps/{a,b}/bundle.pem >/dev/null
touch "$PROJECTS/p/apps/a/renew"
echo "some reason" >"$PROJECTS/p/apps/b/purge"
cat "$PROJECTS/p/apps/a/bundle.pem" "$PROJECTS/p/apps/b/bundle.pem" >/dev/null

is_done() {
    [ "$(field "$1" state)" = "done" ]
}
wait_until 10 is_done "$PROJECTS/p/apps/b/purge"

# snapshot FILE: names, modes, owners, times of certificates, and bytes of all that time does not change
snapshot() {
    (
        cd "$PROJECTS"
        find . -printf '%P %m %u %g %y\n' | sort
        find . \( -name device_ca.pem -o -name device_ca.key -o -name bundle.pem \) ! -path '*/never/*' \
            -printf '%P %s %T@\n' | sort
        find . -type f ! -path '*/never/device_ca.*' ! -path '*/never/bundle.pem' ! -path '*/never/user_data' ! -name readers ! -name 'events*' \
            ! -name progress ! -name crl.pem ! -name 'status*' -print0 | sort -z | xargs -0 sha256sum
        find . -name 'status*' -print0 | sort -z | xargs -0 grep -Hv days_left
    ) >"$1"
}
snapshot "$T/before"
[ "$(wc -l <"$T/before")" -ge 100 ] || fail "a snapshot of $(wc -l <"$T/before") lines"
restart_certfs
snapshot "$T/after"
diff "$T/before" "$T/after" || fail "a restart changed something"
kill_worker
snapshot "$T/after"
diff "$T/before" "$T/after" || fail "a kill changed something"
assert_eq "$(field "$PROJECTS/p/apps/never/status" state)" NOT_ISSUED "a never-read app instance"
assert_eq "$(field "$PROJECTS/p/apps/b/purge" reason)" "some reason" reason

# ---- sealed at rest ----
# needles: of each private key the raw scalar (or RSA's primes), and stretches of its DER and base64
mkdir "$T/keys"
for app in p/apps/a p/apps/b rsa/apps/a rsa/apps/b; do
    cp "$PROJECTS/$app/device_ca.key" "$T/keys/${app//\//-}.key"
done
cp "$CA/int.key" "$CA/int-rsa2048.key" "$T/keys"
search() {
    python3 - "$T/keys" "$@" <<'PYTHON'
import pathlib, re, subprocess, sys
found = needles = 0
files = [path for name in sys.argv[2:] for path in pathlib.Path(name).rglob("*") if path.is_file()]
assert files
contents = {path: path.read_bytes().replace(b"\n", b"") for path in files}
for key in pathlib.Path(sys.argv[1]).iterdir():
    text = subprocess.run(["openssl", "pkey", "-in", key, "-noout", "-text"], check=True, capture_output=True).stdout.decode()
    secrets = [bytes.fromhex(re.sub(r"[\s:]", "", m)).lstrip(b"\0")
               for m in re.findall(r"(?:priv|privateExponent|prime1|prime2):\n((?: +[0-9a-f:]+\n)+)", text)]
    assert secrets
    secrets += [secret[::-1] for secret in secrets] + [secret.hex().encode() for secret in secrets]
    body = b"".join(key.read_bytes().splitlines()[1:-1])
    # the head of a PKCS#8 is the same for all keys, and the end of an EC one is public: the scalar is at 36 of 138
    secrets += [body[56:84]] if len(body) < 200 else [body[400:464], body[-264:-200]]
    for secret in (secret.replace(b"\n", b"") for secret in secrets):
        needles += 1
        for path, data in contents.items():
            if secret in data:
                print(f"{key.name} is in {path} in clear: {secret[:8].hex()}…", file=sys.stderr)
                found += 1
assert needles >= 20, needles
sys.exit(1 if found else 0)
PYTHON
}
! search "$T/keys" 2>/dev/null || fail "the search finds nothing in the keys themselves"
mkdir "$T/der"
for key in "$T/keys"/*; do
    openssl pkey -in "$key" -outform DER -out "$T/der/${key##*/}"
done
! search "$T/der" 2>/dev/null || fail "the search finds nothing in the keys' DER"
search "$T/store" || fail "a private key in the store"
search "$T/mount.log" "$T/store" || fail "a private key in the log"
stop_certfs
search "$T/store" || fail "a private key in the store, unmounted"
assert_eq "$(stat -c %a "$T/store/master.key")" 600 "mode of the master key"
assert_eq "$(find "$T/store" -type f -perm /077)" "" "files of the store that others can open"
check_clean
