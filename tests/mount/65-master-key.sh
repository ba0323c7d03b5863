#!/bin/bash
# timeout: 240
# The master key from a systemd credential and from a PKCS#11 token: what serves, what each fault says, and that it ends with its cause.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/token.sh
. "$SOURCE/tests/lib/token.sh"

# source MASTER_KEY
source_is() {
    write_conf '[keystore]' "master_key = $1"
}

refused() {
    assert_fails "$1" "${DAEMON_ENV[@]}" "$CERTFS" mount -c "$CONF" "$MNT"
    ! mounted || fail "it is mounted all the same"
}

# ---- a credential ----

source_is credential:master
refused 'CREDENTIALS_DIRECTORY is not set'
[ ! -e "$STORE" ] || fail "a store was made without a master key"
mkdir "$T/credentials"
DAEMON_ENV=(env "CREDENTIALS_DIRECTORY=$T/credentials")
refused 'credentials/master: No such file'
head -c 31 /dev/urandom >"$T/credentials/master"
chmod 400 "$T/credentials/master"
refused 'has 31 bytes, not 32'
head -c 32 /dev/urandom >"$T/credentials/master.right"
mv "$T/credentials/master.right" "$T/credentials/master"
refused 'others may read it'
chmod 400 "$T/credentials/master"
start_certfs
new_project p
mkdir "$PROJECTS/p/apps/gw"
cp "$PROJECTS/p/apps/gw/bundle.pem" "$T/bundle.pem"
kill_worker
assert_same "$T/bundle.pem" "$PROJECTS/p/apps/gw/bundle.pem" "after the worker died"
restart_certfs
assert_same "$T/bundle.pem" "$PROJECTS/p/apps/gw/bundle.pem" "after a restart"
stop_certfs
"${DAEMON_ENV[@]}" "$CERTFS" check -c "$CONF" >/dev/null || fail "certfs check"
head -c 32 /dev/urandom >"$T/credentials/other"
chmod 400 "$T/credentials/other"
mv "$T/credentials/other" "$T/credentials/master"
refused 'wrong master key'
assert_fails 'in no file' "${DAEMON_ENV[@]}" "$CERTFS" rekey -c "$CONF"

# ---- a token ----

DAEMON_ENV=(env)
rm "$STORE"*
make_token
token_tool --keygen --key-type AES:32 --label aes --id 01
token_tool --keygen --key-type GENERIC:32 --label hmac --id 02 --usage-sign
token_tool --keygen --key-type AES:16 --label short --id 03
printf '%s\n' "$PIN" >"$T/pin"
chmod 400 "$T/pin"

uri='pkcs11:token=certfs'
while read -r what pattern; do
    source_is "$uri$what"
    refused "$pattern"
done <<'END'
;object=aes?pin-value=000000 wrong PIN
;object=aes the token asks for a PIN
;object=none?pin-value=135790 the token has no secret key of that name
?pin-value=135790 fits more than one key
;object=short?pin-value=135790 the key has 128 bits
x;object=aes?pin-value=135790 no such token is there
;object=aes?pin-source=file:/nonexistent the file of its PIN, /nonexistent, can't be read
;object=aes?pin-value=135790&module-path=/nonexistent.so the module /nonexistent.so can't be loaded
END
[ ! -e "$STORE" ] || fail "a store was made without a master key"

for key in aes hmac; do
    rm -f "$STORE"*
    source_is "$uri;object=$key;type=secret-key?pin-source=file:$T/pin"
    start_certfs
    mkdir "$PROJECTS/p" "$PROJECTS/p/apps/gw"
    upload p int
    cp "$PROJECTS/p/apps/gw/bundle.pem" "$T/bundle.pem"
    # the supervisor, which forks, has never loaded a module
    ! grep -q softhsm "/proc/$SUPERVISOR_PID/maps" || fail "the supervisor has loaded the module"
    kill_worker
    assert_same "$T/bundle.pem" "$PROJECTS/p/apps/gw/bundle.pem" "after the worker died"

    # gone: what runs goes on; a new worker waits for it, and so do its clients
    unplug
    cat "$PROJECTS/p/apps/gw/bundle.pem" >/dev/null
    kill -9 "$WORKER_PID"
    (sleep 2 && plug_in) &
    plugging=$!
    assert_same "$T/bundle.pem" "$PROJECTS/p/apps/gw/bundle.pem" "from a worker that came while the token was away"
    wait "$plugging"
    wait_until 10 find_worker "$WORKER_PID"
    check_clean
    stop_certfs
    unplug
    refused 'no such token is there'
    plug_in
    start_certfs
    assert_same "$T/bundle.pem" "$PROJECTS/p/apps/gw/bundle.pem" "after a restart"
    "$CERTFS" backup -c "$CONF" "$T/backup-$key" >"$T/backup.out"
    assert_lacks "$(cat "$T/backup.out")" "$PIN|pin-" "what backup prints"
    stop_certfs
done

# the other key of the token is not this store's
source_is "$uri;object=aes?pin-value=$PIN"
refused 'wrong master key'
assert_lacks "$(cat "$T/mount.log")" "$PIN" "the log"
