"""A destination as one address: `sftp://user:pass@host:22/path`, read and written. Pure.

Seed 000: user names and passwords have their special characters percent-encoded, and one should
"double check there are no erroneous spaces or other characters in the URL": a stray one is named
with its place. The path is absolute; `/~/` begins one at the login's home, as curl has it.

What is no address is refused with one fault. Its path is `url`, or `host` where a host alone is
checked; no message repeats the password.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_to_bytes

from portal.faults import Fault, Refused

PORT = 22
_SCHEME = "sftp"
_LONGEST = 4000
_BROKEN_CODE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
# What a character is called that cannot be seen.
_NAMES = {" ": "a space", "\t": "a tab", "\n": "a line break", "\r": "a line break"}
_UNSAFE = '<>"`{}|\\^'


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
    """Read an address. Raises Refused."""
    if len(url) > _LONGEST:
        raise _refused(
            "too_long",
            "The address has %(length)s characters; the maximum is %(most)s.",
            length=f"{len(url):,}",
            most=f"{_LONGEST:,}",
        )
    _refuse_strays(url)
    authority, slash, path = _without_scheme(url).partition("/")
    login, at, place = authority.rpartition("@")
    if not at:
        raise _refused(
            "no_login",
            "The user name is missing: expected user:password@ before the host. A / in a user name "
            "or password is written %%2F.",
        )
    username, _, password = login.partition(":")
    if not username:
        raise _refused("no_username", "The user name is missing before the password or the @.")
    _refuse_unencoded(password)
    host, port = _host_and_port(place)
    return Address(
        _decoded(username, "user name"),
        _decoded(password, "password"),
        host,
        port,
        _home(_decoded(slash + path, "path")),
    )


def _without_scheme(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise _refused(
            "no_scheme",
            "The address does not begin with sftp://; expected sftp://user:password@host:22/path.",
        )
    if scheme.lower() != _SCHEME:
        raise _refused(
            "other_scheme",
            "The address begins with %(scheme)s://; expected sftp://.",
            scheme=scheme[:20],
        )
    return rest


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


def _refused(code: str, message: str, /, *path: str, **params: object) -> Refused:
    return Refused(Fault(path or ("url",), code, message, params))


def _refuse_strays(url: str) -> None:
    for number, character in enumerate(url, start=1):
        if character.isspace() or not character.isprintable():
            raise _stray(url, number, character)
        if character in _UNSAFE:
            raise _refused(
                "unsafe_character",
                "Character %(number)s is %(character)s, which is not allowed in an address. "
                "In a user name, password or path, write it as %(written)s.",
                number=number,
                character=character,
                written=_written(character),
            )


def _stray(url: str, number: int, character: str) -> Refused:
    name = _NAMES.get(character, f"an invisible character (U+{ord(character):04X})")
    if not url.strip():
        return _refused("empty", "The address is empty.")
    if not url[: number - 1].strip():
        return _refused("stray_begin", "The address begins with %(name)s; remove it.", name=name)
    if not url[number:].strip():
        return _refused("stray_end", "The address ends with %(name)s; remove it.", name=name)
    return _refused(
        "stray_character",
        "Character %(number)s is %(name)s; remove it, or write %(written)s if it belongs to the "
        "user name, password or path.",
        number=number,
        name=name,
        written=_written(character),
    )


def _written(character: str) -> str:
    """The character's percent codes."""
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "replace"))


def _refuse_unencoded(password: str) -> None:
    for character in "@:":
        if character in password:
            raise _refused(
                "unencoded",
                "There is a %(character)s before the last @. In a user name or password, "
                "write it as %(written)s.",
                character=character,
                written=_written(character),
            )


def _decoded(text: str, part: str) -> str:
    if broken := _BROKEN_CODE.search(text):
        raise _refused(
            "broken_code",
            "In the %(part)s, character %(number)s is a %% without two hexadecimal digits after "
            "it; a percent sign itself is written %%25.",
            part=part,
            number=broken.start() + 1,
        )
    try:
        plain = unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        message = "The percent codes of the %(part)s are not UTF-8."
        raise _refused("not_utf8", message, part=part) from None
    if any(ord(character) < 32 or ord(character) == 127 for character in plain):
        raise _refused("control_character", "The %(part)s contains a control character.", part=part)
    return plain


def _host_and_port(place: str) -> tuple[str, int]:
    if place.startswith("["):
        host, closed, rest = place[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise _refused("brackets", "Put an IPv6 address in brackets: [2001:db8::1]:22.")
        return check_host(host, "url"), _port(rest[1:] if rest else "")
    host, _, port = place.partition(":")
    return check_host(host, "url"), _port(port)


def check_host(host: str, path: str = "host") -> str:
    """The host as it is used. Raises Refused where it can be neither a name nor an address.

    path: of the fault.
    """
    if not host:
        raise _refused("no_host", "The host is missing after the @.", path)
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
        raise _refused("bad_host", "%(host)s is not a host name.", path, host=host[:80])
    if not all(_LABEL.fullmatch(label) for label in ascii_name.split(".")):
        message = "%(host)s is not a host name. Use letters, digits, hyphens and dots."
        raise _refused("bad_host", message, path, host=host[:80])
    return ascii_name.lower()


def _port(text: str) -> int:
    if not text:
        return PORT
    if text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536:
        return int(text)
    raise _refused(
        "bad_port",
        "The port is %(port)s; expected a number from 1 to 65535. A # or ? in a password is "
        "written %%23 or %%3F, a / is written %%2F.",
        port=text[:20],
    )


def _home(path: str) -> str:
    """The path as servers take it. `/~`, `/~/x` and a bare `/`, which nobody means, are at home."""
    if path in ("/", "/~") or path.startswith("/~/"):
        return path[3:]
    return path
