"""A real OpenSSH server for tests: the current user's, on a port of its own, with files of its own.

Log in with the key; the system's passwords are nobody's business. `Sshd.root` is where its
sessions begin.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from portal.runtime.program import LEASH
from portal.transports.ssh import ServerLogin

PROGRAM = "/usr/sbin/sshd"
SKIP = f"{PROGRAM} is missing: install openssh-server"
HAS_SSHD = Path(PROGRAM).exists() and shutil.which("ssh-keygen") is not None
_START_SECONDS = 20.0


@dataclass(frozen=True)
class Sshd:
    """The running server. place: how the portal reaches it, its key pinned."""

    root: Path
    place: ServerLogin
    pid: int
    client_key: Path

    def unpinned(self) -> ServerLogin:
        return replace(self.place, host_key="", host_key_type="")

    def sessions(self) -> list[psutil.Process]:
        """The processes that serve connections."""
        return psutil.Process(self.pid).children(recursive=True)


def make_key(path: Path, kind: str = "ed25519") -> str:
    """A key pair without a passphrase. Returns its fingerprint."""
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "test", "-f", str(path)], check=True
    )
    shown = subprocess.run(
        ["ssh-keygen", "-lf", str(path)], check=True, capture_output=True, text=True
    )
    return shown.stdout.split()[1]


@contextmanager
def running(directory: Path, *, host_kind: str = "ed25519", more: str = "") -> Iterator[Sshd]:
    """Start a server that keeps its things in the directory; stopped at the end.

    more: further lines of its configuration.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    root = directory / "root"
    root.mkdir()
    fingerprint = make_key(directory / "host", host_kind)
    make_key(directory / "client")
    shutil.copy(directory / "client.pub", directory / "authorized")
    if os.geteuid() == 0:  # it asks for this directory, which only a booted system has
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    port = _free_port()
    (directory / "config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {directory}/host\nPidFile none\n"
        f"AuthorizedKeysFile {directory}/authorized\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication yes\nPermitRootLogin yes\nMaxStartups 100\nMaxSessions 100\n"
        f"LogLevel ERROR\nSubsystem sftp internal-sftp -d {root}\n{more}"
    )
    with (directory / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-P", str(LEASH), str(os.getpid()), str(int(signal.SIGKILL)),
             PROGRAM, "-D", "-e", "-f", str(directory / "config")],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    place = ServerLogin(
        *("127.0.0.1", port, getpass.getuser(), "", (directory / "client").read_text()),
        *(fingerprint, "ssh-" + host_kind if host_kind in ("ed25519", "rsa") else ""),
    )
    try:
        _await_answer(server, port, directory / "log")
        yield Sshd(root, place, server.pid, directory / "client")
    finally:
        family = [*psutil.Process(server.pid).children(recursive=True)]
        server.kill()
        server.wait()
        for process in family:
            if process.is_running():
                process.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_answer(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as probe:
                if probe.recv(4) == b"SSH-":
                    return
        except OSError:
            time.sleep(0.02)
