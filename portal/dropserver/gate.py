"""What the drop server asks of the rest of the portal, and tells it.

The server knows no database: it sees a `Gate`. Questions are awaited; tidings return at once and
never fail, because an upload must not depend on the database or the broker being there.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from portal.dropserver.paths import ROOT, Path
from portal.dropserver.rights import Standing


class TryLater(Exception):
    """A login cannot be judged now: the database is away or too many are waiting."""


class Ending(enum.StrEnum):
    """How an upload ended."""

    COMPLETE = "complete"
    PARTIAL = "partial"  # the session was lost with the file open, or the disk was full


@dataclass(frozen=True, slots=True)
class Limits:
    """What one account may use. Sizes in bytes."""

    sessions: int = 250
    open_files: int = 64
    upload_bytes: int = 1 << 40


@dataclass(frozen=True, slots=True)
class Login:
    """A login that was granted.

    account_id, tenant_id, endpoint_id: rows of the portal. root: absolute local directory that is
    the account's "/". home: where that is below the endpoint's directory; empty for all of it.
    method: "password" or "publickey".
    """

    account_id: int
    tenant_id: int
    endpoint_id: int
    username: str
    root: str
    method: str
    limits: Limits = Limits()
    home: Path = ROOT


class Gate(Protocol):
    """Logins, records and the bell. Paths are below the account's root."""

    async def by_password(self, username: str, password: str, ip: str) -> Login | None:
        """The login of a name and password, None if refused. Raises TryLater."""

    async def by_key(self, username: str, key: str, ip: str) -> Login | None:
        """The login of a name and public key ("type base64"), None if refused. Raises TryLater.

        Asked before the client has proved that it holds the key: counts nothing.
        """

    async def standing(self, login: Login, path: Path) -> Standing:
        """Whose an existing file is. Raises TryLater."""

    def session_started(self, login: Login, ip: str, client: str) -> UUID:
        """A client is in. client: its version string, foreign text."""

    def session_ended(self, session: UUID, login: Login, reason: str) -> None:
        """It is gone."""

    def upload_opened(self, session: UUID, login: Login, path: Path) -> UUID:
        """A file is being written."""

    def upload_ended(
        self, upload: UUID, login: Login, path: Path, ending: Ending, size: int
    ) -> None:
        """It is no longer. size: bytes that are there."""

    def renamed(self, login: Login, old: Path, new: Path) -> None:
        """The account's upload has another name now."""

    def removed(self, login: Login, path: Path) -> None:
        """A file was removed by the account."""

    def rang(self, login: Login, path: Path) -> None:
        """A name has come into being: somebody may look whether a delivery is complete."""
