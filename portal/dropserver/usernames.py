"""The two forms of a template account's login name, and the one account that both mean. Pure.

Seed 003: over SFTP it is `yourUsername_admin_district_st`, over FTPS
`yourUsername.admin.district.st` (district: its name, st: the state's abbreviation). Both
are split from the right, so that a base name with the sign could not be misread; such a name is
refused when an account is made.
"""

from __future__ import annotations

import re

MARK = "admin"
SFTP, FTPS = "_", "."
LONGEST = 64

_BASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_DISTRICT = re.compile(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*")
_STATE = re.compile(r"[A-Za-z]{2}")


class NameRefused(ValueError):
    """A part cannot belong to a login name. The text is a sentence for a person."""


def sftp_form(base: str, district: str, state: str) -> str:
    """The account's name, as used over SFTP, in small letters. Raises NameRefused."""
    name = SFTP.join((_base(base), MARK, _district(district), _state(state))).lower()
    if len(name) > LONGEST:
        raise NameRefused(
            f"The login name {name[:LONGEST]}… has {len(name)} characters; the maximum "
            f"is {LONGEST}. Shorten the user name or the district."
        )
    return name


def ftps_form(name: str) -> str:
    """The FTPS form of a name in its SFTP form; any other name unchanged."""
    return _joined(name, SFTP, FTPS)


def account_name(login: str) -> str:
    """The SFTP form of a name in either form; any other name unchanged."""
    return _joined(login, FTPS, SFTP)


def _joined(name: str, sign: str, other: str) -> str:
    parts = name.rsplit(sign, 3)
    return other.join(parts) if _is_form(parts) else name


def _is_form(parts: list[str]) -> bool:
    if len(parts) != 4 or parts[1].lower() != MARK:
        return False
    base, _, district, state = parts
    patterns = ((_BASE, base), (_DISTRICT, district), (_STATE, state))
    return all(pattern.fullmatch(part) for pattern, part in patterns)


def _base(base: str) -> str:
    for sign, word in ((SFTP, "an underscore"), (FTPS, "a dot")):
        if sign in base:
            raise NameRefused(
                f"The user name {base!r} contains {word} (“{sign}”). It will need to be removed or "
                "changed for you to connect successfully to the server."
            )
    if not _BASE.fullmatch(base):
        raise NameRefused(
            f"{base!r} cannot be a user name. Expected letters, digits and '-', beginning with a "
            "letter or digit."
        )
    return base


def _district(district: str) -> str:
    """The district's name without the characters that a login name cannot have (`stpaulisd`)."""
    short = re.sub(r"[\s._',&()/]+", "", district)
    if not _DISTRICT.fullmatch(short):
        raise NameRefused(
            f"{district!r} cannot be the district in a login name. Expected letters, digits and "
            "'-', such as harborisd."
        )
    return short


def _state(state: str) -> str:
    if not _STATE.fullmatch(state):
        raise NameRefused(
            f"{state!r} is not a state abbreviation. Expected two letters, such as tx."
        )
    return state
