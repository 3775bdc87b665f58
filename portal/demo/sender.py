"""The demo's sender: an SFTP client that sends files and reads the results."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import paramiko

from portal.demo.samples import Sending

_CONNECT_SECONDS = 20
_LOOK_SECONDS = 0.5


class UnexpectedHostKey(Exception):
    """The server is not the one that was started."""


@contextmanager
def connected(
    host: str, port: int, username: str, password: str, fingerprint: str
) -> Iterator[paramiko.SFTPClient]:
    """A session. fingerprint: SHA256:… of the host key. Raises UnexpectedHostKey, SSHException."""
    with paramiko.Transport((host, port)) as transport:
        transport.start_client(timeout=_CONNECT_SECONDS)
        if transport.get_remote_server_key().fingerprint != fingerprint:
            raise UnexpectedHostKey(f"{host}:{port}")
        transport.auth_password(username, password)
        client = paramiko.SFTPClient.from_transport(transport)
        if client is None:
            raise paramiko.SSHException("The server opened no SFTP session.")
        with client:
            yield client


def send(
    client: paramiko.SFTPClient, sendings: Iterable[Sending], say: Callable[[str], None]
) -> int:
    """Send all files, those of a folder in order. Returns how many."""
    count = 0
    for sending in sendings:
        for name, content in sending.files:
            client.putfo(io.BytesIO(content), f"/{sending.folder}/{name}".replace("//", "/"))
            count += 1
        say(f"sent {', '.join(name for name, _ in sending.files)} to /{sending.folder}")
    return count


def results(
    client: paramiko.SFTPClient, folders: Iterable[str], expected: int, seconds: float
) -> dict[str, str]:
    """First lines of the result files by name, once `expected` of them exist or time is up."""
    deadline = time.monotonic() + seconds
    lines: dict[str, str] = {}
    while True:
        for folder in folders:
            for name in client.listdir(f"/{folder}"):
                if name.endswith(".result.txt") and name not in lines:
                    with client.open(f"/{folder}/{name}") as file:
                        lines[name] = file.readline().strip()
        if len(lines) >= expected or time.monotonic() > deadline:
            return lines
        time.sleep(_LOOK_SECONDS)
