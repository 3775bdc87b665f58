"""What one event must look like: its members, sizes and the known types. Pure.

An event is a JSON object: `id`, `timestamp`, its type, a `subject` and a payload. The payload is
the member `payload` or, where there is none, all other members, as the platform of seed 000 sends
them. There the type stands in `event`, and `type` is an ordinary member; without `event`, `type`
is it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

LONGEST_ID = 200  # characters, as are the next two
LONGEST_TYPE = 100
LONGEST_SUBJECT = 300
LARGEST_PAYLOAD = 64 << 10  # bytes as JSON in UTF-8
DEEPEST = 20  # objects and lists within each other

TYPE = rf"[A-Za-z][A-Za-z0-9_.-]{{0,{LONGEST_TYPE - 1}}}"
_TYPE = re.compile(TYPE)
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
    r"(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})"
)
_YEARS = range(1900, 2200)
_HIDDEN = re.compile("[\x00-\x1f\x7f\u2028\u2029\ud800-\udfff]")
_SHOWN = 100
_KINDS = {"text": (str,), "choice": (str,), "number": (int, float)}
_WORDS = {"text": "text", "choice": "text", "number": "a number"}
_TYPES = Path(__file__).with_name("types.yaml")


@dataclass(frozen=True, slots=True)
class Incoming:
    """A sound event. at: aware. payload: a JSON object as text."""

    uid: str
    type: str
    at: datetime
    subject: str
    payload: str


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an event. field: the member's name, empty for the whole event."""

    field: str
    message: str


class EventRefused(Exception):
    """The event is not sound. Carries at least one fault."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(" ".join(fault.message for fault in faults))
        self.faults = faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A known member of a payload. name: a dotted path. kind: text, number or choice."""

    name: str
    kind: str = "text"
    values: tuple[str, ...] = ()
    sample: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """A known type of events."""

    name: str
    label: str
    description: str
    members: tuple[Member, ...]


@cache
def known_types() -> Mapping[str, EventType]:
    """The known types by name, from types.yaml."""
    declared = yaml.safe_load(_TYPES.read_text(encoding="utf-8"))
    return {
        name: EventType(
            name=name,
            label=one["label"],
            description=one["description"],
            members=tuple(
                Member(**{**field, "values": tuple(field.get("values", ()))})
                for field in one["fields"]
            ),
        )
        for name, one in declared.items()
    }


def type_label(name: str) -> str:
    """What people call the type: its label, or its name where it is free."""
    known = known_types().get(name)
    return known.label if known else name


def read(document: object) -> Incoming:
    """The event in a parsed JSON document. Raises EventRefused with all its faults."""
    if not isinstance(document, dict):
        raise EventRefused(Fault("", f"The event is {_kind(document)}, expected a JSON object."))
    faults: list[Fault] = []
    type_member = "event" if "event" in document else "type"
    uid = _text(document, "id", LONGEST_ID, faults)
    name = _type(document, type_member, faults)
    at = _moment(document.get("timestamp"), faults)
    subject = _subject(document, faults)
    members = _members(document, type_member, faults)
    payload = payload_text(members, faults)
    faults += _strange(name, members)
    if faults or at is None:
        raise EventRefused(*faults)
    return Incoming(uid, name, at, subject, payload)


def object_text(text: str) -> str | None:
    """A payload given as text, as it is stored; None where it is no sound JSON object."""
    try:
        document = parse(text)
    except ValueError:
        return None
    faults: list[Fault] = []
    if not isinstance(document, dict):
        return None
    written = payload_text(document, faults)
    return None if faults else written


