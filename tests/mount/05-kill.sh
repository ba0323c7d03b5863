#!/bin/bash
# kill -9 of the worker every 100 ms under 16 readers of 2,000 new app instances: no reader sees an error,
# no serial twice, and what a reader saw is what the mount gives afterwards.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

start_certfs
new_project p
(cd "$PROJECTS/p/apps" && seq -f 'app-%g' 2000 | xargs mkdir)

# read_all NUMBER: this reader's order is its own; remembers a digest of each certificate that it saw
read_all() {
    python3 - "$PROJECTS/p/apps" "$1" "$T/seen-$1" <<'PYTHON'
import hashlib, random, sys
import pem
apps, number, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
order = list(range(1, 2001))
random.Random(number).shuffle(order)
with open(out, "w") as seen:
    for i in order:
        with open(f"{apps}/app-{i}/bundle.pem", "rb") as file:
            data = file.read()
        blocks = pem.blocks(data)
        assert pem.matches(blocks[1][1], blocks[0][1]), f"app-{i}: the key is another's"
        print(f"app-{i}", pem.serial(blocks[1][1]), hashlib.sha256(data).hexdigest(), file=seen)
PYTHON
}

readers=()
for i in $(seq 16); do
    read_all "$i" 2>"$T/reader-$i.err" &
    readers+=($!)
done

kills=0
any_alive() {
    local pid
    for pid in "${readers[@]}"; do
        ! alive "$pid" || return 0
    done
    return 1
}
while any_alive; do
    sleep 0.1
    find_worker || continue
    kill -9 "$WORKER_PID" 2>/dev/null && kills=$((kills + 1))
done
for i in "${!readers[@]}"; do
    wait "${readers[$i]}" || fail "reader $((i + 1)): $(grep -a Error "$T/reader-$((i + 1)).err") $(tail -n 3 "$T/reader-$((i + 1)).err")"
done
wait_until 10 find_worker
[ "$kills" -ge 10 ] || fail "only $kills kills: no test"
echo "$kills kills"

sort -u "$T"/seen-* >"$T/seen"
assert_eq "$(wc -l <"$T/seen")" 2000 "app instances and what was seen of them"
assert_eq "$(cut -d ' ' -f 2 "$T/seen" | sort -u | wc -l)" 2000 serials
read_all 0
sort "$T/seen-0" | cmp - "$T/seen"
assert_eq "$(cat "$PROJECTS/p/apps"/app-*/status | grep -c '^generation: 1$')" 2000 "app instances at generation 1"
check_clean
