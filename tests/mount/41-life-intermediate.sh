#!/bin/bash
# variants: plain
# The life of a project under an intermediate signing CA, by the daemon's clock: the end of the root counts as well as its own,
# csr.pem asks for the successor, whose certificate is staged wherever it is written, update switches to it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/life.sh
. "$SOURCE/tests/lib/life.sh"
need faketime

use_clock +0
start_certfs
make_root root days=4000
make_root brief days=200
make_intermediate int root days=420 subject='/O=Plant 7/CN=Plant 7 Intermediate'
make_intermediate under brief days=2000
for project in p other clamped; do
    mkdir "$PROJECTS/$project"
    mkdir "$PROJECTS/$project"/apps/{gw,late}
done
upload p int
upload other int
upload clamped under
p=$PROJECTS/p other=$PROJECTS/other clamped=$PROJECTS/clamped
for project in p other clamped; do
    cat "$PROJECTS/$project/apps/gw/device_ca.pem" >"$T/$project.pem"
    verify_chain "$T/$project.pem" "$CA/$([ $project = clamped ] && echo brief || echo root).pem"
done
assert_eq "$(wc -c <"$p/signing_ca/csr.pem")" 0 "csr.pem on day 0"
first=$(serial "$T/p.pem")

# ---- the earliest end of the chain is what counts: the root's, here ----
end_of() { date -d "$(openssl x509 -in "$1" -noout -enddate | cut -d = -f 2)" +%FT%TZ; }
assert_eq "$(field "$clamped/status" valid_till)" "$(end_of "$CA/brief.pem")" "valid_till of a project under a short root"
assert_eq "$(end_of "$T/clamped.pem")" "$(end_of "$CA/brief.pem")" "end of a device CA under a short root"
days_on 171
wait_events "$clamped/events" signing_ca.expiring 1
assert_notice "$clamped/status" INTER_CA_EXPIRING WARN PROJECT UPDATEREQUIRED
assert_notice "$clamped/apps/gw/status" INTER_CA_EXPIRING WARN PROJECT UPDATEREQUIRED
assert_eq "$(cat "$clamped/signing_ca/affected")" gw "affected"
days_on 201
wait_events "$clamped/events" signing_ca.expired 1
assert_errno EKEYEXPIRED read "$clamped/apps/gw/device_ca.pem"
assert_eq "$(field "$clamped/signing_ca/status" state)" EXPIRED "signing CA under an expired root"

# ---- day 336 renews on read, clamped ----
days_on 336
wait_events "$p/apps/gw/events" device_ca.expiring 1
assert_ne "$(serial "$p/apps/gw/device_ca.pem")" "$first" "read in the window"
assert_eq "$(end_of "$p/apps/gw/device_ca.pem")" "$(end_of "$CA/int.pem")" "clamped to the intermediate's end"
second=$(serial "$p/apps/gw/device_ca.pem")

# ---- day 391: a request ----
days_on 391
for project in "$p" "$other"; do
    wait_state "$project/signing_ca/next/status" REQUESTED
    wait_events "$project/events" signing_ca.expiring 1
    wait_events "$project/events" signing_ca.requested 1
    assert_notice "$project/status" SUCCESSOR_REQUESTED WARN PROJECT UPDATEREQUIRED
    assert_notice "$project/apps/gw/status" INTER_CA_EXPIRING WARN PROJECT UPDATEREQUIRED
done
assert_eq "$(cat "$p/signing_ca/affected")" gw "affected"
assert_eq "$(active p)" "$(fingerprint "$CA/int.pem")" "active while requested"
cat "$p/signing_ca/csr.pem" >"$T/p.csr"
openssl req -in "$T/p.csr" -verify -noout >"$T/out" 2>&1 || fail "csr.pem: $(cat "$T/out")"
subject() { openssl "$1" -in "$2" -noout -subject; }
assert_eq "$(subject req "$T/p.csr")" "$(subject x509 "$CA/int.pem")" "subject of csr.pem"
assert_has "$(openssl req -in "$T/p.csr" -noout -text)" 'CA:TRUE' "csr.pem asks for a CA"
assert_ne "$(openssl req -in "$T/p.csr" -noout -pubkey)" "$(openssl x509 -in "$CA/int.pem" -noout -pubkey)" "key of csr.pem"
! cmp -s "$T/p.csr" "$other/signing_ca/csr.pem" || fail "two projects share the key of a request"

