"""The filters of the runs and deliveries, sent by GET, and the form of past dates."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any, cast

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from exports import nights
from exports.models import Delivery, ExportRun, Server
from exports.queries import DeliveryFilter, RunFilter
from portal.models import Tenant

_SELECT = {"class": "form-select"}
_DATE = {"class": "form-control", "type": "date"}
_RUN_STATES = [pair for pair in nights.WORDS.items() if pair[0] != "not_due"]


def _day(label: Any, **more: Any) -> forms.DateField:
    widget = forms.DateInput(attrs=_DATE, format="%Y-%m-%d")
    return forms.DateField(label=label, widget=widget, **more)


class RunFilterForm(forms.Form):
    """State, kind, and the dates covered."""

    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[("", _("Any state")), *_RUN_STATES],
        widget=forms.Select(attrs=_SELECT),
    )
    kind = forms.ChoiceField(
        label=_("Asked for"),
        required=False,
        choices=[("", _("Any kind")), *ExportRun.Kind.choices],
        widget=forms.Select(attrs=_SELECT),
    )
    since = _day(_("From date"), required=False)
    until = _day(_("To date"), required=False)

    def wanted(self) -> RunFilter:
        """The filter; what cannot be read is left out and told beside its field."""
        self.is_valid()
        clean = self.cleaned_data
        return RunFilter(
            state=clean.get("state") or "",
            kind=clean.get("kind") or "",
            since=clean.get("since"),
            until=clean.get("until"),
        )


class DeliveryFilterForm(forms.Form):
    """State, server, and when the delivery was made, as days in the tenant's zone."""

    state = forms.ChoiceField(label=_("State"), required=False, widget=forms.Select(attrs=_SELECT))
    server = forms.ModelChoiceField(
        label=_("Server"),
        queryset=Server.objects.none(),
        to_field_name="uid",
        required=False,
        empty_label=_("Any server"),
        widget=forms.Select(attrs=_SELECT),
    )
    since = _day(_("From"), required=False)
    until = _day(_("To"), required=False)

    def __init__(self, tenant: Tenant, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        servers = Server.objects.filter(tenant=tenant).order_by("name")
        cast("forms.ModelChoiceField[Server]", self.fields["server"]).queryset = servers
        cast(forms.ChoiceField, self.fields["state"]).choices = [
            ("", _("Any state")),
            ("incident", _("Open incidents")),
            ("unfinished", _("Not finished")),
            *Delivery.State.choices,
        ]

    def wanted(self) -> DeliveryFilter:
        """The filter; what cannot be read is left out and told beside its field."""
        self.is_valid()
        clean = self.cleaned_data
        server = clean.get("server")
        return DeliveryFilter(
            state=clean.get("state") or "",
            server=server.pk if server else None,
            since=_midnight(clean.get("since")),
            until=_midnight(clean.get("until"), days=1),
        )


def _midnight(day: date | None, days: int = 0) -> datetime | None:
    """The beginning of the day, or of a day later, in the zone of the page."""
    if day is None:
        return None
    try:
        return timezone.make_aware(datetime.combine(day + timedelta(days=days), time()))
    except (OverflowError, ValueError):
        return None


class BackfillForm(forms.Form):
    """The first and the last past date to make files for."""

    first = _day(_("First day"))
    last = _day(_("Last day"))

    def __init__(self, newest: date, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["max"] = newest.isoformat()
