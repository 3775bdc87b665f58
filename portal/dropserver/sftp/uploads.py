"""An upload from its opening to its name: rights, part file, end and record."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import asyncssh
from asyncssh import SFTPNoSuchFile, SFTPPermissionDenied

from portal.dropserver import rights
from portal.dropserver.gate import EndedUpload, Ending, Gate, Login, TryLater
from portal.dropserver.jail import Jail, refuse_directory, source_of
from portal.dropserver.parts import Parts, UploadPart
from portal.dropserver.paths import Path, shown
from portal.dropserver.rights import Ownership

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Visit:
    """The session that is served, and what serves it."""

    login: Login
    session: UUID
    gate: Gate
    disk: Executor


@dataclass(slots=True, eq=False)
class OpenUpload:
    """An upload that is open for writing."""

    part: UploadPart
    upload: UUID
    append: bool
    replaces: tuple[int, int] | None  # device and inode of the file it was allowed to replace
    continues: bool = False  # it began with the bytes of the complete file of that name

    def write(self, offset: int, data: bytes) -> int:
        """Write all of data, at offset or at the end. Raises OSError."""
        return self.part.append(data) if self.append else self.part.write(offset, data)


class Uploads:
    """Begins and ends the uploads of one channel."""

    def __init__(self, visit: Visit, jail: Jail, parts: Parts) -> None:
        self._visit = visit
        self._jail = jail
        self._parts = parts

    async def begin(self, path: Path, pflags: int) -> OpenUpload:
        """Open an upload as SFTP's flags say. Raises OSError, SFTPError."""
        self.refuse_place(path)
        existing = self.stat(path)
        self._refuse_flags(path, pflags, existing)
        await self._refuse_upload(path, existing)
        fresh = bool(pflags & (asyncssh.FXF_TRUNC | asyncssh.FXF_EXCL))
        if fresh or existing is None:
            part = self._parts.open(path, fresh=fresh)
        else:
            part = await self.on_disk(lambda: self._parts.open(path, fresh=False))
        upload = self._visit.gate.upload_opened(self._visit.session, self._visit.login, path)
        return OpenUpload(
            part,
            upload,
            append=bool(pflags & asyncssh.FXF_APPEND),
            replaces=_identity(existing),
            continues=not fresh and existing is not None,
        )

    async def finish(self, writing: OpenUpload) -> None:
        """Give a closed upload its name. Raises OSError; the upload then stays a part."""
        part = writing.part
        try:
            may_replace = await self._may_replace(writing)
            size = await self.on_disk(lambda: part.finish(may_replace=may_replace))
        except OSError:
            self.leave(writing)
            raise
        self._ended(writing, Ending.COMPLETE, size)
        self._visit.gate.name_appeared(self._visit.login, part.path)

    def leave(self, writing: OpenUpload) -> None:
        """Keep an upload that was not closed or is incomplete as a part, for a resume."""
        self._ended(writing, Ending.PARTIAL, writing.part.abandon())

    def stat(self, path: Path) -> os.stat_result | None:
        """The status of the file with that name, None if there is none. Raises OSError."""
        try:
            return self._jail.stat(path)
        except FileNotFoundError:
            return None

    def refuse_place(self, *paths: Path) -> None:
        """Raise SFTPPermissionDenied where the account may not change anything."""
        for path in paths:
            refuse(rights.refusal_of_place(self._visit.login.home, path))

    async def ownership(self, path: Path, status: os.stat_result) -> Ownership:
        """The owner of a file with that status. Raises SFTPFailure if that cannot be known now."""
        try:
            newest = await self._visit.gate.ownership(self._visit.login, path)
        except TryLater as later:
            raise asyncssh.SFTPFailure(str(later)) from None
        return newest.of_file(source_of(status))

    async def on_disk(self, step: Callable[[], Answer]) -> Answer:
        """Run a step that waits for the disk in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._visit.disk, step)

    def _ended(self, writing: OpenUpload, ending: Ending, size: int) -> None:
        visit = self._visit
        ended = EndedUpload(ending, size, writing.part.source, writing.continues)
        visit.gate.upload_ended(writing.upload, visit.login, writing.part.path, ended)

    def _refuse_flags(self, path: Path, pflags: int, existing: os.stat_result | None) -> None:
        if existing is not None:
            refuse_directory(existing)
            if pflags & asyncssh.FXF_EXCL:
                raise FileExistsError(errno.EEXIST, f"{shown(path)} already exists.")
        elif not pflags & asyncssh.FXF_CREAT and self._parts.stat(path) is None:
            raise SFTPNoSuchFile(f"There is no file {shown(path)}.")

    async def _refuse_upload(self, path: Path, existing: os.stat_result | None) -> None:
        ownership = None if existing is None else await self.ownership(path, existing)
        refuse(rights.refusal_to_upload(path[-1], ownership, self._visit.login.account_id))

    async def _may_replace(self, writing: OpenUpload) -> bool:
        """Whether a file with the name may be replaced; checked again only if it has changed."""
        path = writing.part.path
        try:
            existing = self.stat(path)
            if _identity(existing) != writing.replaces:
                await self._refuse_upload(path, existing)
        except (OSError, asyncssh.SFTPError):
            return False
        return existing is not None


def refuse(reason: str | None) -> None:
    """Raise SFTPPermissionDenied if there is a reason."""
    if reason:
        raise SFTPPermissionDenied(reason)


def _identity(status: os.stat_result | None) -> tuple[int, int] | None:
    return None if status is None else (status.st_dev, status.st_ino)
