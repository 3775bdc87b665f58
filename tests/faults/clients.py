"""A real SFTP client (paramiko), in this process or in one that can be killed.

As a script: `clients.py HOST PORT USER PASSWORD LOCAL REMOTE BYTES`: begins an upload and kills
itself with SIGKILL after so many bytes, as a machine that loses its power.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko

_BLOCK = 32_000


@contextmanager
def connected(host: str, port: int, user: str, password: str) -> Iterator[paramiko.SFTPClient]:
    """A session."""
    with paramiko.Transport((host, port)) as transport:
        transport.connect(username=user, password=password)
        client = paramiko.SFTPClient.from_transport(transport)
        assert client is not None
        with client:
            yield client


def killed_after(
    host: str, port: int, user: str, password: str, local: Path, remote: str, sent: int
) -> None:
    """Run a client that dies after so many bytes, and wait for its death."""
    command = [sys.executable, __file__, host, str(port), user, password, str(local), remote]
    ran = subprocess.run([*command, str(sent)], capture_output=True, text=True, check=False)
    assert ran.returncode == -signal.SIGKILL, ran.stderr


def main(host: str, port: str, user: str, password: str, local: str, remote: str, n: str) -> None:
    """Send n bytes of the file, then die."""
    content = Path(local).read_bytes()[: int(n)]
    with connected(host, int(port), user, password) as client:
        file = client.open(remote, "wb")
        for start in range(0, len(content), _BLOCK):
            file.write(content[start : start + _BLOCK])
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
