"""The tenant's logins on the drop server: new accounts, passwords, keys and recent use."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib import messages
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Count, Q
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from portal import audit, keys, logs, provision
from portal.dropserver import usernames
from portal.models import Account, DropSession, Endpoint, Role, Upload
from portal.web import address, connection
from portal.web.account_forms import (
    AccountForm,
    AddressesForm,
    KeyForm,
    TemplateAccountForm,
    with_endpoints,
)
from portal.web.permissions import TenantRequest, require

log = logs.get(__name__)


@require_GET
@require(Role.ADMIN)
def account_list(request: TenantRequest) -> HttpResponse:
    """The accounts, how to reach the server, and the latest sessions."""
    return _show_list(request)


def _show_list(
    request: TenantRequest,
    form: AccountForm | None = None,
    template_form: TemplateAccountForm | None = None,
    status: int = 200,
) -> HttpResponse:
    accounts = Account.objects.filter(tenant=request.tenant).select_related("endpoint")
    context = {
        "section": "accounts",
        "server": connection.drop_server(),
        "accounts": accounts.annotate(key_count=Count("keys")).order_by("username"),
        "sessions": _sessions(request),
        "form": form or with_endpoints(AccountForm(), request.tenant),
        "template_form": template_form or with_endpoints(_template_form(), request.tenant),
        "can_add": Endpoint.objects.filter(tenant=request.tenant, enabled=True).exists(),
    }
    return render(request, "portal/accounts.html", context, status=status)


def _sessions(request: TenantRequest, **only: Account) -> list[DropSession]:
    sessions = DropSession.objects.filter(tenant=request.tenant, **only).select_related("account")
    partial = Count("uploads", filter=Q(uploads__state=Upload.State.PARTIAL))
    return list(
        sessions.annotate(files=Count("uploads"), partial=partial).order_by("-started_at")[:20]
    )


@require_POST
@require(Role.ADMIN)
def account_add(request: TenantRequest) -> HttpResponse:
    """Make an account with a fresh password, shown once on its page."""
    form = with_endpoints(AccountForm(request.POST), request.tenant)
    if not form.is_valid():
        return _show_list(request, form, status=422)
    password = _new_password()
    place, username = form.cleaned_data["endpoint"], form.cleaned_data["username"]
    try:
        with transaction.atomic():
            account = provision.account(place, username, password)
            _audit(request, "account.add", account)
    except (ValidationError, IntegrityError):
        # The name is unique over all tenants; the message must not tell who has it.
        form.add_error("username", _("This name is taken. Choose another one."))
        return _show_list(request, form, status=422)
    return show(request, account, KeyForm(), password=password)


def _template_form(data: Any = None) -> TemplateAccountForm:
    return TemplateAccountForm(data, prefix="template")  # two forms of one page


@require_POST
@require(Role.ADMIN)
def template_account_add(request: TenantRequest) -> HttpResponse:
    """Make a template account with a fresh password, shown once on its page."""
    form = with_endpoints(_template_form(request.POST), request.tenant)
    if not form.is_valid():
        return _show_list(request, template_form=form, status=422)
    password, data = _new_password(), form.cleaned_data
    try:
        with transaction.atomic():
            account = provision.template_account(
                data["endpoint"], data["base"], data["district"], data["state"], password
            )
            _audit(request, "account.add", account, home=account.home)
    except (ValidationError, IntegrityError):
        form.add_error("base", _("This name is taken. Choose another one."))
        return _show_list(request, template_form=form, status=422)
    except OSError as exc:
        log.warning("home_not_made", error=repr(exc))
        form.add_error(None, _("The folder could not be created. The operator must fix this."))
        return _show_list(request, template_form=form, status=503)
    return show(request, account, KeyForm(), password=password)


def _new_password() -> str:
    """20 letters and digits in groups that can be read aloud: at least 95 bits."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    groups = ("".join(secrets.choice(letters) for _place in range(5)) for _group in range(4))
    return "-".join(groups)


