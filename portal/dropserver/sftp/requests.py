"""SFTP requests answered from the jail: a thin layer of words and codes over the rules.

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
from portal.dropserver.sftp.uploads import Uploads, Visit, Writing, refuse

_WRITING = asyncssh.FXF_WRITE | asyncssh.FXF_APPEND
_UNFINISHED = "Its upload was not finished. Send it again, or resume it."


@dataclass(slots=True, eq=False)
class Reading:
    """A file that is open for reading."""

    fd: int


class DropFiles(asyncssh.SFTPServer):
    """One SFTP channel of one session. `lost` is called when its end was not the client's wish."""

    def __init__(self, chan: asyncssh.SSHServerChannel[bytes], visit: Visit) -> None:
        super().__init__(chan)
        self._visit = visit
        self._jail = Jail(visit.login.root)
        self._parts = Parts(self._jail, str(visit.login.account_id))
        self._uploads = Uploads(visit, self._jail, self._parts)
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
            writing.part.fail("The file is larger than this account is allowed to send.")
        return writing.write(offset, data)

    async def close(self, file_obj: object) -> None:
        """The client's close: an upload gets its name now. After `lost` it stays a part."""
        if self._is_lost or isinstance(file_obj, Reading):
            self._leave(file_obj)
            return
        writing = _writing(file_obj)
        self._open.remove(writing)
        # The client asked for it, so it is done even if the connection goes meanwhile.
        await asyncio.shield(self._uploads.finish(writing))

    async def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Rename an own upload to a name that is free."""
        await self._rename(_known(oldpath), _new(newpath), replace=False)

    async def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Rename an own upload, over another own upload if there is one."""
        await self._rename(_known(oldpath), _new(newpath), replace=True)

    async def remove(self, path: bytes) -> None:
        """Remove an own upload, what the portal left to be read, or an unfinished upload."""
        known = _known(path)
        self._uploads.refuse_place(known)
        found = self._uploads.found(known)
        if found is None:
            if not known or not self._parts.remove(known):
                raise SFTPNoSuchFile(f"There is no file {shown(known)}.")
            return
        refuse_directory(found)
        standing = await self._uploads.standing(known)
        refuse(rights.refusal_to_remove(known[-1], standing, self._visit.login.account_id))
        self._jail.remove(known)
        self._visit.gate.removed(self._visit.login, known)

    async def fsync(self, file_obj: object) -> None:
        """Make an upload's bytes durable."""
        await self._uploads.on_disk(_writing(file_obj).part.sync)

    # --- what is answered as done, and what is refused

    def setstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        """chmod, chown and utime are answered as done: WinSCP and FileZilla fail without."""
        self.stat(path)
        if attrs.size is not None:
            raise SFTPPermissionDenied(
                "Truncating or extending a file is not supported. Send it again."
            )

    def lsetstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        """As `setstat`."""
        self.setstat(path, attrs)

    def fsetstat(self, file_obj: object, attrs: SFTPAttrs) -> None:
        """As `setstat`, but an upload under way may be cut (an interrupted client does it)."""
        if attrs.size is not None:
            _writing(file_obj).part.truncate(attrs.size)

    def mkdir(self, path: bytes, attrs: SFTPAttrs) -> None:
        """Refused; lftp asks for folders that are there, and takes a failure for a yes."""
        found = self._uploads.found(_known(path))
        if found is not None:
            raise FileExistsError(errno.EEXIST, "It already exists.")
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
                raise SFTPNoSuchFile(f"{shown(path)} does not exist. {_UNFINISHED}") from None
            raise
        self._open.append(handle)
        return handle

    async def _open_upload(self, path: Path, pflags: int) -> Writing:
        writing = await self._uploads.begin(path, pflags)
        self._open.append(writing)
        if self._is_lost:  # while the file that it goes on from was copied
            self._leave(writing)
        return writing

    async def _rename(self, old: Path, new: Path, *, replace: bool) -> None:
        self._uploads.refuse_place(old, new)
        refuse_directory(self._jail.stat(old))
        target = self._uploads.found(new)
        if target is not None:
            refuse_directory(target)
        refuse(
            rights.refusal_to_rename(
                old[-1],
                await self._uploads.standing(old),
                new[-1],
                None if target is None else await self._uploads.standing(new),
                self._visit.login.account_id,
            )
        )
        await self._uploads.on_disk(lambda: self._jail.rename(old, new, replace=replace))
        self._visit.gate.renamed(self._visit.login, old, new)
        self._visit.gate.rang(self._visit.login, new)

    def _leave(self, handle: object) -> None:
        """Close what the client did not close, or what needs no ending."""
        if not isinstance(handle, Reading | Writing) or handle not in self._open:
            return
        self._open.remove(handle)
        if isinstance(handle, Reading):
            os.close(handle.fd)
            return
        self._uploads.leave(handle)


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


def _reading(file_obj: object) -> Reading:
    if not isinstance(file_obj, Reading):
        raise SFTPPermissionDenied("The file is not open for reading.")
    return file_obj


def _writing(file_obj: object) -> Writing:
    if not isinstance(file_obj, Writing):
        raise SFTPPermissionDenied("The file is not open for writing.")
    return file_obj
