"""SFTP requests, answered from the jail: a thin layer of messages and codes over the rules.

Small file operations run on the event loop (the drops are on a local disk, and a hand-over to a
thread costs more than they do); fsync, renames and copies run in an executor.
"""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncssh
from asyncssh import SFTPAttrs, SFTPName, SFTPNoSuchFile, SFTPPermissionDenied

from portal.dropserver import rights
from portal.dropserver.jail import Jail, refuse_directory
from portal.dropserver.parts import Parts
from portal.dropserver.paths import Path, PathRefused, canonical, canonical_new, shown
from portal.dropserver.sftp.answers import attributes, names
from portal.dropserver.sftp.uploads import OpenUpload, Uploads, Visit, refuse

_WRITING = asyncssh.FXF_WRITE | asyncssh.FXF_APPEND
_UNFINISHED = "Its upload was not finished. Send it again, or resume it."


@dataclass(slots=True, eq=False)
class OpenDownload:
    """A file that is open for reading."""

    fd: int


class DropFiles(asyncssh.SFTPServer):
    """An SFTP channel of a session. `lost` is called if the client did not end it."""

    def __init__(self, chan: asyncssh.SSHServerChannel[bytes], visit: Visit) -> None:
        super().__init__(chan)
        self._visit = visit
        self._jail = Jail(visit.login.root)
        self._parts = Parts(self._jail, str(visit.login.account_id))
        self._uploads = Uploads(visit, self._jail, self._parts)
        self._open: list[OpenDownload | OpenUpload] = []
        self._closing = 0
        self._is_lost = False
        self.last_request = time.monotonic()

    @property
    def transfers(self) -> int:
        """Files that are open now, or whose closing is not answered yet."""
        return len(self._open) + self._closing

    def lost(self) -> None:
        """Keep what the client left open as partial uploads. May be called twice."""
        self._is_lost = True
        for handle in list(self._open):
            self._leave(handle)

    # --- reading

    def open(
        self, path: bytes, pflags: int, attrs: SFTPAttrs
    ) -> OpenDownload | asyncio.Future[OpenUpload]:
        """Open for reading, or begin, continue or replace an upload. Attributes are ignored."""
        if pflags & _WRITING:
            return asyncio.ensure_future(self._open_upload(_new(path), pflags))
        return self._open_download(_existing(path))

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        """Bytes of an open file."""
        if isinstance(file_obj, OpenUpload):
            return file_obj.part.read(offset, size)
        return os.pread(_reading(file_obj).fd, size, offset)

    def stat(self, path: bytes) -> SFTPAttrs:
        """The attributes of a file; of its part if there is no file, so that a resume continues."""
        names = _existing(path)
        try:
            return attributes(self._jail.stat(names))
        except FileNotFoundError:
            part = self._parts.stat(names) if names else None
            if part is None:
                raise
            return attributes(part)

    def lstat(self, path: bytes) -> SFTPAttrs:
        """The same as `stat`: there are no links."""
        return self.stat(path)

    def fstat(self, file_obj: object) -> SFTPAttrs:
        """Attributes of an open file."""
        if isinstance(file_obj, OpenUpload):
            return attributes(file_obj.part.stat())
        return attributes(os.fstat(_reading(file_obj).fd))

    def scandir(self, path: bytes) -> AsyncIterator[SFTPName]:
        """The names in a folder, read now so that a refusal answers the first request."""
        folder = _existing(path)
        here = attributes(self._jail.stat(folder))
        return names(here, self._jail.entries(folder))

    def realpath(self, path: bytes) -> bytes:
        """The canonical form of a path, whether or not it exists."""
        return shown(_existing(path)).encode("utf-8")

    # --- writing

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        """Write to an upload; after a failure (a full disk) it does not get its name."""
        writing = _writing(file_obj)
        if offset + len(data) > self._visit.login.limits.upload_bytes:
            writing.part.fail("The file is larger than this account is allowed to send.")
        return writing.write(offset, data)

    async def close(self, file_obj: object) -> None:
        """Close a file: an upload gets its name now. After `lost` it stays a part."""
        if self._is_lost or isinstance(file_obj, OpenDownload):
            self._leave(file_obj)
            return
        writing = _writing(file_obj)
        self._open.remove(writing)
        # The client asked for it, so it is done even if the connection is lost meanwhile.
        self._closing += 1
        try:
            await asyncio.shield(self._uploads.finish(writing))
        finally:
            self._closing -= 1

    async def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Rename an upload of the account to a name that is free."""
        await self._rename(_existing(oldpath), _new(newpath), replace=False)

    async def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Rename an upload of the account, replacing another of its uploads if there is one."""
        await self._rename(_existing(oldpath), _new(newpath), replace=True)

    async def remove(self, path: bytes) -> None:
        """Remove an upload of the account, a result of the portal, or an unfinished upload."""
        names = _existing(path)
        self._uploads.refuse_place(names)
        existing = self._uploads.stat(names)
        if existing is None:
            if not names or not self._parts.remove(names):
                raise SFTPNoSuchFile(f"There is no file {shown(names)}.")
            return
        refuse_directory(existing)
        ownership = await self._uploads.ownership(names, existing)
        refuse(rights.refusal_to_remove(names[-1], ownership, self._visit.login.account_id))
        self._jail.remove(names)
        self._visit.gate.removed(self._visit.login, names)

    async def fsync(self, file_obj: object) -> None:
        """Make an upload's bytes durable."""
        await self._uploads.on_disk(_writing(file_obj).part.sync)

    # --- ignored and refused requests

    def setstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        """Report chmod, chown and utime as done: WinSCP and FileZilla need that."""
        self.stat(path)
        if attrs.size is not None:
            raise SFTPPermissionDenied(
                "Truncating or extending a file is not supported. Send it again."
            )

    def lsetstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        """The same as `setstat`."""
        self.setstat(path, attrs)

    def fsetstat(self, file_obj: object, attrs: SFTPAttrs) -> None:
        """As `setstat`, but a running upload may be cut (an interrupted client does that)."""
        if attrs.size is not None:
            _writing(file_obj).part.truncate(attrs.size)

    def mkdir(self, path: bytes, attrs: SFTPAttrs) -> None:
        """Refuse; lftp asks for folders that exist, and takes this failure for success."""
        if self._uploads.stat(_existing(path)) is not None:
            raise FileExistsError(errno.EEXIST, "It already exists.")
        raise SFTPPermissionDenied(rights.NO_NEW_FOLDERS)

    def rmdir(self, path: bytes) -> None:
        """Refuse."""
        raise SFTPPermissionDenied(rights.NO_FOLDER_REMOVAL)

    def readlink(self, path: bytes) -> bytes:
        """Refuse."""
        raise SFTPPermissionDenied(rights.NO_LINKS)

    def symlink(self, oldpath: bytes, newpath: bytes) -> None:
        """Refuse."""
        raise SFTPPermissionDenied(rights.NO_LINKS)

    def link(self, oldpath: bytes, newpath: bytes) -> None:
        """Refuse."""
        raise SFTPPermissionDenied(rights.NO_LINKS)

    def exit(self) -> None:
        """Clean up at the end of the channel."""
        self.lost()
        self._jail.close()

    # --- steps

    def _open_download(self, path: Path) -> OpenDownload:
        try:
            handle = OpenDownload(self._jail.open_read(path))
        except FileNotFoundError:
            if path and self._parts.stat(path):
                raise SFTPNoSuchFile(f"{shown(path)} does not exist. {_UNFINISHED}") from None
            raise
        self._open.append(handle)
        return handle

    async def _open_upload(self, path: Path, pflags: int) -> OpenUpload:
        writing = await self._uploads.begin(path, pflags)
        self._open.append(writing)
        if self._is_lost:  # while the file that it continues was copied
            self._leave(writing)
        return writing

    async def _rename(self, old: Path, new: Path, *, replace: bool) -> None:
        self._uploads.refuse_place(old, new)
        status = self._jail.stat(old)
        refuse_directory(status)
        target = self._uploads.stat(new)
        if target is not None:
            refuse_directory(target)
        refuse(
            rights.refusal_to_rename(
                old[-1],
                await self._uploads.ownership(old, status),
                new[-1],
                None if target is None else await self._uploads.ownership(new, target),
                self._visit.login.account_id,
            )
        )
        await self._uploads.on_disk(lambda: self._jail.rename(old, new, replace=replace))
        self._visit.gate.renamed(self._visit.login, old, new)
        self._visit.gate.name_appeared(self._visit.login, new)

    def _leave(self, handle: object) -> None:
        """Close a file that the client did not close, or a download."""
        if not isinstance(handle, OpenDownload | OpenUpload) or handle not in self._open:
            return
        self._open.remove(handle)
        if isinstance(handle, OpenDownload):
            os.close(handle.fd)
            return
        self._uploads.leave(handle)


def _existing(raw: bytes) -> Path:
    try:
        return canonical(raw)
    except PathRefused as refused:
        raise SFTPPermissionDenied(refused.reason) from None


def _new(raw: bytes) -> Path:
    try:
        return canonical_new(raw)
    except PathRefused as refused:
        raise SFTPPermissionDenied(refused.reason) from None


def _reading(file_obj: object) -> OpenDownload:
    if not isinstance(file_obj, OpenDownload):
        raise SFTPPermissionDenied("The file is not open for reading.")
    return file_obj


def _writing(file_obj: object) -> OpenUpload:
    if not isinstance(file_obj, OpenUpload):
        raise SFTPPermissionDenied("The file is not open for writing.")
    return file_obj
