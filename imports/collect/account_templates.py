"""The templates of the account whose home a drop is, by file name; and why others do not apply."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from imports.arrivals.decisions import shown
from imports.models import ImportTemplate
from portal.models import Account, Drop
from portal.records.catalog import catalog


@dataclass(slots=True)
class AccountTemplates:
    """names: exact file name to the id of the account's template. elsewhere: see `near_misses`."""

    account: Account | None
    names: dict[str, int] = field(default_factory=dict)
    elsewhere: dict[str, str] = field(default_factory=dict)


def of_drop(drop: Drop) -> AccountTemplates:
    """The templates of a drop of the template protocol. Of two with one name the older applies."""
    account = Account.objects.filter(endpoint_id=drop.endpoint_id, home=drop.path).first()
    templates = AccountTemplates(account)
    stored = ImportTemplate.objects.filter(tenant_id=drop.tenant_id).select_related("account")
    for template in stored.order_by("pk"):
        reason = _reason_against(template, account)
        for name in _names(template):
            if reason:
                templates.elsewhere.setdefault(name, reason)
            else:
                templates.names.setdefault(name, template.pk)
    return templates


def rank(drop: Drop, name: str) -> int | None:
    """The import rank of the feed that a file of that name is for; None where it is unknown."""
    templates = of_drop(drop)
    stem = name.rpartition(".")[0]
    # While it is uploaded it may be `x.csv.filepart`.
    template_id = templates.names.get(name) or templates.names.get(stem)
    template = ImportTemplate.objects.filter(pk=template_id).first() if template_id else None
    try:
        return catalog().feed(template.feed).rank if template else None
    except KeyError:
        return None


def locked(template_id: int) -> ImportTemplate | None:
    """The template, locked until the transaction ends; None where it does not apply any more."""
    rows = ImportTemplate.objects.filter(pk=template_id, enabled=True, current__isnull=False)
    return rows.select_for_update(no_key=True, of=("self",)).first()


def _names(template: ImportTemplate) -> Iterator[str]:
    names: Iterable[object] = template.file_names if isinstance(template.file_names, list) else ()
    return (name for name in names if isinstance(name, str))


def _reason_against(template: ImportTemplate, account: Account | None) -> str:
    """Why a template's names do not apply in the account's home; empty where they do."""
    name = f"The template “{shown(template.name)}” has this file name, but"
    if template.account is None:
        return f"{name} it is not assigned to an account."
    if template.account != account:
        login = shown(template.account.username)
        return f"{name} it belongs to the account {login}: send the file with that login."
    if not template.enabled:
        return f"{name} it is disabled."
    if template.current_id is None:
        return f"{name} it was not finished."
    return ""
