"""Days that people enter, as moments in the current time zone."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone

_DATE = {"class": "form-control", "type": "date"}


def day_field(label: Any, **more: Any) -> forms.DateField:
    """A field for a day, with the browser's calendar."""
    widget = forms.DateInput(attrs=_DATE, format="%Y-%m-%d")
    return forms.DateField(label=label, widget=widget, **more)


def midnight(day: date | None, days: int = 0) -> datetime | None:
    """The beginning of the day, or of a later day; None without a day, or beyond all dates."""
    if day is None:
        return None
    try:
        return timezone.make_aware(datetime.combine(day + timedelta(days=days), time()))
    except (OverflowError, ValueError):
        return None
