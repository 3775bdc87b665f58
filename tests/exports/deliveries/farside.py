"""A far side that behaves as badly as a test asks: asyncssh over a directory, faults by choice."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh
from asyncssh import SFTPFailure, SFTPNoSpaceOnFilesystem, SFTPOpUnsupported, SFTPPermissionDenied

from portal.transports.ssh import ServerLogin

USER, PASSWORD = "ada", "p@ss word"


@dataclass
class Faults:
    """What it does wrong; may be changed while it runs.

    rename: "" for POSIX, "plain" without posix-rename, "careful" as plain and onto nothing,
    "denied" for none at all. stats: whether it tells sizes. disk: bytes that fit. after_rename:
    connections that die right after a rename of a name with this ending, before the answer.
    on_rename: called then, before the answer. keeps: nothing may be removed.
    """

    rename: str = ""
    stats: bool = True
    disk: int | None = None
    denied_writes: bool = False
    after_rename: str = ""
    lies_about_size: int = 0
    keeps: bool = False
    on_rename: Callable[[], None] | None = None


@dataclass
class FarSide:
    """The running server: its directory, how it is reached and what it has seen."""

    root: Path
    faults: Faults
    place: ServerLogin = field(default_factory=lambda: ServerLogin("", 0, ""))
    logins: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)

    def names(self) -> list[str]:
        return sorted(file.name for file in self.root.iterdir())


class Files(asyncssh.SFTPServer):
    """The SFTP side of one connection."""

    side: FarSide

    def __init__(self, chan: asyncssh.SSHServerChannel) -> None:
        self._channel = chan
        self._written = 0
        super().__init__(chan, chroot=str(self.side.root))

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        self.side.opened.append(path.decode())
        if self.side.faults.denied_writes:
            raise SFTPPermissionDenied("this folder is for reading")
        return super().open(path, pflags, attrs)

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        self._written += len(data)
        if self.side.faults.disk is not None and self._written > self.side.faults.disk:
            raise SFTPNoSpaceOnFilesystem("no space left on device")
        return super().write(file_obj, offset, data)

    def stat(self, path: bytes) -> Any:
        return self._falsified(super().stat(path))

    def lstat(self, path: bytes) -> Any:
        return self._falsified(super().lstat(path))

    def _falsified(self, attributes: Any) -> Any:
        if not self.side.faults.stats:
            raise SFTPOpUnsupported("no sizes here")
        if self.side.faults.lies_about_size:
            falsified = asyncssh.SFTPAttrs.from_local(attributes)
            falsified.size = self.side.faults.lies_about_size
            return falsified
        return attributes

    def remove(self, path: bytes) -> None:
        self.side.removed.append(path.decode())
        if self.side.faults.keeps:
            raise SFTPPermissionDenied("nothing goes from here")
        super().remove(path)

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        if self.side.faults.rename:
            raise SFTPOpUnsupported("posix-rename is not known")
        super().posix_rename(oldpath, newpath)
        self._die_after(newpath)

    def rename(self, oldpath: bytes, newpath: bytes, flags: int = 0) -> None:
        if self.side.faults.rename == "denied":
            raise SFTPPermissionDenied("no renaming here")
        if self.side.faults.rename == "careful" and Path(self.map_path(newpath).decode()).exists():
            raise SFTPFailure("it exists")
        super().posix_rename(oldpath, newpath)
        self._die_after(newpath)

    def _die_after(self, path: bytes) -> None:
        if self.side.faults.on_rename is not None:
            self.side.faults.on_rename()
        ending = self.side.faults.after_rename
        if ending and path.decode().endswith(ending):
            self._channel.get_connection().abort()


def _guard(side: FarSide) -> type[asyncssh.SSHServer]:
    class Guard(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            side.logins.append(username)
            return True

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == (USER, PASSWORD)

    return Guard


@contextlib.contextmanager
def running(directory: Path, faults: Faults | None = None, **options: Any) -> Iterator[FarSide]:
    """Start it on a thread of its own; ended with the block. options: of asyncssh.listen."""
    directory.mkdir(exist_ok=True)
    side = FarSide(directory, faults or Faults())
    key = asyncssh.generate_private_key("ssh-ed25519")
    loop = asyncio.new_event_loop()

    async def listen() -> asyncssh.SSHAcceptor:
        given = {
            "server_host_keys": [key],
            "sftp_factory": type("Own", (Files,), {"side": side}),
            **options,
        }
        return await asyncssh.listen("127.0.0.1", 0, server_factory=_guard(side), **given)

    thread = threading.Thread(target=loop.run_forever, daemon=True, name="far side")
    thread.start()
    server = asyncio.run_coroutine_threadsafe(listen(), loop).result(20)
    port = server.get_port()
    side.place = ServerLogin("127.0.0.1", port, USER, PASSWORD, "", str(key.get_fingerprint()))

    async def end() -> None:
        server.close()
        await server.wait_closed()
        others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    try:
        yield side
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()
