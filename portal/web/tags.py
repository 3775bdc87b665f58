"""Template tags and filters of the pages, loaded everywhere."""

from __future__ import annotations

import functools
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django import template
from django.conf import settings
from django.contrib.humanize.templatetags.humanize import intcomma
from django.contrib.staticfiles import finders
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from portal.web import labels

register = template.Library()

NOTHING = "–"  # noqa: RUF001  (the dash of an empty cell)

_ICONS = "vendor/tabler-icons-3.51.0"
_LONGEST_FOREIGN = 120
_LONGEST_SENTENCE = 2000
_SHOWN_SPACE = {"\t": "→", "\n": "↵", "\r": "␍", "\x00": "␀", "\xa0": "⍽"}
_HIDDEN = re.compile("[\x01-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")

# The look of a state or verdict: tone and icon. The word beside them always says the same.
LOOKS: dict[str, tuple[str, str]] = {
    "ready": ("quiet", "clock"),
    "running": ("active", "progress"),
    "errored": ("warn", "refresh"),
    "held": ("hold", "hand-stop"),
    "complete": ("good", "circle-check"),
    "incomplete": ("warn", "alert-triangle"),
    "failed": ("bad", "circle-x"),
    "discarded": ("quiet", "trash"),
    "planned": ("quiet", "clipboard-check"),
    "collecting": ("active", "progress"),
    "processing": ("active", "progress"),
    "done": ("good", "circle-check"),
    "invalid_files": ("warn", "alert-triangle"),
    "invalid_schema": ("bad", "circle-x"),
    "config_missing": ("bad", "plug"),
    "error": ("bad", "circle-x"),
    "warning": ("warn", "alert-triangle"),
    "open": ("active", "upload"),
    "partial": ("warn", "alert-triangle"),
    "unmatched": ("warn", "folder-question"),
    "replaced": ("warn", "alert-triangle"),
    "upload_open": ("active", "upload"),
    "misplaced": ("bad", "folder-question"),
    "waiting_for_manifest": ("quiet", "clock"),
    "in_progress": ("active", "upload"),
    "almost_manifest": ("warn", "alert-triangle"),
    "unnamed_manifest": ("warn", "alert-triangle"),
    "manifest_is_folder": ("warn", "alert-triangle"),
    "name_too_long": ("warn", "alert-triangle"),
    "processing_stale": ("warn", "alert-triangle"),
    "configuration_missing": ("bad", "plug"),
    "enabled": ("good", "circle-check"),
    "disabled": ("quiet", "ban"),
    "active": ("good", "circle-check"),
    "removed": ("quiet", "trash"),
    "expired": ("quiet", "clock"),
    "revoked": ("quiet", "ban"),
    "written": ("good", "file-spreadsheet"),
    "empty": ("quiet", "inbox"),
    "sent": ("good", "circle-check"),
    "delivered": ("good", "circle-check"),
    "sending": ("active", "upload"),
    "retrying": ("warn", "refresh"),
    "given_up": ("bad", "alert-circle"),
    "refused": ("bad", "ban"),
    "cancelled": ("quiet", "x"),
    "not_due": ("none", "clock"),
    "started": ("good", "player-play"),
    "stopped": ("quiet", "hand-stop"),
    "pinned": ("good", "lock"),
    "unpinned": ("warn", "alert-triangle"),
}


@functools.cache
def _svg(name: str) -> str:
    path = finders.find(f"{_ICONS}/{name}.svg")
    if not isinstance(path, str):
        raise template.TemplateSyntaxError(f"There is no icon {name!r} in {_ICONS}.")
    drawing = Path(path).read_text(encoding="utf-8")
    inner = re.sub(r"\s+", " ", drawing[drawing.index(">") + 1 : drawing.rindex("</svg>")])
    return (
        '<svg class="icon" width="24" height="24" viewBox="0 0 24 24" fill="none" '
        'stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" '
        f'aria-hidden="true" focusable="false">{inner.strip()}</svg>'
    )


@register.simple_tag
def icon(name: str) -> SafeString:
    """A decorative icon. Raises TemplateSyntaxError for an unknown name."""
    return mark_safe(_svg(name))  # noqa: S308  (a file of ours)


@register.simple_tag
def languages() -> list[tuple[str, str]]:
    """The languages of the pages: code and native name."""
    return list(settings.LANGUAGES)


@register.simple_tag
def pill(state: str, label: str) -> SafeString:
    """A state as icon and word; the colour only repeats them."""
    tone, drawing = LOOKS.get(state, ("quiet", "info-circle"))
    return format_html('<span class="pill pill-{}">{}{}</span>', tone, icon(drawing), label)


