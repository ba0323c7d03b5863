#!/bin/bash
# variants: plain
# crl.pem: of EC and RSA, root and intermediate signing CAs, checked by openssl and certtool; its number grows, it renews itself,
# superseded keys go on signing theirs, a compromised key's last one revokes all.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/life.sh
. "$SOURCE/tests/lib/life.sh"
need certtool faketime

use_clock +0
start_certfs
make_root root
make_root rsaroot key=rsa2048
make_intermediate int root
make_intermediate rsaint rsaroot key=rsa2048
make_intermediate mixed rsaroot # an EC key under an RSA root

# split_crls FILE PREFIX: PREFIX0, PREFIX1, …; how many
split_crls() {
    rm -f "$2"[0-9]*
    csplit -sz -n 1 -f "$2" "$1" '/-----BEGIN X509 CRL-----/' '{*}'
    grep -c 'BEGIN X509 CRL' "$1"
}

crl_field() { # FILE -lastupdate|-nextupdate|-crlnumber|-issuer
    openssl crl -in "$1" -noout "$2" | sed 's/^[a-zA-Z]*=//; s/ = /=/g'
}

crl_number() { printf '%d' "$(crl_field "$1" -crlnumber)"; }

# revoked_in FILE: serial and reason, a line each, sorted
revoked_in() {
    openssl crl -in "$1" -noout -text |
        awk '/Serial Number:/ {if (s) print s " none"; s = $3} /CRL Reason Code/ {getline; sub(/^ +/, ""); print s " " $0; s = ""} END {if (s) print s " none"}' | sort
}

# judge CERT CRL ISSUER ROOT [SECONDS from now]: OK or revoked, as openssl and certtool agree
judge() {
    local later=$((${5:-0} + 60)) openssl_says certtool_says
    cat "$1" >"$T/judged.pem"
    openssl x509 -in "$T/judged.pem" -out "$T/judge.leaf"
    cat "$CA/$3.pem" "$CA/$4.pem" >"$T/judge.ca"
    openssl crl -in "$2" -CAfile "$CA/$3.pem" -noout 2>&1 | grep -q 'verify OK' || fail "the signature of $2"
    openssl_says=$(openssl verify -x509_strict -attime $(($(date +%s) + later)) -crl_check -CAfile "$CA/$4.pem" \
        -untrusted "$CA/$3.pem" -CRLfile "$2" "$T/judged.pem" 2>&1) || true
    certtool_says=$(faketime -f "+$later" certtool --verify --load-ca-certificate "$T/judge.ca" --load-crl "$2" \
        --infile "$T/judge.leaf" 2>&1) || true
    if grep -q 'certificate revoked' <<<"$openssl_says"; then
        assert_has "$certtool_says" '[Rr]evoked' "certtool on $1"
        echo revoked
    else
        assert_has "$openssl_says" ': OK$' "openssl on $1"
        assert_has "$certtool_says" 'certificate is trusted' "certtool on $1"
        echo OK
    fi
}

# ---- each kind of issuer ----
for name in root rsaroot int rsaint mixed; do
    project=$PROJECTS/$name
    mkdir "$project" "$project"/apps/{gw,other}
    assert_errno ENOKEY read "$project/signing_ca/crl.pem"
    upload $name $name
    case $name in *rsa* | mixed) top=rsaroot ;; *) top=root ;; esac
    crl=$project/signing_ca/crl.pem
    cp "$crl" "$T/empty"
    assert_eq "$(split_crls "$T/empty" "$T/part")" 1 "lists of $name"
    assert_eq "$(revoked_in "$T/empty")" "" "revoked by $name at first"
    assert_has "$(openssl crl -in "$T/empty" -noout -text)" 'Version 2' "version"
    assert_has "$(openssl crl -in "$T/empty" -noout -text)" 'Authority Key Identifier' "AKI (RFC 5280, 5.2.1)"
    assert_eq "$(crl_field "$T/empty" -issuer)" "$(openssl x509 -in "$CA/$name.pem" -noout -subject | sed 's/^subject=//; s/ = /=/g')" "issuer"
    cat "$project/apps/gw/device_ca.pem" >"$T/old.pem"
    cat "$project/apps/other/device_ca.pem" >"$T/good.pem"
    assert_same "$crl" "$T/empty" "crl.pem changed without need"
    echo "stolen" >"$project/apps/gw/revoke"
    cp "$crl" "$T/one"
    assert_eq "$(revoked_in "$T/one")" "$(serial "$T/old.pem") Cessation Of Operation" "after revoke"
    [ "$(crl_number "$T/one")" -gt "$(crl_number "$T/empty")" ] || fail "the CRL number of $name did not grow"
    assert_eq "$(judge "$T/old.pem" "$T/one" $name $top)" revoked "a revoked certificate under $name"
    assert_eq "$(judge "$T/good.pem" "$T/one" $name $top)" OK "another certificate under $name"
    echo "compromised: the disk was copied" >"$project/apps/other/purge"
    cat "$project/apps/other/device_ca.pem" >"$T/new.pem"
    cp "$crl" "$T/two"
    assert_has "$(revoked_in "$T/two")" "^$(serial "$T/good.pem") CA Compromise$" "after purge with compromised"
    assert_eq "$(judge "$T/good.pem" "$T/two" $name $top)" revoked "a purged certificate under $name"
    assert_eq "$(judge "$T/new.pem" "$T/two" $name $top)" OK "its successor under $name"
    assert_eq "$(stat -c %s "$crl")" "$(wc -c <"$crl")" "st_size of crl.pem"
