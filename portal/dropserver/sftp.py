"""SFTP requests answered from the jail: a thin layer of words and codes over the rules.

Small file operations run on the event loop (the drops are on a local disk, and a hand-over to a
thread costs more than they do); fsync, renames and copies run in an executor.
"""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import asyncssh
from asyncssh import SFTPAttrs, SFTPName, SFTPNoSuchFile, SFTPPermissionDenied

from portal.dropserver import rights
from portal.dropserver.answers import attributes, names
from portal.dropserver.gate import Ending, Gate, Login, TryLater
from portal.dropserver.jail import Jail, refuse_directory
from portal.dropserver.parts import Part, Parts
from portal.dropserver.paths import Path, PathRefused, canonical, canonical_new, shown
from portal.dropserver.rights import Standing

_WRITING = asyncssh.FXF_WRITE | asyncssh.FXF_APPEND
Answer = TypeVar("Answer")

_UNFINISHED = "Its upload was not finished; send it again, or resume it."


@dataclass(slots=True)
class Reading:
    """A file that is open for reading."""

    fd: int


@dataclass(slots=True)
class Writing:
    """An upload under way."""

    part: Part
    upload: UUID
    append: bool
    replaces: tuple[int, int] | None  # device and inode of the file it was allowed to replace


@dataclass(frozen=True, slots=True)
class Visit:
    """Who is being served, and with what."""

    login: Login
    session: UUID
    gate: Gate
    disk: Executor


