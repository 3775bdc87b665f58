"""The catalog: every record type and feed that the built-in packs declare.

Pure except for reading the packs once. Types that an operator or a tenant adds are not included.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from portal.records.definitions import Feed, RecordType
from portal.records.pack_reading import Pack, PackError, load_pack
from portal.records.soundness import reference_faults

__all__ = ["Catalog", "Pack", "PackError", "catalog", "load_pack"]

_PACKS = Path(__file__).parent / "packs"


@cache
def catalog() -> Catalog:
    """The built-in packs, read once. Raises PackError."""
    return Catalog([load_pack(path) for path in sorted(_PACKS.glob("*.yaml"))])


class Catalog:
    """Packs that fit together: names are unique and each reference has its target."""

    def __init__(self, packs: Sequence[Pack]) -> None:
        """Raises PackError for a name in two packs, a reference without a target, or a circle."""
        self.packs = tuple(packs)
        _refuse("record type", ((t.name, pack) for pack in packs for t in pack.record_types))
        _refuse("feed", ((feed.name, pack) for pack in packs for feed in pack.feeds))
        self._types = {t.name: t for pack in packs for t in pack.record_types}
        self._feeds = {feed.name: feed for pack in packs for feed in pack.feeds}
        _refuse_lost_references(packs, self._types)
        self._order = _dependency_order(self._types.values())

    def record_type(self, name: str) -> RecordType:
        """The record type of that name. Raises KeyError."""
        return self._types[name]

    def feed(self, name: str) -> Feed:
        """The feed of that name. Raises KeyError."""
        return self._feeds[name]

    def feeds(self) -> tuple[Feed, ...]:
        """All feeds in the order in which they run when they arrive together."""
        position = {record_type.name: i for i, record_type in enumerate(self._order)}
        return tuple(
            sorted(self._feeds.values(), key=lambda f: (position[f.record_type], f.rank, f.name))
        )

    def feeds_of(self, pack: str) -> tuple[Feed, ...]:
        """The feeds of a pack, in the same order; empty for an unknown pack."""
        return tuple(feed for feed in self.feeds() if feed.pack == pack)

    def order(self) -> tuple[RecordType, ...]:
        """Record types, each after those that it refers to, else by rank."""
        return self._order


def _refuse(kind: str, named: Iterable[tuple[str, Pack]]) -> None:
    first: dict[str, Pack] = {}
    for name, pack in named:
        if name in first:
            raise PackError(
                f'{pack.source}: {kind} "{name}": {first[name].source} has it too; rename it'
            )
        first[name] = pack


def _refuse_lost_references(packs: Iterable[Pack], types: dict[str, RecordType]) -> None:
    faults = [
        f'{pack.source}: record type "{record_type.name}": {fault}'
        for pack in packs
        for record_type in pack.record_types
        for fault in reference_faults(record_type, types)
    ]
    if faults:
        raise PackError("\n".join(faults))


def _dependency_order(types: Iterable[RecordType]) -> tuple[RecordType, ...]:
    """Raises PackError if types refer to each other in a circle (a type may refer to itself)."""
    by_name = {record_type.name: record_type for record_type in types}
    sorter = TopologicalSorter(
        {name: record_type.references - {name} for name, record_type in by_name.items()}
    )
    try:
        sorter.prepare()
    except CycleError as fault:
        raise PackError(
            "record types refer to each other in a circle: "
            f"{' → '.join(fault.args[1])}; remove one of these references"
        ) from None
    return tuple(_by_rank(sorter, by_name))


def _by_rank(
    sorter: TopologicalSorter[str], by_name: dict[str, RecordType]
) -> Iterator[RecordType]:
    ready: set[str] = set()
    while sorter.is_active():
        ready |= set(sorter.get_ready())
        name = min(ready, key=lambda n: (by_name[n].rank, n))
        ready.remove(name)
        sorter.done(name)
        yield by_name[name]
