#!/bin/bash
# variants: asan tsan
# timeout: 750
# A minute of everything at once (tests/lib/mixed.py) under the sanitizers, with now and then a death of the worker; with SOAK two hours.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/life.sh
. "$SOURCE/tests/lib/life.sh"

# what has been freed must not hide what is not
export ASAN_OPTIONS="$ASAN_OPTIONS:quarantine_size_mb=16"
seconds=${SOAK_SECONDS:-60}
[ -z "${SOAK-}" ] || seconds=7200
write_mixed_conf
start_certfs
make_mixed
run_mixed --seconds "$seconds" --kill 5,15 --think 0.05
judge_mixed
