"""A server's secrets: sealed where they are stored, opened only to connect.

Each is tied to its tenant, server and field (`portal/vault.py`), so that it opens nowhere else.
"""

from __future__ import annotations

from exports.models import Server
from portal import vault
from portal.faults import Fault, Refused
from portal.transports import private_keys, ssh

MODEL = "exports.Server"


def seal_password(server: Server, text: str) -> str:
    """What `server.password` is to hold; "" for none. The server needs its tenant and uid only."""
    return _sealed(server, "password", text)


def password_of(server: Server) -> str:
    """The password, "" for none. Raises VaultError."""
    return _opened(server, "password", server.password)


def seal_private_key(server: Server, text: str) -> str:
    """What `server.private_key` is to hold; "" for none.

    Raises Refused where the text is no private key without a passphrase.
    """
    try:
        if text.strip():
            private_keys.read(text)
    except private_keys.PrivateKeyRefused as error:
        fault = Fault(("private_key",), "bad_private_key", "%(why)s", {"why": str(error)})
        raise Refused(fault) from error
    return _sealed(server, "private_key", text.strip())


def private_key_of(server: Server) -> str:
    """The private key as text, "" for none. Raises VaultError."""
    return _opened(server, "private_key", server.private_key)


def place_of(server: Server) -> ssh.ServerLogin:
    """How to reach the server, with its secrets open. Raises VaultError."""
    return ssh.ServerLogin(
        host=server.host,
        port=server.port,
        username=server.username,
        password=password_of(server),
        private_key=private_key_of(server),
        host_key=server.host_key,
        host_key_type=server.host_key_type,
    )


def _sealed(server: Server, field: str, text: str) -> str:
    return vault.seal(text, _owner(server, field)) if text else ""


def _opened(server: Server, field: str, sealed: str) -> str:
    return vault.unseal(sealed, _owner(server, field)) if sealed else ""


def _owner(server: Server, field: str) -> vault.SecretLocation:
    return vault.SecretLocation(server.tenant_id, MODEL, str(server.uid), field)
