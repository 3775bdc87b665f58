"""The addresses of a host name: resolved once, and each of them must be allowed.

People enter host names: without this check a tenant could make the portal connect to its operator's
network. The socket is connected to a checked address, so that it does not matter if the name
resolves differently a moment later. Source: reliability.md, section 4 (SSRF), rule 19
and promise A30.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
import time
from collections.abc import Iterable, Sequence

from portal.transports.faults import PermanentRefusal, Unreachable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Of the registries of special addresses, what Python 3.11 takes for public (IANA, 2025), and what
# no institution's server has: relays, measurement, documentation, segment routing.
_SPECIAL = tuple(
    map(
        ipaddress.ip_network,
        ("192.0.0.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.175.48.0/24",
         "2001::/23", "2620:4f:8000::/48", "3fff::/20"),
    )
)  # fmt: skip
_UNICAST = ipaddress.IPv6Network("2000::/3")  # the only IPv6 addresses that are given out
_MOST_ADDRESSES = 8


def networks(texts: Iterable[str]) -> list[Network]:
    """Networks from texts such as 10.1.0.0/16. Raises ValueError that names the wrong text."""
    return [ipaddress.ip_network(text) for text in texts]


def is_allowed(text: str, allowed: Iterable[Network]) -> bool:
    """Whether an address is allowed, or it and every address embedded in it are public."""
    try:
        address: _Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    plain = getattr(address, "ipv4_mapped", None) or address
    if any(plain in network or address in network for network in allowed):
        return True
    return all(_is_public(inner) for inner in _inside(plain))


def _is_public(address: _Address) -> bool:
    if any(address in network for network in _SPECIAL):
        return False
    if isinstance(address, ipaddress.IPv6Address) and address not in _UNICAST:
        return False
    return address.is_global and not (
        address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or getattr(address, "is_site_local", False)
    )


def _inside(address: _Address) -> list[_Address]:
    """The address, or with it the IPv4 addresses that gateways would extract from it."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    addresses: list[_Address] = [address]
    if address.sixtofour is not None:
        addresses.append(address.sixtofour)
    if address.teredo is not None:
        addresses.extend(address.teredo)
    return addresses


def resolve(host: str, port: int, allowed: Sequence[Network], seconds: float) -> list[str]:
    """The addresses of a host, all of them checked.

    Raises Unreachable if the name is not resolved within the time, PermanentRefusal if any of its
    addresses may not be reached.
    """
    addresses = _looked_up(host, port, seconds)
    for address in addresses:
        if not is_allowed(address, allowed):
            where = host if host == address else f"{host} is at {address}, which"
            raise PermanentRefusal(
                f"{where} is not a public address, so nothing is sent there. An operator "
                "can allow its network with EXPORT_ALLOWED_NETWORKS."
            )
    return addresses[:_MOST_ADDRESSES]


def _looked_up(host: str, port: int, seconds: float) -> list[str]:
    """Ask the resolver on a thread of its own, because it has no timeout."""
    answers: list[str] = []
    problems: list[str] = []

    def ask() -> None:
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.extend(dict.fromkeys(str(row[4][0]) for row in rows))
        except (OSError, UnicodeError) as error:
            problems.append(getattr(error, "strerror", None) or str(error))

    asking = threading.Thread(target=ask, name="resolve", daemon=True)
    asking.start()
    asking.join(seconds)
    if asking.is_alive():
        raise Unreachable(f"The name {host} was not resolved within {seconds:.0f} s.")
    if not answers:
        reason = problems[0] if problems else "it has no address"
        raise Unreachable(f"The host name {host} was not found: {reason}. Check its spelling.")
    return list(answers)


def connect(addresses: Sequence[str], port: int, seconds: float) -> socket.socket:
    """A connected socket to the first address that answers. Raises Unreachable with all reasons."""
    ends, reasons = time.monotonic() + seconds, []
    for number, address in enumerate(addresses):
        left = max(0.1, (ends - time.monotonic()) / (len(addresses) - number))
        try:
            return _connected(address, port, left)
        except TimeoutError:
            reasons.append(f"{address} did not answer within {left:.0f} s")
        except OSError as error:
            reasons.append(f"{address}: {error.strerror or error}")
    raise Unreachable(f"Port {port} cannot be reached: {'; '.join(reasons)}.")


def _connected(address: str, port: int, seconds: float) -> socket.socket:
    sock = socket.create_connection((address, port), timeout=seconds)
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return sock
