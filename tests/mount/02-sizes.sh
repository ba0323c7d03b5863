#!/bin/bash
# timeout: 300
# stat before the first read tells exactly what the read returns: for every key type, under every kind of signer.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

FILES=(device_ca.pem device_ca.key bundle.pem trust_bundle.pem config.toml config.yaml)

start_certfs
for signer in p256 p384 rsa2048 rsa3072 ed25519; do
    new_project "$signer" "$signer"
    for type in ec-p256 rsa-2048 rsa-3072 rsa-4096; do
        # The keys of RSA are the same code under every signer, and slow.
        case $signer/$type in
        p256/* | rsa2048/* | */ec-p256) ;;
        *) continue ;;
        esac
        echo "key_type = $type" | sed '1i[certificate]' >"$PROJECTS/$signer/policy"
        count=1
        [ $type != ec-p256 ] || count=20
        for first in "${FILES[@]}"; do
            [ $count != 1 ] || [ "${first%.key}" != "$first" ] || [ "$first" = bundle.pem ] || continue
            for i in $(seq $count); do
                app=$PROJECTS/$signer/apps/$type-$first-$i
                mkdir "$app"
                # all six sizes, then the bytes, the file under test first
                sizes=$(cd "$app" && stat -c '%n %s' "$first" "${FILES[@]}")
                while read -r name size; do
                    [ "$size" -gt 0 ] || fail "$signer/$type: size of a never-read $name is $size"
                    assert_eq "$(wc -c <"$app/$name")" "$size" "$signer/$type: bytes of $name, read after $first"
                done <<<"$sizes"
            done
        done
        assert_pair "$app/device_ca.pem" "$app/device_ca.key"
        [ "$signer" = ed25519 ] || verify_chain "$app/device_ca.pem" "$CA/root-$signer.pem"
    done
done

# a read past the first issue, after renew and purge, holds to the same rule
new_project again
mkdir "$PROJECTS/again/apps/gw"
cd "$PROJECTS/again/apps/gw"
for i in $(seq 40); do
    for trigger in renew purge; do
        echo "round $i" >$trigger
        for name in device_ca.pem device_ca.key bundle.pem; do
            size=$(stat -c %s $name)
            assert_eq "$(wc -c <$name)" "$size" "bytes of $name after $trigger $i"
        done
    done
done
cd /
check_clean
