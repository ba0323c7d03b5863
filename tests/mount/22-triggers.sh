#!/bin/bash
# A trigger fires exactly once for each touch, echo and cp, never for explicit times, and not at all when nothing
# can be issued. renew keeps the key, purge makes another; what was replaced is never seen again by path.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need rsync

start_certfs
new_project p
mkdir "$PROJECTS/p/apps/gw"
gw=$PROJECTS/p/apps/gw
want=0

# fired WHAT [BY]: renew's counter has grown by BY (1), and each time there is a new generation
fired() {
    want=$((want + ${2:-1}))
    assert_eq "$(field "$gw/renew" counter)" $want "counter after $1"
    assert_eq "$(field "$gw/status" generation)" $want "generation after $1"
}

touch "$gw/renew"
fired touch
touch -c "$gw/renew"
fired "touch -c"
echo "a reason" >"$gw/renew"
fired echo
assert_eq "$(field "$gw/renew" reason)" "a reason" "reason"
assert_eq "$(field "$gw/renew" state)" "done" "state"
printf 'no newline' >"$gw/renew"
fired printf
assert_eq "$(field "$gw/renew" reason)" "no newline" "reason without a newline"
echo "copied in" >"$T/text"
cp "$T/text" "$gw/renew"
fired cp
cat "$T/text" >>"$gw/renew"
fired "cat >>"
tee "$gw/renew" <"$T/text" >/dev/null
fired tee
dd if="$T/text" of="$gw/renew" status=none
fired dd
python3 -c "import os, sys; os.utime(sys.argv[1])" "$gw/renew"
fired "utime now"
printf 'two\nlines\n' >"$gw/renew"
fired "two lines"
assert_eq "$(field "$gw/renew" reason)" two "the first line is the reason"
for _ in $(seq 20); do touch "$gw/renew"; done
fired "20 touches" 20
: >"$gw/renew"
bare_truncation() { [ "$(field "$gw/renew" counter)" = $((want + 1)) ]; }
wait_until 5 bare_truncation
fired "a bare truncation"

# never
touch -d 2020-01-01 "$gw/renew"
touch -r "$T/text" "$gw/renew"
touch -a -d 2020-01-01 "$gw/renew"
chmod 600 "$gw/renew"
chown 0:0 "$gw/renew"
cat "$gw/renew" >"$T/saved"
ls -l "$gw" >/dev/null
mkdir "$T/copy"
cp -p "$gw/renew" "$gw/purge" "$T/copy/"
rsync -a "$T/copy/" "$T/copy2/"
assert_fails "Invalid argument" cp "$T/saved" "$gw/renew"
assert_fails "Invalid argument" cp -p "$T/saved" "$gw/renew"
! rsync -aI "$T/copy/renew" "$gw/renew" 2>/dev/null || fail "rsync of a saved trigger succeeded"
tar c -C "$T/copy" renew purge | tar x -C "$gw" 2>/dev/null && fail "tar x of saved triggers succeeded"
fired "what must not fire" 0
assert_eq "$(field "$gw/purge" counter)" 0 "counter of purge"

# texts that are refused, and change nothing
assert_errnos <<LINES
EINVAL write $gw/renew 'counter: 1\n'
EINVAL write $gw/renew 'counter: 1\nlast: x\n'
EINVAL write $gw/renew 'bell \x07\n'
EINVAL write $gw/renew 'not utf-8 \xff\n'
EINVAL write $gw/renew 'compromised by someone\n'
LINES
fired "refused texts" 0

# renew keeps the key and purge makes another; the old one is gone by the time that the write has returned
openssl pkey -in "$gw/device_ca.key" -pubout -out "$T/before"
serials=$(serial "$gw/device_ca.pem")
touch "$gw/renew"
openssl pkey -in "$gw/device_ca.key" -pubout | cmp - "$T/before"
serials+=$'\n'$(serial "$gw/device_ca.pem")
echo now >"$gw/purge"
! openssl pkey -in "$gw/device_ca.key" -pubout | cmp -s - "$T/before" || fail "purge kept the key"
serials+=$'\n'$(serial "$gw/device_ca.pem")
assert_eq "$(sort -u <<<"$serials" | wc -l)" 3 "serials"
assert_eq "$(field "$gw/status" purge_counter)" 1 "purge_counter"
assert_pair "$gw/device_ca.pem" "$gw/device_ca.key"
verify_chain "$gw/device_ca.pem" "$CA/root.pem"

# rotate_key = yes: a renewal makes another key, too
openssl pkey -in "$gw/device_ca.key" -pubout -out "$T/before"
printf '[certificate]\nrotate_key = yes\n' >"$PROJECTS/p/policy"
touch "$gw/renew"
! openssl pkey -in "$gw/device_ca.key" -pubout | cmp -s - "$T/before" || fail "rotate_key kept the key"

# every generation is there; a key only of the current one
last=$(field "$gw/status" generation)
assert_eq "$(find "$gw/generations" -mindepth 1 -maxdepth 1 | wc -l)" "$last" "generations"
assert_same "$gw/generations/$last/device_ca.pem" "$gw/device_ca.pem" "the last generation"
assert_same "$gw/generations/$last/device_ca.key" "$gw/device_ca.key" "the last generation"
assert_errnos <<LINES
ENOENT open_r $gw/generations/$((last - 1))/device_ca.key
OK read $gw/generations/$((last - 1))/device_ca.pem
OK read $gw/generations/1/info
LINES

# nothing to issue from: refused, and the counter stays
mkdir "$PROJECTS/none" "$PROJECTS/none/apps/gw"
assert_errnos <<LINES
ENOKEY touch $PROJECTS/none/apps/gw/renew
ENOKEY write $PROJECTS/none/apps/gw/renew reason
ENOKEY touch $PROJECTS/none/apps/gw/purge
ENOKEY write $PROJECTS/none/apps/gw/purge reason
LINES
assert_eq "$(field "$PROJECTS/none/apps/gw/renew" counter)" 0 "counter of a refused renew"
assert_eq "$(field "$PROJECTS/none/apps/gw/purge" counter)" 0 "counter of a refused purge"

# what a handle saw stays whole in its hands
exec 5<"$gw/bundle.pem"
head -c 300 <&5 >"$T/start"
cp "$gw/bundle.pem" "$T/old"
echo again >"$gw/purge"
cat "$T/start" - <&5 | cmp - "$T/old"
! cmp -s "$T/old" "$gw/bundle.pem" || fail "the old bundle is still given"
exec 5<&-
check_clean
