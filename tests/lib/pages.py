#!/usr/bin/env python3
"""Do the man pages name what there is, and nothing else?

    pages.py tree PAGE MOUNT       certfs-tree(5) against a mount with at least one project, app instance and generation
    pages.py config PAGE CONFIG.C SAMPLE   certfs.conf(5) and the sample configuration against the table of keys
    pages.py commands PAGE CERTFS  the synopsis of certfs(8) against `certfs help`

Prints a line for each difference, and exits 1.
"""

import pathlib
import re
import subprocess
import sys


def words(line):
    """The arguments of an .It line's Pa or Ic, punctuation and macros left out."""
    return [word for word in line.split()[2:] if word not in (",", "No", "=", "Cm", "Pa", "Ns")]


def items(page, section, macro):
    """(subsection, name) of each `.It Pa NAME , NAME` in a section."""
    inside, subsection = False, ""
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith(".Sh "):
            inside = line[4:] == section
        elif inside and line.startswith(".Ss "):
            subsection = line[4:].strip()
        elif inside and line.startswith(f".It {macro} "):
            for word in words(line.partition(" No ")[0]):
                yield subsection, word


def tree_on_page(page):
    for directory, name in items(page, "FILES", "Pa"):
        yield ("" if directory == "The top" else directory) + name


GENERIC = [(r"^projects/[^/]+", "projects/PROJECT"), (r"/apps/[^/]+", "/apps/APP"), (r"/generations/[^/]+", "/generations/N")]


def tree_of_mount(mount):
    for path in sorted(mount.rglob("*")):
        name = path.relative_to(mount).as_posix()
        for pattern, word in GENERIC:
            name = re.sub(pattern, word, name)
        if not name.endswith(("/PROJECT", "/APP", "/N")):
            yield name + ("/" if path.is_dir() else "")


def keys_of_table(source):
    return {f"{section}.{key}" for section, key in
            re.findall(r'^\t\{"(\w+)", "(\w+)",', source.read_text(encoding="utf-8"), re.M)}


def keys_of_page(page):
    return {f"{section.strip('[]')}.{key}" for section, key in items(page, "DESCRIPTION", "Ic")}


def keys_of_sample(sample):
    section, keys = "", set()
    for line in sample.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"\[(\w+)\]", line):
            section = match[1]
        elif match := re.match(r";?(\w+) =", line):
            keys.add(f"{section}.{match[1]}")
    return keys


def commands_of_page(page):
    synopsis = page.read_text(encoding="utf-8").split(".Sh SYNOPSIS")[1].split(".Sh ")[0]
    return set(re.findall(r"^\.Cm (\w+)", synopsis, re.M))


def commands_of_program(program):
    said = subprocess.run([program, "help"], check=True, capture_output=True, text=True).stdout
    return set(re.findall(r"^  certfs (\w+)", said, re.M))


def compare(one, wanted, what):
    """Differences, as sentences."""
    one, wanted = set(one), set(wanted)
    return [f"{what} lacks {name}" for name in sorted(wanted - one)] + \
           [f"{what} names {name}, which is not there" for name in sorted(one - wanted)]


def main():
    kind, page, other = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    if kind == "tree":
        findings = compare(tree_on_page(page), tree_of_mount(other), page.name)
    elif kind == "config":
        sample = pathlib.Path(sys.argv[4])
        findings = compare(keys_of_page(page), keys_of_table(other), page.name) + \
            compare(keys_of_sample(sample), keys_of_table(other), sample.name)
    else:
        findings = compare(commands_of_page(page), commands_of_program(other), page.name)
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
