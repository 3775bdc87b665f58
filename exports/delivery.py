"""Deliveries: which is due, who claims it, one attempt at it with a row of its own.

A tenant has at most MOST_AT_ONCE under way and one for each of its servers, so that a dead server
holds up neither its neighbours nor other tenants; retries never take all threads of a courier.
"""

from __future__ import annotations

import functools
import random
import threading
import time
from collections import Counter
from typing import BinaryIO, cast

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.db.utils import Error as DatabaseError

from exports import attempts, secrets, sending
from exports.models import Attempt, Delivery
from exports.sending import OurFault, Parcel, SendResult
from portal import bell, lifecycle, locks, logs, vault
from portal.lifecycle import Heartbeat
from portal.locks import Lock
from portal.transports.faults import PermanentRefusal, Unreachable

log = logs.get(__name__)
State, Outcome, Step = Delivery.State, Attempt.Outcome, Attempt.Step

MOST_AT_ONCE = 4  # of one tenant
_RETRIES_AT_ONCE = 12  # of a courier's 16 threads
_NOTIFIED_AT_ONCE = 64  # tenants; the next notice follows in a moment
_SHOW_SECONDS = 1.0
_NAMED = (Step.RENAME, Step.TRIGGER, Step.DONE)  # the file may have its final name

_retries = threading.BoundedSemaphore(_RETRIES_AT_ONCE)


def due() -> QuerySet[Delivery]:
    """Deliveries that may be claimed, as far as time goes: waiting and due, or cut off."""
    return Delivery.objects.filter(
        Q(state__in=Delivery.WAITING_STATES, ready_at__lte=Now())
        | Q(state=State.SENDING, lease_until__lt=Now())
    )


def claimable() -> QuerySet[Delivery]:
    """Those of them whose server has no other delivery under way."""
    busy = Delivery.objects.filter(
        server=OuterRef("server"), state=State.SENDING, lease_until__gte=Now()
    )
    return due().filter(~Exists(busy))


def ring_due() -> int:
    """Notify couriers of tenants with something to send and room for it. Returns of how many.

    A random sample of them where there are very many. Must be called across tenants.
    """
    running = Counter(_running().values_list("tenant_id", flat=True))
    waiting = set(claimable().values_list("tenant_id", flat=True).distinct())
    ready = sorted(tenant for tenant in waiting if running[tenant] < MOST_AT_ONCE)
    chosen = random.sample(ready, min(len(ready), _NOTIFIED_AT_ONCE))
    for tenant_id in chosen:
        bell.ring(bell.DELIVER, tenant_id, expires=2 * settings.EXPORT_TICK_SECONDS)
    return len(chosen)


def deliver_next(tenant_id: int) -> str:
    """Claim the tenant's next delivery and make one attempt at it. Returns a sentence.

    Must be called in the tenant's scope and outside a transaction. A failing server raises
    nothing.
    """
    has_turn = _retries.acquire(blocking=False)
    try:
        delivery = _claimed(tenant_id, retries=has_turn)
        if delivery is None:
            return f"Tenant {tenant_id}: nothing to deliver."
        if has_turn and not delivery.attempts:
            _retries.release()
            has_turn = False
        return _run(delivery)
    finally:
        if has_turn:
            _retries.release()


def _claimed(tenant_id: int, *, retries: bool) -> Delivery | None:
    """The next one of the tenant: first attempts before retries, the oldest due time first."""
    candidates = claimable().filter(tenant_id=tenant_id)
    if not retries:
        candidates = candidates.filter(attempts=0)
    return lifecycle.claim(
        candidates.order_by("attempts", "ready_at", "pk"),
        owner=lifecycle.owner(),
        state=State.SENDING,
        guard=functools.partial(_has_room, tenant_id),
    )


def _has_room(tenant_id: int) -> bool:
    """Whether the tenant may have one more; the lock makes the answer hold until the claim."""
    locks.hold_until_commit(Lock.CLAIM_DELIVERY, tenant_id)
    return _running().filter(tenant_id=tenant_id).count() < MOST_AT_ONCE


def _running() -> QuerySet[Delivery]:
    return Delivery.objects.filter(state=State.SENDING, lease_until__gte=Now()).order_by()


def _run(delivery: Delivery) -> str:
    logs.bind(delivery_id=delivery.pk, tenant_id=delivery.tenant_id)
    attempt = functools.partial(_attempt, delivery)
    if lost := lifecycle.under_heartbeat(delivery, delivery.tenant_id, attempt):
        return f"Delivery {delivery.pk}: {lost}"
    if claimable().filter(tenant_id=delivery.tenant_id).exists():
        bell.ring(bell.DELIVER, delivery.tenant_id)
    return f"Delivery {delivery.pk}: {delivery.state}."


