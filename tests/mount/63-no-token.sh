#!/bin/bash
# timeout: 180
# variants: plain
# Where no token's module is known, the worker is confined most: it does all of its work all the same.
MODULES=/usr/share/p11-kit/modules
[ -d $MODULES ] || { echo "no p11-kit"; exit 77; }
if [ -z "${WITHOUT_MODULES-}" ]; then
    export WITHOUT_MODULES=1
    # shellcheck disable=SC2016 # the inner shell expands
    exec unshare --mount bash -c 'mount -t tmpfs certfs-test "$1" && exec "$0"' "$0" $MODULES
fi
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need openssl

chmod 711 "$T"
chmod 700 "$T/store"
cat >"$T/hook" <<END
#!/bin/sh
grep -E '^(Seccomp|NoNewPrivs)' /proc/self/status >"$T/told/new" && cat /etc/passwd >/dev/null && mv "$T/told/new" "$T/told/push"
END
chmod 755 "$T/hook"
mkdir -m 777 "$T/told"
write_conf '[daemon]' 'user = nobody' '[hooks]' "push = $T/hook" 'retries = 0'
"$CERTFS" mount -f -c "$CONF" "$MNT" >>"$T/mount.log" 2>&1 </dev/null &
wait_until 20 mounted
wait_until 20 find_supervisor
wait_until 20 find_worker
said() { grep -q 'tokens: none' "$T/mount.log"; }
wait_until 10 said
assert_has "$(cat "$T/mount.log")" 'nobody; Landlock: on; system calls: filtered; tokens: none' "what the log says"

# an old PKCS#12 needs a module of OpenSSL that is loaded only then
make_root root
make_intermediate int root
mkdir "$PROJECTS/p" "$PROJECTS/p/apps"/{a,b}
openssl pkcs12 -export -legacy -passout pass:horse -inkey "$CA/int.key" -in "$CA/int.chain" -out "$T/int.p12"
echo horse >"$PROJECTS/p/signing_ca/password"
cp "$T/int.p12" "$PROJECTS/p/signing_ca/cert.pem"
cat "$PROJECTS/p/apps/a/bundle.pem" >"$T/bundle.pem"
openssl verify -CAfile "$CA/root.pem" -untrusted "$T/bundle.pem" "$T/bundle.pem" >/dev/null
printf '[certificate]\nkey_type = rsa-2048\n' >"$PROJECTS/p/policy"
cat "$PROJECTS/p/apps/b/bundle.pem" >/dev/null
assert_has "$(cat "$MNT/audit")" '"command":"cat"' "the command of who read a key"
touch "$PROJECTS/p/apps/a/purge"
wait_until 20 test -e "$T/told/push"
assert_has "$(cat "$T/told/push")" '^Seccomp:[[:space:]]*0' "a hook is not confined"
wait_until 20 grep -q '^state: done' "$PROJECTS/p/apps/a/purge"
cat "$PROJECTS/p/signing_ca/crl.pem" "$MNT/metrics" "$MNT/dashboard.html" "$PROJECTS/p/apps/a/user_data" >/dev/null

# the store is copied, gets another master key, and the worker goes on, also a new one
"$CERTFS" backup -c "$CONF" "$T/copy.db" >/dev/null
"$CERTFS" rekey -c "$CONF" >/dev/null
touch "$PROJECTS/p/apps/b/renew"
cat "$PROJECTS/p/apps/b/bundle.pem" >"$T/bundle.pem"
kill_worker
cmp "$PROJECTS/p/apps/b/bundle.pem" "$T/bundle.pem"
kill -HUP "$SUPERVISOR_PID"
wait_until 20 grep -q 'was read again' "$T/mount.log"
cmp "$PROJECTS/p/apps/b/bundle.pem" "$T/bundle.pem"

# a token is a sentence, not a crash
mkdir "$PROJECTS/t"
cp "$CA/int.chain" "$PROJECTS/t/signing_ca/cert.pem"
printf 'pkcs11:token=t;object=o?pin-value=1' >"$T/uri"
assert_fails 'rejected by service' cp "$T/uri" "$PROJECTS/t/signing_ca/key.pem"
assert_has "$(field "$PROJECTS/t/signing_ca/status" rejected)" 'no such token is there' "the reason"
assert_lacks "$(cat "$T/mount.log")" 'signal 31' "a call that ends a worker"
kill -TERM "$SUPERVISOR_PID"
wait_until 20 gone "$SUPERVISOR_PID"
check_clean
