"""A destination as one address: `sftp://user:pass@host:22/path`, read and written. Pure.

Seed 000: user names and passwords have their special characters percent-encoded, and one should
"double check there are no erroneous spaces or other characters in the URL": a stray one is named
with its place. The path is absolute; `/~/` begins one at the login's home, as curl has it.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_to_bytes

PORT = 22
_SCHEME = "sftp"
_LONGEST = 4000
_BROKEN_CODE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
# Said of a character that cannot be seen.
_NAMES = {" ": "a space", "\t": "a tab", "\n": "a line break", "\r": "a line break"}
_UNSAFE = '<>"`{}|\\^'


class AddressFault(ValueError):
    """The text is no address to send to. The message is a sentence: what, where, what to do."""


@dataclass(frozen=True, slots=True)
class Address:
    """host: a name or an address without brackets. path: "" for the login's home."""

    username: str
    password: str = field(repr=False)
    host: str
    port: int = PORT
    path: str = ""

    def __str__(self) -> str:
        """Without the password."""
        return format_url(self, with_password=False)


def parse(url: str) -> Address:
    """Read an address. Raises AddressFault; no message repeats the password."""
    if len(url) > _LONGEST:
        raise AddressFault(f"The address has {len(url):,} characters; the maximum is {_LONGEST:,}.")
    _refuse_strays(url)
    scheme, found, rest = url.partition("://")
    if not found:
        raise AddressFault(
            "The address does not begin with sftp://; expected sftp://user:password@host:22/path."
        )
    if scheme.lower() != _SCHEME:
        raise AddressFault(f"The address begins with {scheme[:20]}://; expected sftp://.")
    authority, slash, path = rest.partition("/")
    login, at, place = authority.rpartition("@")
    if not at:
        raise AddressFault(
            "The user name is missing: expected user:password@ before the host. Write a "
            "/ in a user name or password as %2F."
        )
    username, _, password = login.partition(":")
    if not username:
        raise AddressFault("The user name is missing before the password or the @.")
    _refuse_unencoded(password)
    host, port = _place(place)
    return Address(
        _decoded(username, "user name"),
        _decoded(password, "password"),
        host,
        port,
        _home(_decoded(slash + path, "path")),
    )


def format_url(address: Address, *, with_password: bool = True) -> str:
    """The address as text, every character of the seed's list encoded, `~` too."""
    login = encoded(address.username)
    if with_password and address.password:
        login += ":" + encoded(address.password)
    host = f"[{address.host}]" if ":" in address.host else address.host
    path = address.path if address.path.startswith("/") else f"/~/{address.path}"
    return f"{_SCHEME}://{login}@{host}:{address.port}{quote(path, safe='/~')}"


def encoded(text: str) -> str:
    """A user name or password as it stands in an address: all but letters, digits, `-._`."""
    return quote(text, safe="").replace("~", "%7E")


def _refuse_strays(url: str) -> None:
    for number, character in enumerate(url, start=1):
        if character.isspace() or not character.isprintable():
            raise AddressFault(_stray(url, number, character))
        if character in _UNSAFE:
            raise AddressFault(
                f"Character {number} is {character}, which is not allowed in an address. In "
                f"a user name, password or path, write it as %{ord(character):02X}."
            )


def _stray(url: str, number: int, character: str) -> str:
    name = _NAMES.get(character, f"an invisible character (U+{ord(character):04X})")
    if not url.strip():
        return "The address is empty."
    if not url[: number - 1].strip():
        return f"The address begins with {name}; remove it."
    if not url[number:].strip():
        return f"The address ends with {name}; remove it."
    written = "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "replace"))
    return (
        f"Character {number} is {name}; remove it, or write {written} if it belongs to the user "
        "name, password or path."
    )


def _refuse_unencoded(password: str) -> None:
    for character in "@:":
        if character in password:
            raise AddressFault(
                f"There is a {character} before the last @. In a user name or password, "
                f"write it as %{ord(character):02X}."
            )


def _decoded(text: str, what: str) -> str:
    if found := _BROKEN_CODE.search(text):
        place = found.start() + 1
        raise AddressFault(
            f"In the {what}, character {place} is a % without two hexadecimal digits "
            "after it. Write a percent sign as %25."
        )
    try:
        plain = unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise AddressFault(f"The percent codes of the {what} are not UTF-8.") from None
    if any(ord(character) < 32 or ord(character) == 127 for character in plain):
        raise AddressFault(f"The {what} contains a control character.")
    return plain


def _place(place: str) -> tuple[str, int]:
    """Host and port. Raises AddressFault."""
    if place.startswith("["):
        host, closed, rest = place[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise AddressFault("Put an IPv6 address in brackets: [2001:db8::1]:22.")
        return check_host(host), _port(rest[1:] if rest else "")
    host, _, port = place.partition(":")
    return check_host(host), _port(port)


def check_host(host: str) -> str:
    """The host as it is used. Raises AddressFault where it can be neither name nor address."""
    if not host:
        raise AddressFault("The host is missing after the @.")
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    name = host.rstrip(".")
    try:
        ascii_name = name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        ascii_name = ""
    if not ascii_name or len(ascii_name) > 253:
        raise AddressFault(f"{host[:80]} is not a host name.")
    if not all(_LABEL.fullmatch(label) for label in ascii_name.split(".")):
        raise AddressFault(
            f"{host[:80]} is not a host name. Use letters, digits, hyphens and dots."
        )
    return ascii_name.lower()


def _port(text: str) -> int:
    if not text:
        return PORT
    if text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536:
        return int(text)
    raise AddressFault(
        f"The port is {text[:20]}; expected a number from 1 to 65535. In a "
        "password, write # as %23, ? as %3F and / as %2F."
    )


def _home(path: str) -> str:
    """The path as servers take it. `/~`, `/~/x` and a bare `/`, which nobody means, are at home."""
    if path in ("/", "/~") or path.startswith("/~/"):
        return path[3:]
    return path
