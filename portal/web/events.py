"""The events of the tenant: a list by time with filters, and one event with its payload."""

from __future__ import annotations

import json
import re
from typing import Any

from django import forms
from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from portal import slices
from portal.events import rules, search
from portal.events.search import Wanted
from portal.models import Event, Role
from portal.web.days import day_field, midnight
from portal.web.permissions import TenantRequest, require

_TEXT = {"class": "form-control", "autocomplete": "off", "spellcheck": "false"}
_HIDDEN = re.compile("[\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


class EventFilterForm(forms.Form):
    """Type, beginning of the subject, source, and days in the tenant's zone."""

    type = forms.CharField(
        label=_("Type"),
        required=False,
        max_length=rules.LONGEST_TYPE,
        widget=forms.TextInput(attrs={**_TEXT, "list": "event-types"}),
    )
    subject = forms.CharField(
        label=_("Subject begins with"),
        required=False,
        max_length=rules.LONGEST_SUBJECT,
        widget=forms.TextInput(attrs=_TEXT),
    )
    source = forms.ChoiceField(
        label=_("Received by"),
        required=False,
        choices=[("", _("Any source")), *Event.Source.choices],
        widget=forms.Select(attrs={"class": "form-select"}),
    )
    since = day_field(_("From"), required=False)
    until = day_field(_("To"), required=False)

    def wanted(self) -> Wanted:
        """The filter; what cannot be read is left out and told beside its field."""
        self.is_valid()
        clean = self.cleaned_data
        return Wanted(
            type=clean.get("type") or "",
            subject=clean.get("subject") or "",
            source=clean.get("source") or "",
            start=midnight(clean.get("since")),
            end=midnight(clean.get("until"), days=1),
        )


@require_GET
@require(Role.VIEWER)
def event_list(request: TenantRequest) -> HttpResponse:
    """The events, the newest first."""
    form = EventFilterForm(request.GET)
    wanted = form.wanted()
    rows = search.found(request.tenant, wanted)
    part = slices.shown(rows, request.GET.get("after", ""), request.GET.get("before", ""))
    context = {
        "section": "events",
        "form": form,
        "types": rules.known_types().values(),
        "part": part,
        "rows": [(event, rules.type_label(event.type)) for event in part.rows],
        "filtered": wanted != Wanted(),
        "address": settings.PUBLIC_URL.rstrip("/") + reverse("api-events"),
    }
    return render(request, "portal/events.html", context)


@require_GET
@require(Role.VIEWER)
def event_page(request: TenantRequest, number: int) -> HttpResponse:
    """One event as it is passed on."""
    event = Event.objects.filter(tenant=request.tenant, pk=number).first()
    if event is None:
        raise Http404
    known = rules.known_types().get(event.type)
    context = {
        "section": "events",
        "event": event,
        "known": known,
        "payload": _shown(event.payload),
        "job": event.payload.get("number") if event.source == Event.Source.PORTAL else None,
    }
    return render(request, "portal/event.html", context)


def _shown(payload: Any) -> str:
    """The payload as JSON over several lines, with nothing hidden in it."""
    text = json.dumps(payload, ensure_ascii=False, indent=2)
    return _HIDDEN.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
