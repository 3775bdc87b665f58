"""Receipts beside files in folders that feed nothing: written once, and gone with the file."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from imports.arrivals.listing import Listing
from imports.arrivals.names import DATA_ENDING, RESULT_ENDING, data_name, is_result
from imports.collect import folders, receipt_files, recognise
from imports.collect.receipts import Receipt
from imports.jobs import mail
from imports.models import Sighting
from portal import logs
from portal.dropserver.jail import Jail
from portal.dropserver.paths import MAX_NAME_BYTES
from portal.models import Endpoint

log = logs.get(__name__)
MISPLACED = "misplaced"


def write_back(
    endpoint: Endpoint, jail: Jail, tree: Mapping[str, Listing], drops: set[str]
) -> None:
    """Say beside each misplaced file why it is not imported, and remove what is left of others."""
    rows = Sighting.objects.filter(endpoint=endpoint, gone_at=None, verdict=MISPLACED)
    read = [row for row in rows if row.is_exact and not row.reason.endswith(recognise.LATER)]
    misplaced = {row.path: row for row in read}
    for path, row in misplaced.items():
        folder, _, name = path.rpartition("/")
        listing = tree.get(folder)
        if listing is not None and not _has_receipt(listing, name):
            try:
                _write(endpoint, jail, row, folder, name)
            except OSError as exc:  # the others' receipts do not wait for this one
                log.exception("receipt_not_written", sighting_id=row.pk, exc_info=exc)
    _clear(endpoint, jail, tree, drops)


def _has_receipt(listing: Listing, name: str) -> bool:
    receipt, file = listing.by_name.get(name + RESULT_ENDING), listing.by_name.get(name)
    return receipt is not None and file is not None and receipt.written >= file.changed


def _write(endpoint: Endpoint, jail: Jail, row: Sighting, folder: str, name: str) -> None:
    if len(data_name(name).encode()) > MAX_NAME_BYTES:
        return
    receipt = Receipt(endpoint.tenant, MISPLACED, name, row.reason, size=row.size)
    receipt_files.write(jail, folders.path_of(folder), receipt)
    with transaction.atomic():
        mail.misplaced(row)


def _clear(endpoint: Endpoint, jail: Jail, tree: Mapping[str, Listing], drops: set[str]) -> None:
    """Remove receipts of misplaced files that are gone. Those in drops have rules of their own."""
    alone = {
        f"{folder}/{name}".lstrip("/"): (folder, name)
        for folder, listing in tree.items()
        if folder not in drops
        for entry in listing
        if is_result(entry.name)
        and (name := _named_file(entry.name))
        and name not in listing.by_name
    }
    if not alone:
        return
    rows = Sighting.objects.filter(endpoint=endpoint, verdict=MISPLACED, path__in=list(alone))
    for path in set(rows.values_list("path", flat=True)):
        folder, name = alone[path]
        receipt_files.remove(jail, folders.path_of(folder), name)


def _named_file(name: str) -> str:
    return name.removesuffix(RESULT_ENDING).removesuffix(DATA_ENDING)