done

# ---- rmdir revokes; a renewal does not; a plain purge after the grace ----
p=$PROJECTS/int
mkdir "$p"/apps/{gone,renewed,purged}
for app in gone renewed purged; do
    cat "$p/apps/$app/device_ca.pem" >"$T/$app.pem"
done
rmdir "$p/apps/gone"
touch "$p/apps/renewed/renew"
echo "a new disk" >"$p/apps/purged/purge"
cat "$p/apps"/{renewed,purged}/device_ca.pem >/dev/null
cp "$p/signing_ca/crl.pem" "$T/crl"
assert_has "$(revoked_in "$T/crl")" "^$(serial "$T/gone.pem") Cessation Of Operation$" "after rmdir"
assert_lacks "$(revoked_in "$T/crl")" "$(serial "$T/renewed.pem")" "a renewal revokes nothing"
assert_lacks "$(revoked_in "$T/crl")" "$(serial "$T/purged.pem")" "a purge revokes after the grace"

# ---- over a restart and a crash its number goes on ----
number=$(crl_number "$T/crl")
kill_worker
cp "$p/signing_ca/crl.pem" "$T/crl2"
[ "$(crl_number "$T/crl2")" -ge "$number" ] || fail "the CRL number fell after a crash"
number=$(crl_number "$T/crl2")
restart_certfs
cp "$p/signing_ca/crl.pem" "$T/crl2"
[ "$(crl_number "$T/crl2")" -ge "$number" ] || fail "the CRL number fell after a restart"
assert_eq "$(revoked_in "$T/crl2")" "$(revoked_in "$T/crl")" "revoked after a restart"

# ---- two days later: another nextUpdate by itself, and what is in it stays ----
seconds() { date -d "$1" +%s; }
number=$(crl_number "$T/crl2")
days_on 2
sleep 1.2
cp "$p/signing_ca/crl.pem" "$T/later"
now=$(($(date +%s) + 2 * DAY))
[ "$(seconds "$(crl_field "$T/later" -nextupdate)")" -gt "$now" ] || fail "crl.pem has run out: $(crl_field "$T/later" -nextupdate)"
[ "$(seconds "$(crl_field "$T/later" -lastupdate)")" -le $((now + 5)) ] || fail "crl.pem is not yet valid"
[ "$(seconds "$(crl_field "$T/later" -lastupdate)")" -gt $((now - DAY - 60)) ] || fail "crl.pem is old"
[ "$(crl_number "$T/later")" -gt "$number" ] || fail "the number did not grow with a new list"
assert_eq "$(revoked_in "$T/later")" "$(revoked_in "$T/crl")" "revoked two days later"
days_on 3 1
sleep 1.2
cp "$p/signing_ca/crl.pem" "$T/later"
assert_has "$(revoked_in "$T/later")" "^$(serial "$T/purged.pem") Superseded$" "a purge after the grace"
assert_lacks "$(revoked_in "$T/later")" "$(serial "$T/renewed.pem")" "a renewal revokes nothing"

