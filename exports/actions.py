"""What a person may do with deliveries and servers: send again, cancel, see to it, test.

Who may is checked by the caller (page or API). Each change is made under a lock on the row, so that
of two people, or of a person and a courier, one wins and the other is told.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import translation

from exports import secrets
from exports.models import Attempt, Delivery, Server
from exports.sending import limits
from portal import audit, bell, vault
from portal.models import User
from portal.transports.probing import Probe, Step, probe

State = Delivery.State
_RESENDABLE = (State.DELIVERED, State.GIVEN_UP, State.REFUSED, State.CANCELLED, State.RETRYING)
_CANCELLABLE = (State.READY, State.RETRYING, State.SENDING)
_INCIDENTS = (State.GIVEN_UP, State.REFUSED)
# From here on the file may have its name already.
_TOO_LATE = (Attempt.Step.RENAME, Attempt.Step.TRIGGER, Attempt.Step.DONE)


class NotPossible(Exception):
    """It cannot be done with the delivery as it is by now. Nothing was changed."""


def resend(delivery: Delivery, user: User, address: str | None = None) -> None:
    """Send the same bytes again, at once and with a new ladder. Raises NotPossible.

    One that waits for its next attempt is sent at once too. A file that this portal put there
    before is replaced; somebody else's is not. address: where the person asks from.
    """
    with transaction.atomic():
        row = _locked(delivery)
        if row.state not in _RESENDABLE:
            raise _already(row)
        if not row.run.content:
            raise NotPossible("The file is no longer kept. Run the export for that day again.")
        Delivery.objects.filter(pk=row.pk).update(
            state=State.READY,
            ready_at=Now(),
            token=F("token") + 1,
            attempts=0,
            own_faults=0,
            sent_again=F("sent_again") + 1,
            reason="",
            incident_at=None,
            acknowledged_at=None,
            acknowledged_by=None,
        )
        _note(row, "delivery.resend", user, address)
        bell.ring_on_commit(bell.DELIVER, row.tenant_id)
    delivery.refresh_from_db()


def cancel(delivery: Delivery, user: User, address: str | None = None) -> None:
    """End a delivery that is not there yet, also one that is being sent. Raises NotPossible.

    A running attempt notices within a second or so and leaves nothing behind; once it has begun to
    give the file its name it is too late.
    """
    with transaction.atomic():
        row = _locked(delivery)
        if row.state not in _CANCELLABLE:
            raise _already(row)
        running = row.log.filter(outcome=Attempt.Outcome.RUNNING)
        if row.state == State.SENDING and running.filter(step__in=_TOO_LATE).exists():
            raise NotPossible("It is too late: the file is being renamed to its final name.")
        words = f"Cancelled by {user}."
        running.update(outcome=Attempt.Outcome.CUT_OFF, ended_at=Now(), words=words)
        Delivery.objects.filter(pk=row.pk).update(
            state=State.CANCELLED,
            token=F("token") + 1,
            owner="",
            lease_until=None,
            reason=words,
        )
        _note(row, "delivery.cancel", user, address)
    delivery.refresh_from_db()


def acknowledge(delivery: Delivery, user: User, address: str | None = None) -> None:
    """Say that somebody has seen to an incident. Raises NotPossible where there is none."""
    with transaction.atomic():
        row = _locked(delivery)
        if row.state not in _INCIDENTS:
            raise NotPossible("This delivery no longer has an open incident.")
        if row.acknowledged_at is not None:
            raise NotPossible(f"{row.acknowledged_by or 'Somebody'} has already acknowledged it.")
        Delivery.objects.filter(pk=row.pk).update(acknowledged_at=Now(), acknowledged_by=user)
        _note(row, "delivery.acknowledge", user, address)
    delivery.refresh_from_db()


def test(server: Server, path: str) -> Probe:
    """Test the connection to a server, saved or not, and a folder of it.

    Takes up to EXPORT_CONNECT_SECONDS and more. Without a pinned key it stops before the login and
    tells the key that the server shows. Never raises for the server's sake.
    """
    try:
        place = secrets.place_of(server)
    except vault.VaultError as error:
        words = f"The stored password or key cannot be decrypted because of a portal error: {error}"
        return Probe(False, [Step("login", False, words)])
    return probe(place, path, limits())


def _already(row: Delivery) -> NotPossible:
    """Its state speaks against it; in English, as every refusal, whatever the page's language."""
    with translation.override(None):
        return NotPossible(f"The delivery is {row.get_state_display().lower()} already.")


def _locked(delivery: Delivery) -> Delivery:
    return Delivery.objects.select_for_update(no_key=True, of=("self",)).get(pk=delivery.pk)


def _note(delivery: Delivery, action: str, user: User, address: str | None) -> None:
    audit.record(
        delivery.tenant_id,
        action,
        str(delivery.uid),
        user=user,
        address=address,
        file=delivery.run.file_name,
    )
