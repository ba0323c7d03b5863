#!/bin/bash
# A purge whose push was given up, and what comes after it: a touch goes on at push; but where its certificate is compromised or was revoked
# meanwhile, another one is issued, and one that was queued behind it begins. What the hook `details` says is judged as what a user writes.
# A hook that leaves a process behind has ended when it ends itself. `would` and a purge under attach = no; how many a job that was cancelled had to do.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/life.sh
. "$SOURCE/tests/lib/life.sh"

mkdir "$T/do"
cat >"$T/hook" <<SCRIPT
#!/bin/sh
echo "\$CERTFS_HOOK \$CERTFS_APP" >>"$T/log"
[ ! -e "$T/do/\$CERTFS_HOOK" ] || . "$T/do/\$CERTFS_HOOK"
SCRIPT
chmod 755 "$T/hook"
write_conf '[hooks]' "details = $T/hook" "push = $T/hook" "restart = $T/hook" 'timeout_seconds = 20' 'retries = 0'
start_certfs
new_project p
p=$PROJECTS/p
a=$p/apps/a
mkdir "$a"

purge_is() {
    [ "$(field "$a/purge" state)" = "$1" ]
}
# gives_up: a purge that fails at push; sets SERIAL to what it had issued
gives_up() {
    echo 'exit 1' >"$T/do/push"
    touch "$a/purge"
    wait_until 20 purge_is failed
    rm "$T/do/push"
    SERIAL=$(openssl x509 -noout -serial -in "$a/device_ca.pem")
    : >"$T/log"
}
serial() {
    timeout 20 openssl x509 -noout -serial -in "$a/device_ca.pem"
}
# reason SERIAL: of its revocation
reason() {
    openssl crl -noout -text -in "$p/signing_ca/crl.pem" | grep -A 4 "Serial Number: ${1#serial=}" | sed -n '5s/^ *//p'
}

# ---- a touch goes on ----
gives_up
assert_has "$(field "$a/purge" would)" 'go on with' "would of a purge that was given up"
touch "$a/purge"
wait_until 20 purge_is "done"
assert_eq "$(serial)" "$SERIAL" "certificate of a purge that went on"
assert_eq "$(tr '\n' ' ' <"$T/log")" "push a restart a " "hooks of a purge that went on"

# ---- its key was stolen meanwhile ----
gives_up
key=$(sha256sum <"$a/device_ca.key")
echo "compromised: stolen gateway" >"$a/purge"
assert_ne "$(serial)" "$SERIAL" "serial number after a compromise"
assert_eq "$(reason "$SERIAL")" "CA Compromise" "reason of the revocation"
wait_until 20 purge_is "done"
assert_ne "$(sha256sum <"$a/device_ca.key")" "$key" "key after a compromise"
assert_eq "$(tr '\n' ' ' <"$T/log")" "details a push a restart a " "hooks after a compromise"

# ---- it was revoked meanwhile ----
gives_up
echo gone >"$a/revoke"
assert_has "$(field "$a/purge" would)" 'issue generation' "would of a purge after revoke"
touch "$a/purge"
wait_until 20 purge_is "done"
assert_ne "$(serial)" "$SERIAL" "serial number after revoke and purge"
assert_eq "$(field "$a/status" state) $(field "$a/status" delivered_generation)" "VALID $(field "$a/status" generation)" "after revoke and purge"

# ---- another one was queued behind it: that begins ----
printf '%s\n' "touch $T/pushing" "while [ ! -e $T/pushed ]; do sleep 0.05; done" 'exit 1' >"$T/do/push"
: >"$T/log"
touch "$a/purge"
wait_until 20 test -e "$T/pushing"
touch "$a/purge"
echo 'exit 0' >"$T/do/push.new"
mv "$T/do/push.new" "$T/do/push"
touch "$T/pushed"
wait_until 20 purge_is "done"
assert_eq "$(tr '\n' ' ' <"$T/log")" "details a push a details a push a restart a " "hooks of a purge that was given up, and of the queued one"
assert_eq "$(field "$a/status" delivered_generation)" "$(field "$a/status" generation)" "what the queued one delivered"
rm "$T/do/push" "$T/pushing" "$T/pushed"

# ---- details from the hook: as from a user ----
assert_errno EINVAL write "$a/details" "hostname=a.p.ca
"
echo 'echo hostname=a.p.ca' >"$T/do/details"
touch "$a/purge"
wait_until 20 purge_is failed
assert_has "$(cat "$a/events")" 'equals the common name' "event of the details refused"
rm "$T/do/details"
touch "$a/purge"
wait_until 20 purge_is "done"

# ---- a process that a hook leaves behind ----
printf '%s\n' 'sleep 1000 &' "echo \$! >$T/left" >"$T/do/push"
printf '%s\n' '(sleep 0.3; echo late=yes) &' >"$T/do/details"
touch "$a/purge"
wait_until 15 purge_is "done"
assert_eq "$(cat "$a/details")" late=yes "details that came after the hook's end"
kill "$(cat "$T/left")" || fail "what the hook left behind was ended"
rm "$T/do/push" "$T/do/details"

# ---- attach = no ----
sed 's/^attach *=.*/attach = no/' "$p/policy" >"$T/policy"
cp "$T/policy" "$p/policy"
assert_has "$(field "$a/renew" would)" '^be refused' "would of renew under attach = no"
for trigger in "$a/purge" "$p/update" "$p/force_update"; do
    assert_has "$(field "$trigger" would)" 'issue nothing \(attach = no\)' "would of ${trigger##*/} under attach = no"
done
touch "$a/purge"
wait_until 20 purge_is "done"
sed -i 's/^attach *=.*/attach = yes/' "$T/policy"
cp "$T/policy" "$p/policy"

# ---- cancel ----
mkdir "$p/apps/b"
cat "$a/device_ca.pem" "$p/apps/b/device_ca.pem" >/dev/null
echo 'sleep 2' >"$T/do/push"
touch "$p/force_update"
echo cancel >"$p/progress"
assert_eq "$(field "$p/progress" state) $(field "$p/progress" total)" "cancelled 2" "a job that was cancelled at once"
check_clean
