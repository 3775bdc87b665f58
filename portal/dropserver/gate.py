"""What the drop server asks the rest of the portal, and what it reports.

The server has no access to the database: it uses a `Gate`. Questions are awaited; reports return at
once and never fail, because an upload must not depend on the database or the broker.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from portal.dropserver.paths import ROOT, Path
from portal.dropserver.rights import Ownership


class TryLater(Exception):
    """A login cannot be checked now: the database does not answer or too many logins wait."""


class Banned(TryLater):
    """Too many logins failed: from this address, or for this name."""


class Ending(enum.StrEnum):
    """How an upload ended."""

    COMPLETE = "complete"
    PARTIAL = "partial"  # the session was lost with the file open, or the disk was full


@dataclass(frozen=True, slots=True)
class EndedUpload:
    """An upload at its end. size: bytes that arrived. source: which file it became
    (`jail.source_of`), empty if it has no name. continues: it went on from the complete file of
    its name, whose bytes are in it."""

    ending: Ending
    size: int
    source: str = ""
    continues: bool = False


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """What one account may use. open_files: over all its sessions. channels: of one session.
    upload_bytes: of one file."""

    sessions: int = 250
    channels: int = 10
    open_files: int = 512
    upload_bytes: int = 64 << 30


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
    limits: AccountLimits = AccountLimits()
    home: Path = ROOT


class Gate(Protocol):
    """Logins, records and the doorbell. Paths are below the account's root."""

    async def by_password(self, username: str, password: str, ip: str) -> Login | None:
        """The login of a name and password; None if it is refused. Raises TryLater, Banned."""

    async def by_key(self, username: str, key: str, ip: str) -> Login | None:
        """The login of a name and public key ("type base64"); None if refused. Raises TryLater.

        Called before the client has proved that it has the key, so a failure is not counted.
        """

    async def ownership(self, login: Login, path: Path) -> Ownership:
        """Who owns an existing file. Raises TryLater."""

    def session_started(self, login: Login, ip: str, client: str) -> UUID:
        """A client has logged in. client: its version string, foreign text."""

    def session_ended(self, session: UUID, login: Login, reason: str) -> None:
        """The client has disconnected."""

    def upload_opened(self, session: UUID, login: Login, path: Path) -> UUID:
        """A file is being written."""

    def upload_ended(self, upload: UUID, login: Login, path: Path, ended: EndedUpload) -> None:
        """The file is not written any more."""

    def renamed(self, login: Login, old: Path, new: Path) -> None:
        """The account has renamed an upload."""

    def removed(self, login: Login, path: Path) -> None:
        """The account has removed a file."""

    def name_appeared(self, login: Login, path: Path) -> None:
        """A file has got its name: it is time to check whether a delivery is complete."""