def parse(text: str | bytes) -> Any:
    """JSON as the standard has it. Raises ValueError, with words, for anything else."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("objects and lists are nested too deeply") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def payload_text(members: Mapping[str, Any], faults: list[Fault]) -> str:
    """The payload as JSON text; what is wrong with it is added to the faults."""
    if depth(members) > DEEPEST:
        faults.append(
            Fault("payload", f"The payload is nested deeper than {DEEPEST} levels. Flatten it.")
        )
        return ""
    try:
        text = json.dumps(members, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        size = len(text.encode())
    except ValueError as error:  # half a surrogate pair is one too
        what = (
            "an unpaired surrogate"
            if isinstance(error, UnicodeEncodeError)
            else "too large a number"
        )
        faults.append(Fault("payload", f"The payload contains {what}. Correct it at its source."))
        return ""
    if "\\u0000" in text and _has_nul(members):
        faults.append(
            Fault("payload", "The payload contains a NUL character (\\u0000). Remove it.")
        )
    if size > LARGEST_PAYLOAD:
        faults.append(
            Fault(
                "payload",
                f"The payload has {size:,} bytes; the maximum is {LARGEST_PAYLOAD:,}. Shorten it.",
            )
        )
    return text


def depth(value: Any) -> int:
    """How many objects and lists lie within each other; 0 for a plain value."""
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


def _has_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any("\0" in name or _has_nul(one) for name, one in value.items())
    if isinstance(value, list):
        return any(map(_has_nul, value))
    return isinstance(value, str) and "\0" in value


def _text(document: Mapping[str, Any], name: str, longest: int, faults: list[Fault]) -> str:
    """A required text that can stand in a line of its own."""
    value = document.get(name)
    message = ""
    if value is None:
        message = f'"{name}" is missing. Each event needs it.'
    elif not isinstance(value, str):
        message = f'"{name}" is {_kind(value)}, expected text.'
    elif not value or value != value.strip():
        message = f'"{name}" is empty or has spaces around it. Remove the spaces.'
    elif len(value) > longest:
        message = f'"{name}" has {len(value):,} characters; the maximum is {longest}. Shorten it.'
    elif _HIDDEN.search(value):
        message = f'"{name}" contains a control character. Remove it.'
    if message:
        faults.append(Fault(name, message))
    return value if isinstance(value, str) else ""


def _type(document: Mapping[str, Any], member: str, faults: list[Fault]) -> str:
    before = len(faults)
    name = _text(document, member, LONGEST_TYPE, faults)
    if len(faults) == before and not _TYPE.fullmatch(name):
        faults.append(
            Fault(
                member,
                f'"{member}" is "{_short(name)}". Expected a name such as courseCompletion: a'
                " letter, then letters, digits, dots, hyphens and underscores.",
            )
        )
    return name


def _moment(value: object, faults: list[Fault]) -> datetime | None:
    if value is None:
        faults.append(Fault("timestamp", '"timestamp" is missing. Each event needs it.'))
        return None
    if isinstance(value, str) and _TIME.fullmatch(value):
        try:
            moment = datetime.fromisoformat(value.upper())
        except ValueError:
            moment = None
        if moment is not None and moment.year in _YEARS:
            return moment
    faults.append(
        Fault(
            "timestamp",
            f'"timestamp" is {_quoted(value)}. Expected a time that exists, with its offset, such'
            " as 2026-05-18T18:00:13.000Z or 2026-05-18T14:00:13-04:00.",
        )
    )
    return None


def _subject(document: Mapping[str, Any], faults: list[Fault]) -> str:
    """The subject; without one, the user where that is a text."""
    if document.get("subject") not in (None, ""):
        return _text(document, "subject", LONGEST_SUBJECT, faults)
    user = document.get("user")
    usable = isinstance(user, str) and len(user) <= LONGEST_SUBJECT and not _HIDDEN.search(user)
    return user.strip() if usable and isinstance(user, str) else ""


def _members(
    document: Mapping[str, Any], type_member: str, faults: list[Fault]
) -> Mapping[str, Any]:
    """The payload, wrapped or not."""
    taken = {"id", "timestamp", "subject", type_member}
    rest = {name: value for name, value in document.items() if name not in taken}
    if "payload" not in rest:
        return rest
    payload = rest.pop("payload")
    for name in list(rest)[:5]:
        faults.append(
            Fault(_short(name), f'"{_short(name)}" is next to "payload". Move it into "payload".')
        )
    if isinstance(payload, dict):
        return payload
    if payload is not None:
        faults.append(Fault("payload", f'"payload" is {_kind(payload)}, expected a JSON object.'))
    return {}


def _strange(name: str, members: Mapping[str, Any]) -> Iterator[Fault]:
    """Members of a known type that are of another kind than they should be."""
    known = known_types().get(name)
    for member in known.members if known else ():
        value = _at(members, member.name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, _KINDS[member.kind]):
            words = f"expected {_WORDS[member.kind]} or null"
            yield Fault(member.name, f'"{member.name}" is {_kind(value)}, {words}.')
        elif member.values and value not in member.values:
            words = ", ".join(member.values)
            yield Fault(member.name, f'"{member.name}" is {_quoted(value)}. Use one of: {words}.')


def _at(members: Mapping[str, Any], path: str) -> Any:
    value: Any = members
    for name in path.split("."):
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
