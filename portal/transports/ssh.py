"""An SSH connection to somebody's server: our algorithms, their pinned key, then the login.

Nothing about us is sent before the host key has been compared: neither user name nor password.
Algorithms are listed one by one, without SHA-1, CBC and MD5; faster ones first. Source:
reliability.md, rules 19 and 20, and 3.1 on what Paramiko offers by itself.
"""

from __future__ import annotations

import contextlib
import io
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import paramiko
from paramiko.packet import Packetizer

from portal.transports import targets
from portal.transports.deadline import Deadline
from portal.transports.faults import Refused, TransportFault, Unreachable, quoted
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
_PRIVATE_KEYS = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
_CLOSE_SECONDS = 5.0

OnStep = Callable[[str], None]


class KeyRefused(ValueError):
    """The text is no private key that can be used. The message is a sentence."""


@dataclass(frozen=True, slots=True)
class Place:
    """A server and how to log in to it. host_key: `SHA256:…`, with or without `=` at its end.

    password, private_key: plain text, either may be "". host_key_type: as pinned; asked for first.
    """

    host: str
    port: int
    username: str
    password: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    host_key: str = ""
    host_key_type: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """connect_seconds: until logged in; transfer_seconds: from first to last; allowed: networks
    that may be reached though they are not public."""

    connect_seconds: float = 60
    transfer_seconds: float = 300
    allowed: Sequence[Network] = ()


class WrongHostKey(Refused):
    """Another key than the pinned one, or none is pinned. shown: the key that the server has."""

    def __init__(self, words: str, key_type: str, fingerprint: str) -> None:
        super().__init__(words)
        self.key_type, self.fingerprint = key_type, fingerprint


class _Packets(Packetizer):
    """Paramiko's, with an end to the lines that a server may send before it says who it is."""

    _seen = 0

    def _read_timeout(self, timeout: float) -> bytes:
        data: bytes = super()._read_timeout(timeout)  # type: ignore[misc]
        self._seen += len(data)
        if self._seen > _LONGEST_BANNER:
            raise paramiko.SSHException("more than 64 KiB without an SSH greeting")
        return data


def pinned(text: str) -> str:
    """A fingerprint in the form that is stored and compared: `SHA256:…` unpadded.

    Raises ValueError with a sentence where it is none.
    """
    found = _FINGERPRINT.fullmatch(text.strip())
    if found is None:
        raise ValueError("A host key's fingerprint looks like SHA256: and 43 characters after it.")
    return f"SHA256:{found[1]}"


def read_private_key(text: str) -> paramiko.PKey:
    """A private key in OpenSSH or PEM form. Raises KeyRefused."""
    for kind in _PRIVATE_KEYS:
        try:
            return kind.from_private_key(io.StringIO(text.strip() + "\n"))
        except paramiko.PasswordRequiredException:
            raise KeyRefused(
                "The private key is protected by a passphrase; enter it without a "
                "passphrase; it is stored encrypted."
            ) from None
        except (paramiko.SSHException, ValueError, IndexError, TypeError):
            continue
    raise KeyRefused(
        "This private key cannot be used. Expected an Ed25519, ECDSA or RSA key in "
        "OpenSSH or PEM form, from its BEGIN line to its END line."
    )


@contextlib.contextmanager
def connected(
    place: Place, deadline: Deadline, allowed: Sequence[Network], on_step: OnStep
) -> Iterator[paramiko.Transport]:
    """A logged-in transport. on_step: told "resolve", "connect", "host_key", "login" as they begin.

    Raises Unreachable or Refused; WrongHostKey before anything about us was sent.
    """
    on_step("resolve")
    addresses = targets.resolve(place.host, place.port, allowed, deadline.left)
    on_step("connect")
    sock = targets.connect(addresses, place.port, deadline.left)
    try:
        deadline.guard(sock)
        with _transport(sock, deadline) as transport:
            _greet(transport, place, deadline)
            on_step("host_key")
            compare_host_key(transport.get_remote_server_key(), place)
            on_step("login")
            _log_in(transport, place, deadline)
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


