#!/bin/bash
# conf/hooks/push-ssh to an sshd of its own on loopback, from a real mount: what arrives, with which modes, in which state after a
# failure; and what details may not say.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck disable=SC2015 # fail does not return
need ssh ssh-keygen
[ -x /usr/sbin/sshd ] || skip "sshd is not installed"

NODE=$T/node KEYS=$T/keys PORT=$((20000 + RANDOM % 20000))
start_certfs
new_project p
printf '[files]\ncert_dir = %s/var/certs\nkey_dir = %s/var/secret\n' "$NODE" "$NODE" >"$PROJECTS/p/policy"
mkdir "$PROJECTS/p/apps/gw" "$NODE"
gw=$PROJECTS/p/apps/gw cert=$NODE/var/certs/device_ca.pem key=$NODE/var/secret/device_ca.key trust=$NODE/var/certs/trust_bundle.pem

# ---- a node ----
mkdir -p "$KEYS/p" "$T/sshd"
for name in host user stranger; do
    ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$T/sshd/$name"
done
cp "$T/sshd/user" "$KEYS/p/node_key"
cp "$T/sshd/stranger" "$KEYS/p/stranger"
cp "$T/sshd/user.pub" "$T/sshd/authorized_keys"
printf '[127.0.0.1]:%s %s\n' "$PORT" "$(cut -d' ' -f1,2 "$T/sshd/host.pub")" >"$KEYS/p/known_hosts"
cat >"$T/sshd/config" <<CONFIG
Port $PORT
ListenAddress 127.0.0.1
HostKey $T/sshd/host
PidFile $T/sshd/pid
AuthorizedKeysFile $T/sshd/authorized_keys
PermitRootLogin yes
PasswordAuthentication no
StrictModes no
UsePAM no
CONFIG
mkdir -p /run/sshd
/usr/sbin/sshd -D -f "$T/sshd/config" -E "$T/sshd/log" &
answers() { (: <"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; }
wait_until 10 answers

# push [VARIABLE=VALUE…]: as certfs runs it
push() {
    env -i PATH="$PATH" CERTFS_HOOK=push CERTFS_MOUNT="$MNT" CERTFS_PROJECT=p CERTFS_APP=gw CERTFS_OPERATION=purge-1-1 \
        CERTFS_GENERATION=1 KEYS="$KEYS" "$@" "$SOURCE/conf/hooks/push-ssh" </dev/null
}

# details LINE…: of the app instance
details() {
    printf '%s\n' "$@" >"$gw/details"
}

no_leftovers() {
    [ -z "$(find "$NODE" -name '*certfs-new*')" ] || fail "temporary files were left: $(find "$NODE")"
}

assert_pushed() {
    assert_same "$gw/device_ca.pem" "$cert" "$1: certificate"
    assert_same "$gw/device_ca.key" "$key" "$1: key"
    assert_same "$gw/trust_bundle.pem" "$trust" "$1: trust bundle"
    assert_pair "$cert" "$key"
    assert_eq "$(stat -c %a "$cert" "$trust" "$key" | tr '\n' ' ')" "644 644 600 " "$1: modes"
    no_leftovers
}

# ---- the first push makes the directories; details of the project serve ----
printf 'ssh_host=127.0.0.1\nssh_key=node_key\nssh_port=%s\n' "$PORT" >"$PROJECTS/p/app_policy/details"
push
assert_pushed "first push"
assert_eq "$(stat -c %a "$(dirname "$key")" "$(dirname "$cert")" | tr '\n' ' ')" "700 755 " "directories"

# ---- once more, and a new generation; a reader on the node never sees half a file ----
push
assert_pushed "the same once more"
touch "$gw/renew"
inode=$(stat -c %i "$key")
details "reload_command=printf '%s' \"it's applied\" >'$NODE/applied'" key_owner=nobody cert_owner=nobody:nogroup
push
assert_pushed "second generation"
assert_ne "$(stat -c %i "$key")" "$inode" "the key was written in place: inode"
assert_eq "$(cat "$NODE/applied")" "it's applied" "reload_command"
assert_eq "$(stat -c %U "$cert" "$key" "$trust" | sort -u)" nobody "owners"

# ---- failures change nothing on the node, or are told ----
cp "$cert" "$T/before.pem"
touch "$gw/renew"
details ssh_key=stranger
assert_fails "Permission denied" push
details reload_command=
mv "$KEYS/p/known_hosts" "$KEYS/p/aside"
ssh-keygen -q -t ed25519 -N '' -f "$T/sshd/other"
printf '[127.0.0.1]:%s %s\n' "$PORT" "$(cut -d' ' -f1,2 "$T/sshd/other.pub")" >"$KEYS/p/known_hosts"
assert_fails "Host key verification failed" push
mv "$KEYS/p/aside" "$KEYS/p/known_hosts"
assert_same "$cert" "$T/before.pem" "certificate after refused pushes"
details ssh_port=1
assert_fails "refused" push
# the connection ends in the middle of the data
cat >"$T/cut" <<SCRIPT
#!/bin/sh
head -c 700 | ssh "\$@"
SCRIPT
chmod 755 "$T/cut"
details ''
assert_fails "the connection broke" push SSH="$T/cut"
assert_same "$cert" "$T/before.pem" "certificate after a broken connection"
no_leftovers
details 'reload_command=echo not today >&2; exit 3'
assert_fails "not today" push
assert_pushed "a reload that fails"

# ---- what details may not say never gets to ssh ----
cat >"$T/never" <<SCRIPT
#!/bin/sh
echo "\$@" >>"$T/called"
SCRIPT
chmod 755 "$T/never"
while IFS= read -r line; do
    details "$line"
    assert_fails "details: ${line%%=*} can't be" push SSH="$T/never"
done <<'LINES'
ssh_host=-oProxyCommand=id
ssh_host=a b
ssh_host=$(id)
ssh_user=-x
ssh_user=a;b
ssh_port=22 -v
ssh_key=../q/node_key
ssh_key=.hidden
ssh_key=/etc/passwd
LINES
details ssh_host=
assert_fails "no ssh_host" push SSH="$T/never"
printf '[certificate]\nattach = no\n' >"$PROJECTS/p/policy"
details ssh_host=127.0.0.1
push SSH="$T/never"
[ ! -e "$T/called" ] || fail "ssh was started: $(cat "$T/called")"
printf '[files]\ncert_dir = %s/var/certs\nkey_dir = %s/var/secret\n' "$NODE" "$NODE" >"$PROJECTS/p/policy"
if push SSH="$T/never" CERTFS_APP=none 2>/dev/null; then
    fail "a push for an app instance that is not there succeeded"
fi
[ ! -e "$T/called" ] || fail "ssh was started: $(cat "$T/called")"

# ---- as certfs runs it, in a purge ----
details ssh_host=127.0.0.1
cat >"$T/hook" <<SCRIPT
#!/bin/sh
KEYS='$KEYS' exec '$SOURCE/conf/hooks/push-ssh'
SCRIPT
chmod 755 "$T/hook"
stop_certfs
write_conf '[hooks]' "push = $T/hook"
start_certfs
touch "$gw/purge"
is_done() { [ "$(field "$gw/purge" state)" = "done" ]; }
wait_until 20 is_done
assert_eq "$(field "$gw/status" delivered_generation)" "$(field "$gw/status" generation)" "delivered_generation"
assert_pushed "as a hook"
