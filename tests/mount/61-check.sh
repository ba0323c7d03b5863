#!/bin/bash
# timeout: 300
# certfs check finds every kind of damage that is made here, mounted and unmounted, and says which object and what to do.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need sqlite3

start_certfs
new_project p
make_intermediate other root
mkdir "$PROJECTS/q" "$PROJECTS/p/apps/"{a,b,c,stolen} "$PROJECTS/q/apps/d"
upload q other
for app in p/apps/a p/apps/b p/apps/stolen q/apps/d; do
    cat "$PROJECTS/$app/bundle.pem" >/dev/null
done
touch "$PROJECTS/p/apps/a/renew"
touch "$PROJECTS/p/apps/a/purge"
echo stolen >"$PROJECTS/p/apps/stolen/revoke"
"$CERTFS" check -c "$CONF" >"$T/out"
assert_has "$(cat "$T/out")" ', 0 findings$' "a clean store, mounted"
stop_certfs
check_clean
cp -a "$T/store" "$T/good"

# damaged WHAT SQL: a store with that damage; WHAT is found, status 1
tried=0
damaged() {
    local status=0
    rm -rf "$T/store"
    cp -a "$T/good" "$T/store"
    sqlite3 "$STORE" "PRAGMA ignore_check_constraints=1; $2" || fail "sqlite3: $2"
    cmp -s <(sqlite3 "$T/good/certfs.db" .dump) <(sqlite3 "$STORE" .dump) && fail "no damage: $2"
    "$CERTFS" check -c "$CONF" >"$T/out" 2>&1 || status=$?
    assert_eq "$status" 1 "status of check after: $2"
    assert_has "$(cat "$T/out")" "$1" "after: $2"
    assert_has "$(cat "$T/out")" 'restore a backup|purge|upload|install|put' "what to do, after: $2"
    tried=$((tried + 1))
}
current="id=(SELECT generation FROM app WHERE name='a')"
damaged "the private key is not the certificate's|damaged" "UPDATE generation SET sealed=(SELECT sealed FROM generation WHERE id=(SELECT generation FROM app WHERE name='b')) WHERE $current"
damaged 'for another key' "UPDATE generation SET cert=(SELECT cert FROM generation WHERE id=(SELECT generation FROM app WHERE name='b')) WHERE $current"
damaged 'another serial number' "UPDATE generation SET serial=x'41000000000000000000000000000001' WHERE $current"
damaged 'was not signed by its signing CA' "UPDATE generation SET signing_ca=(SELECT signing_ca FROM project WHERE name='q'), key=(SELECT key FROM signing_ca WHERE id=(SELECT signing_ca FROM project WHERE name='q')) WHERE $current"
damaged "can't be parsed" "UPDATE generation SET cert=substr(cert, 1, 100) WHERE $current"
damaged 'damaged' "UPDATE generation SET sealed=substr(sealed, 1, length(sealed)-1) WHERE $current"
damaged 'damaged' "UPDATE generation SET sealed=CAST(substr(sealed, 1, length(sealed)-1)||x'00' AS BLOB) WHERE $current"
damaged 'damaged' "UPDATE generation SET sealed=CAST(x'0100000009'||substr(sealed, 6) AS BLOB) WHERE $current"
damaged 'damaged' "UPDATE generation SET sealed=x'' WHERE $current"
damaged 'current private key is missing' "UPDATE generation SET sealed=NULL WHERE $current"
damaged 'kept a private key' "UPDATE generation SET sealed=x'01' WHERE app=(SELECT id FROM app WHERE name='a') AND number=1"
damaged 'master key|data key' "UPDATE term SET wrapped=CAST(substr(wrapped, 1, length(wrapped)-1)||x'00' AS BLOB)"
damaged 'master key' "UPDATE term SET wrapped=randomblob(60), master=randomblob(32)"
damaged 'no data key|damaged' "DELETE FROM term"
damaged 'serial number used twice|damaged' "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql=replace(sql, ', UNIQUE(key, serial)', '') WHERE name='generation'; DELETE FROM sqlite_schema WHERE name='sqlite_autoindex_generation_2'; PRAGMA writable_schema=RESET; UPDATE generation SET serial=(SELECT serial FROM generation WHERE $current)"
damaged 'chain is broken|without a certificate' "DELETE FROM signing_ca_cert WHERE position=0"
damaged 'chain has a gap|chain is broken' "UPDATE signing_ca_cert SET position=5 WHERE position=1"
damaged 'chain is broken' "UPDATE signing_ca_cert SET der=(SELECT der FROM signing_ca_cert WHERE position=0 LIMIT 1) WHERE position=0"
damaged 'chain is broken' "UPDATE signing_ca_cert SET der=substr(der, 1, 80) WHERE position=0"
damaged 'certificate of no signing CA' "INSERT INTO signing_ca_cert VALUES(99, 0, x'00')"
damaged 'another certificate than the store says' "UPDATE signing_ca SET not_after=not_after+1"
damaged 'another certificate than the store says' "UPDATE signing_ca SET fingerprint=randomblob(32)"
damaged 'without its key' "DELETE FROM signing_key"
damaged 'signing CA has no private key' "UPDATE signing_key SET sealed=NULL"
damaged 'damaged' "UPDATE signing_key SET sealed=substr(sealed, 2)"
damaged 'signing key.*(damaged|not the certificate)' "UPDATE signing_key SET sealed=(SELECT sealed FROM signing_key ORDER BY id LIMIT 1)"
damaged 'whose signing CA is missing' "UPDATE project SET signing_ca=99 WHERE name='p'"
damaged "is another project's" "UPDATE project SET signing_ca=(SELECT signing_ca FROM project WHERE name='q') WHERE name='p'"
damaged 'staged successor is missing' "UPDATE project SET next_ca=99"
damaged 'key of csr.pem is missing' "UPDATE project SET csr_key=99"
damaged 'miscounts its app instances' "UPDATE project SET apps=apps+1"
damaged 'miscounts its app instances with a certificate' "UPDATE project SET issued=issued-1"
damaged 'p: its policy' "UPDATE project SET policy='[certificate]
validity_days = never' WHERE name='p'"
damaged 'without its project' "UPDATE app SET project=99 WHERE name='c'"
damaged 'newest certificate is missing' "UPDATE app SET last_number=99 WHERE name='a'"
damaged 'newest certificate is missing' "DELETE FROM generation WHERE $current"
damaged 'without its newest generation' "UPDATE app SET last_number=1, generation=(SELECT id FROM generation WHERE number=1 AND app=app.id) WHERE name='a'"
damaged 'signing CA or its key is missing' "UPDATE generation SET signing_ca=99 WHERE $current"
damaged 'names another key' "UPDATE generation SET key=(SELECT key FROM signing_ca WHERE project=(SELECT id FROM project WHERE name='q')) WHERE $current"
damaged 'ends before it begins' "UPDATE generation SET not_after=not_before WHERE $current"
damaged 'revoked without a reason' "UPDATE generation SET revoked_at=1 WHERE $current"
damaged 'revoked without a reason' "UPDATE generation SET revoke_reason='superseded' WHERE $current"
damaged 'delivered a generation it never had' "UPDATE app SET delivered=99 WHERE name='a'"
damaged 'removed app instance' "DELETE FROM app WHERE name='b'"
damaged 'trigger of' "INSERT INTO fired VALUES('app', 99, 'renew', 1, 1, '', 'done')"
damaged 'text of' "INSERT INTO document VALUES('project', 99, 'details', x'00')"
damaged 'purge of' "INSERT INTO procedure VALUES(99, 'x', 'purge', 0, 0, 0, 0)"
damaged 'unfinished operation' "INSERT INTO operation(project, kind, state, started_at) VALUES(99, 'update', 'running', 1)"
damaged 'ids that were used' "UPDATE sqlite_sequence SET seq=1 WHERE name='app'"
damaged 'floor of the counters' "DELETE FROM restored"
damaged 'end later than it says' "UPDATE signing_ca SET last_not_after=0"

