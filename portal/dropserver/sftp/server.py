"""The SFTP listener: algorithms, limits, idle clients, and an orderly end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import asyncssh

from portal import logs
from portal.dropserver.gate import Gate, Login
from portal.dropserver.sftp import wire
from portal.dropserver.sftp.connection import DropConnection

log = logs.get(__name__)

# No SHA-1, no CBC, no MD5 (reliability.md, rule 14). A client with AES-GCM is offered nothing else
# (wire.py); otherwise the client's order decides.
KEY_EXCHANGES = (
    "mlkem768x25519-sha256",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group-exchange-sha256",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group18-sha512",
    "diffie-hellman-group14-sha256",
)
CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
)
MACS = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
)
SIGNATURES = (
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-256",
    "rsa-sha2-512",
)
VERSION = "Causeway"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How the listener treats its clients. Times in seconds."""

    login_timeout: float = 30
    idle_timeout: float = 900
    keepalive: float = 30
    keepalives_missed: int = 4
    connections: int = 1000
    connections_of_address: int = 500
    open_files: int = 10_000  # of all accounts: an upload needs two descriptors
    disk_threads: int = 8


class DropServer:
    """Takes SFTP connections until it is stopped."""

    def __init__(self, gate: Gate, rules: Rules | None = None) -> None:
        self._gate = gate
        self._rules = rules or Rules()
        self._connections: set[DropConnection] = set()
        self._addresses: Counter[str] = Counter()
        self._disk = ThreadPoolExecutor(self._rules.disk_threads, thread_name_prefix="disk")
        self._listener: asyncio.Server | None = None
        self._watch: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self, host: str, port: int, host_key: asyncssh.SSHKey) -> None:
        """Listen; port 0 takes a free port, which is then in `port`. Raises OSError."""
        rules = self._rules
        self._listener = await wire.listen(
            host,
            port,
            backlog=512,
            factory=lambda: DropConnection(self, self._gate, self._disk),
            server_host_keys=[host_key],
            server_version=VERSION,
            kex_algs=KEY_EXCHANGES,
            encryption_algs=CIPHERS,
            mac_algs=MACS,
            signature_algs=SIGNATURES,
            compression_algs=None,
            login_timeout=rules.login_timeout,
            keepalive_interval=rules.keepalive,
            keepalive_count_max=rules.keepalives_missed,
            agent_forwarding=False,
            x11_forwarding=False,
            allow_pty=False,
            allow_scp=False,
            gss_host=None,
        )
        self.port = self._listener.sockets[0].getsockname()[1]
        self._watch = asyncio.create_task(self._end_idle_sessions())

    async def stop(self, grace: float = 30) -> None:
        """Accept nobody new, let running transfers finish for grace seconds, then end the rest."""
        if self._listener:
            self._listener.close()
        if self._watch:
            self._watch.cancel()
        ends = time.monotonic() + grace
        while self._connections and time.monotonic() < ends:
            for connection in list(self._connections):
                if not connection.transfers:
                    connection.disconnect("The server is stopping.")
            await asyncio.sleep(0.05)
        for connection in list(self._connections):
            connection.lose_uploads()
            connection.disconnect("The server is stopping.")
        await asyncio.to_thread(self._disk.shutdown)

    # --- counts

    def admit(self, connection: DropConnection) -> str:
        """Count a connection in. Returns the name of the limit that forbids it, or nothing."""
        if len(self._connections) >= self._rules.connections:
            return "connections"
        if self._addresses[connection.ip] >= self._rules.connections_of_address:
            return "connections_of_address"
        self._connections.add(connection)
        self._addresses[connection.ip] += 1
        return ""

    def forget(self, connection: DropConnection) -> None:
        """Count a connection out."""
        if connection not in self._connections:
            return
        self._connections.remove(connection)
        self._addresses[connection.ip] -= 1
        if not self._addresses[connection.ip]:
            del self._addresses[connection.ip]

    def sessions_of(self, account_id: int) -> int:
        """The number of sessions that an account has now."""
        logins = (connection.login for connection in self._connections)
        return sum(1 for login in logins if login and login.account_id == account_id)

    def refusal_to_open(self, login: Login) -> str:
        """Why the account may open no further file now; empty if it may."""
        counts = [(c.login, c.open_files) for c in self._connections if c.login]
        of_account = sum(n for other, n in counts if other.account_id == login.account_id)
        if of_account >= login.limits.open_files:
            return f"At most {login.limits.open_files} files can be open at a time."
        if sum(n for _, n in counts) >= self._rules.open_files:
            log.error("drop_open_refused", account=login.account_id, limit="open_files")
            return "The server has too many open files now. Try again in a minute."
        return ""

    @property
    def connections(self) -> int:
        """Connections that are open now, logged in or not."""
        return len(self._connections)

    async def _end_idle_sessions(self) -> None:
        """End sessions without a request for the idle time; a running transfer makes requests."""
        limit = self._rules.idle_timeout
        while True:
            await asyncio.sleep(min(limit / 4, 15))
            last = time.monotonic() - limit
            for connection in list(self._connections):
                if connection.login and connection.last_request < last:
                    connection.disconnect(f"No request for {limit:g} seconds.")