class DropFiles(asyncssh.SFTPServer):
    """One SFTP channel of one session. `lost` is called when its end was not the client's wish."""

    def __init__(self, chan: asyncssh.SSHServerChannel[bytes], visit: Visit) -> None:
        super().__init__(chan)
        self._visit = visit
        self._jail = Jail(visit.login.root)
        self._parts = Parts(self._jail, str(visit.login.account_id))
        self._open: list[Reading | Writing] = []
        self._is_lost = False
        self.last_request = time.monotonic()

    @property
    def transfers(self) -> int:
        """Files that are open now."""
        return len(self._open)

    def lost(self) -> None:
        """The client is gone: what it left open is partial. May be called twice."""
        self._is_lost = True
        for handle in list(self._open):
            self._leave(handle)

    # --- reading

    def open(self, path: bytes, pflags: int, attrs: SFTPAttrs) -> Reading | asyncio.Future[Writing]:
        """Open for reading, or begin, continue or replace an upload. Attributes are ignored."""
        if pflags & _WRITING:
            return asyncio.ensure_future(self._open_upload(_new(path), pflags))
        return self._open_download(_known(path))

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        """Bytes of an open file."""
        if isinstance(file_obj, Writing):
            return file_obj.part.read(offset, size)
        return os.pread(_reading(file_obj).fd, size, offset)

    def stat(self, path: bytes) -> SFTPAttrs:
        """What is there; for a name that has a part only, the part, so that a resume goes on."""
        known = _known(path)
        try:
            return attributes(self._jail.stat(known))
        except FileNotFoundError:
            part = self._parts.stat(known) if known else None
            if part is None:
                raise
            return attributes(part)

    def lstat(self, path: bytes) -> SFTPAttrs:
        """As `stat`: there are no links here."""
        return self.stat(path)

    def fstat(self, file_obj: object) -> SFTPAttrs:
        """Attributes of an open file."""
        if isinstance(file_obj, Writing):
            return attributes(file_obj.part.stat())
        return attributes(os.fstat(_reading(file_obj).fd))

    def scandir(self, path: bytes) -> AsyncIterator[SFTPName]:
        """The names in a folder, read at once so that a refusal comes with the first request."""
        known = _known(path)
        here = attributes(self._jail.stat(known))
        return names(here, self._jail.entries(known))

    def realpath(self, path: bytes) -> bytes:
        """The canonical form; nothing needs to be there."""
        return shown(_known(path)).encode("utf-8")

    # --- writing

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        """Write to an upload; after a failure (a full disk) it will not get its name."""
        writing = _writing(file_obj)
        if offset + len(data) > self._visit.login.limits.upload_bytes:
            writing.part.fail("The file is larger than this account may send.")
        return writing.part.append(data) if writing.append else writing.part.write(offset, data)

    async def close(self, file_obj: object) -> None:
        """The client's close: an upload gets its name now. After `lost` it stays a part."""
        if self._is_lost or isinstance(file_obj, Reading):
            self._leave(file_obj)
            return
        writing = _writing(file_obj)
        self._open.remove(writing)
        # The client asked for it, so it is done even if the connection goes meanwhile.
        await asyncio.shield(self._finish(writing))

    async def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Rename an own upload to a name that is free."""
        await self._rename(_known(oldpath), _new(newpath), replace=False)

    async def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Rename an own upload, over another own upload if there is one."""
        await self._rename(_known(oldpath), _new(newpath), replace=True)

    async def remove(self, path: bytes) -> None:
        """Remove an own upload, what the portal left to be read, or an unfinished upload."""
        known = _known(path)
        found = self._found(known)
        if found is None:
            if not known or not self._parts.remove(known):
                raise SFTPNoSuchFile(f"There is no file {shown(known)}.")
            return
        refuse_directory(found)
        standing = await self._standing(known)
        _refuse(rights.refusal_to_remove(known[-1], standing, self._visit.login.account_id))
        self._jail.remove(known)
        self._visit.gate.removed(self._visit.login, known)

    async def fsync(self, file_obj: object) -> None:
        """Make an upload's bytes durable."""
        await self._on_disk(_writing(file_obj).part.sync)

    # --- what is answered as done, and what is refused

    def setstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        """chmod, chown and utime are answered as done: WinSCP and FileZilla fail without."""
        self.stat(path)
        if attrs.size is not None:
            raise SFTPPermissionDenied("A file is not cut or lengthened here; send it again.")

    def lsetstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        """As `setstat`."""
        self.setstat(path, attrs)

    def fsetstat(self, file_obj: object, attrs: SFTPAttrs) -> None:
        """As `setstat`, but an upload under way may be cut (an interrupted client does it)."""
        if attrs.size is not None:
            _writing(file_obj).part.truncate(attrs.size)

    def mkdir(self, path: bytes, attrs: SFTPAttrs) -> None:
        """Refused; lftp asks for folders that are there, and takes a failure for a yes."""
        found = self._found(_known(path))
        if found is not None:
            raise FileExistsError(errno.EEXIST, "It is there already.")
        raise SFTPPermissionDenied(rights.NO_NEW_FOLDERS)

    def rmdir(self, path: bytes) -> None:
        """Refused."""
        raise SFTPPermissionDenied(rights.NO_FOLDER_REMOVAL)

    def readlink(self, path: bytes) -> bytes:
        """Refused."""
        raise SFTPPermissionDenied(rights.NO_LINKS)

    def symlink(self, oldpath: bytes, newpath: bytes) -> None:
        """Refused."""
        raise SFTPPermissionDenied(rights.NO_LINKS)

    def link(self, oldpath: bytes, newpath: bytes) -> None:
        """Refused."""
        raise SFTPPermissionDenied(rights.NO_LINKS)

    def exit(self) -> None:
        """The channel has ended."""
        self.lost()
        self._jail.close()

    # --- steps

    def _open_download(self, path: Path) -> Reading:
        try:
            handle = Reading(self._jail.open_read(path))
        except FileNotFoundError:
            if path and self._parts.stat(path):
                raise SFTPNoSuchFile(f"{shown(path)} is not here. {_UNFINISHED}") from None
            raise
        self._open.append(handle)
        return handle

    async def _open_upload(self, path: Path, pflags: int) -> Writing:
        found = self._found(path)
        self._refuse_flags(path, pflags, found)
        await self._refuse_upload(path, found)
        fresh = bool(pflags & (asyncssh.FXF_TRUNC | asyncssh.FXF_EXCL))
        if fresh or found is None:
            part = self._parts.open(path, fresh=fresh)
        else:
            part = await self._on_disk(lambda: self._parts.open(path, fresh=False))
        upload = self._visit.gate.upload_opened(self._visit.session, self._visit.login, path)
        append = bool(pflags & asyncssh.FXF_APPEND)
        writing = Writing(part, upload, append, _identity(found))
        self._open.append(writing)
        if self._is_lost:
            self._leave(writing)
        return writing

    def _refuse_flags(self, path: Path, pflags: int, found: os.stat_result | None) -> None:
        if found is not None:
            refuse_directory(found)
            if pflags & asyncssh.FXF_EXCL:
                raise FileExistsError(errno.EEXIST, f"{shown(path)} exists already.")
        elif not pflags & asyncssh.FXF_CREAT and self._parts.stat(path) is None:
            raise SFTPNoSuchFile(f"There is no file {shown(path)}.")

    async def _refuse_upload(self, path: Path, found: os.stat_result | None) -> None:
        standing = None if found is None else await self._standing(path)
        account = self._visit.login.account_id
        _refuse(rights.refusal_to_upload(path[-1], standing, account))

    async def _finish(self, writing: Writing) -> None:
        visit, part = self._visit, writing.part
        try:
            may_replace = await self._may_replace(writing)
            size = await self._on_disk(lambda: part.finish(may_replace=may_replace))
        except OSError:
            visit.gate.upload_ended(writing.upload, visit.login, Ending.PARTIAL, part.abandon())
            raise
        visit.gate.upload_ended(writing.upload, visit.login, Ending.COMPLETE, size)
        visit.gate.rang(visit.login, part.path)

    async def _may_replace(self, writing: Writing) -> bool:
        """Whether what has the name now may go; asked again only if it is not what it was."""
        path = writing.part.path
        try:
            found = self._found(path)
            if _identity(found) != writing.replaces:
                await self._refuse_upload(path, found)
        except (OSError, asyncssh.SFTPError):
            return False
        return found is not None

    async def _rename(self, old: Path, new: Path, *, replace: bool) -> None:
        refuse_directory(self._jail.stat(old))
        target = self._found(new)
        if target is not None:
            refuse_directory(target)
        _refuse(
            rights.refusal_to_rename(
                old[-1],
                await self._standing(old),
                new[-1],
                None if target is None else await self._standing(new),
                self._visit.login.account_id,
            )
        )
        await self._on_disk(lambda: self._jail.rename(old, new, replace=replace))
        self._visit.gate.renamed(self._visit.login, old, new)
        self._visit.gate.rang(self._visit.login, new)

    def _found(self, path: Path) -> os.stat_result | None:
        try:
            return self._jail.stat(path)
        except FileNotFoundError:
            return None

    async def _standing(self, path: Path) -> Standing:
        try:
            return await self._visit.gate.standing(self._visit.login, path)
        except TryLater as later:
            raise asyncssh.SFTPFailure(str(later)) from None

    async def _on_disk(self, step: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._visit.disk, step)

    def _leave(self, handle: object) -> None:
        """Close what the client did not close, or what needs no ending."""
        if not isinstance(handle, Reading | Writing) or handle not in self._open:
            return
        self._open.remove(handle)
        if isinstance(handle, Reading):
            os.close(handle.fd)
            return
        size = handle.part.abandon()
        self._visit.gate.upload_ended(handle.upload, self._visit.login, Ending.PARTIAL, size)


def _known(raw: bytes) -> Path:
    try:
        return canonical(raw)
    except PathRefused as refused:
        raise SFTPPermissionDenied(refused.reason) from None


def _new(raw: bytes) -> Path:
    try:
        return canonical_new(raw)
    except PathRefused as refused:
        raise SFTPPermissionDenied(refused.reason) from None


def _refuse(reason: str | None) -> None:
    if reason:
        raise SFTPPermissionDenied(reason)


def _identity(found: os.stat_result | None) -> tuple[int, int] | None:
    return None if found is None else (found.st_dev, found.st_ino)


def _reading(file_obj: object) -> Reading:
    if not isinstance(file_obj, Reading):
        raise SFTPPermissionDenied("The file is not open for reading.")
    return file_obj


def _writing(file_obj: object) -> Writing:
    if not isinstance(file_obj, Writing):
        raise SFTPPermissionDenied("The file is not open for writing.")
    return file_obj
