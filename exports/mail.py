"""Mails about deliveries: incidents, added to the outbox in the transaction that opens them."""

from __future__ import annotations

from django.urls import reverse

from exports.models import Delivery
from portal.models import Notice
from portal.notify import outbox

Event = Notice.Event


def given_up(delivery: Delivery) -> None:
    """Notify people that the last attempt of the ladder has failed."""
    _notify(delivery, Event.GIVEN_UP, "was given up")


def refused(delivery: Delivery) -> None:
    """Notify people that the server refused the delivery permanently."""
    _notify(delivery, Event.REFUSED, "was refused")


def portal_fault(delivery: Delivery) -> None:
    """Notify people and the operators of a delivery that was given up by our fault."""
    given_up(delivery)
    _notify(delivery, Event.PORTAL_FAULT, "was given up because of a portal error")


def _notify(delivery: Delivery, event: Notice.Event, word: str) -> None:
    outbox.add(
        delivery.tenant_id,
        event,
        f"{event}:{delivery.uid}:{delivery.sent_again}",
        f"{delivery.run.file_name}: the delivery to {delivery.server.name} {word}",
        delivery.reason,
        reverse("run", args=[delivery.run.uid]),
    )
