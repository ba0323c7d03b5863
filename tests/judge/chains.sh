#!/bin/sh
# Has verifiers that are not ours judge the device CAs that certfs issues, as links of a chain down to a server certificate.
#
#   chains.sh ISSUE_CHAIN        the helper program that writes the chains
#
# TAP on standard output. Exit status 0, 1 if a verifier refuses a chain (or takes one that it must refuse), 77 if a
# verifier is not installed.
set -u

helper=${1:?usage: chains.sh ISSUE_CHAIN}
for tool in openssl certtool certutil vfychain; do
	command -v "$tool" >/dev/null || { echo "1..0 # SKIP $tool is not installed (openssl, gnutls-bin, libnss3-tools)"; exit 77; }
done

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
number=0
failed=0

# report STATUS DESCRIPTION: what the verifier said is in $work/said
report()
{
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $number - $2"
		return
	fi
	failed=1
	echo "not ok $number - $2"
	sed 's/^/# /' "$work/said"
}

by_openssl()
{
	openssl verify -x509_strict -auth_level 2 -purpose sslserver -verify_hostname gw.example \
		-CAfile "$1/root.pem" -untrusted "$1/mids.pem" "$1/srv.pem" >"$work/said" 2>&1
}

by_gnutls()
{
	certtool --verify --verify-profile=medium --load-ca-certificate "$1/root.pem" \
		--infile "$1/chain.pem" >"$work/said" 2>&1
}

by_nss()
{
	mkdir "$1/db" && certutil -N -d "sql:$1/db" --empty-password >"$work/said" 2>&1 &&
		certutil -A -d "sql:$1/db" -n root -t C,, -i "$1/root.pem" >>"$work/said" 2>&1 || return 1
	# shellcheck disable=SC2046 # the intermediate is there or not
	vfychain -d "sql:$1/db" -a -u 1 -pp "$1/srv.pem" "$1/dev.pem" \
		$(ls "$1/int.pem" 2>/dev/null) >>"$work/said" 2>&1
}

judge_all()
{
	for judge in $3; do
		"by_$judge" "$work/$1-$2"
		report $? "$judge accepts a device CA under $2 $1"
	done
}

# The judges must be awake: without the device CA in the middle each of them refuses.
refuse_all()
{
	cp -r "$work/P-256-ROOT" "$work/broken" && rm -rf "$work/broken/db"
	cp "$work/P-384-ROOT/dev.pem" "$work/broken/dev.pem"
	cp "$work/P-384-ROOT/dev.pem" "$work/broken/mids.pem"
	cat "$work/broken/srv.pem" "$work/broken/dev.pem" "$work/broken/root.pem" >"$work/broken/chain.pem"
	for judge in openssl gnutls nss; do
		! "by_$judge" "$work/broken"
		report $? "$judge refuses a chain with another device CA in it"
	done
}

echo 1..41
for place in ROOT INTERMEDIATE; do
	for kind in RSA-2048 RSA-3072 P-256 P-384 ED25519; do
		mkdir "$work/$kind-$place"
		"$helper" "$kind" "$place" "$work/$kind-$place" >"$work/said" 2>&1
		report $? "a chain under $place $kind is made"
		judges="openssl gnutls nss"
		[ "$kind" = ED25519 ] && judges="openssl gnutls" # NSS knows no Ed25519
		judge_all "$kind" "$place" "$judges"
	done
done
refuse_all
[ "$number" -eq 41 ] || { echo "# $number cases, not 41"; failed=1; }
exit $failed
