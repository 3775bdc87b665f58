"""What an event must look like: its members, their sizes, the members of known types. Pure.

An event is a JSON object: `id`, `timestamp`, its type, a `subject` and a payload. The payload is
the member `payload` or, where there is none, all other members, as the platform of seed 000 sends
them. Such an event has its type in `event`, and its `type` is an ordinary member; without `event`,
`type` is the type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from portal.events.payloads import payload_text
from portal.events.types import known_types
from portal.faults import Fault, Refused

LONGEST_ID = 200  # characters, as are the next two
LONGEST_TYPE = 100
LONGEST_SUBJECT = 300

_TYPE = re.compile(rf"[A-Za-z][A-Za-z0-9_.-]{{0,{LONGEST_TYPE - 1}}}")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
    r"(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})"
)
_YEARS = range(1900, 2200)
_LARGEST_OFFSET = timedelta(hours=16)  # none is as large anywhere
_HIDDEN = re.compile("[\x00-\x1f\x7f\u2028\u2029\ud800-\udfff]")
_SHOWN = 100
_KINDS = {"text": (str,), "choice": (str,), "number": (int, float)}
_WORDS = {"text": "text", "choice": "text", "number": "a number"}


@dataclass(frozen=True, slots=True)
class Incoming:
    """A sound event. at: aware. payload: a JSON object as text."""

    uid: str
    type: str
    at: datetime
    subject: str
    payload: str


class EventRefused(Refused):
    """The event is not sound. Each fault's path leads to a member; it is empty for the whole."""


def read(document: object) -> Incoming:
    """The event in a parsed JSON document. Raises EventRefused with all its faults."""
    if not isinstance(document, dict):
        message = "The event is %(kind)s, expected a JSON object."
        raise EventRefused(Fault((), "not_an_object", message, {"kind": _kind(document)}))
    faults: list[Fault] = []
    type_member = "event" if "event" in document else "type"
    uid = _text(document, "id", LONGEST_ID, faults)
    name = _type(document, type_member, faults)
    at = _moment(document.get("timestamp"), faults)
    subject = _subject(document, faults)
    members = _members(document, type_member, faults)
    payload = payload_text(members, faults)
    # Without a member `payload` the document itself is the payload.
    above = ("payload",) if "payload" in document else ()
    faults += [fault.below(*above) for fault in _misfits(name, members)]
    if faults or at is None:
        raise EventRefused(*faults)
    return Incoming(uid, name, at, subject, payload)


def _text(document: Mapping[str, Any], name: str, longest: int, faults: list[Fault]) -> str:
    """A required text that fits on a line of its own."""
    value = document.get(name)
    if fault := _text_fault(name, value, longest):
        faults.append(fault)
    return value if isinstance(value, str) else ""


def _text_fault(name: str, value: object, longest: int) -> Fault | None:
    if value is None:
        return _fault(name, "missing", "is missing. Each event needs it.")
    if not isinstance(value, str):
        return _fault(name, "wrong_kind", "is %(kind)s, expected text.", kind=_kind(value))
    if not value or value != value.strip():
        return _fault(name, "padded", "is empty or has spaces around it. Remove the spaces.")
    if len(value) > longest:
        message = "has %(length)s characters; the maximum is %(most)d. Shorten it."
        return _fault(name, "too_long", message, length=f"{len(value):,}", most=longest)
    if _HIDDEN.search(value):
        return _fault(name, "control_character", "contains a control character. Remove it.")
    return None


def _fault(name: str, code: str, message: str, /, **params: object) -> Fault:
    """A fault of a member. message: without its subject, which is the member's name."""
    return Fault((name,), code, f'"%(member)s" {message}', {"member": name, **params})


def _type(document: Mapping[str, Any], member: str, faults: list[Fault]) -> str:
    before = len(faults)
    name = _text(document, member, LONGEST_TYPE, faults)
    if len(faults) == before and not _TYPE.fullmatch(name):
        message = (
            'is "%(name)s". Expected a name such as courseCompletion: a letter, then letters,'
            " digits, dots, hyphens and underscores."
        )
        faults.append(_fault(member, "not_a_type_name", message, name=_short(name)))
    return name


