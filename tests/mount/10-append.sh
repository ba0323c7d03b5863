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
