"""Tries every file and directory of a project as one user, and compares each errno with a table.

    tenants.py PROJECT_DIRECTORY UID {other,owner,root} {open,closed}

What there is comes from the tree itself, read as root. A row of the table is a kind of name (d: a directory, f: a file, with its mode), a
column an operation. Prints each surprise, and how many attempts there were; exit status 1 if there was a surprise.
"""

import collections
import importlib.util
import os
import pathlib
import sys

SPEC = importlib.util.spec_from_file_location("certfs_sys", pathlib.Path(__file__).with_name("sys.py"))
SYS = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(SYS)

TRIGGERS = {"update", "force_update", "compromised", "renew", "purge", "revoke"}

# operation: its arguments, for a path
OF_ALL = {
    "stat": "{0}",
    "chmod": "777 {0}",
    "chown": "4099 4099 {0}",
    "touch": "{0}",
    "utimes": "{0} 5",
    "setxattr": "{0} user.certfs.state VALID",
}
OF_FILES = {
    "open_r": "{0}",
    "open_w": "{0}",
    "open_rw": "{0}",
    "truncate": "{0} 0",
    "open_trunc": "{0}",
    "append": "{0} x",
    "link": "{0} {0}.link",
    "rename": "{0} {0}.moved",
    "unlink": "{0}",
}
OF_DIRECTORIES = {
    "opendir": "{0}",
    "create": "{0}/new",
    "mkdir": "{0}/new",
    "symlink": "x {0}/new",
    "rename": "{0} {0}.moved",
    "rmdir": "{0}",
}

A, P, E = "EACCES", "EPERM", "OK"
COLUMNS_F = "stat chmod chown touch utimes setxattr open_r open_w open_rw truncate open_trunc append link rename unlink".split()
COLUMNS_D = "stat chmod chown touch utimes setxattr opendir create mkdir symlink rename rmdir".split()
# `-`: not tried, since it does what is asked, which other tests are about
TABLE = {
    # a closed project (0750): its own directory can be seen, nothing in it
    ("closed", "other", "top"): [E, P, P, A, P, A, A, A, A, A, A, A],
    ("closed", "other", "d"): [A] * 12,
    ("closed", "other", "f"): [A] * 15,
    # an open one (0755): what is public is read, nothing is changed
    ("open", "other", "d755"): [E, P, P, A, P, A, E, A, A, A, A, A],
    ("open", "other", "f200"): [E, P, P, A, P, A, A, A, A, A, A, A, P, A, A],
    ("open", "other", "f400"): [E, P, P, A, P, A, A, A, A, A, A, A, P, A, A],
    ("open", "other", "f440"): [E, P, P, A, P, A, A, A, A, A, A, A, P, A, A],
    ("open", "other", "f600"): [E, P, P, A, P, A, A, A, A, A, A, A, P, A, A],
    ("open", "other", "f444"): [E, P, P, A, P, A, E, A, A, A, A, A, P, A, A],
    ("open", "other", "f644"): [E, P, P, A, P, A, E, A, A, A, A, A, P, A, A],
    # its owner: what the modes allow (EACCES), and of that what the tree has (EPERM)
    ("", "owner", "d755"): [E, "-", P, E, E, P, E, P, P, P, "-", "-"],
    ("", "owner", "d750"): [E, "-", P, E, E, P, E, P, P, P, "-", "-"],
    ("", "owner", "f200"): [E, E, P, E, E, P, A, E, A, E, E, "-", P, "-", "-"],
    ("", "owner", "f400"): [E, P, P, P, P, A, E, A, A, A, A, A, P, P, P],
    ("", "owner", "f440"): [E, P, P, P, P, A, E, A, A, A, A, A, P, P, P],
    ("", "owner", "f444"): [E, P, P, P, P, A, E, A, A, A, A, A, P, P, P],
    ("", "owner", "f600"): [E, E, P, E, E, P, E, E, E, E, E, "-", P, "-", "-"],
    ("", "owner", "f644"): [E, E, P, E, E, P, E, E, E, E, E, "-", P, "-", "-"],
    # root: no mode holds it, the tree does
    ("", "root", "d755"): [E, "-", "-", E, E, P, E, P, P, P, "-", "-"],
    ("", "root", "d750"): [E, "-", "-", E, E, P, E, P, P, P, "-", "-"],
    ("", "root", "f200"): [E, E, E, E, E, P, E, E, E, E, E, "-", P, "-", "-"],
    ("", "root", "f400"): [E, P, P, P, P, P, E, P, P, P, P, P, P, P, P],
    ("", "root", "f440"): [E, P, P, P, P, P, E, P, P, P, P, P, P, P, P],
    ("", "root", "f444"): [E, P, P, P, P, P, E, P, P, P, P, P, P, P, P],
    ("", "root", "f600"): [E, E, E, E, E, P, E, E, E, E, E, "-", P, "-", "-"],
    ("", "root", "f644"): [E, E, E, E, E, P, E, E, E, E, E, "-", P, "-", "-"],
}


def names(top):
    """(path, row's name) of all that there is."""
    for directory, _, files in os.walk(top):
        yield directory, f"d{os.lstat(directory).st_mode & 0o777:o}"
        for file in files:
            path = os.path.join(directory, file)
            yield path, f"f{os.lstat(path).st_mode & 0o777:o}"


def row_of(who, how, path, kind, top):
    if (how, who) == ("closed", "other"):
        return TABLE[how, who, "top" if path == top else kind[0]]
    return TABLE[how if who == "other" else "", who, kind]


def fires(who, operation, path):
    """It would work: an app instance more, or a trigger."""
    name = os.path.basename(path)
    return who != "other" and ((operation == "mkdir" and name == "apps") or
                               (operation in ("touch", "truncate", "open_trunc") and name in TRIGGERS))


def main():
    top, uid, who, how = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
    everything = list(names(top))
    if uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    count, surprises = collections.Counter(), 0
    for path, kind in everything:
        directory = kind[0] == "d"
        arguments = OF_ALL | (OF_DIRECTORIES if directory else OF_FILES)
        for operation, wanted in zip(COLUMNS_D if directory else COLUMNS_F, row_of(who, how, path, kind, top), strict=True):
            if wanted == "-" or fires(who, operation, path):
                continue
            got = SYS.attempt(operation, arguments[operation].format(path).split())
            count[got] += 1
            if got != wanted:
                surprises += 1
                print(f"{who} of a project that is {how}: {operation} {os.path.relpath(path, top)} ({kind}): {got}, wanted {wanted}")
    print(f"{who}, {how}: {len(everything)} names, {sum(count.values())} attempts: {dict(count)}", file=sys.stderr)
    return 1 if surprises or not everything else 0


if __name__ == "__main__":
    sys.exit(main())
