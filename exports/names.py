"""File names of exports: the pattern's parts, what is wrong with a pattern, a preview.

Dictionary 4.1: `courseCompletion-1589259213_2020-05-18T18-00-13-7vcph2i.json`, which is the event
type, ten digits fixed for the export, the time, and seven characters of the run's own. Patterns and
event types are foreign: nothing of them can leave the folder, and no two nights have one name. The
path of every fault is `name_pattern`. Pure.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from exports.windows import zone_of
from portal.faults import Fault, Refused

DEFAULT = "{event}-{id}_{time}-{random}"
PARTS = ("event", "id", "date", "time", "random", "run")
# Bytes. File systems take 255; a partner's or our own temporary ending has to fit as well.
LONGEST = 200
_FORMATS = {"csv": ".csv", "json": ".json", "jsonl": ".jsonl"}
_PACKED = {"": "", "gzip": ".gz", "zip": ".zip"}
_DATED = "%Y-%m-%d"
_TIMED = "%Y-%m-%dT%H-%M-%S"
_PLACE = re.compile(r"\{([^{}]*)\}")
_PART = re.compile(r"(?P<name>[a-z]+)(?::(?P<form>.*))?", re.DOTALL)
_FORM = re.compile(r"(?:%[YmdyjHMS]|[A-Za-z0-9_.-])+")
_FORBIDDEN = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]')
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
_WHOLE_DAY = ({"Y", "m", "d"}, {"y", "m", "d"}, {"Y", "j"}, {"y", "j"})


@dataclass(frozen=True, slots=True)
class _Values:
    event: str
    local_date: date
    created: datetime
    run_uid: uuid.UUID
    export_uid: uuid.UUID


def extension(fmt: str, compression: str) -> str:
    """What a file's name ends with, such as ".csv.gz". A Zip file's entry keeps the inner one."""
    return ("" if compression == "zip" else _FORMATS[fmt]) + _PACKED[compression]


def check(pattern: str, fmt: str, compression: str) -> list[Fault]:
    """What is wrong with a pattern; empty where nothing is."""
    faults = _literal_faults(pattern) + _part_faults(pattern)
    if faults:
        return faults
    if not _differs_every_night(pattern):
        message = "The name would be the same every night. Add {date}, {time}, {random} or {run}."
        return [_fault("same_every_night", message)]
    ending = extension(fmt, compression)
    some = datetime(2000, 1, 1, tzinfo=UTC)
    values = _Values("e" * 80, some.date(), some, uuid.UUID(int=0), uuid.UUID(int=0))
    name = _stem(pattern, values, ending) + ending
    if len(name.encode()) > LONGEST:
        message = "The name can be up to %(length)s bytes long; the maximum is %(most)s."
        return [_fault("too_long", message, length=len(name.encode()), most=LONGEST)]
    if _RESERVED.fullmatch(name):
        message = "“%(name)s” is a name that Windows reserves. Choose another one."
        return [_fault("reserved", message, name=name)]
    return []


def _fault(code: str, message: str, /, **params: object) -> Fault:
    return Fault(("name_pattern",), code, message, params)


def file_name(
    pattern: str,
    *,
    event: str,
    local_date: date,
    created: datetime,
    run_uid: uuid.UUID,
    export_uid: uuid.UUID,
    zone: str,
    extension: str,
) -> str:
    """The name of a run's file: the same at every call.

    created: when the run was made, shown on the zone's clocks. The extension is added where the
    pattern does not end with it. Raises Refused for a pattern in which `check` finds what no name
    may hold.
    """
    if faults := _literal_faults(pattern) + _part_faults(pattern):
        raise Refused(*faults)
    values = _Values(
        safe(event), local_date, created.astimezone(zone_of(zone)), run_uid, export_uid
    )
    return _cut(_stem(pattern, values, extension), LONGEST - len(extension)) + extension


def distinct(name: str, run_uid: uuid.UUID, extension: str) -> str:
    """Another name for a file whose own was given already: the run's characters before the end."""
    end = f"-{random_part(run_uid)}{extension}"
    return _cut(name.removesuffix(extension), LONGEST - len(end)) + end


def preview(
    pattern: str,
    *,
    event: str,
    zone: str,
    extension: str,
    export_uid: uuid.UUID | None = None,
    created: datetime | None = None,
) -> str:
    """The name that a run made now (or at `created`) would have. Raises as `file_name` does."""
    created = created or datetime.now(UTC)
    yesterday = created.astimezone(zone_of(zone)).date() - timedelta(days=1)
    return file_name(
        pattern,
        event=event,
        local_date=yesterday,
        created=created,
        run_uid=uuid.UUID(int=0x7C0FFEE),
        export_uid=export_uid or uuid.UUID(int=1),
        zone=zone,
        extension=extension,
    )


