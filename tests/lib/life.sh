# shellcheck shell=bash
# For the scripts that let time pass: the daemon's clock, its events, and bulk jobs.
DAY=86400

# days_on N: the daemon's clock, N days after the start; whole hours are put as a second argument
days_on() {
    set_clock "+$(($1 * DAY + ${2:-0} * 3600))"
}

# events FILE [TYPE]: how many lines, of that type
events() {
    local text
    text=$(cat "$1")
    grep -c "\"type\":\"${2-}" <<<"$text" || true
}

has_events() {
    [ "$(events "$1" "$2")" -ge "$3" ]
}

# wait_events FILE TYPE N: the monitor looks every two seconds; N it must be, not more
wait_events() {
    wait_until 10 has_events "$1" "$2" "$3"
    assert_eq "$(events "$1" "$2")" "$3" "events $2 in $1"
}

state_is() {
    [ "$(field "$1" state)" = "$2" ]
}

# wait_state FILE STATE
wait_state() {
    wait_until 15 state_is "$1" "$2"
}

# assert_notice STATUS CAUSE SEVERITY SCOPE ACTION
assert_notice() {
    assert_has "$(cat "$1")" "^- \{cause: $2, severity: $3, scope: $4, action: $5, message: \".+\"" "notice in $1"
}

# job_done PROJECT [SECONDS]: waits for the job of update or force_update; nothing failed
job_done() {
    wait_until "${2:-60}" state_is "$PROJECTS/$1/progress" "done"
    assert_eq "$(field "$PROJECTS/$1/progress" 'done') $(field "$PROJECTS/$1/progress" failed)" \
        "$(field "$PROJECTS/$1/progress" total) 0" "done and failed in progress of $1"
}

# verify_at DAYS FILE ROOT: openssl, at the daemon's time
verify_at() {
    cat "$2" >"$T/verify.pem"
    openssl verify -attime $(($(date +%s) + $1 * DAY + 60)) -x509_strict -CAfile "$3" -untrusted "$T/verify.pem" \
        "$T/verify.pem" >"$T/verify.out" 2>&1 || fail "openssl refuses $2 on day $1: $(cat "$T/verify.out")"
}

# count_certs FILE
count_certs() {
    grep -c BEGIN.CERTIFICATE "$1" || true
}

# fingerprints FILE: of all its certificates, a line each
fingerprints() {
    python3 -c '
import hashlib, pem, sys
for der in pem.certificates(open(sys.argv[1], "rb").read()):
    print(hashlib.sha256(der).hexdigest().upper())' "$1"
}

# assert_trusts FILE CERT WHAT, assert_distrusts: a bundle has a certificate, or not
assert_trusts() {
    local have
    have=$(fingerprints "$1")
    grep -qx "$(fingerprint "$2" | tr -d :)" <<<"$have" || fail "$3: $1 lacks $2"
}

assert_distrusts() {
    local have
    have=$(fingerprints "$1")
    ! grep -qx "$(fingerprint "$2" | tr -d :)" <<<"$have" || fail "$3: $1 has $2"
}

check_fake() {
    "${DAEMON_ENV[@]}" "$CERTFS" check -c "$CONF" >"$T/check.out" 2>&1 || fail "certfs check: $(cat "$T/check.out")"
}

# ---- everything at once (mixed.py) ----

write_mixed_conf() {
    chmod 755 "$T"
    cat >"$T/hook" <<SCRIPT
#!/bin/sh
echo "start \$CERTFS_HOOK \$CERTFS_PROJECT \$CERTFS_APP \$CERTFS_OPERATION \$CERTFS_GENERATION" >>"$T/hooks.log"
cat >/dev/null
sleep 0.02
echo "end \$CERTFS_HOOK \$CERTFS_PROJECT \$CERTFS_APP \$CERTFS_OPERATION \$CERTFS_GENERATION" >>"$T/hooks.log"
SCRIPT
    chmod 755 "$T/hook"
    : >"$T/hooks.log"
    write_conf '[hooks]' "push = $T/hook" "purge = $T/hook" "restart = $T/hook" '[limits]' 'events = 10000000' 'audit = 10000000'
}

make_mixed() {
    new_project load
    new_project rolled
    make_intermediate other root
}

# run_mixed OPTION…: of mixed.py; $T/mixed.out has its report
run_mixed() {
    python3 "$SOURCE/tests/lib/mixed.py" "$MNT" "$T" "$SUPERVISOR_PID" "$@" >"$T/mixed.out" 2>"$T/mixed.err" ||
        fail "$(cat "$T/mixed.out" "$T/mixed.err")"
    cat "$T/mixed.out"
}

# purges_of start|end HOOK: the operation ids of purges in the hooks' log
purges_of() {
    grep -oE "^$1 $2 .* purge-[^ ]*" "$T/hooks.log" | sed 's/.* //' | sort -u
}

# After run_mixed: each purge that hooks began went on to its end as the same operation, no serial number twice, the store is clean.
judge_mixed() {
    assert_ne "$(purges_of start push)" "" "purges with hooks"
    assert_eq "$(purges_of end restart)" "$(purges_of start push)" "purges that ended, and those that began"
    stop_certfs
    check_clean
    assert_eq "$(sqlite3 "$STORE" 'SELECT count(*) FROM (SELECT serial FROM generation GROUP BY serial HAVING count(*) > 1)')" 0 \
        "serial numbers that appear twice"
}
