#!/bin/bash
# Appending is an upload too: to what is there, and that is nothing in a project without a signing CA.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

start_certfs
make_root root
make_intermediate int root
mkdir "$PROJECTS/p"
cd "$PROJECTS/p/signing_ca"
cat "$CA/int.key" >>key.pem
cat "$CA/int.pem" >>cert.pem || fail "cat >> cert.pem: $(cat status)"
assert_eq "$(active p | tr -d :)" "$(fingerprint "$CA/int.pem" | tr -d :)" "active signing CA"

# the chain's top, given later: certificate and chain as one file would be
cat "$CA/root.pem" >>cert.pem || fail "cat >> cert.pem: $(cat status)"
cmp cert.pem "$CA/int.chain"

# an empty append is no upload
: >>cert.pem
: >>key.pem
cmp cert.pem "$CA/int.chain"
cd ..
echo '[certificate]' >policy
echo 'validity_days = 90' >>policy
assert_has "$(cat policy)" '^validity_days = 90' "policy"

# ---- of an upload of which a part was refused nothing is taken ----
mkdir apps/gw
cd apps/gw
echo 'a=1' >details
head -c 1048577 /dev/zero | tr '\0' '#' >"$T/big"
generation() {
    field status generation
}
cat device_ca.pem >/dev/null
for trigger in renew purge; do
    { echo why && cat "$T/big"; } >"$T/big.text"
    assert_fails "File too large" cp "$T/big.text" "$trigger"
    assert_eq "$(generation)" 1 "$trigger with too long a text"
done
assert_fails "File too large" cp "$T/big.text" revoke
cat device_ca.pem >/dev/null
{ cat "$CA/root.pem" "$CA/root.key" && cat "$T/big"; } >"$T/big.pem"
assert_fails "File too large" cp "$T/big.pem" ../../signing_ca/cert.pem
assert_eq "$(active p | tr -d :)" "$(fingerprint "$CA/int.pem" | tr -d :)" "signing CA after an upload that was too large"
assert_fails "File too large" cp "$T/big" .details
assert_fails "File too large" mv .details details
rm .details
assert_eq "$(cat details)" a=1 "details after an upload that was too large"

# ---- cut, and written with a hole ----
printf 'a=1\nb=22\n' >details
truncate -s 4 details
assert_eq "$(cat details)" a=1 "details that were cut"
assert_fails "Operation not permitted" python3 -c 'import os, sys; os.truncate(sys.argv[1], 2)' details
python3 - <<'PYTHON' || fail "a hole was closed"
import errno, os
fd = os.open("details", os.O_WRONLY | os.O_TRUNC)
os.pwrite(fd, b"b=46\n", 4)
try:
    os.close(fd)
except OSError as error:
    assert error.errno == errno.EINVAL, error
else:
    raise SystemExit("close succeeded")
fd = os.open("details", os.O_WRONLY | os.O_TRUNC)
os.pwrite(fd, b"b=46\n", 4)
os.pwrite(fd, b"a=4\n", 0)
os.close(fd)
PYTHON
assert_eq "$(tr '\n' ' ' <details)" 'a=4 b=46 ' "details written from the end"
