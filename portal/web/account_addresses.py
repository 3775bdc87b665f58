"""Where an account may log in from: the change of its card on the account's page."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portal import provision
from portal.changes import ChangedMeanwhile, fingerprint
from portal.faults import Fault, Refused
from portal.models import Role
from portal.web import accounts
from portal.web.account_forms import AddressesForm, KeyForm
from portal.web.acting import actor, overtaken
from portal.web.permissions import TenantRequest, require


@require_POST
@require(Role.ADMIN)
def addresses_set(request: TenantRequest, number: int) -> HttpResponse:
    """Replace the addresses; of two people who do so at once the second is refused."""
    account, form = accounts.account_of(request, number), AddressesForm(request.POST)
    who, status = actor(request), 422
    if form.is_valid():
        try:
            provision.set_addresses(
                account, form.lines(),
                seen=form.cleaned_data["seen"], user=who.user, address=who.address,
            )  # fmt: skip
        except ChangedMeanwhile as changed:
            account, status = accounts.account_of(request, number), 409
            stored = fingerprint(account.allowed_networks)
            form = AddressesForm({**request.POST.dict(), "seen": stored})
            form.add_error("addresses", overtaken(changed))
        except Refused as refused:
            for fault in refused.faults:
                form.add_error("addresses", _placed(fault))
    if form.errors:
        return accounts.show(request, account, KeyForm(), addresses_form=form, status=status)
    messages.success(request, _("Saved. It applies to the next login."))
    return redirect("account", account.pk)


def _placed(fault: Fault) -> str:
    """The fault with the number of its line."""
    if not fault.path:
        return str(fault)
    return _("Line %(n)s: %(fault)s") % {"n": int(fault.path[0]) + 1, "fault": fault}
