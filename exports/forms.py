"""An export as a form: all but its columns and destinations, which are rows of their own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time
from typing import Any, cast

from django import forms
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from exports import names
from exports.models import Export
from portal import zones
from portal.records.catalog import catalog

_TEXT = {"class": "form-control", "autocomplete": "off", "spellcheck": "false"}
_SELECT = {"class": "form-select"}
_CHECK = {"class": "form-check-input"}
_MOST_TYPES = 50
_LONGEST_TYPE = 100


class ExportForm(forms.Form):
    """What is sent, as which file, and when."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=200,
        widget=forms.TextInput(attrs={**_TEXT, "spellcheck": "true"}),
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("What is sent"),
        choices=[
            ("events", gettext_lazy("Events: what happened, such as completed courses")),
            ("records", gettext_lazy("Records: what is stored, such as accounts")),
        ],
        widget=forms.RadioSelect(attrs=_CHECK),
    )
    types = forms.MultipleChoiceField(
        label=gettext_lazy("Event types"),
        required=False,
        help_text=gettext_lazy("Choose none to send events of every type."),
        widget=forms.CheckboxSelectMultiple(attrs=_CHECK),
    )
    more_types = forms.CharField(
        label=gettext_lazy("Other event types"),
        required=False,
        max_length=5000,
        help_text=gettext_lazy("Types that have not been received yet, separated by commas."),
        widget=forms.TextInput(attrs=_TEXT),
    )
    record_type = forms.ChoiceField(
        label=gettext_lazy("Record type"), required=False, widget=forms.Select(attrs=_SELECT)
    )
    changed = forms.ChoiceField(
        label=gettext_lazy("Which records"),
        required=False,
        choices=[
            ("", gettext_lazy("All of them, every night")),
            ("changed", gettext_lazy("Those that changed since the previous export")),
        ],
        widget=forms.Select(attrs=_SELECT),
    )
    format = forms.ChoiceField(
        label=gettext_lazy("Format"),
        choices=Export.Format.choices,
        widget=forms.Select(attrs=_SELECT),
    )
    compression = forms.ChoiceField(
        label=gettext_lazy("Compression"),
        required=False,
        choices=Export.Compression.choices,
        widget=forms.Select(attrs=_SELECT),
    )
    name_pattern = forms.CharField(
        label=gettext_lazy("File name"),
        strip=False,
        max_length=200,
        widget=forms.TextInput(attrs={**_TEXT, "class": "form-control font-monospace"}),
    )
    at = forms.TimeField(
        label=gettext_lazy("Time of day"),
        widget=forms.TimeInput(attrs={"class": "form-control", "type": "time"}, format="%H:%M"),
    )
    time_zone = forms.ChoiceField(
        label=gettext_lazy("Time zone"),
        help_text=gettext_lazy("A file covers one calendar day of this zone."),
        widget=forms.Select(attrs=_SELECT),
        error_messages={"invalid_choice": gettext_lazy("There is no such time zone. Choose one.")},
    )
    days = forms.TypedMultipleChoiceField(
        label=gettext_lazy("On these days"),
        coerce=int,
        help_text=gettext_lazy("A day without a run is covered by the file of the next run."),
        error_messages={"required": gettext_lazy("Choose at least one day.")},
        widget=forms.CheckboxSelectMultiple(attrs=_CHECK),
    )
    empty = forms.ChoiceField(
        label=gettext_lazy("A day with nothing to send"),
        choices=Export.Empty.choices,
        widget=forms.Select(attrs=_SELECT),
    )
    trigger = forms.ChoiceField(
        label=gettext_lazy("A second file after the data file"),
        required=False,
        choices=Export.Trigger.choices,
        help_text=gettext_lazy("It tells the partner's script that the data file is complete."),
        widget=forms.Select(attrs=_SELECT),
    )
    keep_days = forms.IntegerField(
        label=gettext_lazy("Keep files for"),
        min_value=1,
        max_value=3650,
        help_text=gettext_lazy(
            "Number of days during which a file can be downloaded and sent again."
        ),
        widget=forms.NumberInput(attrs={"class": "form-control"}),
    )

    def __init__(self, seen: Sequence[str], *args: Any, **kwargs: Any) -> None:
        """seen: the event types to choose from."""
        super().__init__(*args, **kwargs)
        self._choose("types", [(name, name) for name in seen])
        self._choose("record_type", record_types())
        self._choose("time_zone", time_zones())
        self._choose("days", [(number + 1, word) for number, word in WEEKDAYS.items()])

    def _choose(self, name: str, choices: list[Any]) -> None:
        cast(forms.ChoiceField, self.fields[name]).choices = choices

    def clean_more_types(self) -> list[str]:
        """The names. Raises ValidationError for what no event type can be."""
        text = str(self.cleaned_data["more_types"])
        types = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
        long = [name for name in types if len(name) > _LONGEST_TYPE]
        if long:
            raise forms.ValidationError(
                _("“%(type)s…” has %(n)s characters; an event type has at most %(most)s."
                  " Separate the types with commas.")
                % {"type": long[0][:30], "n": len(long[0]), "most": _LONGEST_TYPE}
            )  # fmt: skip
        if len(types) > _MOST_TYPES:
            raise forms.ValidationError(
                _("You named %(n)s types; the maximum is %(most)s. Choose none above to send events"
                  " of every type.") % {"n": len(types), "most": _MOST_TYPES}
            )  # fmt: skip
        return types

    def clean(self) -> dict[str, Any]:
        """Check the record type and the file name together with what they depend on."""
        data = self.cleaned_data
        if data.get("kind") == "records" and not data.get("record_type"):
            self.add_error("record_type", _("Choose which records are sent."))
        if "name_pattern" in data and {"format", "compression"} <= data.keys():
            faults = names.check(data["name_pattern"], data["format"], data["compression"])
            for fault in faults:
                self.add_error("name_pattern", str(fault))
        return data

    def source(self) -> dict[str, Any]:
        """The source as it is stored; of an unfinished form as far as it is filled in."""
        data = self.cleaned_data
        if data.get("kind") == "records":
            return {
                "records": data.get("record_type", ""),
                "changed": data.get("changed") == "changed",
            }
        chosen = [*data.get("types", ()), *data.get("more_types", ())]
        return {"events": list(dict.fromkeys(chosen))}

    def own_values(self) -> dict[str, Any]:
        """The values of `define.Definition` but columns and destinations; must be valid."""
        same = ("name", "format", "name_pattern", "at", "time_zone", "empty", "compression")
        more = ("trigger", "keep_days")
        values = {name: self.cleaned_data[name] for name in (*same, *more)}
        return {**values, "source": self.source(), "days": sorted(self.cleaned_data["days"])}


