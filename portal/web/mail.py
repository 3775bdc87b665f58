"""Which mails a person gets: the switches of each member."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from portal import audit
from portal.models import Membership, Role
from portal.notify import audience
from portal.web import address
from portal.web.permissions import TenantRequest, require

# The switch on the membership, its name, and what it is about.
_SWITCHES = (
    (
        "mail_unmatched",
        gettext_lazy("A file that matches no template"),
        gettext_lazy("It waits in its folder until a template has its name."),
    ),
    (
        "mail_not_taken",
        gettext_lazy("A delivery that was not picked up"),
        gettext_lazy(
            "A manifest that cannot be read or has invalid lines, a file in a folder that feeds "
            "nothing, or one that was overwritten before it was picked up."
        ),
    ),
    (
        "mail_held",
        gettext_lazy("An import that is waiting for approval"),
        gettext_lazy("And what was decided, and by whom."),
    ),
    (
        "mail_failed",
        gettext_lazy("An import that failed"),
        gettext_lazy("And an import that was undone."),
    ),
    (
        "mail_completed",
        gettext_lazy("A successful import"),
        gettext_lazy("Every one of them. Several at once are sent as one summary."),
    ),
)


class MailForm(forms.Form):
    """A choice for each switch of a member: the role's default, on, or off."""

    def __init__(self, member: Membership, data: Any = None) -> None:
        super().__init__(data)
        for name, label, hint in _SWITCHES:
            if not is_always(member, name):
                self.fields[name] = _choice(member, name, str(label), str(hint))


def _choice(member: Membership, name: str, label: str, hint: str) -> forms.Field:
    on, off = _("Default for my role: on"), _("Default for my role: off")
    asked: bool | None = getattr(member, name)
    return forms.TypedChoiceField(
        label=label,
        help_text=hint,
        required=False,
        choices=[
            ("", on if audience.by_role(member, name) else off),
            ("on", _("On")),
            ("off", _("Off")),
        ],
        coerce=lambda chosen: chosen == "on",
        empty_value=None,
        initial="" if asked is None else "on" if asked else "off",
        widget=forms.Select(attrs={"class": "form-select"}),
    )


def is_always(member: Membership, switch: str) -> bool:
    """Whether the member gets these mails whatever they chose (seed 003)."""
    return switch == "mail_unmatched" and member.allows(Role.ADMIN)


@require_http_methods(["GET", "POST"])
@require(Role.VIEWER)
def mail_page(request: TenantRequest) -> HttpResponse:
    """The user's own switches in the current tenant. Only members have switches."""
    member = Membership.objects.filter(tenant=request.tenant, user=request.user).first()
    form, status = None, 200
    if member is not None:
        form = MailForm(member, request.POST if request.method == "POST" else None)
        if form.is_valid():
            _save(request, member, form.cleaned_data)
            return redirect("mail")
        status = 422 if form.is_bound else 200
    context = {
        "section": "mail",
        "form": form,
        "always": member is not None and is_always(member, "mail_unmatched"),
        "role": member.get_role_display() if member else "",
    }
    return render(request, "portal/mail.html", context, status=status)


def _save(request: TenantRequest, member: Membership, chosen: dict[str, bool | None]) -> None:
    with transaction.atomic():
        Membership.objects.filter(pk=member.pk).update(**chosen)
        audit.record(
            member.tenant_id, "member.mail", request.user.email,
            user=request.user, address=address.client(request) or None, **chosen,
        )  # fmt: skip
    messages.success(request, _("Saved."))
