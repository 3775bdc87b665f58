"""Faults beside the fields of a form."""

from __future__ import annotations

from django import forms

from portal.faults import Refused


def add(form: forms.BaseForm, refused: Refused) -> None:
    """Add each fault to the field that its path begins with; to the whole form without one."""
    for fault in refused.faults:
        field = str(fault.path[0]) if fault.path else None
        form.add_error(field if field in form.fields else None, str(fault))
