#!/bin/bash
# timeout: 240
# Everything at once (hot reads, first reads, uploads by write and by rename, mkdir, rmdir, renew, purge, force_update, revoke, texts, a poller
# of events, hooks), while the worker is killed at random moments: tests/lib/mixed.py has the rules. SOAK: five minutes.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/life.sh
. "$SOURCE/tests/lib/life.sh"

write_mixed_conf
start_certfs
make_mixed
run_mixed --seconds "${SOAK:+3}12" --kill 0.02,0.8
[ "$(sed -n 's/ kills.*//p' "$T/mixed.out")" -ge 10 ] || fail "too few kills: no test"
judge_mixed
