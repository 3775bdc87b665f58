"""An SSH connection to a partner's server: our algorithms, its pinned key, then the login.

Neither user name nor password is sent before the host key has been compared.
Algorithms are listed one by one, without SHA-1, CBC and MD5; faster ones first. Source:
reliability.md, rules 19 and 20, and 3.1 on what Paramiko offers by itself.
"""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import paramiko
from paramiko.packet import Packetizer

from portal.transports import private_keys, targets
from portal.transports.deadline import Deadline
from portal.transports.faults import PermanentRefusal, TransportFault, Unreachable, quoted
from portal.transports.targets import Network

KEX = (
    *("mlkem768x25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256"),
    *("ecdh-sha2-nistp384", "ecdh-sha2-nistp521", "diffie-hellman-group16-sha512"),
    *("diffie-hellman-group-exchange-sha256", "diffie-hellman-group14-sha256"),
)
CIPHERS = (
    *("aes128-gcm@openssh.com", "aes256-gcm@openssh.com"),
    *("aes128-ctr", "aes192-ctr", "aes256-ctr"),
)
MACS = (
    *("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"),
    *("hmac-sha2-256", "hmac-sha2-512"),
)
KEYS = (
    *("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    *("rsa-sha2-512", "rsa-sha2-256"),
)
_LONGEST_BANNER = 64 << 10  # bytes
_FINGERPRINT = re.compile(r"(?:SHA256:)?([A-Za-z0-9+/]{43})=?", re.IGNORECASE)
_CLOSE_SECONDS = 5.0

OnStep = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ServerLogin:
    """A server and how to log in to it. host_key: `SHA256:…`, with or without `=` at its end.

    password, private_key: plain text, either may be "". host_key_type: of the pinned key; it is
    offered first.
    """

    host: str
    port: int
    username: str
    password: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    host_key: str = ""
    host_key_type: str = ""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """connect_seconds: until the login; transfer_seconds: for everything.

    allowed: networks that may be reached though they are not public.
    """

    connect_seconds: float = 60
    transfer_seconds: float = 300
    allowed: Sequence[Network] = ()


class WrongHostKey(PermanentRefusal):
    """The server's key is not the pinned one, or no key is pinned.

    key_type, fingerprint: the key that the server has.
    """

    def __init__(self, words: str, key_type: str, fingerprint: str) -> None:
        super().__init__(words)
        self.key_type, self.fingerprint = key_type, fingerprint


class _Packets(Packetizer):
    """Paramiko's packets, with a limit to what a server may send before its greeting."""

    _seen = 0

    def _read_timeout(self, timeout: float) -> bytes:
        data: bytes = super()._read_timeout(timeout)  # type: ignore[misc]
        self._seen += len(data)
        if self._seen > _LONGEST_BANNER:
            raise paramiko.SSHException("more than 64 KiB without an SSH greeting")
        return data


def pinned(text: str) -> str:
    """A fingerprint in the form that is stored and compared: `SHA256:…` unpadded.

    Raises ValueError with a sentence if the text is not a fingerprint.
    """
    match = _FINGERPRINT.fullmatch(text.strip())
    if match is None:
        raise ValueError("A host key's fingerprint looks like SHA256: and 43 characters after it.")
    return f"SHA256:{match[1]}"


@contextlib.contextmanager
def connected(
    server: ServerLogin, deadline: Deadline, allowed: Sequence[Network], on_step: OnStep
) -> Iterator[paramiko.Transport]:
    """A logged-in transport. on_step: called with "resolve", "connect", "host_key" and "login".

    Raises Unreachable or PermanentRefusal; WrongHostKey before the user name is sent.
    """
    on_step("resolve")
    addresses = targets.resolve(server.host, server.port, allowed, deadline.left)
    on_step("connect")
    sock = targets.connect(addresses, server.port, deadline.left)
    try:
        deadline.guard(sock)
        with _transport(sock, deadline) as transport:
            _greet(transport, server, deadline)
            on_step("host_key")
            compare_host_key(transport.get_remote_server_key(), server)
            on_step("login")
            _log_in(transport, server, deadline)
            yield transport
    finally:
        sock.close()


@contextlib.contextmanager
def _transport(sock: socket.socket, deadline: Deadline) -> Iterator[paramiko.Transport]:
    """A transport whose thread has ended when the block is left."""
    transport = paramiko.Transport(sock, packetizer_class=_Packets)
    transport.banner_timeout = transport.handshake_timeout = deadline.left
    transport.auth_timeout = deadline.left
    transport.channel_timeout = deadline.connect_seconds
    try:
        yield transport
    finally:
        transport.close()
        if transport.ident is not None:
            transport.join(_CLOSE_SECONDS)


def _greet(transport: paramiko.Transport, server: ServerLogin, deadline: Deadline) -> None:
    """Agree on algorithms and keys.

    Raises Unreachable, or PermanentRefusal where no safe algorithm is left.
    """
    options = transport.get_security_options()
    options.kex, options.ciphers, options.digests = KEX, CIPHERS, MACS
    options.key_types = _keys_in_order(server.host_key_type)
    try:
        # No timeout of its own: it would end silently, and by a clock that can be set.
        transport.start_client()
        transport.get_remote_server_key()
    except paramiko.ssh_exception.IncompatiblePeer as error:
        raise PermanentRefusal(_too_old(str(error))) from error
    except (paramiko.SSHException, OSError, EOFError) as error:
        deadline.check()
        if transport.remote_version:
            raise Unreachable(
                f"The server {quoted(transport.remote_version)} closed the connection while "
                f"it was being established. {quoted(error)}"
            ) from error
        raise Unreachable(
            f"Port {server.port} of {server.host} does not answer as an SSH server. {quoted(error)}"
        ) from error


def _keys_in_order(first: str) -> tuple[str, ...]:
    """The kinds of host keys, the pinned kind first, so that the server chooses it."""
    prefix = "rsa-sha2-" if first == "ssh-rsa" else first
    return tuple(sorted(KEYS, key=lambda name: not (prefix and name.startswith(prefix))))


def _too_old(words: str) -> str:
    for part, ours in (("kex", KEX), ("host key", KEYS), ("cipher", CIPHERS), ("mac", MACS)):
        if part in words:
            what = {"kex": "key exchange", "mac": "checksum"}.get(part, part)
            return (
                f"The server offers no {what} that is still safe (SHA-1, CBC and MD5 are not "
                f"used). It must be updated, or offer one of: {', '.join(ours)}."
            )
    return f"The server does not support a version of SSH that is still safe. {quoted(words)}"


def compare_host_key(key: paramiko.PKey, server: ServerLogin) -> None:
    """Raise WrongHostKey unless the server's key is the pinned one."""
    name, shown = key.get_name(), pinned(key.fingerprint)
    if not server.host_key:
        raise WrongHostKey(
            f"No host key is pinned for {server.host}. It presents {name} {shown}: "
            "compare it with the one from its owner, then pin it.",
            *(name, shown),
        )
    try:
        expected = pinned(server.host_key)
    except ValueError:
        expected = server.host_key
    if expected != shown:
        raise WrongHostKey(
            f"The server presents the host key {name} {shown}; the pinned key is "
            f"{server.host_key_type} {expected}. It may be another server. Ask its "
            "owner, then pin the new key.",
            *(name, shown),
        )


def _log_in(transport: paramiko.Transport, server: ServerLogin, deadline: Deadline) -> None:
    """Log in with the key, if any, then with the password.

    Raises PermanentRefusal or Unreachable.
    """
    try:
        methods = _tried(transport, server)
    except TransportFault:
        raise
    except (paramiko.SSHException, OSError, EOFError) as error:
        deadline.check()
        raise Unreachable(
            f"The server closed the connection during the login. {quoted(error)}"
        ) from error
    deadline.check()
    if not transport.is_authenticated():
        raise PermanentRefusal(_not_let_in(server, methods))


def _tried(transport: paramiko.Transport, server: ServerLogin) -> list[str]:
    """The methods that the server accepts; empty if the login succeeded or it did not say."""
    methods: list[str] = []
    for attempt in _ways(transport, server):
        try:
            methods = list(attempt())
        except paramiko.BadAuthenticationType as error:
            methods = list(error.allowed_types)
        except paramiko.AuthenticationException as error:
            if str(error) != "Authentication failed." or not _is_refusal(error):
                raise
        if transport.is_authenticated():
            break
    return methods


def _is_refusal(error: paramiko.AuthenticationException) -> bool:
    """Whether the server answered; a timeout and a lost connection raise subclasses."""
    return type(error) is paramiko.AuthenticationException


def _ways(transport: paramiko.Transport, server: ServerLogin) -> list[Callable[[], Sequence[str]]]:
    ways: list[Callable[[], Sequence[str]]] = []
    if server.private_key:
        try:
            key = private_keys.read(server.private_key)
        except private_keys.PrivateKeyRefused as error:
            raise PermanentRefusal(str(error)) from error
        ways.append(lambda: transport.auth_publickey(server.username, key))
    if server.password or not server.private_key:
        ways.append(lambda: transport.auth_password(server.username, server.password))
    return ways


def _not_let_in(server: ServerLogin, methods: Sequence[str]) -> str:
    given = " and ".join(
        name
        for name, value in (("key", server.private_key), ("password", server.password))
        if value
    )
    words = (
        f"The server refuses the login of {quoted(server.username)} with the {given or 'password'}."
    )
    if methods:
        words += f" It accepts: {quoted(', '.join(methods))}."
    return words + " Check user name and secret with its owner."