# its key stays until it is answered: over time, a restart, a worker's death
kill_worker
days_on 393
sleep 3
restart_certfs
assert_same "$p/signing_ca/csr.pem" "$T/p.csr" "csr.pem, two days later"
wait_events "$p/events" signing_ca.requested 1

# update has nothing to switch to yet: it only re-issues what there is to re-issue
assert_eq "$(serial "$p/apps/gw/device_ca.pem")" "$second" "read while the signing CA ends"
touch "$p/update"
job_done p
assert_eq "$(active p)" "$(fingerprint "$CA/int.pem")" "active after an update without a successor"
assert_eq "$(serial "$p/apps/gw/device_ca.pem")" "$second" "an update that gains nothing"

# ---- the customer's CA signs it ----
sign() { # NAME PARENT CSR [EXT]
    printf '%s\n' "${4:-$CA_EXT}" >"$CA/$1.ext"
    faketime -f +393d openssl x509 -req -in "$3" -CA "$CA/$2.pem" -CAkey "$CA/$2.key" -days 1000 \
        -set_serial "0x4$(openssl rand -hex 15)" -extfile "$CA/$1.ext" -out "$CA/$1.pem" 2>"$T/out" || fail "$(cat "$T/out")"
    cat "$CA/$1.pem" "$CA/$2.chain" >"$CA/$1.chain"
}
make_root newroot days=6000
sign next newroot "$T/p.csr"
sign leaf newroot "$T/p.csr" $'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature'

# an answer that is no CA certificate is refused, and the request stands
assert_fails "Key was rejected by service" cp "$CA/leaf.chain" "$p/signing_ca/cert.pem"
assert_has "$(cat "$p/signing_ca/status" "$p/signing_ca/next/status")" 'rejected: "[^"]' "the reason of the refusal"
assert_same "$p/signing_ca/csr.pem" "$T/p.csr" "csr.pem after a bad answer"

# replaced by upload: the request was for the old one
make_intermediate repl root days=2000
mkdir "$PROJECTS/moved"
upload moved int
wait_state "$PROJECTS/moved/signing_ca/next/status" REQUESTED
upload moved repl
assert_eq "$(field "$PROJECTS/moved/signing_ca/next/status" state)" NONE "the request of a replaced signing CA"
assert_eq "$(wc -c <"$PROJECTS/moved/signing_ca/csr.pem")" 0 "csr.pem of a replaced signing CA"
# but if its answer is staged, that stays an answer, however often it is written
mkdir "$PROJECTS/answered"
upload answered int
wait_state "$PROJECTS/answered/signing_ca/next/status" REQUESTED
sign answer newroot "$PROJECTS/answered/signing_ca/csr.pem"
cp "$CA/answer.chain" "$PROJECTS/answered/signing_ca/cert.pem"
upload answered repl
cp "$CA/answer.chain" "$PROJECTS/answered/signing_ca/cert.pem"
assert_eq "$(field "$PROJECTS/answered/signing_ca/next/status" state)" STAGED "the answer for a replaced signing CA"
assert_eq "$(field "$PROJECTS/answered/signing_ca/info" sha256_fingerprint)" "$(fingerprint "$CA/repl.pem")" "active when the answer is written again"

# p writes it to cert.pem, other to next/cert.pem: both are staged
cp "$CA/next.chain" "$p/signing_ca/cert.pem"
sign next2 newroot "$other/signing_ca/csr.pem"
cp "$CA/next2.chain" "$other/signing_ca/next/cert.pem"
for project in "$p" "$other"; do
    assert_eq "$(field "$project/signing_ca/next/status" state)" STAGED "next after the answer"
    assert_eq "$(events "$project/events" signing_ca.staged)" 1 "events"
    assert_notice "$project/status" SUCCESSOR_STAGED WARN PROJECT UPDATEREQUIRED
    assert_eq "$(field "$project/signing_ca/info" sha256_fingerprint)" "$(fingerprint "$CA/int.pem")" "active when staged"
    assert_trusts "$project/apps/gw/trust_bundle.pem" "$CA/root.pem" "the active top"
    assert_trusts "$project/apps/gw/trust_bundle.pem" "$CA/newroot.pem" "the successor's top"
    assert_distrusts "$project/apps/gw/trust_bundle.pem" "$CA/next.pem" "an intermediate is no top"
