"""How an attempt ends and what that makes of its delivery, each in one transaction.

Failures of the far side are retried on the ladder of seed 000. Our own faults are tried again as
often, but have a count of their own: they never use up the far side's attempts, and the words say
whose fault it is (design.md section 3, rule 4).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from exports import mail, retry
from exports.models import Attempt, Delivery
from exports.sending import SendResult
from portal import lifecycle, logs

log = logs.get(__name__)
State, Outcome = Delivery.State, Attempt.Outcome
OURS = "Portal error, not the server's: "
_CUT_OFF = OURS + "the sending process stopped before it finished."


def delivered(delivery: Delivery, attempt: Attempt, sent: SendResult) -> None:
    """The file arrived whole. Raises LeaseLost."""
    outcome = Outcome.ALREADY_THERE if sent.already_there else Outcome.DELIVERED
    with transaction.atomic():
        _move(delivery, State.DELIVERED, delivered_at=Now(), reason=sent.note)
        _close(attempt, outcome, sent.note, step=Attempt.Step.DONE)
    log.info("delivered", delivery_id=delivery.pk, attempt=attempt.number, outcome=outcome)


def failed(delivery: Delivery, attempt: Attempt, words: str) -> None:
    """The far side did not take it this time: the next step of the ladder. Raises LeaseLost."""
    count = delivery.attempts + 1
    wait = retry.wait(count)
    with transaction.atomic():
        _close(attempt, Outcome.FAILED, words)
        if wait is None:
            _incident(delivery, State.GIVEN_UP, words, attempts=count)
            mail.given_up(delivery)
        else:
            _retry(delivery, wait, words, attempts=count)
    log.warning("delivery_failed", delivery_id=delivery.pk, attempt=attempt.number, words=words)


def refused(delivery: Delivery, attempt: Attempt, words: str) -> None:
    """The far side refuses permanently: stop at once and notify people. Raises LeaseLost."""
    with transaction.atomic():
        _close(attempt, Outcome.REFUSED, words)
        _incident(delivery, State.REFUSED, words, attempts=delivery.attempts + 1)
        mail.refused(delivery)
    log.warning("delivery_refused", delivery_id=delivery.pk, attempt=attempt.number, words=words)


def errored(delivery: Delivery, attempt: Attempt, words: str) -> None:
    """Our own fault: tried again on a count of its own. Raises LeaseLost."""
    count, words = delivery.own_faults + 1, OURS + words
    wait = retry.wait(count)
    with transaction.atomic():
        _close(attempt, Outcome.ERRORED, words)
        if wait is None:
            give_up_ours(delivery, words, count)
        else:
            _retry(delivery, wait, words, own_faults=count)


def cut_off(delivery: Delivery) -> bool:
    """Close the attempts of dead processes. Returns whether another one may begin.

    In the transaction that begins it. Raises LeaseLost.
    """
    open_attempts = Attempt.objects.filter(delivery=delivery, outcome=Outcome.RUNNING)
    closed = open_attempts.update(outcome=Outcome.CUT_OFF, ended_at=Now(), words=_CUT_OFF)
    if not closed:
        return True
    count = delivery.own_faults + closed
    if retry.wait(count) is None:
        give_up_ours(delivery, _CUT_OFF, count)
        return False
    _move(delivery, State.SENDING, own_faults=count, keep=True)
    return True


def give_up_ours(delivery: Delivery, words: str, count: int) -> None:
    """The end by our own fault. In a transaction. Raises LeaseLost."""
    _incident(delivery, State.GIVEN_UP, words, own_faults=count)
    mail.portal_fault(delivery)
    log.error("delivery_given_up_by_our_fault", delivery_id=delivery.pk, words=words)


def _retry(delivery: Delivery, wait: int, words: str, **changes: Any) -> None:
    due = Now() + timedelta(seconds=wait)
    _move(delivery, State.RETRYING, ready_at=due, reason=words, **changes)


def _incident(delivery: Delivery, state: str, words: str, **changes: Any) -> None:
    _move(delivery, state, incident_at=Now(), reason=words, **changes)


def _move(delivery: Delivery, state: str, keep: bool = False, **changes: Any) -> None:
    """keep: the lease is still needed."""
    released = {} if keep else lifecycle.released()
    lifecycle.advance(delivery, to=state, allowed=[State.SENDING], **changes, **released)


def _close(attempt: Attempt, outcome: str, words: str, **changes: Any) -> None:
    """End a running attempt; one that was ended meanwhile stays as it is."""
    rows = Attempt.objects.filter(pk=attempt.pk, outcome=Outcome.RUNNING)
    rows.update(outcome=outcome, words=words, ended_at=Now(), bytes=F("bytes"), **changes)