def safe(text: str) -> str:
    """Foreign text as a part of a name: letters, digits, dot, underscore and hyphen only."""
    return _UNSAFE.sub("-", text).strip(".-")[:80] or "export"


def random_part(run_uid: uuid.UUID) -> str:
    """Seven characters of base 36 that follow from the run's uid, and so never change."""
    number = _number(run_uid, "random")
    digits = []
    for _ in range(7):
        number, digit = divmod(number, 36)
        digits.append(_BASE36[digit])
    return "".join(digits)


def id_part(export_uid: uuid.UUID) -> str:
    """Ten digits that follow from the export's uid."""
    return str(10**9 + _number(export_uid, "id") % (9 * 10**9))


def _number(uid: uuid.UUID, purpose: str) -> int:
    return int.from_bytes(hashlib.sha256(purpose.encode() + uid.bytes).digest()[:8], "big")


def _stem(pattern: str, values: _Values, extension: str) -> str:
    name = _PLACE.sub(lambda place: _filled(place[1], values), pattern)
    return name.removesuffix(extension).removesuffix(extension.removesuffix(".gz"))


def _filled(place: str, values: _Values) -> str:
    name, form = _split(place)
    return _FILLS[name](values, form)


_FILLS: dict[str, Callable[[_Values, str], str]] = {
    "event": lambda values, _: values.event,
    "id": lambda values, _: id_part(values.export_uid),
    "date": lambda values, form: values.local_date.strftime(form or _DATED),
    "time": lambda values, form: values.created.strftime(form or _TIMED),
    "random": lambda values, _: random_part(values.run_uid),
    "run": lambda values, _: values.run_uid.hex,
}


def _split(place: str) -> tuple[str, str]:
    match = _PART.fullmatch(place)
    return (match["name"], match["form"] or "") if match else ("", "")


def _literal_faults(pattern: str) -> list[Fault]:
    """The text between the parts must stay one name in one folder."""
    literal = _PLACE.sub("x", pattern)
    faults = []
    if not pattern.strip():
        return [_fault("empty", "The file name is empty.")]
    if pattern != pattern.strip():
        message = "The file name begins or ends with a space. Remove it."
        faults.append(_fault("blank_at_the_end", message))
    if "{" in literal or "}" in literal:
        message = "A brace has no matching brace. Write parts as {date}."
        faults.append(_fault("single_brace", message))
    if bad := _FORBIDDEN.search(literal):
        shown = bad[0] if bad[0].isprintable() else f"U+{ord(bad[0]):04X}"
        message = (
            "“%(character)s” is not allowed in a file name. Choose the folder in the destination."
        )
        faults.append(_fault("forbidden_character", message, character=shown))
    if literal.startswith(".") or literal.endswith("."):
        faults.append(_fault("dot", "A file name cannot begin or end with a dot."))
    return faults


def _part_faults(pattern: str) -> list[Fault]:
    faults = map(_part_fault, _PLACE.findall(pattern))
    return [fault for fault in faults if fault is not None]


def _part_fault(place: str) -> Fault | None:
    name, form = _split(place)
    if name not in PARTS:
        parts = ", ".join(f"{{{part}}}" for part in PARTS)
        message = "There is no part {%(part)s}. The parts are %(parts)s."
        return _fault("no_such_part", message, part=place[:40], parts=parts)
    if ":" not in place:
        return None
    if name not in ("date", "time"):
        message = "{%(part)s} does not accept a format after a colon. Write {%(part)s}."
        return _fault("no_form", message, part=name)
    if not _FORM.fullmatch(form) or (name == "date" and re.search("%[HMS]", form)):
        message = "{%(part)s}: the form may hold %(codes)s, letters, digits and . _ -"
        codes = "%Y, %y, %m, %d, %j" + (", %H, %M, %S" if name == "time" else "")
        return _fault("bad_form", message, part=place[:40], codes=codes)
    return None


def _differs_every_night(pattern: str) -> bool:
    """Whether two nights can never have one name."""
    for name, form in map(_split, _PLACE.findall(pattern)):
        shown = set(re.findall("%(.)", form or (_DATED if name == "date" else _TIMED)))
        if name in ("random", "run"):
            return True
        if name in ("date", "time") and any(whole <= shown for whole in _WHOLE_DAY):
            return True
    return False


def _cut(stem: str, most: int) -> str:
    """The stem in at most so many bytes, no character cut in two."""
    return stem.encode()[:most].decode(errors="ignore")
