"""Strict reading of foreign data: values of the right kind, every fault with its path. Pure.

A reader takes a value and the path to it, notes each fault and returns some value of the right
kind in its place, so that one pass names all faults.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeAlias, TypeVar

from portal.faults import Fault

_Member = TypeVar("_Member", bound=enum.StrEnum)
_Item = TypeVar("_Item")
Path: TypeAlias = tuple[str | int, ...]

_SHOWN = 60
_MOST = 200  # faults that are kept; a hostile file may have millions


class StrictReader:
    """Reads values and collects the faults of those that are not as they have to be."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._count = 0

    def add(self, path: Path, code: str, message: str, **params: object) -> None:
        """Note one fault. params: a value of the data goes through `shown` first."""
        self._count += 1
        if self._count <= _MOST:
            self._faults.append(Fault(path, code, message, params))

    @property
    def faults(self) -> list[Fault]:
        """The faults; beyond 200 only their number."""
        rest = self._count - len(self._faults)
        more = [Fault((), "more_faults", "and %(count)s more faults", {"count": rest})]
        return [*self._faults, *(more if rest else ())]

    def text(self, value: object, path: Path, most: int = 200, *, least: int = 0) -> str:
        """A text of at least and at most so many characters."""
        if not isinstance(value, str):
            message = "found %(value)s, expected a text (write it in quotes)"
            self.add(path, "not_a_text", message, value=shown(value))
            return ""
        if not least <= len(value) <= most:
            message = "found %(value)s, expected a text of %(least)s to %(most)s characters"
            self.add(path, "text_length", message, value=shown(value), least=least, most=most)
        elif "\0" in value or not _is_unicode(value):
            message = "found %(value)s, expected a text without NUL and without unpaired surrogates"
            self.add(path, "text_characters", message, value=shown(value))
        return value

    def text_or_none(self, value: object, path: Path, most: int = 200) -> str | None:
        return None if value is None else self.text(value, path, most)

    def flag(self, value: object, path: Path) -> bool:
        if not isinstance(value, bool):
            message = "found %(value)s, expected true or false"
            self.add(path, "not_a_flag", message, value=shown(value))
        return value is True

    def whole_number(self, value: object, path: Path, least: int, most: int) -> int:
        """A whole number of a range."""
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            message = "found %(value)s, expected a whole number from %(least)s to %(most)s"
            ends = {"least": f"{least:,}", "most": f"{most:,}"}
            self.add(path, "not_in_range", message, value=shown(value), **ends)
            return least
        return value

    def choice(self, value: object, path: Path, allowed: Collection[str]) -> str:
        if not isinstance(value, str) or value not in allowed:
            message = "found %(value)s, expected one of %(allowed)s"
            self.add(path, "not_allowed", message, value=shown(value), allowed=", ".join(allowed))
            return next(iter(allowed))
        return value

    def member(self, value: object, path: Path, members: type[_Member]) -> _Member:
        return members(self.choice(value, path, [member.value for member in members]))

    def items(
        self, value: object, path: Path, most: int, read: Callable[[object, Path], _Item]
    ) -> tuple[_Item, ...]:
        """A list of at most so many items, each read by `read`."""
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            self.add(path, "not_a_list", "found %(value)s, expected a list", value=shown(value))
            return ()
        if len(value) > most:
            message = "found %(count)s items, expected at most %(most)s"
            self.add(path, "too_many_items", message, count=f"{len(value):,}", most=f"{most:,}")
            return ()
        return tuple(read(item, (*path, position)) for position, item in enumerate(value))

    def mapping(self, value: object, path: Path, most: int = 10_000) -> dict[str, object]:
        """A mapping whose keys are texts."""
        if not isinstance(value, Mapping):
            message = "found %(value)s, expected a mapping of names to values"
            self.add(path, "not_a_mapping", message, value=shown(value))
            return {}
        if len(value) > most:
            message = "found %(count)s entries, expected at most %(most)s"
            self.add(path, "too_many_entries", message, count=f"{len(value):,}", most=f"{most:,}")
            return {}
        for key in value:
            if not isinstance(key, str):
                message = "found %(value)s, expected a text as name (write it in quotes)"
                self.add(path, "key_not_a_text", message, value=shown(key))
        return {key: item for key, item in value.items() if isinstance(key, str)}

    def keys(
        self, value: object, path: Path, allowed: Collection[str], needed: Collection[str] = ()
    ) -> dict[str, object]:
        """A mapping that may have some keys and must have others; any further key is a fault."""
        entries = self.mapping(value, path)
        if not isinstance(value, Mapping):
            return entries
        for key in entries:
            if key not in allowed:
                message = "found the key %(key)s, expected one of %(allowed)s"
                self.add(path, "unknown_key", message, key=shown(key), allowed=", ".join(allowed))
        for key in needed:
            if key not in entries:
                self.add(path, "missing_key", "the key %(key)s is missing", key=key)
        return {key: item for key, item in entries.items() if key in allowed}


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
