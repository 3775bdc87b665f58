"""Network addresses of the launcher: parsing, free ports, and clear messages for ports in use."""

import errno
import socket
from dataclasses import dataclass

WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what a user may ask for


class AddressRefused(Exception):
    """An address cannot be used; the message names the option."""


@dataclass(frozen=True)
class BindAddress:
    """A bind address whose port is reserved for as long as this object lives."""

    host: str
    port: int
    reservation: socket.socket

    @property
    def bind(self) -> str:
        """HOST:PORT, an IPv6 host in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def reachable_host(self) -> str:
        """A host by which a client on this machine reaches it."""
        return WILDCARDS.get(self.host, self.host)

    @property
    def url(self) -> str:
        """The web address for a client on this machine."""
        host = f"[{self.reachable_host}]" if ":" in self.reachable_host else self.reachable_host
        return f"http://{host}:{self.port}/"


def split(text: str, option: str) -> tuple[str, int]:
    """HOST:PORT, :PORT or PORT as host and port. Raises AddressRefused."""
    host, _, port = text.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise AddressRefused(
            f"{option} {text}: expected HOST:PORT with a port from 0 to 65535 (0 takes a "
            f"free one), for example {option} 127.0.0.1:0"
        )
    return host, int(port)


def reserve(text: str, option: str) -> BindAddress:
    """Bind an address without listening, so that only a child process can listen on the port.

    Raises AddressRefused if the address is in use, forbidden or not of this machine.
    """
    host, port = split(text, option)
    try:
        family, kind, _, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind)
        # This socket and the child's both set it; then only one of them may listen.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(target)
    except OSError as error:
        raise AddressRefused(refusal(host, port, option, error)) from error
    name = sock.getsockname()
    return BindAddress(name[0], name[1], sock)


def refusal(host: str, port: int, option: str, error: OSError) -> str:
    """Why an address cannot be used, and what to do."""
    advice = f"Choose another with {option} HOST:PORT (port 0 takes a free one)."
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is taken by another program. {advice}"
    if error.errno == errno.EACCES:
        return f"Port {port} needs more rights than you have (below 1024). {advice}"
    return f"{host}:{port} cannot be used here: {error.strerror or error}. {advice}"
