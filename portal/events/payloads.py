"""The payload of an event: a JSON object of a bounded size and depth, as text. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from portal.faults import Fault

LARGEST_PAYLOAD = 64 << 10  # bytes as JSON in UTF-8
DEEPEST = 20  # objects and lists within each other

_MOST_LEVELS = DEEPEST + 3  # in a list, the object around it, and the event
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')
_PATH = ("payload",)
# What Python's parser says, for people who do not write Python.
_WORDS = {
    "Expecting value": "a value is expected",
    "Expecting property name": "the name of a member in double quotes is expected",
    "Expecting ':'": "a colon is expected",
    "Expecting ','": "a comma or the end of the object or list is expected",
    "Illegal trailing comma": "a comma stands before the end of the object or list",
    "Extra data": "something follows the end of the JSON",
    "Unterminated string": "a text begins that has no closing quote",
    "Invalid control character": "a text contains a control character that is not escaped",
    "Invalid \\": "a backslash begins an escape that JSON does not have",
}


def parse(text: str | bytes) -> Any:
    """JSON as the standard has it. Raises NotJson for anything else."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise NotJson(f"at {_too_deep(text)}, objects and lists are nested too deeply") from None
    except json.JSONDecodeError as error:
        raise NotJson(_in_words(error)) from None
    except NotJson:
        raise
    except ValueError:  # Python's own limit for the digits of a number
        raise NotJson("a number has too many digits") from None


class NotJson(ValueError):
    """The text is not JSON. The message is a clause for whoever sent it."""


def _refuse_constant(name: str) -> None:
    raise NotJson(f"{name} is not a JSON number")


def _too_deep(text: str | bytes) -> str:
    """The place where an event's payload can have no further level."""
    whole = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    level = 0
    for token in _BRACKETS.finditer(whole):
        level += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token[0], 0)
        if level > _MOST_LEVELS:
            return _place(whole, token.start())
    return _place(whole, len(whole))


def _place(text: str, at: int) -> str:
    place = f"character {at - text.rfind(chr(10), 0, at):,}"
    return f"line {text.count(chr(10), 0, at) + 1:,}, {place}" if "\n" in text.strip() else place


def _in_words(error: json.JSONDecodeError) -> str:
    place = _place(error.doc, error.pos)
    words = next((words for start, words in _WORDS.items() if error.msg.startswith(start)), "")
    return f"at {place}, {words or 'it cannot be read'}"


def object_text(text: str) -> str | None:
    """A payload given as text, as it is stored; None where it is no sound JSON object."""
    try:
        document = parse(text)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    faults: list[Fault] = []
    payload = payload_text(document, faults)
    return None if faults else payload


def payload_text(members: Mapping[str, Any], faults: list[Fault]) -> str:
    """The payload as JSON text; what is wrong with it is added to the faults."""
    if is_deeper(members, DEEPEST):
        message = "The payload is nested deeper than %(most)d levels. Flatten it."
        faults.append(Fault(_PATH, "too_deep", message, {"most": DEEPEST}))
        return ""
    try:
        text = json.dumps(members, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        size = len(text.encode())
    except ValueError as error:
        faults.append(_not_encodable(error))
        return ""
    if "\\u0000" in text and _has_nul(members):
        message = "The payload contains a NUL character (\\u0000). Remove it."
        faults.append(Fault(_PATH, "nul_character", message))
    if size > LARGEST_PAYLOAD:
        message = "The payload has %(size)s bytes; the maximum is %(most)s. Shorten it."
        sizes = {"size": f"{size:,}", "most": f"{LARGEST_PAYLOAD:,}"}
        faults.append(Fault(_PATH, "too_large", message, sizes))
    return text


def _not_encodable(error: ValueError) -> Fault:
    """Half a surrogate pair, or a number that JSON cannot write."""
    if isinstance(error, UnicodeEncodeError):
        message = "The payload contains an unpaired surrogate. Correct it at its source."
        return Fault(_PATH, "half_a_character", message)
    message = "The payload contains too large a number. Correct it at its source."
    return Fault(_PATH, "number_too_large", message)


def is_deeper(value: Any, most: int) -> bool:
    """Whether there are more than `most` levels of objects and lists, without recursion."""
    level = [value]
    for _ in range(most):
        level = [inner for outer in level for inner in _inside(outer)]
    return any(isinstance(inner, dict | list) for inner in level)


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _has_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any("\0" in name or _has_nul(inner) for name, inner in value.items())
    if isinstance(value, list):
        return any(map(_has_nul, value))
    return isinstance(value, str) and "\0" in value
