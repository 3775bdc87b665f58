"""What an account's home feeds: its templates by file name, and those that do not count and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from imports.arrivals.decisions import shown
from imports.models import ImportTemplate
from portal.models import Account, Drop
from portal.records.catalog import catalog


@dataclass(slots=True)
class Home:
    """names: exact file name to the id of the account's template. elsewhere: see `near_misses`."""

    account: Account | None
    names: dict[str, int] = field(default_factory=dict)
    elsewhere: dict[str, str] = field(default_factory=dict)


def look_up(drop: Drop) -> Home:
    """The home that a drop of the template protocol is. Of two templates the older one counts."""
    account = Account.objects.filter(endpoint_id=drop.endpoint_id, home=drop.path).first()
    home = Home(account)
    known = ImportTemplate.objects.filter(tenant_id=drop.tenant_id).select_related("account")
    for template in known.order_by("pk"):
        reason = _against(template, account)
        for name in _names(template):
            if reason:
                home.elsewhere.setdefault(name, reason)
            else:
                home.names.setdefault(name, template.pk)
    return home


def rank(drop: Drop, name: str) -> int | None:
    """The place in the import's order of what a file of that name is for; None where unknown."""
    home = look_up(drop)
    stem = name.rpartition(".")[0]
    number = home.names.get(name) or home.names.get(stem)  # under way it may be `x.csv.filepart`
    template = ImportTemplate.objects.filter(pk=number).first() if number else None
    try:
        return catalog().feed(template.feed).rank if template else None
    except KeyError:
        return None


def locked(number: int) -> ImportTemplate | None:
    """The template, kept as it is until the transaction ends; None where it counts no more."""
    found = ImportTemplate.objects.filter(pk=number, enabled=True, current__isnull=False)
    return found.select_for_update(no_key=True, of=("self",)).first()


def _names(template: ImportTemplate) -> Iterator[str]:
    names: Iterable[object] = template.file_names if isinstance(template.file_names, list) else ()
    return (name for name in names if isinstance(name, str))


def _against(template: ImportTemplate, account: Account | None) -> str:
    """Why a template's names do not count in the account's home; empty where they do."""
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
