"""PEM files in tests, without a library: enough DER to tell certificates apart, fast, by the thousand."""

import base64
import re

BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\n((?:[A-Za-z0-9+/=]{1,64}\n)+)-----END \1-----\n")


def blocks(data):
    """[(label, der)] of a file that is whole PEM and nothing else; ValueError otherwise."""
    found, at = [], 0
    while at < len(data):
        match = BLOCK.match(data, at)
        if not match:
            raise ValueError(f"not whole PEM at byte {at} of {len(data)}: {data[at:at + 40]!r}")
        found.append((match[1].decode(), base64.b64decode(match[2].replace(b"\n", b""), validate=True)))
        at = match.end()
    if not found:
        raise ValueError("empty")
    return found


def certificates(data):
    return [der for label, der in blocks(data) if label == "CERTIFICATE"]


def key(data):
    keys = [der for label, der in blocks(data) if label == "PRIVATE KEY"]
    if len(keys) != 1:
        raise ValueError(f"{len(keys)} private keys")
    return keys[0]


def element(der, at):
    """(tag, start of the content, end) of the DER element at a position."""
    tag, length, at = der[at], der[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(der[at:at + count], "big")
        at += count
    if at + length > len(der):
        raise ValueError("DER is cut short")
    return tag, at, at + length


def serial(der):
    """The serial number of a certificate, an int."""
    _, at, end = element(der, 0)
    if end != len(der):
        raise ValueError("trailing bytes after a certificate")
    _, at, _ = element(der, at)  # tbsCertificate
    tag, start, end = element(der, at)
    if tag == 0xA0:  # version
        tag, start, end = element(der, end)
    return int.from_bytes(der[start:end], "big")


def p256_public(key_der):
    """The public point that a P-256 PKCS#8 carries: its last 65 bytes."""
    point = key_der[-65:]
    if point[0] != 4:
        raise ValueError("no public point at the end of this PKCS#8")
    return point


def matches(certificate, key_der):
    """Whether a certificate is for a P-256 key's public point (a sample goes through openssl elsewhere)."""
    return p256_public(key_der) in certificate
