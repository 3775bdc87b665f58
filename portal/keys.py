"""Public keys of accounts: a line of authorized_keys in the form that is stored and compared."""

from __future__ import annotations

import re
from dataclasses import dataclass

import asyncssh

_LONGEST = 20_000
# PEM and OpenSSH, PuTTY's, and RFC 4716's; asyncssh would take the public half out of some of them.
_PRIVATE = re.compile(r"PRIVATE KEY|^PuTTY-User-Key-File|^Private-", re.IGNORECASE | re.MULTILINE)


class PublicKeyRefused(Exception):
    """The text is not a public key that may log in. The message says what is wrong."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key. line: type and base64 only. fingerprint: `SHA256:…`. comment: the owner's note."""

    line: str
    fingerprint: str
    comment: str


def is_private(text: str) -> bool:
    """Whether it is a private key, which belongs to its owner alone."""
    return _PRIVATE.search(text) is not None


def parse(text: str) -> PublicKey:
    """Read a public key in OpenSSH or RFC 4716 form. Raises PublicKeyRefused."""
    if is_private(text):
        raise PublicKeyRefused(
            "This is a private key. It belongs to the sender alone: if it was copied here or sent "
            "to somebody, delete the copy and make a new pair of keys. Expected its public half, "
            "one line such as 'ssh-ed25519 AAAA… name', mostly in the file whose name ends in .pub."
        )
    try:
        if len(text) > _LONGEST:
            raise ValueError("it is too long")
        key = asyncssh.import_public_key(text.strip())
    except (asyncssh.KeyImportError, ValueError) as error:
        raise PublicKeyRefused(
            f"This is not a public key ({error}). Expected one line such as "
            "'ssh-ed25519 AAAA… name'."
        ) from None
    line = key.export_public_key().decode().split()
    comment = key.get_comment() or ""
    return PublicKey(" ".join(line[:2]), str(key.get_fingerprint()), comment[:200])