def _attempt(delivery: Delivery, beat: Heartbeat) -> None:
    """One attempt and its outcome. Raises LeaseLost."""
    attempt = _begin(delivery)
    if attempt is None:
        return
    sent = None
    with lifecycle.recorded(functools.partial(_unexpected, delivery, attempt)):
        sent = _send(delivery, attempt, beat)
    if sent is not None:
        attempts.delivered(delivery, attempt, sent)


def _send(delivery: Delivery, attempt: Attempt, beat: Heartbeat) -> SendResult | None:
    """Send the file; None where it did not arrive, and the attempt is ended. Raises LeaseLost."""
    try:
        parcel = _parcel(delivery, attempt)
        place = secrets.place_of(delivery.server)
        watch = Recorder(delivery, attempt, beat)
        return sending.send(place, parcel, watch, sending.limits())
    except PermanentRefusal as refusal:
        attempts.refused(delivery, attempt, str(refusal))
    except Unreachable as fault:
        attempts.failed(delivery, attempt, str(fault))
    except (OurFault, vault.VaultError) as fault:
        log.error("delivery_errored", delivery_id=delivery.pk, error=repr(fault))
        attempts.errored(delivery, attempt, str(fault))
    return None


def _unexpected(delivery: Delivery, attempt: Attempt, error: Exception) -> None:
    log.exception("delivery_errored", delivery_id=delivery.pk, exc_info=error)
    attempts.errored(delivery, attempt, f"{type(error).__name__}. The operator's log has more.")


def _begin(delivery: Delivery) -> Attempt | None:
    """The attempt's row; None where too many processes have died of this delivery."""
    with transaction.atomic():
        lifecycle.fence(delivery)
        if not attempts.cut_off(delivery):
            return None
        last = delivery.log.aggregate(last=Max("number"))["last"] or 0
        return Attempt.objects.create(
            tenant_id=delivery.tenant_id, delivery=delivery, number=last + 1
        )


def _parcel(delivery: Delivery, attempt: Attempt) -> Parcel:
    """What this attempt sends. Raises OurFault."""
    run = delivery.run
    if not run.content:
        raise OurFault("the file is no longer kept.")
    earlier = list(delivery.log.filter(number__lt=attempt.number).order_by("-number"))
    ladder = earlier[: delivery.attempts + delivery.own_faults]  # a resend starts a new count
    return Parcel(
        folder=delivery.path,
        name=run.file_name,
        size=run.size,
        sha256=run.sha256,
        temporary=_temporary(delivery, attempt),
        read=lambda: cast(BinaryIO, default_storage.open(run.content, "rb")),
        leftovers=tuple(name for former in earlier for name in _leftovers(delivery, former)),
        trigger=run.definition.get("trigger", ""),
        settled=any(former.step in _NAMED for former in ladder),
        may_replace=_is_ours(delivery),
    )


def _temporary(delivery: Delivery, attempt: Attempt) -> str:
    return f".{delivery.uid.hex}.{attempt.number}.part"


def _leftovers(delivery: Delivery, attempt: Attempt) -> list[str]:
    """Names that an attempt may have left on the server, because it was cut off before removal."""
    if attempt.outcome not in (Outcome.FAILED, Outcome.CUT_OFF, Outcome.ERRORED):
        return []
    name = _temporary(delivery, attempt)
    if attempt.step in (Step.UPLOAD, Step.SIZE, Step.RENAME):
        return [name]
    return [f"{name}.trigger"] if attempt.step == Step.TRIGGER else []


def _is_ours(delivery: Delivery) -> bool:
    """Whether some attempt of the tenant has put a file of that name into that folder."""
    return Attempt.objects.filter(
        delivery__tenant_id=delivery.tenant_id,
        delivery__server=delivery.server_id,
        delivery__path=delivery.path,
        delivery__run__file_name=delivery.run.file_name,
        step__in=_NAMED,
    ).exclude(outcome=Outcome.REFUSED).exists()  # fmt: skip


class Recorder:
    """Follows an attempt into its row, and ends it once the delivery is no longer ours.

    A step is written under the fence before it begins: whoever comes after a crash knows whether
    the file may have got its name, and a cancelled delivery never gets that far.
    """

    def __init__(self, delivery: Delivery, attempt: Attempt, beat: Heartbeat) -> None:
        self._delivery, self._attempt, self._beat = delivery, attempt, beat
        self._bytes = 0
        self._shown = time.monotonic()

    def step(self, name: str) -> None:
        """Raises LeaseLost."""
        self._write(step=name)

    def sent(self, count: int) -> None:
        """Shown each second; a database that is away ends nothing. Raises LeaseLost."""
        self._bytes = count
        if time.monotonic() - self._shown < _SHOW_SECONDS:
            return
        self._shown = time.monotonic()
        try:
            self._write()
        except DatabaseError as error:
            log.warning("progress_not_written", error=repr(error))
            connection.close()

    def _write(self, **changes: str) -> None:
        self._beat.check()
        with transaction.atomic():
            lifecycle.fence(self._delivery)
            Attempt.objects.filter(pk=self._attempt.pk).update(bytes=self._bytes, **changes)