def _moment(value: object, faults: list[Fault]) -> datetime | None:
    if value is None:
        faults.append(_fault("timestamp", "missing", "is missing. Each event needs it."))
        return None
    if isinstance(value, str) and _TIME.fullmatch(value):
        try:
            moment = datetime.fromisoformat(value.upper())
        except ValueError:
            moment = None
        if moment is not None and _is_storable(moment):
            return moment
    message = (
        "is %(value)s. Expected a time that exists, with its offset, such as"
        " 2026-05-18T18:00:13.000Z or 2026-05-18T14:00:13-04:00."
    )
    faults.append(_fault("timestamp", "not_a_time", message, value=_quoted(value)))
    return None


def _is_storable(moment: datetime) -> bool:
    """Whether PostgreSQL takes the offset, and the year is plausible, in UTC too."""
    offset = moment.utcoffset()
    if offset is None or abs(offset) >= _LARGEST_OFFSET or moment.year not in _YEARS:
        return False
    return moment.astimezone(UTC).year in _YEARS


def _subject(document: Mapping[str, Any], faults: list[Fault]) -> str:
    """The subject; without a subject, the user where that is a text."""
    if document.get("subject") not in (None, ""):
        return _text(document, "subject", LONGEST_SUBJECT, faults)
    user = document.get("user")
    usable = isinstance(user, str) and len(user) <= LONGEST_SUBJECT and not _HIDDEN.search(user)
    return user.strip() if usable and isinstance(user, str) else ""


def _members(
    document: Mapping[str, Any], type_member: str, faults: list[Fault]
) -> Mapping[str, Any]:
    """The members of the payload, whether it is wrapped or not."""
    taken = {"id", "timestamp", "subject", type_member}
    rest = {name: value for name, value in document.items() if name not in taken}
    if "payload" not in rest:
        return rest
    payload = rest.pop("payload")
    for name in list(rest)[:5]:
        message = 'is next to "payload". Move it into "payload".'
        fault = _fault(_short(name), "beside_payload", message)
        faults.append(replace(fault, path=(name,)))
    if isinstance(payload, dict):
        return payload
    if payload is not None:
        message = "is %(kind)s, expected a JSON object."
        faults.append(_fault("payload", "wrong_kind", message, kind=_kind(payload)))
    return {}


def _misfits(name: str, members: Mapping[str, Any]) -> Iterator[Fault]:
    """Members of a known type that are of another kind than they should be."""
    event_type = known_types().get(name)
    for member in event_type.members if event_type else ():
        path = tuple(member.name.split("."))
        value = _at(members, path)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, _KINDS[member.kind]):
            message = '"%(member)s" is %(kind)s, expected %(expected)s or null.'
            expected = _WORDS[member.kind]
            params = {"member": member.name, "kind": _kind(value), "expected": expected}
            yield Fault(path, "wrong_kind", message, params)
        elif member.values and value not in member.values:
            message = '"%(member)s" is %(value)s. Use one of: %(values)s.'
            params = {
                "member": member.name,
                "value": _quoted(value),
                "values": ", ".join(member.values),
            }
            yield Fault(path, "not_in_list", message, params)


def _at(members: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = members
    for name in path:
        if not isinstance(value, dict):
            return value
        value = value.get(name)
    return value


def _kind(value: object) -> str:
    names = {dict: "a JSON object", list: "a list", bool: "true or false", type(None): "null"}
    return names.get(type(value), "text" if isinstance(value, str) else "a number")


def _quoted(value: object) -> str:
    return f'"{_short(value)}"' if isinstance(value, str) else _kind(value)


def _short(text: str) -> str:
    return _HIDDEN.sub("\N{REPLACEMENT CHARACTER}", text[:_SHOWN])
