"""One upload from open to its name: rights asked, part opened, finished or left, recorded."""

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
from portal.dropserver.gate import Ending, Gate, Login, TryLater
from portal.dropserver.jail import Jail, refuse_directory
from portal.dropserver.parts import Part, Parts
from portal.dropserver.paths import Path, shown
from portal.dropserver.rights import Standing

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Visit:
    """Who is being served, and with what."""

    login: Login
    session: UUID
    gate: Gate
    disk: Executor


@dataclass(slots=True, eq=False)
class Writing:
    """An upload under way."""

    part: Part
    upload: UUID
    append: bool
    replaces: tuple[int, int] | None  # device and inode of the file it was allowed to replace

    def write(self, offset: int, data: bytes) -> int:
        """Write all of data, at offset or at the end. Raises OSError."""
        return self.part.append(data) if self.append else self.part.write(offset, data)


class Uploads:
    """Begins and ends the uploads of one channel."""

    def __init__(self, visit: Visit, jail: Jail, parts: Parts) -> None:
        self._visit = visit
        self._jail = jail
        self._parts = parts

    async def begin(self, path: Path, pflags: int) -> Writing:
        """Open an upload as SFTP's flags say. Raises OSError, SFTPError."""
        self.refuse_place(path)
        found = self.found(path)
        self._refuse_flags(path, pflags, found)
        await self._refuse_upload(path, found)
        fresh = bool(pflags & (asyncssh.FXF_TRUNC | asyncssh.FXF_EXCL))
        if fresh or found is None:
            part = self._parts.open(path, fresh=fresh)
        else:
            part = await self.on_disk(lambda: self._parts.open(path, fresh=False))
        upload = self._visit.gate.upload_opened(self._visit.session, self._visit.login, path)
        return Writing(part, upload, bool(pflags & asyncssh.FXF_APPEND), _identity(found))

    async def finish(self, writing: Writing) -> None:
        """The client closed it: give it its name. Raises OSError, and then it stays a part."""
        part = writing.part
        try:
            may_replace = await self._may_replace(writing)
            size = await self.on_disk(lambda: part.finish(may_replace=may_replace))
        except OSError:
            self.leave(writing)
            raise
        self._ended(writing, Ending.COMPLETE, size)
        self._visit.gate.rang(self._visit.login, part.path)

    def leave(self, writing: Writing) -> None:
        """It was not closed, or not whole: the part stays for a resume."""
        self._ended(writing, Ending.PARTIAL, writing.part.abandon())

    def found(self, path: Path) -> os.stat_result | None:
        """What has that name now. Raises OSError."""
        try:
            return self._jail.stat(path)
        except FileNotFoundError:
            return None

    def refuse_place(self, *paths: Path) -> None:
        """Raises SFTPPermissionDenied where the account may not change anything."""
        for path in paths:
            refuse(rights.refusal_of_place(self._visit.login.home, path))

    async def standing(self, path: Path) -> Standing:
        """Whose the file is. Raises SFTPFailure if that cannot be known now."""
        try:
            return await self._visit.gate.standing(self._visit.login, path)
        except TryLater as later:
            raise asyncssh.SFTPFailure(str(later)) from None

    async def on_disk(self, step: Callable[[], Answer]) -> Answer:
        """Run what waits for the disk in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._visit.disk, step)

    def _ended(self, writing: Writing, ending: Ending, size: int) -> None:
        visit = self._visit
        visit.gate.upload_ended(writing.upload, visit.login, writing.part.path, ending, size)

    def _refuse_flags(self, path: Path, pflags: int, found: os.stat_result | None) -> None:
        if found is not None:
            refuse_directory(found)
            if pflags & asyncssh.FXF_EXCL:
                raise FileExistsError(errno.EEXIST, f"{shown(path)} already exists.")
        elif not pflags & asyncssh.FXF_CREAT and self._parts.stat(path) is None:
            raise SFTPNoSuchFile(f"There is no file {shown(path)}.")

    async def _refuse_upload(self, path: Path, found: os.stat_result | None) -> None:
        standing = None if found is None else await self.standing(path)
        refuse(rights.refusal_to_upload(path[-1], standing, self._visit.login.account_id))

    async def _may_replace(self, writing: Writing) -> bool:
        """Whether what has the name now may go; asked again only if it is not what it was."""
        path = writing.part.path
        try:
            found = self.found(path)
            if _identity(found) != writing.replaces:
                await self._refuse_upload(path, found)
        except (OSError, asyncssh.SFTPError):
            return False
        return found is not None


def refuse(reason: str | None) -> None:
    """Raise SFTPPermissionDenied if there is a reason to."""
    if reason:
        raise SFTPPermissionDenied(reason)


def _identity(found: os.stat_result | None) -> tuple[int, int] | None:
    return None if found is None else (found.st_dev, found.st_ino)