def account_of(request: TenantRequest, number: int) -> Account:
    """The tenant's account. Raises Http404."""
    accounts = Account.objects.filter(tenant=request.tenant, pk=number)
    account = accounts.select_related("endpoint").first()
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
    """One account: password, keys, addresses, sessions."""
    return show(request, account_of(request, number), KeyForm())


def show(
    request: TenantRequest,
    account: Account,
    form: KeyForm,
    *,
    addresses_form: AddressesForm | None = None,
    status: int = 200,
    password: str = "",
) -> HttpResponse:
    """Render the account's page. password: a new one, shown in this answer only.

    addresses_form: one that was sent and refused.
    """
    context = {
        "section": "accounts",
        "account": account,
        "password": password,
        "server": connection.drop_server(),
        "dotted_name": _dotted_name(account),
        "command": connection.command(account.username),
        "keys": account.keys.order_by("created_at"),
        "sessions": _sessions(request, account=account),
        "uploads": _cut_off(account),
        "form": form,
        "addresses_form": addresses_form or AddressesForm.of(account),
    }
    return render(request, "portal/account.html", context, status=status)


def _dotted_name(account: Account) -> str:
    """The other form of a template account's name; empty for any other account."""
    form = usernames.ftps_form(account.username)
    return form if form != account.username else ""


def _cut_off(account: Account) -> list[Upload]:
    uploads = Upload.objects.filter(tenant_id=account.tenant_id, account=account)
    return list(uploads.filter(state=Upload.State.PARTIAL).order_by("-started_at")[:10])


@require_POST
@require(Role.ADMIN)
def password_new(request: TenantRequest, number: int) -> HttpResponse:
    """Replace the password, or remove it (`none`), so that only keys may log in."""
    account = account_of(request, number)
    keys_only = "none" in request.POST
    password = "" if keys_only else _new_password()
    account.password = make_password(password) if password else ""
    with transaction.atomic():
        account.save(update_fields=["password"])
        _audit(request, "account.password", account, to="none" if keys_only else "new")
    if keys_only:
        messages.success(request, _("The password was removed. Only keys can log in now."))
        return redirect("account", account.pk)
    return show(request, account, KeyForm(), password=password)


@require_POST
@require(Role.ADMIN)
def enabled_set(request: TenantRequest, number: int) -> HttpResponse:
    """Enable or disable the account, as the parameter `to` says."""
    account = account_of(request, number)
    account.enabled = request.POST.get("to") == "enabled"
    with transaction.atomic():
        account.save(update_fields=["enabled"])
        _audit(request, "account.enable" if account.enabled else "account.disable", account)
    done = (
        _("The account can log in.") if account.enabled else _("The account can no longer log in.")
    )
    messages.success(request, done)
    return redirect("account", account.pk)


@require_POST
@require(Role.ADMIN)
def key_add(request: TenantRequest, number: int) -> HttpResponse:
    """Add a public key."""
    account, form = account_of(request, number), KeyForm(request.POST)
    if not form.is_valid():
        return show(request, account, form, status=422)
    data = form.cleaned_data
    try:
        with transaction.atomic():
            row = provision.key(account, data["line"], data["name"])
            _audit(request, "account.key.add", account, fingerprint=row.fingerprint)
    except keys.PublicKeyRefused as exc:
        form.add_error("line", str(exc))
    except IntegrityError:
        form.add_error("line", _("This key is already in the list."))
    if form.errors:
        return show(request, account, form, status=422)
    messages.success(request, _("The key was added."))
    return redirect("account", account.pk)


@require_POST
@require(Role.ADMIN)
def key_remove(request: TenantRequest, number: int, key: int) -> HttpResponse:
    """Remove a public key."""
    account = account_of(request, number)
    row = account.keys.filter(tenant=request.tenant, pk=key).first()
    if row is None:
        raise Http404
    with transaction.atomic():
        row.delete()
        _audit(request, "account.key.remove", account, fingerprint=row.fingerprint)
    messages.success(request, _("The key was removed."))
    return redirect("account", account.pk)
