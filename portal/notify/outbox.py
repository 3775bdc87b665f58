"""Notices: written with what they report, due when their tenant has been quiet for a while."""

from __future__ import annotations

import re
from datetime import timedelta

from django.conf import settings
from django.db.models import Max, Min, Q
from django.db.models.functions import Now

from portal.models import Mail, Notice

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def add(
    tenant_id: int,
    event: Notice.Event,
    key: str,
    title: str,
    text: str = "",
    link: str = "",
    user_id: int | None = None,
) -> None:
    """Add a notice to people. key: unique; a second call with the same key changes nothing.

    Best called in the transaction of what the notice reports. title, text: may contain foreign
    words; they become one line each. Must be called in the tenant's scope.
    """
    notice = Notice(
        tenant_id=tenant_id,
        event=event,
        key=key[:200],
        title=one_line(title, 300),
        text=one_line(text, 2000),
        link=link[:300],
        user_id=user_id,
    )
    Notice.objects.bulk_create([notice], ignore_conflicts=True)


def withdraw(tenant_id: int, event: Notice.Event, key: str) -> None:
    """Drop notices that do not hold any more and are in no mail yet. key: what theirs begins with.

    Must be called in the tenant's scope.
    """
    notices = Notice.objects.filter(tenant_id=tenant_id, event=event, summed_at=None)
    notices.filter(key__startswith=key).delete()


def one_line(text: str, most: int) -> str:
    """The text on one line, without control characters, at most `most` characters long."""
    line = " ".join(_UNPRINTABLE.sub(" ", text).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def due() -> set[int]:
    """Ids of tenants that have been quiet long enough, or whose oldest notice is too old."""
    quiet = Now() - timedelta(seconds=settings.NOTIFY_QUIET_SECONDS)
    longest = Now() - timedelta(seconds=settings.NOTIFY_LONGEST_SECONDS)
    waiting = Notice.objects.filter(summed_at=None).order_by().values("tenant_id")
    spans = waiting.annotate(newest=Max("created_at"), oldest=Min("created_at"))
    ripe = spans.filter(Q(newest__lte=quiet) | Q(oldest__lte=longest))
    return set(ripe.values_list("tenant_id", flat=True))


def forget_old() -> int:
    """Delete notices and mails older than KEEP_FILES_DAYS. Returns how many."""
    oldest = Now() - timedelta(days=settings.KEEP_FILES_DAYS)
    notices, _ = Notice.objects.filter(summed_at__lt=oldest).delete()
    done = (Mail.State.SENT, Mail.State.FAILED)
    mails, _ = Mail.objects.filter(created_at__lt=oldest, state__in=done).delete()
    return notices + mails
