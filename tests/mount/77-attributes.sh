#!/bin/bash
# timeout: 300
# The worker is ended while it tells the kernel what is not true any more. Were the kernel told of names, it would wait for the lock of a
# directory, which a client may hold that waits for the worker, and no signal ends that. Eight clients renew, look up and open without a
# pause, the worker dies by kill -9 and is replaced at SIGHUP: each time another one serves, and no client sees an error.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

start_certfs
new_project p
mkdir "$PROJECTS/p/apps/a" "$PROJECTS/p/apps/b"

python3 - "$PROJECTS/p/apps" "$SUPERVISOR_PID" "$MNT" >"$T/log" 2>&1 <<'PYTHON' || fail "$(tail -n 5 "$T/log")"
import multiprocessing, os, random, signal, subprocess, sys, time

apps, supervisor = sys.argv[1], int(sys.argv[2])
WAIT = 60


def client(directory, done, errors, i):
    while True:
        try:
            os.utime(directory + "/renew")
            os.close(os.open(directory + "/device_ca.pem", os.O_RDONLY))
            os.stat(directory + "/bundle.pem")
            done[i] += 1
        except OSError as error:
            print(error, flush=True)
            errors[i] += 1


def worker():
    with open(f"/proc/{supervisor}/task/{supervisor}/children") as file:
        return [int(pid) for pid in file.read().split()]


def goes_on(done, before):
    end = time.monotonic() + WAIT
    while sum(done) < before + 16:
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


done, errors = (multiprocessing.Array("q", 8, lock=False) for _ in range(2))
clients = [multiprocessing.Process(target=client, args=(f"{apps}/{'ab'[i % 2]}", done, errors, i), daemon=True) for i in range(8)]
for process in clients:
    process.start()
stuck = ""
for number in range(80):
    time.sleep(random.uniform(0.05, 0.3))
    before = sum(done)
    if number % 4 == 3:
        os.kill(supervisor, signal.SIGHUP)
    else:
        for pid in worker():
            os.kill(pid, signal.SIGKILL)
    if not goes_on(done, before):
        stuck = f"nobody was answered for {WAIT} s after {number + 1} ends of the worker"
        subprocess.run(["umount", "-f", sys.argv[3]])  # or nobody could end them
        break
for process in clients:
    process.kill()
print(f"{sum(done)} rounds, {sum(errors)} errors")
print(stuck)
sys.exit(1 if stuck or sum(errors) else 0)
PYTHON
cat "$T/log"
wait_until 20 find_worker
check_clean
