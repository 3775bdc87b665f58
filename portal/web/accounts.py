"""The tenant's logins on the drop server: make them, their passwords and keys, see their use."""

from __future__ import annotations

import secrets
from typing import cast

from django import forms
from django.contrib import messages
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Count, Q
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from portal import audit, keys, provision
from portal.models import Account, DropSession, Endpoint, Role, Upload
from portal.web import address, connection
from portal.web.permissions import TenantRequest, require


class AccountForm(forms.Form):
    """A new login: its place and its name."""

    username = forms.RegexField(
        label=gettext_lazy("User name"),
        regex=r"\A[a-z0-9][a-z0-9._-]{1,62}[a-z0-9]\Z",
        help_text=gettext_lazy("Unique in this portal: small letters, digits, dot, - and _."),
        error_messages={
            "invalid": gettext_lazy(
                "Use 3 to 64 small letters, digits, dots, hyphens or underscores, beginning and "
                "ending with a letter or digit."
            )
        },
        widget=forms.TextInput(
            attrs={"class": "form-control", "autocomplete": "off", "spellcheck": "false"}
        ),
    )
    endpoint = forms.ModelChoiceField(
        label=gettext_lazy("Endpoint"),
        queryset=Endpoint.objects.none(),
        empty_label=None,
        widget=forms.Select(attrs={"class": "form-select"}),
    )


class KeyForm(forms.Form):
    """A public key as in authorized_keys, and a name to know it by."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("Such as the machine that uses it."),
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"}),
    )
    line = forms.CharField(
        label=gettext_lazy("Public key"),
        max_length=16_000,
        help_text=gettext_lazy("One line that begins with ssh-ed25519, ssh-rsa or ecdsa-sha2-…"),
        widget=forms.Textarea(
            attrs={"class": "form-control font-monospace", "rows": 3, "spellcheck": "false"}
        ),
    )

    def clean_line(self) -> str:
        """The text. Raises ValidationError for the half of the pair that must stay secret."""
        text = str(self.cleaned_data["line"])
        if "PRIVATE KEY" in text:
            raise forms.ValidationError(
                _("This is a private key. Never give it away: make a new pair of keys.")
            )
        return text


@require_GET
@require(Role.ADMIN)
def account_list(request: TenantRequest) -> HttpResponse:
    """The accounts, how to reach the server, and the latest sessions."""
    return _show_list(request, _account_form(request))


def _account_form(request: TenantRequest) -> AccountForm:
    form = AccountForm(request.POST if request.method == "POST" else None)
    field = cast("forms.ModelChoiceField[Endpoint]", form.fields["endpoint"])
    field.queryset = Endpoint.objects.filter(tenant=request.tenant, enabled=True).order_by("id")
    field.initial = field.queryset.first()
    return form


def _show_list(request: TenantRequest, form: AccountForm, status: int = 200) -> HttpResponse:
    accounts = Account.objects.filter(tenant=request.tenant).select_related("endpoint")
    context = {
        "section": "accounts",
        "server": connection.drop_server(),
        "accounts": accounts.annotate(key_count=Count("keys")).order_by("username"),
        "sessions": _sessions(request),
        "form": form,
        "can_add": Endpoint.objects.filter(tenant=request.tenant, enabled=True).exists(),
    }
    return render(request, "portal/accounts.html", context, status=status)


def _sessions(request: TenantRequest, **only: Account) -> list[DropSession]:
    found = DropSession.objects.filter(tenant=request.tenant, **only).select_related("account")
    partial = Count("uploads", filter=Q(uploads__state=Upload.State.PARTIAL))
    return list(
        found.annotate(files=Count("uploads"), partial=partial).order_by("-started_at")[:20]
    )


@require_POST
@require(Role.ADMIN)
def account_add(request: TenantRequest) -> HttpResponse:
    """Make an account with a fresh password, shown once on its page."""
    form = _account_form(request)
    if not form.is_valid():
        return _show_list(request, form, status=422)
    password = _new_password()
    place, username = form.cleaned_data["endpoint"], form.cleaned_data["username"]
    try:
        with transaction.atomic():
            account = provision.account(place, username, password)
            _audit(request, "account.add", account)
    except (ValidationError, IntegrityError):
        # The name is unique over all tenants; whose it is, is nobody's business.
        form.add_error("username", _("This name is taken. Choose another one."))
        return _show_list(request, form, status=422)
    return _show(request, account, KeyForm(), password=password)


def _new_password() -> str:
    """20 letters and digits in groups that can be read out: 95 bits or more."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    groups = ("".join(secrets.choice(letters) for _place in range(5)) for _group in range(4))
    return "-".join(groups)


