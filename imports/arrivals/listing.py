"""The content of a folder at one moment, as the arrival rules see it. Pure data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from imports.arrivals.names import in_form_c

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_NS = 250 * 10**18  # in the year 9892


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder.

    size: bytes. mtime_ns, ctime_ns: nanoseconds since 1970. mtime says when the content was
    written; ctime also moves when the file is renamed, so it dates a claim. ctime_ns is 0 where
    the server does not report it (remote servers). inode: 0 where unknown.
    """

    name: str
    size: int
    mtime_ns: int
    inode: int
    is_dir: bool = False
    ctime_ns: int = 0

    @property
    def written(self) -> datetime:
        """When the content was last written (UTC)."""
        return _moment(self.mtime_ns)

    @property
    def changed(self) -> datetime:
        """When the content was written or the file renamed, whichever is later (UTC)."""
        return _moment(max(self.mtime_ns, self.ctime_ns))


@dataclass(frozen=True)
class Listing:
    """The entries of one folder, in order of name."""

    entries: tuple[Entry, ...] = field(default=())

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        ordered = tuple(sorted(entries, key=lambda entry: entry.name))
        object.__setattr__(self, "entries", ordered)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    @cached_property
    def by_name(self) -> dict[str, Entry]:
        """The entries by their exact name."""
        return {entry.name: entry for entry in self.entries}

    def named(self, name: str) -> Entry | None:
        """The entry of that name, else the only one whose name is the same in another normal form.

        A Mac writes "é" as two characters; nobody sees the difference.
        """
        return self.by_name.get(name) or self._by_form.get(in_form_c(name))

    @cached_property
    def _by_form(self) -> dict[str, Entry | None]:
        forms: dict[str, Entry | None] = {}
        for entry in self.entries:
            form = in_form_c(entry.name)
            forms[form] = None if form in forms else entry
        return forms


def _moment(nanoseconds: int) -> datetime:
    # Some file systems keep times beyond any calendar; computing with the result must not overflow.
    return _EPOCH + timedelta(microseconds=min(max(nanoseconds, 0), _LATEST_NS) // 1_000)
