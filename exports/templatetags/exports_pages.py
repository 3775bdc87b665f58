"""Signs and words of the export pages; `open_incidents` for the menu."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django import template
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from exports import nights, queries
from exports.web import words
from portal.models import Tenant
from portal.web.tags import LOOKS, icon, pill

register = template.Library()


@register.simple_tag
def open_incidents(tenant: Tenant | None) -> int:
    """How many deliveries nobody has seen to yet."""
    return queries.open_incidents(tenant) if tenant else 0


@register.simple_tag
def night_sign(state: str) -> SafeString:
    """A night as icon on its colour, without words of its own."""
    tone, drawing = LOOKS.get(state, ("quiet", "info-circle"))
    return format_html('<span class="night-sign tone-{}">{}</span>', tone, icon(drawing))


@register.filter
def night_pill(run: Any) -> SafeString:
    """A run's state, that of its deliveries included."""
    state = nights.state_of(run)
    return SafeString(pill(state, str(nights.WORDS[state])))


@register.filter
def day(value: date | None) -> str:
    """A date for people, with its weekday: "Tue, Nov 17, 2026"."""
    return formats.date_format(value, _("D, M j, Y")) if value else ""


@register.filter
def until(value: datetime | None) -> str:
    """How long from now: "in 4 min 12 s"."""
    return words.until(value, timezone.now()) if value else ""


register.filter("source_words", words.source)
