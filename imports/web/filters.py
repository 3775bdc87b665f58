"""The filters of the lists: forms sent by GET, so that an address can be kept and shared."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from imports.jobs.queries import JOB_ORDERS, ArrivalFilter, JobFilter, SightingFilter
from imports.models import Arrival, ImportJob
from portal.web import labels
from portal.web.days import day_field, midnight

_TEXT = {"class": "form-control", "autocomplete": "off", "spellcheck": "false"}
_SELECT = {"class": "form-select"}


class JobFilterForm(forms.Form):
    """Status, record type, received from and to (days in the tenant's zone), file name."""

    status = forms.ChoiceField(label=_("Status"), required=False)
    type = forms.ChoiceField(label=_("Record type"), required=False)
    since = day_field(_("From"), required=False)
    until = day_field(_("To"), required=False)
    name = forms.CharField(label=_("File name"), required=False, max_length=300)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        states = [
            ("", _("Any status")),
            ("unfinished", _("Not finished")),
            *ImportJob.State.choices,
        ]
        types = [("", _("Any type")), *labels.record_type_choices()]
        for name, choices in (("status", states), ("type", types)):
            field = cast(forms.ChoiceField, self.fields[name])
            field.widget = forms.Select(attrs=_SELECT)
            field.choices = choices
        self.fields["name"].widget = forms.TextInput(attrs=_TEXT)

    def as_filter(self, sort: str) -> JobFilter:
        """The filter; what cannot be read is left out and shown beside its field."""
        self.is_valid()
        clean = self.cleaned_data
        status = clean.get("status") or ""
        unfinished = tuple(map(str, (*ImportJob.WAITING_STATES, ImportJob.State.RUNNING)))
        return JobFilter(
            states=unfinished if status == "unfinished" else (status,) if status else (),
            record_type=clean.get("type") or "",
            since=midnight(clean.get("since")),
            until=midnight(clean.get("until"), days=1),
            name=(clean.get("name") or "").replace("\x00", ""),
            sort=sort if sort.removeprefix("-") in JOB_ORDERS else "-received",
        )


class ArrivalFilterForm(forms.Form):
    """State of the delivery, and part of its or a file's name."""

    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        widget=forms.Select(attrs=_SELECT),
        choices=[("", _("Any state")), *Arrival.State.choices],
    )
    name = forms.CharField(
        label=_("Name"), required=False, max_length=300, widget=forms.TextInput(attrs=_TEXT)
    )

    def as_filter(self) -> ArrivalFilter:
        self.is_valid()
        clean = self.cleaned_data
        return ArrivalFilter(state=clean.get("state") or "", name=clean.get("name") or "")


class SightingFilterForm(forms.Form):
    """Verdict and part of the path; also files that are gone, where asked for."""

    verdict = forms.ChoiceField(label=_("Why"), required=False, widget=forms.Select(attrs=_SELECT))
    name = forms.CharField(
        label=_("Path"), required=False, max_length=300, widget=forms.TextInput(attrs=_TEXT)
    )
    gone = forms.BooleanField(
        label=_("Include files that are gone"),
        required=False,
        widget=forms.CheckboxInput(attrs={"class": "form-check-input"}),
    )

    def __init__(self, *args: Any, verdicts: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast(forms.ChoiceField, self.fields["verdict"])
        field.choices = [("", _("Any reason")), *verdicts]

    def as_filter(self) -> SightingFilter:
        self.is_valid()
        clean = self.cleaned_data
        return SightingFilter(
            verdict=clean.get("verdict") or "",
            name=clean.get("name") or "",
            gone=bool(clean.get("gone")),
        )
