"""Lists in the order of time: a filter with days in the tenant's zone, and slices by cursor."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from portal.slices import BadCursor, Slice, Timed, newest_first
from portal.web.days import day_field, midnight


class TimelineForm(forms.Form):
    """A filter: the fields of the list's own, then the first and the last day."""

    since = day_field(_("From"), required=False)
    until = day_field(_("To"), required=False)

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        self.order_fields([name for name in self.fields if name not in ("since", "until")])

    def chosen(self) -> dict[str, Any]:
        """The filter's values by name, the days as `start` and `end`.

        What cannot be read is left out; its field says so.
        """
        self.is_valid()
        values = {name: value for name, value in self.cleaned_data.items() if value}
        start = midnight(values.pop("since", None))
        end = midnight(values.pop("until", None), days=1)
        return {**values, "start": start, "end": end}


def newest(request: HttpRequest, rows: QuerySet[Timed]) -> Slice[Timed]:
    """The slice that the request asks for; the first where its cursor cannot be read."""
    try:
        return newest_first(rows, request.GET.get("after", ""), request.GET.get("before", ""))
    except BadCursor:
        return newest_first(rows, "", "")
