"""Receipts as files in a folder: written beside what they speak of, gone when that is over.

A receipt never stands beside a newer file of the same name as if it were that one's.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from imports.arrivals.listing import Listing
from imports.arrivals.names import DATA_ENDING, RESULT_ENDING, data_name, result_name
from imports.collect import folders, receipts
from imports.collect.receipts import Receipt
from portal import logs
from portal.dropserver.jail import Jail
from portal.dropserver.paths import Path

log = logs.get(__name__)


def write(jail: Jail, folder: Path, receipt: Receipt) -> None:
    """Write a receipt; the text comes last, for that is what a script waits for."""
    for name, content in (
        (data_name(receipt.name), receipts.data(receipt)),
        (result_name(receipt.name), receipts.text(receipt)),
    ):
        folders.write(jail, (*folder, name), iter([content.encode("utf-8", "replace")]))


def remove(jail: Jail, folder: Path, name: str, before: datetime | None = None) -> None:
    """Remove the receipt of the file of that name. before: only one that was written before."""
    for path in ((*folder, result_name(name)), (*folder, data_name(name))):
        try:
            if before is None or jail.stat(path).st_mtime < before.timestamp():
                jail.remove(path)
        except FileNotFoundError:
            continue
        except OSError as exc:  # made a link or a folder meanwhile
            log.warning("receipt_not_removed", error=repr(exc))


def remove_stale(jail: Jail, folder: Path, listing: Listing, kept: Collection[str] = ()) -> None:
    """Remove receipts beside which a newer file of their name is now. kept: names that keep it."""
    for entry in listing:
        for ending in (RESULT_ENDING, DATA_ENDING):
            name = entry.name.removesuffix(ending)
            newer = listing.by_name.get(name) if name != entry.name else None
            if newer is None or newer.is_dir or name in kept:
                continue
            if newer.changed > entry.written:
                remove(jail, folder, name)
