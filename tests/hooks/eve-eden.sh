#!/bin/bash
# conf/hooks/eve-eden and its eve-edit.jq on a sample device configuration, with an `eden` that keeps it in a file: the app
# instance named changes and nothing else, counters only grow, volumes that a purge empties get new uuids.
# shellcheck disable=SC2016 # $old and $new are jq's
set -Eeuo pipefail
SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
T=${TEST_TMP:-$(mktemp -d)}
trap 'rm -rf "$T"' EXIT
trap 'printf "FAILED: line %s: %s\n" "$LINENO" "$BASH_COMMAND" >&2' ERR
command -v jq >/dev/null || { echo "jq is not installed"; exit 77; }

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# check FILTER WHAT: of $T/old (before) and $T/device.json (now), as $old and $new
check() {
    jq -en --slurpfile o "$T/old" --slurpfile n "$T/device.json" "\$o[0] as \$old | \$n[0] as \$new | $1" >/dev/null ||
        fail "$2"
}

# run HOOK APP: as certfs does; the configuration before goes to $T/old
run() {
    cp "$T/device.json" "$T/old"
    env -i PATH="$PATH" EDEN="$T/eden" CERTFS_HOOK="$1" CERTFS_MOUNT="$T/mnt" CERTFS_PROJECT=plant CERTFS_APP="$2" \
        CERTFS_OPERATION=purge-1-1 "$SOURCE/conf/hooks/eve-eden" </dev/null >"$T/out" 2>"$T/complaint"
}

same_but_apps() {
    check '($new | del(.apps, .volumes)) == ($old | del(.apps, .volumes))' "$1: more than apps and volumes changed"
    check "[\$new.apps[] | select(.displayname != \"$2\")] == [\$old.apps[] | select(.displayname != \"$2\")]" "$1: another app changed"
}

same_volumes() {
    check '$new.volumes == $old.volumes' "$1: volumes changed"
}

# Keeps the device's configuration in $T/device.json, as eden's controller does; two at a time would lose one.
cat >"$T/eden" <<SCRIPT
#!/bin/sh
[ "\$1" != --config ] || { echo "\$2" >>"$T/contexts"; shift 2; }
[ "\$1 \$2 \$4" = "controller edge-node --file" ] || exit 64
case \$3 in
get-config) mkdir "$T/busy" && cp "$T/device.json" "\$5" && sleep 0.1 && rmdir "$T/busy" ;;
set-config) cp "\$5" "$T/device.json" && echo set >>"$T/sets" ;;
*) exit 64 ;;
esac
SCRIPT
chmod 755 "$T/eden"
cp "$SOURCE/tests/hooks/eve-device.json" "$T/device.json"
: >"$T/contexts"
for app in gw-01 gw-02 bare twin nobody renamed; do
    mkdir -p "$T/mnt/projects/plant/apps/$app"
    : >"$T/mnt/projects/plant/apps/$app/details"
    printf '#cloud-config\nname: %s ü\n' "$app" >"$T/mnt/projects/plant/apps/$app/user_data"
done
mkdir -p "$T/mnt/projects/plant/app_policy"
echo 'eden_context=plant-7' >"$T/mnt/projects/plant/app_policy/details"
printf 'eve_app=gw-01\neden_context=\n' >"$T/mnt/projects/plant/apps/renamed/details"

# ---- push ----
run push gw-01
same_but_apps push gw-01
same_volumes push
check '$new.apps[0].cloud_init_version == 10' "push: cloud_init_version"
check '($new.apps[0] | del(.userData, .cloud_init_version)) == ($old.apps[0] | del(.userData, .cloud_init_version))' "push: more changed"
jq -r '.apps[0].userData' "$T/device.json" | base64 -d | cmp - "$T/mnt/projects/plant/apps/gw-01/user_data" || fail "push: user data"
run push gw-01
check '$new == $old' "the same push once more"
[ "$(wc -l <"$T/sets")" = 1 ] || fail "the same push once more was sent to the node"
run push gw-02
check '$new.apps[1].cloudInitVersion == 3 and ($new.apps[1] | has("cloud_init_version") | not)' "push: the other spelling"
run push bare
check '$new.apps[2].cloud_init_version == 1 and $new.apps[2].userData != null' "push: the first one"
same_but_apps "the first push" bare

# ---- purge ----
run purge gw-01
same_but_apps purge gw-01
check '$new.apps[0].purge.counter == 42' "purge: counter"
check '($new.apps[0] | del(.purge, .volumeRefList)) == ($old.apps[0] | del(.purge, .volumeRefList))' "purge: more of the app changed"
check '[$new.apps[0].volumeRefList[] | del(.uuid)] == [$old.apps[0].volumeRefList[] | del(.uuid)]' "purge: more of the references changed"
check '[$new.volumes[] | del(.uuid)] == [$old.volumes[] | del(.uuid)]' "purge: more of the volumes changed"
check '[0, 1] | all(. as $i | $new.apps[0].volumeRefList[$i].uuid == $new.volumes[$i].uuid)' "purge: a reference without its volume"
check '([$new.volumes[0, 1].uuid] - [$old.volumes[].uuid]) | unique | length == 2' "purge: no new uuids"
check '[$new.volumes[0, 1].uuid] | all(test("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"))' "purge: not uuids"
check '$new.volumes[2:] == $old.volumes[2:] and $new.apps[0].volumeRefList[2:] == $old.apps[0].volumeRefList[2:]' \
    "purge: a shared or a read-only volume was given up"
run purge gw-01
check '$new.apps[0].purge.counter == 43' "purge: counter of the second one"
run purge bare
check '$new.apps[2].purge.counter == 1' "purge: counter of the first one"
same_volumes "purge of an app without volumes"

# ---- restart ----
run restart gw-01
same_but_apps restart gw-01
same_volumes restart
check '$new.apps[0].restart.counter == 4 and $new.apps[0].restart.opsTime == $old.apps[0].restart.opsTime' "restart: counter"
check '($new.apps[0] | del(.restart)) == ($old.apps[0] | del(.restart))' "restart: more changed"
[ "$(sort -u "$T/contexts")" = plant-7 ] || fail "eden_context of the project's details"
: >"$T/contexts"
run restart renamed
check '$new.apps[0].restart.counter == 5' "eve_app"
[ ! -s "$T/contexts" ] || fail "an empty eden_context must hide the project's"

# ---- what can't be done changes nothing, and is told ----
for app in nobody twin; do
    if run push "$app"; then
        fail "push for $app succeeded"
    fi
    check '$new == $old' "a refused push changed something"
    grep -q "app instances of the device are named $app" "$T/complaint" || fail "push for $app: $(cat "$T/complaint")"
done
rm "$T/mnt/projects/plant/apps/gw-01/user_data"
if run push gw-01; then
    fail "push without user data succeeded"
fi
check '$new == $old' "push without user data changed something"

# ---- many at once: one after another, none lost ----
before=$(jq '.apps[0].restart.counter' "$T/device.json")
cp "$T/device.json" "$T/first"
pids=()
for _ in 1 2 3 4 5 6; do
    run restart gw-01 &
    pids+=($!)
done
for pid in "${pids[@]}"; do
    wait "$pid" || fail "one of many: $(cat "$T/complaint")"
done
[ "$(jq '.apps[0].restart.counter' "$T/device.json")" = $((before + 6)) ] || fail "a restart was lost"
[ -z "$(compgen -G '/dev/shm/certfs-eve.*' || true)" ] || fail "private keys were left in /dev/shm"
