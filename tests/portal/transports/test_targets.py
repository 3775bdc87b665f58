"""A30: no address of the inside is connected to, however it is spelled."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator

import pytest

from portal.transports import targets
from portal.transports.faults import PermanentRefusal, Unreachable

LOOPBACK = targets.networks(["127.0.0.0/8"])
INSIDE = [
    *("127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "10.255.255.255", "172.16.0.1"),  # noqa: S104
    *("172.31.255.255", "192.168.0.1", "169.254.169.254", "100.64.0.1", "192.0.0.1", "192.0.2.1"),
    *("198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1"),
    *("255.255.255.255", "::", "::1", "fc00::1", "fd12::1", "fe80::1", "fe80::1%eth0", "ff02::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1"),
    *("64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::1", "2001:db8::1"),
    *("192.0.0.9", "192.0.0.192", "192.0.0.255", "192.88.99.1", "192.31.196.1", "192.175.48.6"),
    *("3fff::1", "3fff:fff::1", "5f00::1", "2620:4f:8000::1", "2001:20::1", "::ffff:192.88.99.1"),
    *("64:ff9b::c058:6301", "2002:c058:6301::1", "4000::1"),
    *("2001::1", "100::1", "::127.0.0.1", "::a00:1", "fec0::1", "64:ff9b:1::1"),
]
SPELLINGS = [
    *("localhost", "127.1", "127.0.1", "0x7f.1", "0x7f000001", "2130706433", "017700000001"),
    *("0177.0.0.1", "0", "0x0", "::1", "::ffff:127.0.0.1", "10.1", "0xa000001", "167772161"),
    *("169.254.43518", "2852039166", "0xa9fea9fe", "ip6-localhost"),
]
OUTSIDE = [
    "1.1.1.1",
    "54.243.7.71",
    "2606:4700::1111",
    "::ffff:1.1.1.1",
    "64:ff9b::101:101",
    "192.0.1.1",
    "192.88.98.1",
    "2001:500:2f::f",
    "2a00:1450::1",
]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_of_the_inside_are_refused(address: str) -> None:
    assert not targets.is_allowed(address, [])


@pytest.mark.parametrize("address", OUTSIDE)
def test_public_addresses_are_allowed(address: str) -> None:
    assert targets.is_allowed(address, [])


@pytest.mark.parametrize("host", SPELLINGS)
def test_no_spelling_leads_inside(host: str, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with pytest.raises((PermanentRefusal, Unreachable)):
        targets.resolve(host, port, [], 20)
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_a_name_with_one_address_inside_is_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 22))
        for address in ("1.1.1.1", "10.0.0.1")
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: rows)
    with pytest.raises(
        PermanentRefusal, match=r"rebind.example is at 10\.0\.0\.1, which is not a public address"
    ):
        targets.resolve("rebind.example", 22, [], 5)


def test_a_name_is_asked_for_once(monkeypatch: pytest.MonkeyPatch, listener: socket.socket) -> None:
    asked: list[object] = []
    port = listener.getsockname()[1]

    def answer(host: object, *_args: object, **_more: object) -> object:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", answer)
        addresses = targets.resolve("partner.example", port, LOOPBACK, 5)
    with targets.connect(addresses, port, 5):
        pass
    assert asked == ["partner.example"]


def test_an_allowed_network_is_reached_and_no_other() -> None:
    assert targets.is_allowed("10.1.2.3", targets.networks(["10.1.0.0/16"]))
    assert targets.is_allowed("::ffff:10.1.2.3", targets.networks(["10.1.0.0/16"]))
    assert not targets.is_allowed("10.2.0.1", targets.networks(["10.1.0.0/16"]))
    assert targets.is_allowed("fd00::1", targets.networks(["fd00::/8"]))


def test_an_unknown_name_says_so() -> None:
    with pytest.raises(Unreachable, match=r"nowhere\.invalid was not (found|resolved)"):
        targets.resolve("nowhere.invalid", 22, LOOPBACK, 20)


def test_the_next_address_is_tried_when_one_does_not_answer(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with targets.connect(["127.0.0.2", "127.0.0.1"], port, 10) as sock:
        assert sock.getpeername()[0] == "127.0.0.1"


def test_a_closed_port_is_named_with_its_reason(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    with pytest.raises(
        Unreachable, match=rf"Port {port} cannot be reached: 127\.0\.0\.1: .*refused"
    ):
        targets.connect(["127.0.0.1"], port, 10)


def test_a_network_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="10"):
        targets.networks(["10.0.0.1/8"])
    assert ipaddress.ip_network("10.0.0.0/8") in targets.networks(["10.0.0.0/8"])
