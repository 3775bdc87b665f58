"""One SSH connection: its login, its limits, and its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncssh

from portal import logs
from portal.dropserver.gate import Banned, Gate, Login, TryLater
from portal.dropserver.sftp.channel import DropChannel
from portal.dropserver.sftp.uploads import Visit

if TYPE_CHECKING:
    from portal.dropserver.sftp.server import DropServer

log = logs.get(__name__)

_MOST_PASSWORDS = 6
_MOST_KEYS = 20
_CLOSE_SECONDS = 3.0  # for the client to read the words of a disconnect


class DropConnection(asyncssh.SSHServer):
    """A client's connection, as asyncssh calls it. ip: the peer's address as text."""

    def __init__(self, server: DropServer, gate: Gate, disk: Executor) -> None:
        self._server = server
        self._gate = gate
        self._disk = disk
        self._conn: asyncssh.SSHServerConnection | None = None
        self._candidate: Login | None = None
        self._passwords = 0
        self._keys = 0
        self._channels: list[DropChannel] = []
        self._began = time.monotonic()
        self._end_reason = ""
        self.ip = ""
        self.login: Login | None = None
        self.session: UUID | None = None

    # --- beginning and end

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Count the connection; over a limit it is dropped before any work is done for it."""
        self._conn = conn
        peer = conn.get_extra_info("peername")
        self.ip = peer[0] if peer else ""
        if refusal := self._server.admit(self):
            log.warning("drop_connection_refused", ip=self.ip, limit=refusal)
            conn.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the session: open uploads become partial."""
        self._server.forget(self)
        self.lose_uploads()
        if self.session and self.login:
            reason = self._end_reason or (str(exc) if exc else "closed by the client")
            self._gate.session_ended(self.session, self.login, reason[:100])
        self._conn = None

    # --- login

    def begin_auth(self, username: str) -> bool:
        """Require a login, whether or not the name exists."""
        self._candidate = None
        return True

    def password_auth_supported(self) -> bool:
        """Offer passwords to everybody."""
        return True

    def public_key_auth_supported(self) -> bool:
        """Offer keys to everybody."""
        return True

    async def validate_password(self, username: str, password: str) -> bool:
        """Ask the gate. A client cannot cancel the question, because failures must count."""
        self._passwords += 1
        if self._passwords > _MOST_PASSWORDS:
            self.disconnect("Too many attempts.")
            return False
        return await self._ask(self._gate.by_password(username, password, self.ip))

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Ask the gate; asyncssh calls this before and after the client has proved its key."""
        self._keys += 1
        if self._keys > _MOST_KEYS:
            self.disconnect("Too many attempts.")
            return False
        text = b" ".join(key.export_public_key("openssh").split()[:2]).decode("ascii")
        return await self._ask(self._gate.by_key(username, text, self.ip))

    def auth_completed(self) -> None:
        """Start a session for the last login, unless the account has too many sessions."""
        login, conn = self._candidate, self._conn
        if login is None or conn is None:
            self.disconnect("The login is no longer valid.")
            return
        if self._server.sessions_of(login.account_id) >= login.limits.sessions:
            log.warning("drop_login_refused", account=login.account_id, limit="sessions_of_account")
            self.disconnect(f"This account already has {login.limits.sessions} sessions.")
            return
        self.login = login
        client = str(conn.get_extra_info("client_version", ""))
        self.session = self._gate.session_started(login, self.ip, client[:200])

    async def _ask(self, question: Coroutine[Any, Any, Login | None]) -> bool:
        self._candidate = None
        try:
            self._candidate = await asyncio.shield(asyncio.ensure_future(question))
        except Banned as banned:
            self._say(str(banned))
        except TryLater as later:
            self._say(str(later))
            log.error("drop_login_impossible", ip=self.ip, reason=str(later))
        return self._candidate is not None

    def _say(self, words: str) -> None:
        """Tell a client that has not logged in yet; programs show that before they give up."""
        if self._conn is not None:
            self._conn.send_auth_banner(f"{words}\r\n")

    # --- channels

    def session_requested(
        self,
    ) -> bool | tuple[asyncssh.SSHServerChannel[bytes], asyncssh.SSHServerSession[bytes]]:
        """A channel for SFTP. asyncssh refuses all other kinds of channel by default."""
        if self.login is None or self.session is None or self._conn is None:
            return False
        self._channels = [channel for channel in self._channels if not channel.is_closed]
        if len(self._channels) >= self.login.limits.channels:
            return False
        visit, login = Visit(self.login, self.session, self._gate, self._disk), self.login
        session = DropChannel(visit, lambda: self._server.refusal_to_open(login))
        self._channels.append(session)
        channel = self._conn.create_server_channel(encoding=None)
        return channel, session

    @property
    def open_files(self) -> int:
        """Files and folders that the client has open."""
        return sum(channel.open_files for channel in self._channels)

    # --- limits of time

    @property
    def transfers(self) -> int:
        """Files that are open now."""
        return sum(channel.files.transfers for channel in self._channels if channel.files)

    @property
    def last_request(self) -> float:
        """When the client last sent a request (monotonic seconds); keepalives do not count."""
        served = [channel.files.last_request for channel in self._channels if channel.files]
        return max(served, default=self._began)

    def disconnect(self, reason: str) -> None:
        """Send the reason and close; after a while without waiting for the client."""
        conn = self._conn
        if conn is None:
            return
        self._end_reason = reason
        conn.disconnect(asyncssh.DISC_BY_APPLICATION, reason)
        asyncio.get_running_loop().call_later(_CLOSE_SECONDS, conn.abort)

    def lose_uploads(self) -> None:
        """Keep open uploads as parts."""
        for channel in self._channels:
            if channel.files:
                channel.files.lost()
