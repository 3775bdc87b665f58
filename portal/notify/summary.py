"""The summary of notices in mails: one for each person, with all of their notices."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.template.loader import render_to_string

from portal.models import Mail, Notice, Tenant
from portal.notify import audience
from portal.notify.outbox import due, one_line

_AT_ONCE = 1000  # notices; the rest follows in the next mail
_SHOWN = 25  # of one event
# What needs attention comes first.
_ORDER = (
    Notice.Event.PORTAL_FAULT,
    Notice.Event.GIVEN_UP,
    Notice.Event.REFUSED,
    Notice.Event.HELD,
    Notice.Event.UNMATCHED,
    Notice.Event.NOT_TAKEN,
    Notice.Event.FAILED,
    Notice.Event.EXPORT_FAILED,
    Notice.Event.DECIDED,
    Notice.Event.UNDONE,
    Notice.Event.FINISHED,
)


@dataclass(frozen=True, slots=True)
class Group:
    """Notices of one event in a mail. more: how many are not listed."""

    label: str
    notices: list[Notice]
    more: int


def sum_up(tenant_id: int) -> int:
    """Turn the tenant's due notices into mails, once. Returns how many mails were made.

    Must be called in the tenant's scope; commits.
    """
    if tenant_id not in due():
        return 0
    with transaction.atomic():
        waiting = Notice.objects.filter(tenant_id=tenant_id, summed_at=None).order_by("pk")
        notices = list(waiting.select_for_update(of=("self",))[:_AT_ONCE])
        tenant = Tenant.objects.get(pk=tenant_id)
        mails = [
            _mail(tenant, user.email, own) for user, own in audience.shares(tenant_id, notices)
        ]
        Mail.objects.bulk_create(mails)
        summed = Notice.objects.filter(pk__in=[notice.pk for notice in notices])
        summed.update(summed_at=Now())
    return len(mails)


def _mail(tenant: Tenant, recipient: str, notices: list[Notice]) -> Mail:
    context = {
        "tenant": one_line(tenant.name, 100),
        "groups": _groups(notices),
        "base": settings.PUBLIC_URL.rstrip("/"),
    }
    return Mail(
        tenant=tenant,
        recipient=recipient,
        subject=subject(tenant, notices),
        text=render_to_string("mail/summary.txt", context),
        html=render_to_string("mail/summary.html", context),
    )


def subject(tenant: Tenant, notices: list[Notice]) -> str:
    """One line: the notice itself, or how many there are of what."""
    if len(notices) == 1:
        return one_line(f"[{tenant.name}] {notices[0].title}", 150)
    groups = (f"{g.label.lower()}: {len(g.notices) + g.more:,}" for g in _groups(notices))
    return one_line(f"[{tenant.name}] {', '.join(groups)}", 150)


def _groups(notices: list[Notice]) -> list[Group]:
    by_event = {event: [n for n in notices if n.event == event] for event in _ORDER}
    return [
        Group(str(event.label), matching[:_SHOWN], max(0, len(matching) - _SHOWN))
        for event, matching in by_event.items()
        if matching
    ]
