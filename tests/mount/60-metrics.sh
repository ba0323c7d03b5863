#!/bin/bash
# metrics: what Prometheus's own checker accepts, with numbers that are true, also after a worker's death; the shipped alert rules, tried
# over a faked year, name only metrics that there are.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need promtool

# metric 'NAME{LABELS}': its value
metric() {
    local text
    text=$(cat "$MNT/metrics")
    awk -v name="$1" '$1 == name { print $2; found = 1 } END { exit !found }' <<<"$text" || fail "no metric $1 in: $text"
}
assert_metric() {
    assert_eq "$(metric "$1")" "$2" "$1"
}
checked() {
    local text
    text=$(cat "$MNT/metrics")
    promtool check metrics <<<"$text" >"$T/promtool" 2>&1 || fail "promtool: $(cat "$T/promtool")"
    [ ! -s "$T/promtool" ] || fail "promtool: $(cat "$T/promtool")"
}

printf '#!/bin/sh\nexit 1\n' >"$T/push"
chmod 755 "$T/push"
write_conf "[hooks]" "push = $T/push" "retries = 1" "timeout_seconds = 5"
start_certfs
checked
assert_metric certfs_certificates_issued_total 0

new_project p
mkdir "$PROJECTS/empty" "$PROJECTS/p/apps/"{a,b,c,d,e}
for app in a b c d; do
    cat "$PROJECTS/p/apps/$app/device_ca.pem" >"$T/$app.pem"
done
touch "$PROJECTS/p/apps/a/renew"
echo stolen >"$PROJECTS/p/apps/b/revoke"
checked
assert_metric certfs_certificates_issued_total 5
assert_metric certfs_certificates_renewed_total 1
assert_metric certfs_certificates_revoked_total 1
assert_metric 'certfs_app_instances{project="p",state="VALID"}' 3
assert_metric 'certfs_app_instances{project="p",state="REVOKED"}' 1
assert_metric 'certfs_app_instances{project="p",state="NOT_ISSUED"}' 1
assert_metric 'certfs_app_instances{project="empty",state="VALID"}' 0
assert_metric certfs_issue_duration_seconds_count 5
assert_metric 'certfs_issue_duration_seconds_bucket{le="+Inf"}' 5
assert_metric certfs_worker_restarts_total 0
assert_metric 'certfs_job_running{project="p"}' 0
[ "$(metric 'certfs_store_bytes{file="store"}')" -gt 0 ] || fail "an empty store"
[ "$(metric 'certfs_cache_lookups_total{cache="app_instances",result="hit"}')" -gt 0 ] || fail "no hits"

# ends, as certificates say them
end_of() {
    date -u -d "$(openssl x509 -in "$1" -noout -enddate | cut -d= -f2)" +%s
}
first=$(for app in c d; do end_of "$T/$app.pem"; done | sort -n | head -n 1)
[ "$(metric 'certfs_device_ca_expiry_timestamp_seconds{project="p"}')" = "$first" ] || fail "not the first end, $first"
assert_metric 'certfs_signing_ca_expiry_timestamp_seconds{project="p"}' "$(
    for end in int root; do end_of "$CA/$end.pem"; done | sort -n | head -n 1)"
assert_lacks "$(cat "$MNT/metrics")" 'expiry_timestamp_seconds\{project="empty"' "ends of a project without any"
cat "$PROJECTS/p/signing_ca/crl.pem" >"$T/crl.pem"
assert_metric 'certfs_crl_next_update_timestamp_seconds{project="p"}' \
    "$(date -u -d "$(openssl crl -in "$T/crl.pem" -noout -nextupdate | cut -d= -f2)" +%s)"

# requests are counted one by one, and a worker's death loses none
opens=$(metric 'certfs_fuse_requests_total{kind="mkdir"}')
kill_worker
mkdir "$PROJECTS/p/apps/f"
assert_metric 'certfs_fuse_requests_total{kind="mkdir"}' $((opens + 1))
assert_metric certfs_worker_restarts_total 1
assert_metric certfs_certificates_issued_total 5

# a hook that fails, and how far a job is
touch "$PROJECTS/p/force_update"
given_up() {
    [ "$(field "$PROJECTS/p/progress" state)" = "done" ]
}
wait_until 60 given_up
checked
assert_metric 'certfs_job_app_instances{project="p",operation="force_update",progress="total"}' \
    "$(field "$PROJECTS/p/progress" total)"
assert_metric 'certfs_job_app_instances{project="p",operation="force_update",progress="failed"}' \
    "$(field "$PROJECTS/p/progress" failed)"
[ "$(metric certfs_hook_failures_total)" -ge 3 ] || fail "the hook has failed, but $(metric certfs_hook_failures_total) times"
restart_certfs
[ "$(metric certfs_hook_failures_total)" -ge 3 ] || fail "failures are forgotten"
assert_metric certfs_worker_restarts_total 0

# ---- what is shipped for Prometheus ----
cp "$SOURCE"/conf/alerts*.yml "$T"
promtool check rules "$T/alerts.yml" >"$T/promtool" 2>&1 || fail "promtool: $(cat "$T/promtool")"
(cd "$T" && promtool test rules alerts_test.yml alerts_hour_test.yml) >"$T/promtool" 2>&1 || fail "promtool: $(cat "$T/promtool")"
known=$(grep '^# TYPE' "$MNT/metrics" | cut -d' ' -f3)
for file in alerts.yml grafana.json; do
    while read -r name; do
        grep -qxF -- "${name%_bucket}" <<<"$known" || fail "$file names $name: there is no such metric"
    done < <(grep -o 'certfs_[a-z_]*' "$SOURCE/conf/$file" | sort -u)
done
jq -e '.panels | length > 0' "$SOURCE/conf/grafana.json" >/dev/null || fail "grafana.json has no panels"
check_clean
