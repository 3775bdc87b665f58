"""How a sender reaches the drop server: host, port, host key, and the command to type."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import asyncssh
from django.conf import settings

from portal import logs

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class DropServerAddress:
    """fingerprint: of the host key, "SHA256:…"; empty where the key cannot be read here."""

    host: str
    port: int
    fingerprint: str


def drop_server() -> DropServerAddress:
    """The drop server as senders see it."""
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
    """The public half where it lies beside the key, else the key itself."""
    private = Path(settings.SFTP_HOST_KEY_FILE)
    public = private.with_name(private.name + ".pub")
    try:
        if public.exists():
            return asyncssh.read_public_key(public).get_fingerprint()
        return asyncssh.read_private_key(private).get_fingerprint()
    except (OSError, asyncssh.KeyImportError) as exc:
        log.info("host_key_not_readable", error=repr(exc))
        return ""
