"""What people are told of deliveries: incidents, in the transaction that makes them."""

from __future__ import annotations

from django.urls import reverse

from exports.models import Delivery
from portal.models import Notice
from portal.notify import outbox

Event = Notice.Event


def given_up(delivery: Delivery) -> None:
    """The ladder is at its end."""
    _tell(delivery, Event.GIVEN_UP, "was given up")


def refused(delivery: Delivery) -> None:
    """The server says no for good."""
    _tell(delivery, Event.REFUSED, "was refused")


def portal_fault(delivery: Delivery) -> None:
    """It was given up by our fault: the operators are told too."""
    given_up(delivery)
    _tell(delivery, Event.PORTAL_FAULT, "was given up because of a portal error")


def _tell(delivery: Delivery, event: Notice.Event, word: str) -> None:
    outbox.add(
        delivery.tenant_id,
        event,
        f"{event}:{delivery.uid}:{delivery.sent_again}",
        f"{delivery.run.file_name}: the delivery to {delivery.server.name} {word}",
        delivery.reason,
        reverse("run", args=[delivery.run.uid]),
    )