@register.simple_tag
def tile_sign(state: str) -> SafeString:
    """The icon of a state on a field of its colour."""
    tone, drawing = LOOKS.get(state, ("quiet", "info-circle"))
    return format_html('<span class="tile-sign tone-{}">{}</span>', tone, icon(drawing))


@register.simple_tag
def tally(counts: dict[str, int], name: str) -> str:
    """The count of that name, 0 where there is none."""
    return str(intcomma(counts.get(name, 0)))


@register.filter
def moment(value: datetime | None) -> str:
    """A time for lists and sentences: `moment_text` as an element."""
    return NOTHING if value is None else _time(value, moment_text(value))


@register.filter
def moment_text(value: datetime) -> str:
    """A time to the minute in the tenant's zone, with the zone; the year if it is not this one.

    The zone stands in each value, because a list may show times before and after a clock change.
    """
    local = timezone.localtime(value)
    this_year = local.year == timezone.localtime().year
    return _zoned(local, _("M j, H:i") if this_year else _("M j, Y, H:i"))


@register.filter
def exactly(value: datetime | None) -> str:
    """A time to the second, with its zone."""
    if value is None:
        return NOTHING
    return _time(value, _to_the_second(value))


def _to_the_second(value: datetime) -> str:
    return _zoned(timezone.localtime(value), _("M j, Y, H:i:s"))


def _zoned(local: datetime, form: str) -> str:
    """The time with its zone; Django's T leaves it out in the hour that a clock change repeats."""
    return f"{formats.date_format(local, form)} {local.tzname()}"


def _time(value: datetime, words: str) -> SafeString:
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        value.isoformat(timespec="seconds"),
        _to_the_second(value),
        words,
    )


@register.filter
def duration(value: timedelta | float | None) -> str:
    """A length of time in its two largest units."""
    if value is None:
        return NOTHING
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if seconds < 10:
        return _("%(n)s s") % {"n": formats.number_format(max(seconds, 0.0), 1)}
    whole = int(seconds)
    if whole < 60:
        return _("%(n)s s") % {"n": whole}
    if whole < 3600:
        return _("%(m)s min %(s)s s") % {"m": whole // 60, "s": whole % 60}
    return _("%(h)s h %(m)s min") % {"h": whole // 3600, "m": whole % 3600 // 60}


@register.filter
def visible(value: Any) -> str:
    """Foreign text with signs for control characters, special spaces and outer spaces."""
    return _revealed(str(value), _LONGEST_FOREIGN)


@register.filter
def visible_long(value: Any) -> str:
    """As `visible`, for sentences: at most two thousand characters, with line breaks."""
    return _revealed(str(value).replace("\r\n", "\n").strip(" \n"), _LONGEST_SENTENCE)


def _revealed(text: str, longest: int) -> str:
    for char, sign in _SHOWN_SPACE.items():
        text = text.replace(char, sign)
    text = _HIDDEN.sub(lambda hidden: f"\\u{ord(hidden.group()):04x}", text)
    body = text.strip(" ")
    before = len(text) - len(text.lstrip(" "))
    after = len(text) - before - len(body)
    text = "␣" * before + body + "␣" * after if body else "␣" * len(text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


@register.filter
def foreign(value: Any) -> SafeString:
    """Foreign text as a value: escaped, cut, in its own direction, in a fixed-width face."""
    if value is None or str(value) == "":
        return format_html('<span class="blank">{}</span>', _("(empty)"))
    return format_html('<code class="foreign" dir="auto">{}</code>', visible(value))


@register.filter
def count(value: int | None) -> SafeString:
    """A count with separated thousands; a zero is shown pale."""
    if value is None:
        return mark_safe(NOTHING)  # noqa: S308  (a constant)
    if value == 0:
        return mark_safe('<span class="zero">0</span>')
    return format_html("{}", intcomma(value))


@register.simple_tag
def sort_link(request: Any, key: str, label: str, current: str) -> SafeString:
    """A column's title as a link that sorts by it, and reverses the order the second time."""
    down = current == f"-{key}"
    up = current == key
    values = request.GET.copy()
    values.pop("page", None)
    values["sort"] = key if down else f"-{key}"
    sign = icon("chevron-down" if down else "chevron-up" if up else "selector")
    html = '<a class="sort{}" id="sort-{}" href="?{}">{}{}</a>'
    return format_html(html, " is-on" if up or down else "", key, values.urlencode(), label, sign)


@register.filter
def aria_sort(current: str, key: str) -> str:
    """The value of aria-sort for the column."""
    return {key: "ascending", f"-{key}": "descending"}.get(current, "none")


register.filter("feed_label", labels.feed_label)
register.filter("record_type_label", labels.record_type_label)
