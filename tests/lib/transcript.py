#!/usr/bin/env python3
"""Does what a document shows, in one shell, and compares what comes out.

    transcript.py FILE [--section NAME] [--list] -- SHELL…

FILE is Markdown or a man page (mdoc, of which only the section NAME counts: default EXAMPLES). In it,

- a literal block whose lines begin with `# ` or `$ ` is a session: commands, and what they print. Lines that begin with `> `
  go on with the command. `...` in what is printed stands for anything; times, numbers of days and long hexadecimal
  numbers may be others. A command that shows no output must succeed, and may print what it likes.
- a block fenced as ```sh holds commands, which must all succeed;
- one fenced as ```LANGUAGE /PATH is the file PATH.

SHELL is the command of a shell that reads its commands from standard input. Exit status: 0, 1 at the first difference.
"""

import argparse
import pathlib
import re
import shlex
import subprocess
import sys
import uuid

VARYING = [
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
    (r"\b[0-9A-F]{2}(:[0-9A-F]{2}){7,}\b", "HEX"),
    (r"\bdays_left: \d+", "days_left: N"),
    (r"\b\d{10}\b", "UNIXTIME"),
]


class Step:
    """One command and what it prints (None: anything)."""

    def __init__(self, line, command, output=None):
        self.line, self.command, self.output = line, command, output


# ---- reading documents ----

def sessions(lines):
    """Steps of (number, text) lines, of which some begin with a prompt."""
    step = None
    for number, text in lines:
        if re.match(r"[#$] ", text):
            if step:
                yield step
            step = Step(number, text[2:])
        elif step and step.output is None and text.startswith("> "):
            step.command += "\n" + text[2:]
        elif step and (text or step.output):
            step.output = (step.output or []) + [text]
    if step:
        yield step


def markdown_blocks(text):
    """(info string, [(number, line)]) of each fenced or indented block."""
    info, block, fence = "", [], False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            if fence:
                yield info, block
            fence, info, block = not fence, line[3:].strip(), []
        elif fence:
            block.append((number, line))
        elif line.startswith("    "):
            block.append((number, line[4:]))
        elif block and line:
            yield "", block
            block = []
    if block:
        yield info, block


def markdown(text):
    for info, block in markdown_blocks(text):
        body = "\n".join(line for _, line in block)
        place = info.partition(" ")[2]
        if place:
            yield Step(block[0][0], f"mkdir -p {shlex.quote(str(pathlib.Path(place).parent))} && "
                                    f"cat >{shlex.quote(place)} <<'END OF FILE'\n{body}\nEND OF FILE")
        elif info == "sh":
            yield Step(block[0][0], f"set -e\n{body}\nset +e")
        elif block and re.match(r"[#$] ", block[0][1]):
            yield from sessions(block)


def mdoc_literals(text, section):
    """The lines of the section's literal displays, as the formatter gives them."""
    inside, literal = False, False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(".Sh "):
            inside = line[4:].strip('"') == section
        elif inside and line.startswith(".Bd"):
            literal = "-literal" in line
        elif line.startswith(".Ed"):
            literal = False
            yield number, ""
        elif inside and literal:
            line = re.sub(r"^\\&", "", line)
            for escape, is_really in ((r"\\&", ""), (r"\\-", "-"), (r"\\\(aq", "'"), (r"\\\(ti", "~"), (r"\\\(ha", "^"),
                                      (r"\\\(dq", '"'), (r"\\\(ga", "`"), (r"\\e", r"\\"), (r"\\ ", " ")):
                line = re.sub(escape, is_really, line)
            yield number, line


def steps_of(path, section):
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return list(markdown(text))
    return list(sessions(mdoc_literals(text, section)))


# ---- doing them ----

class Shell:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace")

    def run(self, command):
        """(what it printed, its exit status; None: the shell has ended)"""
        mark = uuid.uuid4().hex
        printed = []
        try:
            self.process.stdin.write(f"{{\n{command}\n}} </dev/null\nprintf '\\n%s %s\\n' {mark} $?\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return "", None
        for line in self.process.stdout:
            if line.startswith(mark):
                text = "".join(printed)
                return text[:-1] if text.endswith("\n") else text, int(line.split()[1])
            printed.append(line)
        return "".join(printed), None


def pattern_of(lines):
    text = varying("\n".join(lines))
    parts = [re.escape(part) for part in text.split("...")]
    return re.compile(r"[\s\S]*?".join(parts).replace(re.escape("…"), r"[\s\S]*?"))


def varying(text):
    for pattern, word in VARYING:
        text = re.sub(pattern, word, text)
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


def wrong_with(step, printed, status):
    if status is None:
        return "the shell ended"
    if step.output is None:
        return f"exit status {status}" if status else None
    if not pattern_of(step.output).fullmatch(varying(printed)):
        return "the document shows:\n" + "\n".join("| " + line for line in step.output)
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--section", default="EXAMPLES")
    parser.add_argument("--list", action="store_true", help="the commands, not run")
    parser.add_argument("shell", nargs="*")
    arguments = parser.parse_args()
    steps = steps_of(arguments.file, arguments.section)
    if not steps:
        sys.exit(f"{arguments.file}: shows no commands")
    if arguments.list:
        print("\n".join(step.command for step in steps))
        return
    shell = Shell(arguments.shell)
    for step in steps:
        printed, status = shell.run(step.command)
        wrong = wrong_with(step, printed, status)
        if wrong:
            printed = "\n".join("| " + line for line in printed.splitlines())
            sys.exit(f"{arguments.file}:{step.line}: {step.command}\n{wrong}\nit printed:\n{printed}")
    print(f"{arguments.file}: {len(steps)} commands")


if __name__ == "__main__":
    main()
