"""Addresses that an account may log in from: how they are read, stored and compared."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.dropserver import networks
from portal.faults import Refused


@pytest.mark.parametrize(
    ("line", "stored"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("  203.0.113.7\t", "203.0.113.7"),
        ("203.0.113.7/32", "203.0.113.7"),
        ("203.0.113.0/24", "203.0.113.0/24"),
        ("203.0.113.0/255.255.255.0", "203.0.113.0/24"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:DB8:0:0::7", "2001:db8::7"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("::1", "::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::ffff:cb00:7107", "203.0.113.7"),
        ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
    ],
)
def test_an_address_or_network_is_stored_in_one_form(line: str, stored: str) -> None:
    assert networks.parse([line]) == [stored]


def test_blank_lines_are_left_out_and_each_is_kept_once() -> None:
    lines = ["", "10.0.0.5", "  ", "::ffff:10.0.0.5", "10.0.0.0/8", "10.0.0.5/32"]
    assert networks.parse(lines) == ["10.0.0.5", "10.0.0.0/8"]
    assert networks.parse(["", " "]) == []


@pytest.mark.parametrize(
    "line",
    [
        "nonsense", "10.0.0", "10.0.0.256", "010.0.0.1", "10.0.0.1/33", "10.0.0.0/-1", "10.*.*.*",
        "10.0.0.1-10.0.0.9", "10.0.0.1, 10.0.0.2", "10.0.0.1 10.0.0.2", "sftp.example.edu",
        "fe80::1%eth0", "[::1]", "10.0.0.1:22", "5", "/8", "10.0.0.0/8/8", "::/129",
        "\uff11\uff10.0.0.1", "x" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_address_is_named_with_its_place_and_cut(line: str) -> None:
    with pytest.raises(Refused) as refused:
        networks.parse(["10.0.0.1", "", line])
    (fault,) = refused.value.faults
    assert (fault.path, fault.code) == ((2,), "not_a_network")
    assert line[:60] in str(fault)
    assert "expected one IP address such as 203.0.113.7" in str(fault)
    assert len(str(fault)) < 200


def test_every_wrong_line_is_named() -> None:
    with pytest.raises(Refused) as refused:
        networks.parse(["a", "10.0.0.1", "b"])
    assert [fault.path for fault in refused.value.faults] == [(0,), (2,)]


@pytest.mark.parametrize(
    ("line", "network", "address"),
    [
        ("10.0.0.5/8", "10.0.0.0/8 (16,777,216 addresses)", "10.0.0.5"),
        ("2001:db8::5/120", "2001:db8::/120 (256 addresses)", "2001:db8::5"),
        ("::ffff:10.0.0.5/104", "10.0.0.0/8 (16,777,216 addresses)", "10.0.0.5"),
    ],
)
def test_an_address_with_the_length_of_a_network_is_refused_with_both_ways_out(
    line: str, network: str, address: str
) -> None:
    with pytest.raises(Refused) as refused:
        networks.parse([line])
    assert refused.value.faults[0].code == "host_bits"
    assert f"the network {network} or the address {address} alone" in str(refused.value)


def test_there_may_be_a_hundred_and_no_more() -> None:
    lines = [f"10.0.0.{n}" for n in range(networks.MOST)]
    assert len(networks.parse(lines)) == networks.MOST
    with pytest.raises(Refused, match="Found 101 addresses, expected at most 100"):
        networks.parse([*lines, "10.0.1.1"])


addresses = st.ip_addresses()


@given(addresses, st.integers(0, 128))
def test_what_is_read_once_is_read_again_as_the_same_and_contains_its_address(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, length: int
) -> None:
    length = min(length, address.max_prefixlen)
    network = ipaddress.ip_network((address, length), strict=False)
    stored = networks.parse([str(network)])
    assert networks.parse(stored) == stored
    allowed, unreadable = networks.readable(stored)
    assert not unreadable
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is None:
        assert networks.contain(allowed, str(address))
        assert networks.parse([str(address)]) == [str(address)]


@given(st.ip_addresses(v=4), st.ip_addresses(v=4))
def test_an_ipv4_address_is_itself_in_either_way_of_writing(
    address: ipaddress.IPv4Address, other: ipaddress.IPv4Address
) -> None:
    for line in (str(address), f"::ffff:{address}"):
        allowed, _unreadable = networks.readable(networks.parse([line]))
        assert networks.contain(allowed, str(address))
        assert networks.contain(allowed, f"::ffff:{address}")
        assert networks.contain(allowed, str(other)) == (address == other)


@pytest.mark.parametrize(
    "stored", ["", "nonsense", 5, True, None, {}, {"10.0.0.0/8": 1}, [""], [5], [None], [["::/0"]]]
)
def test_what_is_stored_and_cannot_be_read_contains_nothing(stored: object) -> None:
    allowed, unreadable = networks.readable(stored)
    assert unreadable
    for ip in ("0.0.0.5", "10.0.0.1", "::5", "127.0.0.1"):
        assert not networks.contain(allowed, ip)


def test_a_readable_network_counts_beside_an_unreadable_one() -> None:
    allowed, unreadable = networks.readable(["nonsense", "10.0.0.5/8"])
    assert unreadable == ["nonsense"]
    assert networks.contain(allowed, "10.9.9.9")
    assert not networks.contain(allowed, "11.0.0.1")
    assert not networks.contain(allowed, "no address")