done
assert_same "$p/signing_ca/next/cert.pem" "$CA/next.chain" "next/cert.pem"
assert_eq "$(cat "$p/signing_ca/affected")" gw "affected when staged"
assert_eq "$(serial "$p/apps/gw/device_ca.pem")" "$second" "device CA when staged"

# written again, as a playbook does that is run again: still nothing is switched; dropped, the request stands as it was
cp "$CA/next.chain" "$p/signing_ca/cert.pem"
assert_eq "$(active p)" "$(fingerprint "$CA/int.pem")" "active after the answer was written twice"
assert_same "$p/signing_ca/next/cert.pem" "$CA/next.chain" "next/cert.pem after that"
assert_eq "$(wc -c <"$p/signing_ca/csr.pem")" 0 "csr.pem while its answer is staged"
rm "$p/signing_ca/next/cert.pem"
assert_eq "$(field "$p/signing_ca/next/status" state)" REQUESTED "next after the answer was dropped"
assert_same "$p/signing_ca/csr.pem" "$T/p.csr" "csr.pem after that"
cp "$CA/next.chain" "$p/signing_ca/cert.pem"
assert_eq "$(active p)" "$(fingerprint "$CA/int.pem")" "active after another answer"

# ---- update, killed on its way ----
touch "$p/update"
kill_worker
job_done p
assert_eq "$(active p)" "$(fingerprint "$CA/next.pem")" "active after update"
assert_eq "$(field "$p/status" state)" VALID "state after update"
assert_eq "$(field "$p/signing_ca/next/status" state)" NONE "next after update"
assert_eq "$(wc -c <"$p/signing_ca/csr.pem")" 0 "csr.pem after it was answered"
assert_eq "$(field "$p/apps/gw/status" generation) $(field "$p/apps/late/status" state)" "3 NOT_ISSUED" "after update"
verify_at 393 "$p/apps/gw/device_ca.pem" "$CA/newroot.pem"
assert_eq "$(count_certs "$p/apps/gw/device_ca.pem")" 3 "certificates in device_ca.pem"
assert_trusts "$p/apps/gw/trust_bundle.pem" "$CA/root.pem" "the old top"
assert_same "$p/apps/gw/generations/1/device_ca.pem" "$T/p.pem" "generations/1"
assert_has "$(cat "$p/status")" '^notices: \[\]$' "notices after update"

# ---- the other project goes by force_update of the old, then past its end, then update ----
touch "$other/force_update"
job_done other
assert_eq "$(field "$other/apps/gw/status" generation)" 2 "force_update"
assert_eq "$(field "$other/signing_ca/info" sha256_fingerprint)" "$(fingerprint "$CA/int.pem")" "force_update switches nothing"
days_on 421
wait_events "$other/events" signing_ca.expired 1
assert_errnos <<LINES
EKEYEXPIRED read $other/apps/gw/device_ca.pem
EKEYEXPIRED touch $other/force_update
OK touch $other/update
LINES
job_done other
assert_eq "$(field "$other/status" state)" VALID "state after update"
verify_at 421 "$other/apps/gw/device_ca.pem" "$CA/newroot.pem"

# ---- a signing CA that was switched to is compromised like any other; its request's key never comes back ----
echo "key was copied" >"$p/signing_ca/compromised"
assert_errnos <<LINES
EKEYREVOKED read $p/apps/gw/device_ca.pem
OK read $other/apps/gw/device_ca.pem
LINES
assert_fails "Key was rejected by service" cp "$CA/next.chain" "$p/signing_ca/cert.pem"
make_intermediate int3 newroot days=3000
upload p int3
echo "compromised: key was copied" >"$p/force_update"
job_done p
assert_eq "$(field "$p/status" state) $(field "$p/apps/gw/status" generation)" "VALID 4" "after force_update"
verify_at 421 "$p/apps/gw/device_ca.pem" "$CA/newroot.pem"
assert_trusts "$p/apps/gw/trust_bundle.pem" "$CA/newroot.pem" "the top that both share"
check_fake
