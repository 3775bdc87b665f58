"""What may be saved as a template: its name, its file names, and a spec that fits its feed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet

from imports.jobs import pinned_lookups
from imports.mapping.definitions import Spec
from imports.mapping.effective import unfit
from imports.models import ImportTemplate, LookupVersion, TemplateVersion
from portal import locks
from portal.changes import ChangedMeanwhile
from portal.faults import Fault
from portal.locks import Lock
from portal.models import Account, Drop, Tenant
from portal.records.catalog import catalog

MOST_NAMES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateIdentity:
    """A template's name and the files it is for.

    file_names: exact, case-sensitive. account: whose files; None for uploads in the browser only.
    """

    name: str
    account: Account | None = None
    file_names: tuple[str, ...] = ()


def lock_templates(tenant_id: int) -> None:
    """Keep others from changing the tenant's templates until the transaction ends.

    Covers the templates' names, and the look-up tables that templates need.
    """
    locks.hold_until_commit(Lock.CHANGE_TEMPLATES, tenant_id)


def saved_meanwhile(
    version: TemplateVersion | LookupVersion | None, differs: Sequence[str] = ()
) -> ChangedMeanwhile:
    """The refusal of a change that was not made from the current version, which is `version`."""
    number = version.number if version else 0
    who = f" by {version.user}" if version and version.user else ""
    message = (
        "Version %(number)s was saved%(who)s in the meantime, so your changes were "
        "not saved. Review that version, then save again."
    )
    fault = Fault((), "changed_meanwhile", message, {"number": number, "who": who})
    return ChangedMeanwhile(fault, number=number, differs=differs)


def spec_faults(tenant_id: int, feed_name: str, spec: Spec) -> list[Fault]:
    """Why the spec cannot be used for the feed of that name; empty where it can."""
    try:
        feed = catalog().feed(feed_name)
    except KeyError:
        message = 'feed: found "%(name)s", expected the name of a feed of this portal.'
        return [Fault(("feed",), "unknown_feed", message, {"name": feed_name[:60]})]
    record_type = catalog().record_type(feed.record_type)
    return unfit(spec, feed, record_type, pinned_lookups.columns(tenant_id))


def identity_faults(
    tenant: Tenant, identity: TemplateIdentity, template: ImportTemplate | None
) -> list[Fault]:
    """Why a template cannot have this name, account and these file names.

    template: the one that is to have them; None for a new one.
    """
    others = ImportTemplate.objects.filter(tenant=tenant)
    if template is not None:
        others = others.exclude(pk=template.pk)
    bound = template.account_id if template is not None else None
    return [
        *_name_faults(identity.name, others),
        *_file_name_faults(identity.file_names),
        *_account_faults(tenant, identity.account, bound),
        *_rival_faults(identity, others),
    ]


def sending_accounts(tenant: Tenant) -> QuerySet[Account]:
    """The tenant's accounts whose files are imported by templates, by name.

    The files of other accounts wait for their manifests, whatever templates there are.
    """
    home = Drop.objects.filter(
        endpoint=OuterRef("endpoint"), path=OuterRef("home"), protocol=Drop.Protocol.TEMPLATE
    )
    return Account.objects.filter(Exists(home), tenant=tenant).order_by("username")


def offered_accounts(tenant: Tenant) -> QuerySet[Account]:
    """The accounts that a form offers: also those that templates of an older portal have."""
    bound = ImportTemplate.objects.filter(tenant=tenant).values("account")
    accounts = Account.objects.filter(tenant=tenant).order_by("username")
    return accounts.filter(Q(pk__in=sending_accounts(tenant).values("pk")) | Q(pk__in=bound))


def _account_faults(tenant: Tenant, account: Account | None, bound: int | None) -> Iterator[Fault]:
    """A template may keep the account that an older portal let it have."""
    if account is None or account.pk == bound:
        return
    if not sending_accounts(tenant).filter(pk=account.pk).exists():
        message = (
            "The files of %(account)s are imported by their manifests, not by templates. "
            "Choose an account that sends files without manifests."
        )
        yield Fault(("account",), "not_by_templates", message, {"account": account.username})


def _name_faults(name: str, others: QuerySet[ImportTemplate]) -> Iterator[Fault]:
    if not name.strip() or len(name) > 200 or "\x00" in name:
        yield Fault(("name",), "name_length", "name: expected 1 to 200 characters.")
    elif others.filter(name=name).exists():
        message = "There is a template named “%(name)s” already. Choose another name."
        yield Fault(("name",), "name_taken", message, {"name": name})


def _file_name_faults(names: Sequence[str]) -> Iterator[Fault]:
    if len(names) > MOST_NAMES:
        message = "A template can have at most %(most)s file names."
        yield Fault(("file_names",), "too_many_files", message, {"most": MOST_NAMES})
    for at, name in enumerate(names):
        if not name or name != name.strip() or len(name) > 255 or {"/", "\\", "\x00"} & set(name):
            message = (
                "%(name)s is not a valid file name. Use 1 to 255 characters, without / or \\ "
                "and without spaces at either end."
            )
            yield Fault(("file_names", at), "bad_file_name", message, {"name": repr(name[:80])})


def _rival_faults(identity: TemplateIdentity, others: QuerySet[ImportTemplate]) -> Iterator[Fault]:
    """One file is imported by one template."""
    if identity.account is None:
        return
    message = "The template “%(template)s” already imports %(file)s from this account."
    for rival in others.filter(account=identity.account, enabled=True):
        for at, name in enumerate(identity.file_names):
            if name in rival.file_names:
                params = {"template": rival.name, "file": name}
                yield Fault(("file_names", at), "file_name_taken", message, params)