# ---- a superseded key goes on ----
make_intermediate second root
upload int second
cp "$p/signing_ca/crl.pem" "$T/crls"
assert_eq "$(split_crls "$T/crls" "$T/part")" 2 "lists after a new signing CA"
assert_eq "$(crl_field "$T/part0" -issuer) $(crl_field "$T/part1" -issuer)" "CN=second CN=int" "the active first"
old=$(serial "$p/apps/renewed/device_ca.pem")
cat "$p/apps/renewed/device_ca.pem" >"$T/renewed.pem"
echo "compromised: stolen" >"$p/apps/renewed/revoke"
split_crls "$p/signing_ca/crl.pem" "$T/part" >/dev/null
assert_has "$(revoked_in "$T/part1")" "^$old CA Compromise$" "the superseded key's list"
assert_eq "$(revoked_in "$T/part0")" "" "the active key's list"
assert_eq "$(judge "$T/renewed.pem" "$T/part1" int root $((3 * DAY + 3600)))" revoked "under a superseded signing CA"

# ---- a compromised one signs a last list, with all ----
mkdir "$p"/apps/{x,y}
cat "$p"/apps/{x,y}/device_ca.pem >/dev/null
wanted=$(serial "$p/apps/x/device_ca.pem")$'\n'$(serial "$p/apps/y/device_ca.pem")
echo "key on a stick" >"$p/signing_ca/compromised"
split_crls "$p/signing_ca/crl.pem" "$T/part" >/dev/null
assert_eq "$(revoked_in "$T/part0" | cut -d ' ' -f 1)" "$(sort <<<"$wanted")" "all of the compromised key"
assert_eq "$(revoked_in "$T/part0" | cut -d ' ' -f 2- | sort -u)" "CA Compromise" "their reason"
make_intermediate third root
upload int third
assert_eq "$(split_crls "$p/signing_ca/crl.pem" "$T/part")" 3 "lists"
assert_eq "$(crl_field "$T/part0" -issuer)" "CN=third" "the active first"
compromised=$T/part1
[ "$(crl_field "$compromised" -issuer)" = CN=second ] || compromised=$T/part2
assert_eq "$(revoked_in "$compromised" | cut -d ' ' -f 1)" "$(sort <<<"$wanted")" "all of the compromised key, later"

# ---- without cRLSign ----
make_root mute ext=$'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,digitalSignature,keyCertSign\nsubjectKeyIdentifier=hash'
mkdir "$PROJECTS/mute" "$PROJECTS/mute/apps/gw"
upload mute mute
cat "$PROJECTS/mute/apps/gw/device_ca.pem" >/dev/null
assert_errno ENODATA read "$PROJECTS/mute/signing_ca/crl.pem"
assert_notice "$PROJECTS/mute/status" CRL_NOT_SIGNED NOTICE PROJECT NONE
assert_errno OK write "$PROJECTS/mute/apps/gw/revoke" stolen
assert_errno EKEYREVOKED read "$PROJECTS/mute/apps/gw/device_ca.pem"
check_fake

# ---- a theft also revokes what was to be revoked later, and what a renewal left: it is in the thief's hands ----
make_intermediate theft root
mkdir "$PROJECTS/theft"
upload theft theft
t=$PROJECTS/theft
missing=
# step APP [FILE TEXT]: fires, and reads a certificate; its serial goes to $T/APP.serials
step() {
    [ $# = 1 ] || echo "$3" >"$t/apps/$1/$2"
    [ -d "$t/apps/$1" ] || mkdir "$t/apps/$1"
    serial "$t/apps/$1/device_ca.pem" >>"$T/$1.serials"
}
# all_revoked APP WHAT: every certificate that step has seen of it
all_revoked() {
    local have
    have=$(revoked_in "$t/signing_ca/crl.pem")
    while read -r number; do
        grep -q "^$number CA Compromise$" <<<"$have" || missing+="$2: $(grep "^$number" <<<"$have" || echo "$number is not in the list"); "
    done <"$T/$1.serials"
}
for app in graced renewed; do
    step $app
done
step graced purge "another disk" # its first certificate has the grace
echo "compromised: stolen" >"$t/apps/graced/revoke"
all_revoked graced "purge, then revoke for a theft"
step renewed renew "the same key"
assert_eq "$(sort -u "$T/renewed.serials" | wc -l)" 2 "serials"
echo "compromised: stolen" >"$t/apps/renewed/purge"
all_revoked renewed "renew, which keeps the key, then purge for a compromise"
step bulked
step bulked renew "the same key"
echo "compromised: stolen" >"$t/force_update"
job_done theft
all_revoked bulked "renew, which keeps the key, then force_update for a compromise"
assert_eq "$missing" "" "certificates that a thief can still use"
check_fake
