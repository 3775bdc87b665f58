"""How a sender connects to the drop server: host, port, host key, and the command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import asyncssh
from django.conf import settings

from portal import logs

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class DropServerAddress:
    """The drop server's address. fingerprint: `SHA256:…`, empty if the host key cannot be read."""

    host: str
    port: int
    fingerprint: str


def drop_server() -> DropServerAddress:
    """The drop server's address for senders."""
    host, _, port = settings.SFTP_PUBLIC.rpartition(":")
    return DropServerAddress(
        host or settings.SFTP_PUBLIC, int(port) if port.isdigit() else 22, _key()
    )


def command(username: str) -> str:
    """The command that opens a session."""
    server = drop_server()
    port = f" -P {server.port}" if server.port != 22 else ""
    host = server.host.strip("[]")
    return f"sftp{port} {username}@{f'[{host}]' if ':' in host else host}"


def _key() -> str:
    """The fingerprint, from the public key file if it exists, else from the private key."""
    private = Path(settings.SFTP_HOST_KEY_FILE)
    public = private.with_name(private.name + ".pub")
    try:
        if public.exists():
            return asyncssh.read_public_key(public).get_fingerprint()
        return asyncssh.read_private_key(private).get_fingerprint()
    except (OSError, asyncssh.KeyImportError) as exc:
        log.info("host_key_not_readable", error=repr(exc))
        return ""
