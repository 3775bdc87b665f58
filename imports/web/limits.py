"""The limits in words: their names, and what they say of themselves on a page."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from imports.load.ceilings import DEFAULTS, FLOOR

LABELS = {
    "creates": gettext_lazy("Records created"),
    "updates": gettext_lazy("Records updated"),
    "removes": gettext_lazy("Records removed"),
    "rejects": gettext_lazy("Rows rejected"),
    "size_change": gettext_lazy("Change in file size"),
    "key_churn": gettext_lazy("New and missing identifiers"),
    "same_field": gettext_lazy("Records in which one field changes"),
    "reused_keys": gettext_lazy("Identifiers that become somebody else's"),
    "lost_zeros": gettext_lazy("Identifiers that differ only in how a number is written"),
}


def hint() -> str:
    """What a limit may be, what a percentage always allows, and what is asked without one."""
    return _(
        "A number of records such as 500, or a percentage such as 10%%; a percentage always allows "
        "%(floor)s. Where a field is blank, a person is still asked before a file removes more "
        "than %(removes)s of the records, changes one field in more than %(same_field)s of them, "
        "makes somebody else of a person, or creates a record whose identifier differs from a "
        "stored one only in how a number is written, as 42 from 0042. The first file of a kind and "
        "new records are not asked about."
    ) % {"floor": FLOOR, **{name: str(limit) for name, limit in DEFAULTS.items()}}


def placeholder(name: str) -> Any:
    """What stands in a blank field: the limit that holds without one, or how to write one."""
    return str(DEFAULTS[name]) if name in DEFAULTS else _("10% or 500")
