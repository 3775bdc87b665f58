"""A gate that keeps everything in memory: for benchmarks and tests of the server.

It follows the same rules as the ledger (`ledger.py`), without a database and without a broker.
"""

from __future__ import annotations

import hmac
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from portal.dropserver.gate import AccountLimits, Banned, EndedUpload, Ending, Login
from portal.dropserver.paths import Path
from portal.dropserver.rights import Ownership


@dataclass(slots=True)
class UploadRecord:
    """An upload. ending: None while it is open."""

    account: int
    path: Path
    ending: Ending | None = None
    size: int = 0
    source: str = ""


@dataclass(frozen=True, slots=True)
class _Person:
    login: Login
    password: str
    keys: frozenset[str]


class MemoryGate:
    """Accounts, sessions, uploads and rings, as lists that tests read."""

    def __init__(
        self, *, failures: int = 10, ban: float = 600, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """failures: wrong passwords of one address and name that lead to a ban, of ban seconds."""
        self._failures, self._ban, self._clock = failures, ban, clock
        self._people: dict[str, _Person] = {}
        self._wrong: dict[tuple[str, str], list[float]] = {}
        self.sessions: dict[uuid.UUID, str | None] = {}
        self.uploads: dict[uuid.UUID, UploadRecord] = {}
        self.rings: list[Path] = []

    def add(
        self,
        username: str,
        root: str,
        *,
        password: str = "",
        keys: tuple[str, ...] = (),
        limits: AccountLimits | None = None,
    ) -> Login:
        """Make an account. keys: each "type base64"."""
        number = len(self._people) + 1
        login = Login(number, 1, 1, username, root, "password", limits or AccountLimits())
        self._people[username] = _Person(login, password, frozenset(keys))
        return login

    async def by_password(self, username: str, password: str, ip: str) -> Login | None:
        """See `Gate`."""
        wrong = self._wrong.setdefault((ip, username), [])
        since = self._clock() - self._ban
        wrong[:] = [at for at in wrong if at > since]
        if len(wrong) >= self._failures:
            raise Banned("Too many logins have failed here.")
        person = self._people.get(username)
        expected = person.password if person else ""
        if person and expected and hmac.compare_digest(expected.encode(), password.encode()):
            return person.login
        wrong.append(self._clock())
        return None

    async def by_key(self, username: str, key: str, ip: str) -> Login | None:
        """See `Gate`."""
        person = self._people.get(username)
        if person is None or key not in person.keys:
            return None
        return replace(person.login, method="publickey")

    async def ownership(self, login: Login, path: Path) -> Ownership:
        """See `Gate`: the newest complete upload of a path names the owner."""
        for sent in reversed(self.uploads.values()):
            if sent.path == path and sent.ending is Ending.COMPLETE:
                return Ownership(sent.account, sent.source)
        return Ownership(None)

    def session_started(self, login: Login, ip: str, client: str) -> uuid.UUID:
        """See `Gate`."""
        session = uuid.uuid4()
        self.sessions[session] = None
        return session

    def session_ended(self, session: uuid.UUID, login: Login, reason: str) -> None:
        """See `Gate`."""
        self.sessions[session] = reason

    def upload_opened(self, session: uuid.UUID, login: Login, path: Path) -> uuid.UUID:
        """See `Gate`."""
        upload = uuid.uuid4()
        self.uploads[upload] = UploadRecord(login.account_id, path)
        return upload

    def upload_ended(self, upload: uuid.UUID, login: Login, path: Path, ended: EndedUpload) -> None:
        """See `Gate`."""
        sent = self.uploads[upload]
        sent.ending, sent.size, sent.source = ended.ending, ended.size, ended.source

    def renamed(self, login: Login, old: Path, new: Path) -> None:
        """See `Gate`."""
        self.uploads[uuid.uuid4()] = UploadRecord(login.account_id, new, Ending.COMPLETE)

    def removed(self, login: Login, path: Path) -> None:
        """See `Gate`: nothing to do."""

    def name_appeared(self, login: Login, path: Path) -> None:
        """See `Gate`."""
        self.rings.append(path)

    def endings(self, path: Path) -> list[Ending | None]:
        """How the uploads of a path ended, the oldest first."""
        return [sent.ending for sent in self.uploads.values() if sent.path == path]
