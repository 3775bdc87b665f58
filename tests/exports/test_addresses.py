"""`sftp://user:pass@host:22/path` of seed 000: every listed character, every slip of the pen."""

from __future__ import annotations

import pytest

from exports.addresses import Address, check_host, encoded, format_url, parse
from portal.faults import Refused

LISTED = "][?/<~#`!@$%^&*()+=}|:\";',>{ "


def test_the_list_of_the_seed_is_whole() -> None:
    assert len(set(LISTED)) == 29


@pytest.mark.parametrize("character", LISTED)
def test_every_listed_character_goes_there_and_back(character: str) -> None:
    code = f"%{ord(character):02X}"
    assert encoded(character) == code
    url = f"sftp://a{code}b:p{code}q@sftp.example.com:22/in"
    address = parse(url)
    assert (address.username, address.password) == (f"a{character}b", f"p{character}q")
    assert format_url(address) == url


def test_all_of_them_at_once() -> None:
    address = Address(LISTED, LISTED[::-1], "sftp.example.com", 2222, "/in box/ü#?")
    assert parse(format_url(address)) == address


def test_a_plus_is_no_blank() -> None:
    assert parse("sftp://a:b+c@host.example/x+y") == Address("a", "b+c", "host.example", 22, "/x+y")


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("sftp://a:b@Host.Example.", "host.example", 22, ""),
        ("SFTP://a:b@host/", "host", 22, ""),
        ("sftp://a:b@host:2022/up/load/", "host", 2022, "/up/load/"),
        ("sftp://a:b@host/~", "host", 22, ""),
        ("sftp://a:b@host/~/in", "host", 22, "in"),
        ("sftp://a:b@[2001:DB8::1]:22/x", "2001:db8::1", 22, "/x"),
        ("sftp://a:b@192.0.2.7/x", "192.0.2.7", 22, "/x"),
        ("sftp://a:b@bücher.example/x", "xn--bcher-kva.example", 22, "/x"),
        ("sftp://a@host/x", "host", 22, "/x"),
    ],
)
def test_places_are_read(url: str, host: str, port: int, path: str) -> None:
    address = parse(url)
    assert (address.host, address.port, address.path) == (host, port, path)
    assert parse(format_url(address)) == address


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "does not begin with sftp://"),
        ("   ", "is empty"),
        (" sftp://a:b@host/x", "begins with a space"),
        ("sftp://a:b@host/x\n", "ends with a line break"),
        ("sftp://a:b @host/x", "Character 11 is a space; remove it, or write %20"),
        ("sftp://a:b@ho\u200bst/x", r"Character 14 is an invisible character \(U\+200B\)"),
        ("sftp://a:b\u00a0@host/x", r"invisible character \(U\+00A0\); remove it, or write %C2%A0"),
        ("sftp://a:b<@host/x", "as %3C"),
        ("ftp://a:b@host/x", "begins with ftp://"),
        ("host/x", "does not begin with sftp://"),
        ("sftp://host/x", "user name is missing"),
        ("sftp://:b@host/x", "user name is missing"),
        ("sftp://a:p/q@host/x", "/ as %2F|/ in a user name"),
        ("sftp://a:p@q@host/x", "as %40"),
        ("sftp://a:p:q@host/x", "as %3A"),
        ("sftp://a:p%zz@host/x", "In the password, character 2 is a %"),
        ("sftp://a:p%ff@host/x", "password are not UTF-8"),
        ("sftp://a:p%00@host/x", "control character"),
        ("sftp://a:p%1F@host/x", "control character"),
        ("sftp://a:p%7F@host/x", "control character"),
        ("sftp://a:b@/x", "host is missing"),
        ("sftp://a:b@host:0/x", "port is 0"),
        ("sftp://a:b@host:65536/x", "from 1 to 65535"),
        ("sftp://a:b@host:2x/x", "The port is 2x"),
        ("sftp://a:b@ho_st..x/x", "not a host name"),
        ("sftp://a:b@[::1/x", "brackets"),
        ("sftp://a:b@-host/x", "not a host name"),
        ("sftp://a:b@" + "h" * 5000, "5,011 characters"),
    ],
)
def test_what_is_wrong_is_named(url: str, words: str) -> None:
    with pytest.raises(Refused, match=words) as caught:
        parse(url)
    assert [fault.path for fault in caught.value.faults] == [("url",)]


def test_a_host_alone_is_refused_with_a_path_of_its_own() -> None:
    with pytest.raises(Refused, match="not a host name") as caught:
        check_host("-host")
    (fault,) = caught.value.faults
    assert (fault.path, fault.code, fault.params) == (("host",), "bad_host", {"host": "-host"})


def test_no_message_repeats_a_password() -> None:
    for url in ("sftp://a:hunter2%zz@host/x", "sftp://a:hunter2@q@host", "sftp://a:hunter2 @h"):
        with pytest.raises(Refused) as caught:
            parse(url)
        assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(parse("sftp://a:hunter2@host/x"))
    assert str(parse("sftp://a:hunter2@host/x")) == "sftp://a@host:22/x"
