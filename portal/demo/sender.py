"""The demo's sender: an SFTP client that puts files, and reads back what came of them."""

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
    """Another server answers than the one that was started."""


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
    """Put all files, each folder's in order. Returns how many."""
    count = 0
    for sending in sendings:
        for name, content in sending.files:
            client.putfo(io.BytesIO(content), f"/{sending.folder}/{name}".replace("//", "/"))
            count += 1
        say(f"sent {', '.join(name for name, _ in sending.files)} to /{sending.folder}")
    return count


def results(
    client: paramiko.SFTPClient, folders: Iterable[str], wanted: int, seconds: float
) -> dict[str, str]:
    """First lines of the result files, once `wanted` of them lie in the folders or time is up."""
    deadline = time.monotonic() + seconds
    found: dict[str, str] = {}
    while True:
        for folder in folders:
            for name in client.listdir(f"/{folder}"):
                if name.endswith(".result.txt") and name not in found:
                    with client.open(f"/{folder}/{name}") as file:
                        found[name] = file.readline().strip()
        if len(found) >= wanted or time.monotonic() > deadline:
            return found
        time.sleep(_LOOK_SECONDS)
