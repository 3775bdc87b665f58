"""The data directory: the paths in it, and the lock that allows one launcher only."""

import fcntl
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

_STOPPING = "stopping"


class DirectoryRefused(Exception):
    """The data directory cannot be used; the message says why and what to do."""


@dataclass
class DataDirectory:
    """A data directory; path is absolute."""

    path: Path
    lock: IO[str] | None = field(default=None, repr=False)

    @property
    def cluster(self) -> Path:
        """PostgreSQL's files."""
        return self.path / "postgres"

    @property
    def valkey(self) -> Path:
        """Valkey's files."""
        return self.path / "valkey"

    @property
    def keys(self) -> Path:
        """Secrets made on the first run."""
        return self.path / "keys"

    @property
    def log(self) -> Path:
        """One log file for each program."""
        return self.path / "log"

    @property
    def announcement(self) -> Path:
        """The file for scripts: addresses and accounts, while the product runs."""
        return self.path / "up.json"

    @property
    def demo(self) -> Path:
        """The demo command's accounts."""
        return self.path / "demo.json"

    @property
    def welcomed(self) -> Path:
        """Exists when the first run has been completed."""
        return self.path / "welcomed"

    def claim(self) -> None:
        """Make it and lock it. Raises DirectoryRefused when another launcher runs in it."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.lock = (self.path / "launcher.lock").open("a+", encoding="utf-8")
        except OSError as error:
            raise DirectoryRefused(
                f"{error.filename or self.path} cannot be used: {error.strerror}. Choose a "
                "directory that you can write to with --data DIR."
            ) from error
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DirectoryRefused(self._taken(self.lock)) from error
        self.lock.truncate(0)
        self.lock.write(f"{os.getpid()}\n")
        self.lock.flush()

    def stopping(self) -> None:
        """Note in the lock's file that the launcher which holds it is about to end."""
        if self.lock is not None:
            self.lock.write(_STOPPING)
            self.lock.flush()

    def _taken(self, lock: IO[str]) -> str:
        lock.seek(0)
        holder, _, state = (lock.read(40).strip() or "unknown").partition("\n")
        if state == _STOPPING:
            return (
                f"The launcher that runs with {self.path} (process {holder}) is stopping. Wait "
                "until it has ended, which may take a minute, and start again."
            )
        return (
            f"Another launcher (process {holder}) already runs with {self.path}. Stop "
            f"it first (Ctrl-C, or kill {holder}), or choose another directory with "
            "--data DIR."
        )


def write_private(path: Path, content: dict[str, Any]) -> None:
    """Replace a 0600 JSON file at once: a reader sees the old file or the new one."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600, exist_ok=False)
    draft.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    draft.replace(path)
