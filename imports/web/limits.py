"""The limits on pages: their names, their fields in a form, and what they are in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from imports.load.ceilings import DEFAULTS, FLOOR
from imports.mapping.definitions import MEASURES
from imports.mapping.limit_parsing import as_written
from portal.faults import Fault

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


@dataclass(frozen=True, slots=True)
class LimitInWords:
    """A limit that holds. is_default: nobody has set it."""

    label: Any
    value: str
    is_default: bool


def stated(limits: Mapping[str, Any]) -> list[LimitInWords]:
    """The limits that somebody has set."""
    return [LimitInWords(LABELS[n], str(limits[n]), False) for n in MEASURES if n in limits]


def in_words(limits: Mapping[str, Any]) -> list[LimitInWords]:
    """What holds with these limits, those that nobody has set last."""
    defaults = (name for name in DEFAULTS if name not in limits)
    return [*stated(limits), *(LimitInWords(LABELS[n], str(DEFAULTS[n]), True) for n in defaults)]


class LimitsForm(forms.Form):
    """A form with a field for each limit, `limit_removes` for instance."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.add_limits("limit", MEASURES)

    def add_limits(self, prefix: str, names: Iterable[str]) -> None:
        """Add a field for each of the limits."""
        for name in names:
            shown = placeholder(name if prefix == "limit" else "")
            self.fields[f"{prefix}_{name}"] = forms.CharField(
                label=LABELS[name],
                required=False,
                max_length=20,
                widget=forms.TextInput(
                    attrs={"class": "form-control", "autocomplete": "off", "placeholder": shown}
                ),
            )

    @property
    def limits(self) -> list[Any]:
        """The fields of the limits over all."""
        return [self[f"limit_{name}"] for name in MEASURES]

    def written_limits(self, prefix: str = "limit") -> dict[str, int | str]:
        """The limits that were filled in, as a spec writes them; not checked."""
        given = {name: self.cleaned_data.get(f"{prefix}_{name}") for name in MEASURES}
        return {name: as_written(text) for name, text in given.items() if text}

    def add_faults(self, faults: Iterable[Fault]) -> None:
        """Show each fault at the field of its limit, or over all."""
        for fault in faults:
            name = fault.path[-1] if fault.path else ""
            field = f"per_{name}" if "limits_per" in fault.path else f"limit_{name}"
            self.add_error(field if field in self.fields else None, str(fault))


def initial(limits: Mapping[str, Any], prefix: str = "limit") -> dict[str, Any]:
    """The limits as the form's fields show them."""
    return {f"{prefix}_{name}": limit for name, limit in limits.items()}
