"""Strict reading of foreign data: values of the right kind, every fault named with its path. Pure.

A reader takes what was found and the path to it, notes each fault and gives some value of its
kind in its place, so that one pass names all of them.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

_Member = TypeVar("_Member", bound=enum.StrEnum)
_Item = TypeVar("_Item")

_SHOWN = 60
_MOST = 200  # faults told; a hostile file may have millions


class Faults:
    """The faults found so far, "path: found ..., expected ..."."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.count = 0

    def add(self, path: str, sentence: str) -> None:
        """Note one fault."""
        self.count += 1
        if self.count <= _MOST:
            self.told.append(f"{path}: {sentence}")

    def expected(self, path: str, value: object, what: str) -> None:
        """Note that a value is not what it has to be."""
        self.add(path, f"found {shown(value)}, expected {what}")

    def all(self) -> list[str]:
        """The faults; beyond 200 only their number."""
        rest = self.count - len(self.told)
        return [*self.told, f"and {rest} more faults"] if rest else list(self.told)

    def text(self, value: object, path: str, most: int = 200, *, least: int = 0) -> str:
        """A text of at least and at most so many characters."""
        if not isinstance(value, str):
            self.expected(path, value, "a text (write it in quotes)")
            return ""
        if not least <= len(value) <= most:
            self.expected(path, value, f"a text of {least} to {most} characters")
        elif "\0" in value or not _is_unicode(value):
            self.expected(path, value, "a text without NUL and without unpaired surrogates")
        return value

    def text_or_none(self, value: object, path: str, most: int = 200) -> str | None:
        return None if value is None else self.text(value, path, most)

    def flag(self, value: object, path: str) -> bool:
        if not isinstance(value, bool):
            self.expected(path, value, "true or false")
        return value is True

    def count_of(self, value: object, path: str, least: int, most: int) -> int:
        """A whole number of a range."""
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.expected(path, value, f"a whole number from {least:,} to {most:,}")
            return least
        return value

    def one_of(self, value: object, path: str, allowed: Collection[str]) -> str:
        if not isinstance(value, str) or value not in allowed:
            self.expected(path, value, f"one of {', '.join(allowed)}")
            return next(iter(allowed))
        return value

    def member(self, value: object, path: str, members: type[_Member]) -> _Member:
        return members(self.one_of(value, path, [member.value for member in members]))

    def listed(
        self, value: object, path: str, most: int, read: Callable[[object, str], _Item]
    ) -> tuple[_Item, ...]:
        """A list of at most so many items."""
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            self.expected(path, value, "a list")
            return ()
        if len(value) > most:
            self.add(path, f"found {len(value):,} items, expected at most {most:,}")
            return ()
        return tuple(read(item, f"{path}[{number}]") for number, item in enumerate(value, 1))

    def mapping(self, value: object, path: str, most: int = 10_000) -> dict[str, object]:
        """A mapping whose keys are texts."""
        if not isinstance(value, Mapping):
            self.expected(path, value, "a mapping of names to values")
            return {}
        if len(value) > most:
            self.add(path, f"found {len(value):,} entries, expected at most {most:,}")
            return {}
        for key in value:
            if not isinstance(key, str):
                self.expected(path, key, "a text as name (write it in quotes)")
        return {key: item for key, item in value.items() if isinstance(key, str)}

    def keys(
        self, value: object, path: str, known: Collection[str], needed: Collection[str] = ()
    ) -> dict[str, object]:
        """A mapping that has some keys and must have others; unknown ones are faults."""
        found = self.mapping(value, path)
        if not isinstance(value, Mapping):
            return found
        for key in found:
            if key not in known:
                self.add(path, f"found the key {shown(key)}, expected one of {', '.join(known)}")
        for key in needed:
            if key not in found:
                self.add(path, f"the key {key} is missing")
        return {key: item for key, item in found.items() if key in known}


def shown(value: object) -> str:
    """A foreign value in a message, cut to a length that fits there."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        cut = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"
        return f'"{cut}"'
    if isinstance(value, int) and abs(value) < 10**18:
        return f"the number {value}"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence):
        return "a list"
    return f"a {type(value).__name__}"


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
