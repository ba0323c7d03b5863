#!/usr/bin/env python3
"""Stands in for `iotedge config apply`: looks at /etc/aziot/config.toml as the services of IoT Edge do.

aziotcs must be able to read certificate and trust bundle, aziotks the key, each directory on the way must be open to them; the
first certificate must be the key's, and everything ends in a newline. Says what is wrong, and exits 1.
"""

import os
import pathlib
import pwd
import subprocess
import sys
import tomllib


def read_as(user, path):
    """What that user reads; a fork, since there is no way back from another user."""
    account = pwd.getpwnam(user)
    done = subprocess.run(["cat", path], capture_output=True, user=account.pw_uid, group=account.pw_gid, extra_groups=[])
    if done.returncode:
        sys.exit(f"{user} can't read it: {done.stderr.decode()}")
    return done.stdout


def place(uri):
    if not uri.startswith("file:///"):
        sys.exit(f"{uri} is no file URI")
    return uri.removeprefix("file://")


def public_key(text, what):
    done = subprocess.run(["openssl", *what], input=text, capture_output=True, check=True)
    return done.stdout


def main():
    if sys.argv[1:] != ["config", "apply"]:
        sys.exit("iotedge config apply")
    config = tomllib.loads(pathlib.Path("/etc/aziot/config.toml").read_text(encoding="utf-8"))
    certificate = read_as("aziotcs", place(config["edge_ca"]["cert"]))
    bundle = read_as("aziotcs", place(config["trust_bundle_cert"]))
    key = read_as("aziotks", place(config["edge_ca"]["pk"]))
    for text in (certificate, bundle, key):
        if not text.endswith(b"\n"):
            sys.exit("a PEM file does not end in a newline")
    if config["provisioning"]["source"] != "manual" or not config["hostname"]:
        sys.exit("no provisioning")
    if public_key(certificate, ["x509", "-pubkey", "-noout"]) != public_key(key, ["pkey", "-pubout"]):
        sys.exit("the key is not the certificate's")
    with open("/run/applied", "a", encoding="utf-8") as applied:
        applied.write(config["hostname"] + "\n")


if __name__ == "__main__":
    main()
