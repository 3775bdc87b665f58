"""Addresses that an account may log in from: read from a person's text, and compared. Pure.

An address is stored as itself (203.0.113.7), a network in its proper form (203.0.113.0/24). An IPv4
address that is written or seen as IPv6 (::ffff:203.0.113.7) is the IPv4 address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from portal.faults import Fault, refuse

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MOST = 100
_SHOWN = 60  # characters of what somebody wrote
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


def parse(lines: Sequence[str]) -> list[str]:
    """The networks of the lines in normal form, each once; blank lines are left out.

    Raises Refused with a fault for each wrong line; its path is the line's position from 0.
    """
    faults, networks = [], dict[str, None]()
    for position, line in enumerate(lines):
        if not (text := line.strip()):
            continue
        network = _read(text)
        if isinstance(network, Fault):
            faults.append(network.below(position))
        else:
            networks[_written(network)] = None
    if len(networks) > MOST:
        message = "Found %(count)s addresses, expected at most %(most)s. Name networks instead."
        params = {"count": len(networks), "most": MOST}
        faults.append(Fault((), "too_many_networks", message, params))
    refuse(faults)
    return list(networks)


def readable(stored: object) -> tuple[list[Network], list[object]]:
    """Stored networks, and what is among them that cannot be read."""
    networks, unreadable = list[Network](), list[object]()
    for entry in stored if isinstance(stored, list) else [stored]:
        try:
            networks.append(_plain(ipaddress.ip_network(str(entry), strict=False)))
        except ValueError:
            unreadable.append(entry)
    return networks, unreadable


def contain(networks: Sequence[Network], ip: str) -> bool:
    """Whether the address is in one of the networks; never for what is no address."""
    try:
        client = ipaddress.ip_address(ip)
    except ValueError:
        return False
    plain = getattr(client, "ipv4_mapped", None) or client
    return any(plain in network for network in networks)


def _read(text: str) -> Network | Fault:
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    try:
        interface = ipaddress.ip_interface(text)
    except ValueError:
        interface = None
    if interface is None or "%" in text:
        message = (
            "Found “%(value)s”, expected one IP address such as 203.0.113.7 or network such as "
            "203.0.113.0/24."
        )
        return Fault((), "not_a_network", message, {"value": shown})
    if interface.ip != interface.network.network_address:
        message = (
            "Found “%(value)s”, an address with the length of a network. Expected the network "
            "%(network)s (%(count)s addresses) or the address %(address)s alone."
        )
        network = _plain(interface.network)
        params = {
            "value": shown,
            "network": _written(network),
            "count": f"{network.num_addresses:,}",
            "address": _written(_plain(ipaddress.ip_network(interface.ip))),
        }
        return Fault((), "host_bits", message, params)
    return _plain(interface.network)


def _plain(network: Network) -> Network:
    """The network; as IPv4 where it is one that is written as IPv6."""
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        first = network.network_address.ipv4_mapped
        return ipaddress.IPv4Network((int(first or 0), network.prefixlen - _MAPPED.prefixlen))
    return network


def _written(network: Network) -> str:
    is_address = network.prefixlen == network.max_prefixlen
    return str(network.network_address if is_address else network)
