"""A manifest that overtakes a data file that it names: it waits until that upload has ended.

Some senders upload over several connections; the small manifest is there first, and the data file
would be reported as not found while it is on its way.
"""

from __future__ import annotations

from collections.abc import Iterable

from imports.arrivals.decisions import shown
from imports.arrivals.listing import Entry
from imports.arrivals.names import in_form_c
from imports.collect import folders, uploads
from imports.collect.deliveries import Folder
from imports.manifest import MOST_READ, InvalidSchema, parse


def waiting(folder: Folder, manifests: Iterable[Entry]) -> dict[str, str]:
    """The manifests that wait, by name, each with the reason."""
    manifests = list(manifests)
    arriving = uploads.open_names(folder) if manifests else set()
    if not arriving:
        return {}
    forms = {in_form_c(name): name for name in arriving}
    named = {
        entry.name: {
            forms[form]
            for name in named_in(folder, entry.name)
            if (form := in_form_c(name)) in forms
        }
        for entry in manifests
    }
    return {name: _reason(files) for name, files in named.items() if files}


def named_in(folder: Folder, manifest_name: str) -> set[str]:
    """The names in a manifest; none in one that cannot be read, which is refused as ever."""
    try:
        with folders.reading(folder.jail, folder.file(manifest_name)) as file:
            manifest = parse(file.read(MOST_READ))
    except (InvalidSchema, OSError):
        return set()
    return {reference.name for reference in manifest.references}


def _reason(files: set[str]) -> str:
    names = ", ".join(shown(name) for name in sorted(files)[:5])
    return (
        f"The manifest waits: {names}, which it names, is still being uploaded. It is taken when "
        "that upload has ended."
    )
