"""Reads meson-logs/testlog.json: `testlog.py FILE LOGDIR` prints `RESULT<tab>SECONDS<tab>NAME` for each test
(ok, FAIL or skip), and writes what each test said to LOGDIR/NAME."""

import json
import os
import sys

OUTCOMES = {"OK": "ok", "EXPECTEDFAIL": "ok", "SKIP": "skip"}


def main():
    path, directory = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        for line in file:
            test = json.loads(line)
            name = test["name"].split(" / ")[-1].split(":")[-1]
            with open(os.path.join(directory, name), "w", encoding="utf-8") as log:
                log.write(f"{test['result']}\n{test.get('stdout', '')}{test.get('stderr', '')}")
            print(OUTCOMES.get(test["result"], "FAIL"), f"{test['duration']:.1f}", name, sep="\t")


if __name__ == "__main__":
    main()
