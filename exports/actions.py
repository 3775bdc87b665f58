"""What a person does with deliveries and servers: send again, cancel, acknowledge, test.

The caller (page or API) checks who may. Each change is made under a lock on the row, so that of two
people, or of a person and a courier, the first succeeds and the second is refused. What cannot be
done with the delivery as it is by now is refused, and nothing is changed.
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
from portal.faults import Fault, Refused
from portal.models import User
from portal.transports.probing import Probe, ProbeStep, probe

State = Delivery.State
_RESENDABLE = (State.DELIVERED, State.GIVEN_UP, State.REFUSED, State.CANCELLED, State.RETRYING)
_CANCELLABLE = (State.READY, State.RETRYING, State.SENDING)
_INCIDENTS = (State.GIVEN_UP, State.REFUSED)
# From here on the file may have its name already.
_TOO_LATE = (Attempt.Step.RENAME, Attempt.Step.TRIGGER, Attempt.Step.DONE)


def resend(delivery: Delivery, user: User, address: str | None = None) -> None:
    """Send the same bytes again, at once and with a new ladder. Raises Refused.

    A delivery that waits for its next attempt is sent at once too. A file that this portal put
    there before is replaced; somebody else's is not. address: of the person's client.
    """
    with transaction.atomic():
        row = _locked(delivery)
        if row.state not in _RESENDABLE:
            raise _already(row)
        if not row.run.content:
            message = "The file is no longer kept. Run the export for that day again."
            raise _refused("not_kept", message)
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
    """End a delivery that has not arrived yet, also one that is being sent. Raises Refused.

    A running attempt notices within a second or so and leaves nothing behind; once it has begun to
    give the file its name it is too late.
    """
    with transaction.atomic():
        row = _locked(delivery)
        if row.state not in _CANCELLABLE:
            raise _already(row)
        running = row.log.filter(outcome=Attempt.Outcome.RUNNING)
        if row.state == State.SENDING and running.filter(step__in=_TOO_LATE).exists():
            message = "It is too late: the file is being renamed to its final name."
            raise _refused("too_late", message)
        reason = f"Cancelled by {user}."
        running.update(outcome=Attempt.Outcome.CUT_OFF, ended_at=Now(), words=reason)
        Delivery.objects.filter(pk=row.pk).update(
            state=State.CANCELLED,
            token=F("token") + 1,
            owner="",
            lease_until=None,
            reason=reason,
        )
        _note(row, "delivery.cancel", user, address)
    delivery.refresh_from_db()


def acknowledge(delivery: Delivery, user: User, address: str | None = None) -> None:
    """Close an incident: somebody has seen to it. Raises Refused where there is none."""
    with transaction.atomic():
        row = _locked(delivery)
        if row.state not in _INCIDENTS:
            message = "This delivery no longer has an open incident."
            raise _refused("no_incident", message)
        if row.acknowledged_at is not None:
            message = "%(who)s has already acknowledged it."
            raise _refused("acknowledged", message, who=row.acknowledged_by or "Somebody")
        Delivery.objects.filter(pk=row.pk).update(acknowledged_at=Now(), acknowledged_by=user)
        _note(row, "delivery.acknowledge", user, address)
    delivery.refresh_from_db()


def test(server: Server, path: str) -> Probe:
    """Test the connection to a server, saved or not, and a folder of it.

    Takes up to EXPORT_CONNECT_SECONDS and more. Without a pinned key it stops before the login and
    reports the key that the server shows. Never raises because of the server.
    """
    try:
        place = secrets.place_of(server)
    except vault.VaultError as error:
        message = (
            f"The stored password or key cannot be decrypted because of a portal error: {error}"
        )
        return Probe(False, [ProbeStep("login", False, message)])
    return probe(place, path, limits())


def _already(row: Delivery) -> Refused:
    """Its state does not allow it; in English, as every refusal, whatever the page's language."""
    with translation.override(None):
        state = row.get_state_display().lower()
    return _refused("already", "The delivery is %(state)s already.", state=state)


def _refused(code: str, message: str, /, **params: object) -> Refused:
    return Refused(Fault((), code, message, params))


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