def _greet(transport: paramiko.Transport, place: Place, deadline: Deadline) -> None:
    """Agree on algorithms and keys. Raises Unreachable, or Refused where nothing safe is left."""
    options = transport.get_security_options()
    options.kex, options.ciphers, options.digests = KEX, CIPHERS, MACS
    options.key_types = _keys_in_order(place.host_key_type)
    try:
        # Without a limit of its own, which ends silently and by a clock that can be set.
        transport.start_client()
        transport.get_remote_server_key()
    except paramiko.ssh_exception.IncompatiblePeer as error:
        raise Refused(_too_old(str(error))) from error
    except (paramiko.SSHException, OSError, EOFError) as error:
        deadline.check()
        if transport.remote_version:
            raise Unreachable(
                f"The server {quoted(transport.remote_version)} closed the connection while "
                f"it was being established. {quoted(error)}"
            ) from error
        raise Unreachable(
            f"Port {place.port} of {place.host} does not answer as an SSH server. {quoted(error)}"
        ) from error


def _keys_in_order(first: str) -> tuple[str, ...]:
    """The kinds of host keys, the pinned kind first, so that the server shows that one."""
    wanted = "rsa-sha2-" if first == "ssh-rsa" else first
    return tuple(sorted(KEYS, key=lambda name: not (wanted and name.startswith(wanted))))


def _too_old(words: str) -> str:
    for part, ours in (("kex", KEX), ("host key", KEYS), ("cipher", CIPHERS), ("mac", MACS)):
        if part in words:
            what = {"kex": "key exchange", "mac": "checksum"}.get(part, part)
            return (
                f"The server offers no {what} that is still safe (SHA-1, CBC and MD5 are not "
                f"used). It must be updated, or offer one of: {', '.join(ours)}."
            )
    return f"The server does not support a version of SSH that is still safe. {quoted(words)}"


def compare_host_key(key: paramiko.PKey, place: Place) -> None:
    """Raise WrongHostKey unless the server's key is the pinned one."""
    name, shown = key.get_name(), pinned(key.fingerprint)
    if not place.host_key:
        raise WrongHostKey(
            f"No host key is pinned for {place.host}. It presents {name} {shown}: "
            "compare it with the one from its owner, then pin it.",
            *(name, shown),
        )
    try:
        expected = pinned(place.host_key)
    except ValueError:
        expected = place.host_key
    if expected != shown:
        raise WrongHostKey(
            f"The server presents the host key {name} {shown}; the pinned key is "
            f"{place.host_key_type} {expected}. It may be another server. Ask its "
            "owner, then pin the new key.",
            *(name, shown),
        )


def _log_in(transport: paramiko.Transport, place: Place, deadline: Deadline) -> None:
    """With the key where there is one, then the password. Raises Refused or Unreachable."""
    try:
        methods = _tried(transport, place)
    except TransportFault:
        raise
    except (paramiko.SSHException, OSError, EOFError) as error:
        deadline.check()
        raise Unreachable(
            f"The server closed the connection during the login. {quoted(error)}"
        ) from error
    deadline.check()
    if not transport.is_authenticated():
        raise Refused(_not_let_in(place, methods))


def _tried(transport: paramiko.Transport, place: Place) -> list[str]:
    """What the server would have taken; empty when it let us in or did not say."""
    methods: list[str] = []
    for attempt in _ways(transport, place):
        try:
            methods = list(attempt())
        except paramiko.BadAuthenticationType as error:
            methods = list(error.allowed_types)
        except paramiko.AuthenticationException as error:
            if str(error) != "Authentication failed." or not _said_no(error):
                raise
        if transport.is_authenticated():
            break
    return methods


def _said_no(error: paramiko.AuthenticationException) -> bool:
    """Whether the server answered; time that ran out and a lost connection have other words."""
    return type(error) is paramiko.AuthenticationException


def _ways(transport: paramiko.Transport, place: Place) -> list[Callable[[], Sequence[str]]]:
    ways: list[Callable[[], Sequence[str]]] = []
    if place.private_key:
        try:
            key = read_private_key(place.private_key)
        except KeyRefused as error:
            raise Refused(str(error)) from error
        ways.append(lambda: transport.auth_publickey(place.username, key))
    if place.password or not place.private_key:
        ways.append(lambda: transport.auth_password(place.username, place.password))
    return ways


def _not_let_in(place: Place, methods: Sequence[str]) -> str:
    given = " and ".join(
        name for name, value in (("key", place.private_key), ("password", place.password)) if value
    )
    words = (
        f"The server refuses the login of {quoted(place.username)} with the {given or 'password'}."
    )
    if methods:
        words += f" It accepts: {quoted(', '.join(methods))}."
    return words + " Check user name and secret with its owner."
