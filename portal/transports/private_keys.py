"""Private keys for logins at partners' servers."""

from __future__ import annotations

import io

import paramiko

_KINDS = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


class PrivateKeyRefused(ValueError):
    """The text is not a usable private key. The message is a sentence."""


def read(text: str) -> paramiko.PKey:
    """A private key in OpenSSH or PEM form. Raises PrivateKeyRefused."""
    for kind in _KINDS:
        try:
            return kind.from_private_key(io.StringIO(text.strip() + "\n"))
        except paramiko.PasswordRequiredException:
            raise PrivateKeyRefused(
                "The private key is protected by a passphrase; enter it without a "
                "passphrase; it is stored encrypted."
            ) from None
        except (paramiko.SSHException, ValueError, IndexError, TypeError):
            continue
    raise PrivateKeyRefused(
        "This private key cannot be used. Expected an Ed25519, ECDSA or RSA key in "
        "OpenSSH or PEM form, from its BEGIN line to its END line."
    )
