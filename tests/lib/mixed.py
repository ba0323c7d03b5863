"""Everything that a mount can do at once, by processes that remember what they were told; then whether all of it is true.

    mixed.py MOUNT DIRECTORY SUPERVISOR [--seconds 10] [--kill MIN,MAX] [--think SECONDS] [--seed N]

DIRECTORY has ca/{int,other}.{chain,key}; notes and hooks' logs go there. --kill: kill -9 of the worker, MIN to MAX seconds (a random
number) after the last one. --think: each actor's pause between two steps. SIGTERM ends the load early; what it did is judged all the same.
The rules: no operation fails, but an upload whose bytes were still on their way may give EIO, and then nothing has happened;
whatever was answered has happened exactly once; what a reader saw is there.
"""

import argparse
import json
import os
import pathlib
import random
import signal
import sys
import time
import traceback

import mixed_actors


class Worker:
    """The process that serves, as the supervisor's children tell."""

    def __init__(self, supervisor):
        self.supervisor, self.kills, self.killed, self.memory = supervisor, 0, 0, []

    def find(self):
        try:
            with open(f"/proc/{self.supervisor}/task/{self.supervisor}/children") as file:
                return next((int(pid) for pid in file.read().split() if int(pid) != self.killed), 0)
        except FileNotFoundError:
            sys.exit("the supervisor is gone")

    def kill(self):
        pid = self.find()
        if pid:
            os.kill(pid, signal.SIGKILL)
            self.kills, self.killed = self.kills + 1, pid

    def measure(self):
        try:
            with open(f"/proc/{self.find()}/status") as file:
                self.memory += [int(line.split()[1]) for line in file if line.startswith("VmRSS:")]
        except (FileNotFoundError, ProcessLookupError):
            pass


def actor_process(actor, directory, think):
    """Never returns."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is for all, and the parent passes it on
    status = 0
    try:
        while not (directory / "stop").exists():
            actor.step()
            actor.count += 1
            time.sleep(think)
        actor.end()
    except BaseException:
        (directory / f"{actor.name}.err").write_text(traceback.format_exc())
        status = 1
    (directory / f"{actor.name}.facts").write_text(json.dumps({"count": actor.count, "facts": actor.facts}))
    os._exit(status)


def start(actors, directory, think):
    running = {}
    for actor in actors:
        pid = os.fork()
        if pid == 0:
            actor_process(actor, directory, think)
        running[pid] = actor
    return running


def disturb(worker, arguments, running):
    """Until the time is over, an actor has failed, or SIGTERM has come."""
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    pick = random.Random(arguments.seed)
    end, sample = time.time() + arguments.seconds, 0
    while time.time() < end and not stopped:
        time.sleep(pick.uniform(*arguments.kill) if arguments.kill else 0.5)
        if arguments.kill:
            worker.kill()
        if time.time() > sample:
            worker.measure()
            sample = time.time() + 1
        if any(os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) for pid in running):
            break


def collect(running, directory, mount):
    """What the actors noted; a line for each that failed, or that does not come back. Whoever follows the others ends last."""
    faults, limit, told = [], time.time() + 120, False
    while running and time.time() < limit:
        if not told and all(isinstance(actor, mixed_actors.Follower) for actor in running.values()):
            mixed_actors.last_words(mount)
            told = True
        for pid in list(running):
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                continue
            actor = running.pop(pid)
            error = directory / f"{actor.name}.err"
            if error.exists():
                faults.append(f"{actor.name}: {error.read_text()}")
            facts = json.loads((directory / f"{actor.name}.facts").read_text())
            actor.count, actor.facts = facts["count"], facts["facts"]
        time.sleep(0.02)
    for pid, actor in running.items():
        faults.append(f"{actor.name}: hangs")
        os.kill(pid, signal.SIGKILL)
    return faults


def judge(actors):
    faults = []
    for actor in actors:
        try:
            actor.judge()
        except (AssertionError, OSError, ValueError) as error:
            faults.append(f"{actor.name}: {type(error).__name__}: {error}")
    return faults


def report(actors, worker):
    print(", ".join(f"{actor.count} {actor.name}" for actor in actors))
    pauses = [actor.facts["longest"] for actor in actors if "longest" in actor.facts]
    print(f"{worker.kills} kills, longest pause of a reader {1000 * max(pauses, default=0):.0f} ms")
    if worker.memory:
        half = len(worker.memory) // 2
        print(f"memory of the worker: at most {max(worker.memory[:half] or worker.memory)} KiB in the first half,"
              f" {max(worker.memory[half:])} KiB in the second")


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("mount", type=pathlib.Path)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("supervisor", type=int)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--kill", type=lambda text: [float(part) for part in text.split(",")])
    parser.add_argument("--think", type=float, default=0)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1000000)
    return parser.parse_args()


def main():
    arguments = parse()
    worker = Worker(arguments.supervisor)
    notes = arguments.directory / "notes"
    notes.mkdir()
    actors = mixed_actors.cast(arguments.mount, arguments.directory)
    print(f"seed {arguments.seed}", flush=True)
    running = start(actors, notes, arguments.think)
    disturb(worker, arguments, running)
    (notes / "stop").touch()
    faults = collect(running, notes, arguments.mount)
    report(actors, worker)
    faults = faults or judge(actors)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
