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

from portal.events import rules, search
from portal.events.types import known_types, type_label
from portal.models import Event, Role
from portal.web.permissions import TenantRequest, require
from portal.web.timelines import TimelineForm, newest

_TEXT = {"class": "form-control", "autocomplete": "off", "spellcheck": "false"}
_HIDDEN = re.compile("[\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


class EventFilterForm(TimelineForm):
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


@require_GET
@require(Role.VIEWER)
def event_list(request: TenantRequest) -> HttpResponse:
    """The events, the newest first."""
    form = EventFilterForm(request.GET)
    only = search.EventFilter(**form.chosen())
    part = newest(request, search.events(request.tenant, only))
    context = {
        "section": "events",
        "form": form,
        "types": known_types().values(),
        "part": part,
        "rows": [(event, type_label(event.type)) for event in part.rows],
        "filtered": only != search.EventFilter(),
        "address": settings.PUBLIC_URL.rstrip("/") + reverse("api-events"),
    }
    return render(request, "portal/events.html", context)


@require_GET
@require(Role.VIEWER)
def event_page(request: TenantRequest, number: int) -> HttpResponse:
    """One event as exports send it."""
    event = Event.objects.filter(tenant=request.tenant, pk=number).first()
    if event is None:
        raise Http404
    context = {
        "section": "events",
        "event": event,
        "type": known_types().get(event.type),
        "payload": _shown(event.payload),
        "job": event.payload.get("number") if event.source == Event.Source.PORTAL else None,
    }
    return render(request, "portal/event.html", context)


def _shown(payload: Any) -> str:
    """The payload as indented JSON, with hidden characters escaped."""
    text = json.dumps(payload, ensure_ascii=False, indent=2)
    return _HIDDEN.sub(lambda hidden: f"\\u{ord(hidden.group()):04x}", text)