def initial(export: Export, seen: Sequence[str]) -> dict[str, Any]:
    """The form's values of a saved export."""
    same = ("name", "format", "name_pattern", "at", "time_zone", "empty", "compression")
    more = ("trigger", "keep_days")
    source = export.source
    types = [str(name) for name in source.get("events") or ()]
    return {
        **{name: getattr(export, name) for name in (*same, *more)},
        "days": export.days or list(range(1, 8)),
        "kind": "records" if "records" in source else "events",
        "types": [name for name in types if name in seen],
        "more_types": ", ".join(name for name in types if name not in seen),
        "record_type": source.get("records", ""),
        "changed": "changed" if source.get("changed") else "",
    }


def beginning(zone: str) -> dict[str, Any]:
    """What a new export starts with: the seed's nightly file."""
    return {
        "kind": "events",
        "format": Export.Format.CSV,
        "name_pattern": names.DEFAULT,
        "at": time(2),
        "time_zone": zone,
        "days": list(range(1, 8)),
        "empty": Export.Empty.SKIP,
        "compression": Export.Compression.NONE,
        "trigger": Export.Trigger.NONE,
        "keep_days": 30,
    }


def record_types() -> list[tuple[str, str]]:
    """The record types by label, after a blank one."""
    labels = ((record_type.name, record_type.label) for record_type in catalog().order())
    return [("", _("Choose one")), *sorted(labels, key=lambda pair: pair[1])]


def time_zones() -> list[tuple[str, list[tuple[str, str]]]]:
    """The IANA zones by region, without regions that only hold old names of other zones."""
    regions: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(zones.names()):
        region, slash, _place = name.partition("/")
        if not slash and name != "UTC":
            continue
        if region in ("Etc", "SystemV", "posix", "right"):
            continue
        regions.setdefault(region, []).append((name, name.replace("_", " ")))
    return sorted(regions.items(), key=lambda pair: (pair[0] not in ("US", "America"), pair[0]))