# pages, not rows
rm -rf "$T/store"
cp -a "$T/good" "$T/store"
page=$(sqlite3 "$STORE" "SELECT rootpage FROM sqlite_schema WHERE name='sqlite_autoindex_generation_2'")
size=$(sqlite3 "$STORE" 'PRAGMA page_size')
head -c "$((size - 100))" /dev/urandom | dd of="$STORE" bs=1 seek=$(((page - 1) * size + 100)) conv=notrunc status=none
assert_fails '' "$CERTFS" check -c "$CONF"
"$CERTFS" check -c "$CONF" >"$T/out" 2>&1 && fail "a damaged page is not found"
assert_has "$(cat "$T/out")" 'damaged' "a damaged page"
assert_fails 'newer certfs' env -i bash -c "cp -a '$T/good/certfs.db' '$T/newer.db' && sqlite3 '$T/newer.db' 'PRAGMA user_version=999' && printf '[store]\npath=$T/newer.db\n' >'$T/newer.conf' && exec '$CERTFS' check -c '$T/newer.conf'"

# the same while it is mounted
rm -rf "$T/store"
cp -a "$T/good" "$T/store"
start_certfs
sqlite3 "$STORE" "UPDATE generation SET sealed=x'01' WHERE $current"
"$CERTFS" check -c "$CONF" >"$T/out" 2>&1 && fail "damage under a mount is not found"
assert_has "$(cat "$T/out")" "generation $(sqlite3 "$STORE" "SELECT generation FROM app WHERE name='a'")" "the object"

# a private key that is lost is an error for who wants it, again and again, and for nobody else
worker=$WORKER_PID
sqlite3 "$STORE" "UPDATE generation SET sealed=NULL WHERE id=(SELECT generation FROM app WHERE name='b')"
cat "$PROJECTS/p/apps/b/device_ca.pem" >"$T/b.pem"
for file in device_ca.key bundle.pem device_ca.key; do
    assert_fails 'Input/output error' timeout 30 cat "$PROJECTS/p/apps/b/$file"
done
assert_fails 'Input/output error' timeout 30 touch "$PROJECTS/p/apps/b/renew"
cat "$PROJECTS/q/apps/d/bundle.pem" >/dev/null
find_worker
assert_eq "$WORKER_PID" "$worker" "the worker"
touch "$PROJECTS/p/apps/b/purge"
cat "$PROJECTS/p/apps/b/bundle.pem" >/dev/null

# app instances that can't be looked at, more than the monitor takes at once, keep it from no other one
mkdir "$PROJECTS/bad" "$PROJECTS/bad/apps/"{1..260}
stop_certfs
sqlite3 "$STORE" "UPDATE project SET policy='[certificate]
validity_days = never' WHERE name='bad'; UPDATE app SET due_at=1 WHERE project=(SELECT id FROM project WHERE name='bad'); UPDATE app SET due_at=2 WHERE name='d'"
start_certfs
looked_at() {
    [ "$(sqlite3 "$STORE" "SELECT due_at FROM app WHERE name='d'")" -gt 2 ]
}
wait_until 20 looked_at
echo "$tried kinds of damage in rows found"