def _account(request: TenantRequest, number: int) -> Account:
    found = Account.objects.filter(tenant=request.tenant, pk=number).select_related("endpoint")
    account = found.first()
    if account is None:
        raise Http404
    return account


def _audit(request: TenantRequest, action: str, account: Account, **detail: str) -> None:
    audit.record(
        account.tenant_id, action, account.username,
        user=request.user, address=address.client(request) or None, **detail,
    )  # fmt: skip


@require_GET
@require(Role.ADMIN)
def account_page(request: TenantRequest, number: int) -> HttpResponse:
    """One account: password, keys, sessions."""
    return _show(request, _account(request, number), KeyForm())


def _show(
    request: TenantRequest,
    account: Account,
    form: KeyForm,
    *,
    status: int = 200,
    password: str = "",
) -> HttpResponse:
    """password: a new one, in this answer and nowhere else."""
    context = {
        "section": "accounts",
        "account": account,
        "password": password,
        "server": connection.drop_server(),
        "command": connection.command(account.username),
        "keys": account.keys.order_by("created_at"),
        "sessions": _sessions(request, account=account),
        "uploads": _cut_off(account),
        "form": form,
    }
    response = render(request, "portal/account.html", context, status=status)
    response["Cache-Control"] = "private, no-store"
    return response


def _cut_off(account: Account) -> list[Upload]:
    found = Upload.objects.filter(tenant_id=account.tenant_id, account=account)
    return list(found.filter(state=Upload.State.PARTIAL).order_by("-started_at")[:10])


@require_POST
@require(Role.ADMIN)
def password_new(request: TenantRequest, number: int) -> HttpResponse:
    """Replace the password by a fresh one, or take it away (`none`): then only keys log in."""
    account = _account(request, number)
    keys_only = "none" in request.POST
    password = "" if keys_only else _new_password()
    account.password = make_password(password) if password else ""
    with transaction.atomic():
        account.save(update_fields=["password"])
        _audit(request, "account.password", account, to="none" if keys_only else "new")
    if keys_only:
        messages.success(request, _("The password is gone. Only keys may log in now."))
        return redirect("account", account.pk)
    return _show(request, account, KeyForm(), password=password)


@require_POST
@require(Role.ADMIN)
def enabled_set(request: TenantRequest, number: int) -> HttpResponse:
    """Enable or disable the account, as `to` says."""
    account = _account(request, number)
    account.enabled = request.POST.get("to") == "enabled"
    with transaction.atomic():
        account.save(update_fields=["enabled"])
        _audit(request, "account.enable" if account.enabled else "account.disable", account)
    done = (
        _("The account may log in.")
        if account.enabled
        else _("The account may not log in any more.")
    )
    messages.success(request, done)
    return redirect("account", account.pk)


@require_POST
@require(Role.ADMIN)
def key_add(request: TenantRequest, number: int) -> HttpResponse:
    """Add a public key."""
    account, form = _account(request, number), KeyForm(request.POST)
    if not form.is_valid():
        return _show(request, account, form, status=422)
    data = form.cleaned_data
    try:
        with transaction.atomic():
            row = provision.key(account, data["line"], data["name"])
            _audit(request, "account.key.add", account, fingerprint=row.fingerprint)
    except keys.KeyRefused as exc:
        form.add_error("line", str(exc))
    except IntegrityError:
        form.add_error("line", _("This key is in the list already."))
    if form.errors:
        return _show(request, account, form, status=422)
    messages.success(request, _("The key was added."))
    return redirect("account", account.pk)


@require_POST
@require(Role.ADMIN)
def key_remove(request: TenantRequest, number: int, key: int) -> HttpResponse:
    """Remove a public key."""
    account = _account(request, number)
    row = account.keys.filter(tenant=request.tenant, pk=key).first()
    if row is None:
        raise Http404
    with transaction.atomic():
        row.delete()
        _audit(request, "account.key.remove", account, fingerprint=row.fingerprint)
    messages.success(request, _("The key was removed."))
    return redirect("account", account.pk)
