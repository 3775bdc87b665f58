"""Public keys of accounts: a line of authorized_keys in the form that is stored and compared."""

from __future__ import annotations

from dataclasses import dataclass

import asyncssh

_LONGEST = 20_000


class PublicKeyRefused(Exception):
    """The text is not a public key that may log in. The message says what is wrong."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key. line: type and base64 only. fingerprint: `SHA256:…`. comment: the owner's note."""

    line: str
    fingerprint: str
    comment: str


def parse(text: str) -> PublicKey:
    """Read a public key in OpenSSH or RFC 4716 form. Raises PublicKeyRefused."""
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
