"""What most views need: who acts, the row of the address, what the page showed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from django import forms
from django.http import Http404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.changes import Actor, ChangedMeanwhile
from portal.web import address
from portal.web.permissions import TenantRequest

Row = TypeVar("Row")
_NO_LABELS: Mapping[str, str] = MappingProxyType({})


def actor(request: TenantRequest) -> Actor:
    """The person of the request, for the audit trail."""
    return Actor(request.user, address.client(request) or None)


def or_404(row: Row | None) -> Row:
    """The row that the address names. Raises Http404 where the tenant has none."""
    if row is None:
        raise Http404
    return row


def based_on(request: TenantRequest, name: str = "based_on") -> int:
    """The version that the sent page showed; 0, which no row has, where it cannot be read."""
    return whole_number(request.POST.get(name, "")) or 0


def whole_number(text: str) -> int | None:
    """The text as a whole number below a thousand million; None for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def seen_field() -> forms.CharField:
    """A hidden field with the `fingerprint` of what the page showed of something."""
    return forms.CharField(
        max_length=64,
        widget=forms.HiddenInput,
        error_messages={"required": gettext_lazy("The page is incomplete. Reload it.")},
    )


def overtaken(changed: ChangedMeanwhile, labels: Mapping[str, Any] = _NO_LABELS) -> str:
    """What a page says above the form of whoever was refused because somebody else was first."""
    words = _(
        "Somebody else has changed this since you opened the page, so your changes were not "
        "saved. What you entered is still in the form: save again to replace their version with "
        "yours, or reload the page to see theirs."
    )
    names = ", ".join(str(labels.get(name, name)) for name in changed.differs)
    return (
        f"{words} " + _("Your version differs in: %(names)s.") % {"names": names}
        if names
        else words
    )


def changed_words(changed: ChangedMeanwhile, labels: Mapping[str, str] = _NO_LABELS) -> str:
    """Why a change was refused, and what differs. labels: how the page calls what differs."""
    names = ", ".join(labels.get(name, name) for name in changed.differs)
    if not names:
        return str(changed)
    return f"{changed} " + _("Your version differs in: %(names)s.") % {"names": names}
