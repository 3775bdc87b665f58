"""The filters of the runs and deliveries, sent by GET, and the form of past dates."""

from __future__ import annotations

from datetime import date
from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from exports import nights
from exports.models import Delivery, ExportRun, Server
from exports.queries import DeliveryFilter, RunFilter
from portal.models import Tenant
from portal.web.days import day_field, midnight

_SELECT = {"class": "form-select"}
_RUN_STATES = [pair for pair in nights.WORDS.items() if pair[0] != "not_due"]


class RunFilterForm(forms.Form):
    """State, kind, and the dates covered."""

    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[("", _("Any state")), *_RUN_STATES],
        widget=forms.Select(attrs=_SELECT),
    )
    kind = forms.ChoiceField(
        label=_("Requested"),
        required=False,
        choices=[("", _("Any kind")), *ExportRun.Kind.choices],
        widget=forms.Select(attrs=_SELECT),
    )
    since = day_field(_("From date"), required=False)
    until = day_field(_("To date"), required=False)

    def as_filter(self) -> RunFilter:
        """The filter; what cannot be read is left out and shown beside its field."""
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
    since = day_field(_("From"), required=False)
    until = day_field(_("To"), required=False)

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

    def as_filter(self) -> DeliveryFilter:
        """The filter; what cannot be read is left out and shown beside its field."""
        self.is_valid()
        clean = self.cleaned_data
        server = clean.get("server")
        return DeliveryFilter(
            state=clean.get("state") or "",
            server=server.pk if server else None,
            since=midnight(clean.get("since")),
            until=midnight(clean.get("until"), days=1),
        )


class BackfillForm(forms.Form):
    """The first and the last of the past dates to make files for."""

    first = day_field(_("First day"))
    last = day_field(_("Last day"))

    def __init__(self, newest: date, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["max"] = newest.isoformat()
