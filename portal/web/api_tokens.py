"""The tenant's API tokens: new tokens (shown once), their use, revocation."""

from __future__ import annotations

from datetime import timedelta

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from portal import audit
from portal.models import ApiToken, Role
from portal.people import tokens
from portal.web import address
from portal.web.permissions import TenantRequest, require

_MOST_LIVE = 100
_LIFETIMES = [
    ("30", gettext_lazy("30 days")),
    ("90", gettext_lazy("90 days")),
    ("365", gettext_lazy("1 year")),
    ("", gettext_lazy("Never")),
]


class TokenForm(forms.Form):
    """A new token: its name, its scopes and its lifetime."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=200,
        help_text=gettext_lazy("For example, the program that uses it."),
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("Permissions"),
        choices=ApiToken.Scope.choices,
        initial=[ApiToken.Scope.EVENTS_WRITE],
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
    )
    lifetime = forms.ChoiceField(
        label=gettext_lazy("Expires after"),
        choices=_LIFETIMES,
        initial="90",
        required=False,
        widget=forms.Select(attrs={"class": "form-select"}),
    )


@require_GET
@require(Role.ADMIN)
def token_list(request: TenantRequest) -> HttpResponse:
    """The tokens, the live ones first."""
    return _show(request, TokenForm())


def _show(
    request: TenantRequest, form: TokenForm, *, status: int = 200, token: str = ""
) -> HttpResponse:
    """Render the page. token: a new one, shown in this answer only."""
    rows = ApiToken.objects.filter(tenant=request.tenant).select_related("created_by")
    listed = sorted(rows.order_by("-created_at"), key=lambda row: _state(row) != "active")
    context = {
        "section": "tokens",
        "tokens": [(row, _state(row), _scopes(row)) for row in listed],
        "form": form,
        "token": token,
        "address": settings.PUBLIC_URL.rstrip("/") + reverse("api-events"),
    }
    return render(request, "portal/tokens.html", context, status=status)


def _state(row: ApiToken) -> str:
    if row.revoked_at:
        return "revoked"
    return "expired" if row.expires_at and row.expires_at <= timezone.now() else "active"


def _scopes(row: ApiToken) -> str:
    labels = dict(ApiToken.Scope.choices)
    return ", ".join(str(labels.get(scope, scope)) for scope in row.scopes)


@require_POST
@require(Role.ADMIN)
def token_add(request: TenantRequest) -> HttpResponse:
    """Make a token and show it, once."""
    form = TokenForm(request.POST)
    if form.is_valid() and _live(request) >= _MOST_LIVE:
        form.add_error(
            "name",
            _("There are %(n)s active tokens, the maximum. Revoke some.") % {"n": _MOST_LIVE},
        )
    if not form.is_valid():
        return _show(request, form, status=422)
    data = form.cleaned_data
    days = data["lifetime"]
    until = timezone.now() + timedelta(days=int(days)) if days else None
    with transaction.atomic():
        row, token = tokens.make(
            request.tenant, data["name"], data["scopes"], user=request.user, expires_at=until
        )
        _audit(request, "token.add", row, scopes=", ".join(row.scopes), expires_at=until)
    return _show(request, TokenForm(), token=token)


def _live(request: TenantRequest) -> int:
    return ApiToken.objects.filter(tenant=request.tenant, revoked_at=None).count()


@require_POST
@require(Role.ADMIN)
def token_revoke(request: TenantRequest, number: int) -> HttpResponse:
    """Revoke a token."""
    row = ApiToken.objects.filter(tenant=request.tenant, pk=number).first()
    if row is None:
        raise Http404
    with transaction.atomic():
        if tokens.revoke(row):
            _audit(request, "token.revoke", row)
    messages.success(request, _("The token “%(name)s” is no longer valid.") % {"name": row.name})
    return redirect("tokens")


def _audit(request: TenantRequest, action: str, row: ApiToken, **detail: object) -> None:
    place = address.client(request) or None
    audit.record(
        row.tenant_id, action, f"{row.name} ({row.prefix})",
        user=request.user, address=place, **detail,
    )  # fmt: skip
