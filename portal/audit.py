"""The audit trail: each act is recorded by one call, and a filter selects entries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from portal.models import AuditEntry, Tenant, User

# Every act, with its words for people. The names are stable, so that programs may test them.
ACTIONS = {
    "account.add": _("Account created"),
    "account.addresses": _("Allowed addresses of an account changed"),
    "account.disable": _("Account disabled"),
    "account.enable": _("Account enabled"),
    "account.key.add": _("Key added to an account"),
    "account.key.remove": _("Key removed from an account"),
    "account.password": _("Password of an account changed"),
    "delivery.acknowledge": _("Incident of a delivery acknowledged"),
    "delivery.cancel": _("Delivery cancelled"),
    "delivery.resend": _("Delivery sent again"),
    "export.backfill": _("Export of past nights requested"),
    "export.change": _("Export changed"),
    "export.create": _("Export created"),
    "export.delete": _("Export deleted"),
    "export.download": _("Export file downloaded"),
    "export.run": _("Export run requested"),
    "export.start": _("Export started"),
    "export.stop": _("Export stopped"),
    "folder.limits": _("Limits of a folder changed"),
    "import.draft.discard": _("Unfinished import discarded"),
    "import.process": _("Import processed in the wizard"),
    "job.attachment": _("Error attachment downloaded"),
    "job.correct": _("Corrected rows uploaded"),
    "job.again": _("Rejected rows tried again"),
    "job.discard": _("Held import discarded"),
    "job.original": _("Original file downloaded"),
    "job.plan": _("Held import run again"),
    "job.release": _("Held import approved"),
    "job.retry": _("Import retried"),
    "job.undo": _("Undo of an import requested"),
    "lookup.create": _("Look-up table created"),
    "lookup.delete": _("Look-up table deleted"),
    "lookup.download": _("Look-up table downloaded"),
    "lookup.version": _("Look-up table changed"),
    "member.mail": _("Notification settings changed"),
    "person.enter": _("Switched from another institution"),
    "person.login": _("Logged in"),
    "server.change": _("Partner's server changed"),
    "server.create": _("Partner's server created"),
    "server.delete": _("Partner's server deleted"),
    "server.pin": _("Host key pinned"),
    "server.unpin": _("Host key unpinned"),
    "template.change": _("Template's name or files changed"),
    "template.create": _("Template created"),
    "template.delete": _("Template deleted"),
    "template.disable": _("Template disabled"),
    "template.download": _("Template downloaded"),
    "template.enable": _("Template enabled"),
    "template.replay": _("Template tried on an earlier file"),
    "template.rollback": _("Template rolled back"),
    "template.save": _("Template saved in the wizard"),
    "template.version": _("New version of a template"),
    "token.add": _("API token created"),
    "token.revoke": _("API token revoked"),
    "trail.download": _("Audit trail downloaded"),
}


@dataclass(frozen=True, slots=True)
class TrailFilter:
    """Which entries. who, what: part of the e-mail, of the subject or a name. end: not included."""

    action: str = ""
    who: str = ""
    what: str = ""
    start: datetime | None = None
    end: datetime | None = None


def entries(tenant: Tenant, only: TrailFilter) -> QuerySet[AuditEntry]:
    """The tenant's entries that the filter selects, in no order."""
    rows = AuditEntry.objects.filter(tenant=tenant).select_related("user")
    if only.action:
        rows = rows.filter(action=only.action)
    if only.who:
        rows = rows.filter(user__email__icontains=only.who)
    if only.what:
        named = Q(subject__icontains=only.what)
        for name in ("file", "name", "username"):
            named |= Q(**{f"detail__{name}__icontains": only.what})
        rows = rows.filter(named)
    if only.start:
        rows = rows.filter(at__gte=only.start)
    if only.end:
        rows = rows.filter(at__lt=only.end)
    return rows


def record(
    tenant_id: int,
    action: str,
    subject: str = "",
    *,
    user: User | None = None,
    address: str | None = None,
    **detail: Any,
) -> None:
    """Append an entry. action: one of ACTIONS; subject: what it was done to.

    NUL, which PostgreSQL takes in no text, is left out of the subject and the detail's texts.
    Raises ValueError for an act that is not among ACTIONS.
    """
    if action not in ACTIONS:
        raise ValueError(f'The act "{action}" is not among portal.audit.ACTIONS.')
    AuditEntry.objects.create(
        tenant_id=tenant_id,
        user=user,
        address=address,
        action=action,
        subject=subject.replace("\0", "")[:200],
        detail={name: _storable(value) for name, value in detail.items()},
    )


def _storable(value: Any) -> Any:
    return value.replace("\0", "") if isinstance(value, str) else value
