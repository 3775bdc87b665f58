"""Deliveries to a real OpenSSH server: they arrive once, whole, and people learn what did not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.db.models.functions import Now

from exports import delivery as deliveries
from exports.models import Attempt, Delivery
from portal.lifecycle import Heartbeat
from portal.models import AuditEntry, Notice
from tests.exports.deliveries import farside
from tests.exports.deliveries.dispatch import CONTENT, NAME, Dispatch
from tests.sshd import Sshd

pytestmark = pytest.mark.usefixtures("transactional_db")
State, Outcome, Step = Delivery.State, Attempt.Outcome, Attempt.Step


def files(sshd: Sshd) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sshd.root.iterdir() if path.is_file()}


def test_a_file_arrives_under_its_name_and_nothing_else_lies_there(dispatch: Dispatch, sshd: Sshd):
    delivery = dispatch.delivery(sshd.place)
    attempt = dispatch.deliver(delivery)
    assert (delivery.state, attempt.outcome, attempt.words) == (
        State.DELIVERED, Outcome.DELIVERED, ""
    )  # fmt: skip
    assert files(sshd) == {NAME: CONTENT}
    assert attempt.step == Step.DONE
    assert attempt.bytes == len(CONTENT)
    assert attempt.ended_at >= attempt.started_at
    assert delivery.owner == ""
    assert deliveries.deliver_next(dispatch.tenant.pk).endswith("nothing to deliver.")


def test_it_goes_into_the_folder_of_the_destination(dispatch: Dispatch, sshd: Sshd):
    (sshd.root / "in").mkdir()
    relative = dispatch.delivery(sshd.place, path="in/")
    dispatch.deliver(relative)
    assert (sshd.root / "in" / NAME).read_bytes() == CONTENT
    (sshd.root / "in" / NAME).unlink()
    absolute = dispatch.delivery(relative.server, path=str(sshd.root / "in"))
    dispatch.deliver(absolute)
    assert (sshd.root / "in" / NAME).read_bytes() == CONTENT
    (sshd.root / "in" / NAME).unlink()


def test_progress_is_written_each_second_and_not_for_each_block(dispatch: Dispatch, sshd: Sshd):
    dispatch.delivery(sshd.place)
    delivery = deliveries._claimed(dispatch.tenant.pk, retries=True)
    assert delivery is not None
    attempt = deliveries._begin(delivery)
    assert attempt is not None
    watch = deliveries.Recorder(delivery, attempt, Heartbeat(delivery, dispatch.tenant.pk))
    watch.sent(5)
    attempt.refresh_from_db()
    assert attempt.bytes == 0
    watch._shown -= 1
    watch.sent(7)
    attempt.refresh_from_db()
    assert attempt.bytes == 7


@pytest.mark.parametrize(
    ("trigger", "ending", "content"),
    [
        ("empty", ".trg", b""),
        (
            "manifest",
            ".done",
            b'<?xml version="1.0" encoding="utf-8"?>\n<files>\n  <file name="a&amp;b.csv" '
            b'checksum="900150983cd24fb0d6963f7d28e17f72" checksumhashtype="md5" />\n</files>\n',
        ),
    ],
)
def test_a_trigger_file_follows(
    dispatch: Dispatch, sshd: Sshd, trigger: str, ending: str, content: bytes
):
    delivery = dispatch.delivery(
        sshd.place, run=dispatch.run(b"abc", name="a&b.csv", trigger=trigger)
    )
    dispatch.deliver(delivery)
    assert files(sshd) == {"a&b.csv": b"abc", f"a&b.csv{ending}": content}


def test_an_empty_file_arrives(dispatch: Dispatch, sshd: Sshd):
    dispatch.deliver(dispatch.delivery(sshd.place, run=dispatch.run(b"")))
    assert files(sshd) == {NAME: b""}


def test_a_missing_folder_is_refused_at_once_and_people_are_told(dispatch: Dispatch, sshd: Sshd):
    delivery = dispatch.delivery(sshd.place, path="nowhere")
    attempt = dispatch.deliver(delivery)
    assert (delivery.state, attempt.outcome, attempt.step) == (
        State.REFUSED, Outcome.REFUSED, Step.FOLDER
    )  # fmt: skip
    assert "The folder “nowhere” does not exist on the server" in delivery.reason
    assert delivery.incident_at is not None
    assert (delivery.attempts, delivery.own_faults) == (1, 0)
    notice = Notice.objects.get()
    assert notice.event == Notice.Event.REFUSED
    assert notice.title == f"{NAME}: the delivery to Partner was refused"


def test_a_folder_that_may_not_be_written_is_refused_at_once(dispatch: Dispatch, tmp_path: Path):
    with farside.running(tmp_path / "far", farside.Faults(denied_writes=True)) as far:
        delivery = dispatch.delivery(far.place)
        attempt = dispatch.deliver(delivery)
    assert (delivery.state, attempt.step) == (State.REFUSED, Step.UPLOAD)
    assert "this folder is for reading" in delivery.reason


def test_a_wrong_secret_is_refused_at_once(dispatch: Dispatch, tmp_path: Path):
    with farside.running(tmp_path / "far") as far:
        delivery = dispatch.delivery(replace(far.place, password="wrong"))
        attempt = dispatch.deliver(delivery)
    assert (delivery.state, attempt.step) == (State.REFUSED, Step.LOGIN)
    assert "refuses the login of “ada” with the password" in delivery.reason
    assert "wrong" not in delivery.reason


def test_a_changed_host_key_is_refused_before_anything_is_sent(dispatch: Dispatch, tmp_path: Path):
    with farside.running(tmp_path / "far") as far:
        delivery = dispatch.delivery(replace(far.place, host_key="SHA256:" + "B" * 43))
        attempt = dispatch.deliver(delivery)
        assert far.logins == []
    assert (delivery.state, attempt.step) == (State.REFUSED, Step.HOST_KEY)


def test_a_private_address_is_refused_unless_the_operator_allows_it(
    dispatch: Dispatch, sshd: Sshd, settings
):
    settings.EXPORT_ALLOWED_NETWORKS = []
    delivery = dispatch.delivery(sshd.place)
    attempt = dispatch.deliver(delivery)
    assert (delivery.state, attempt.step) == (State.REFUSED, Step.RESOLVE)
    assert "EXPORT_ALLOWED_NETWORKS" in delivery.reason


def test_our_own_unreadable_file_is_our_fault_and_costs_the_far_side_nothing(
    dispatch: Dispatch, sshd: Sshd
):
    delivery = dispatch.delivery(sshd.place)
    default_storage.delete(delivery.run.content)
    attempt = dispatch.deliver(delivery)
    assert (delivery.state, attempt.outcome) == (State.RETRYING, Outcome.ERRORED)
    assert (delivery.attempts, delivery.own_faults) == (0, 1)
    assert attempt.words.startswith("Portal error, not the server's: ")
    for _ in range(10):
        dispatch.deliver(delivery)
    assert delivery.state == State.GIVEN_UP
    events = set(Notice.objects.values_list("event", flat=True))
    assert events == {Notice.Event.GIVEN_UP, Notice.Event.PORTAL_FAULT}


def test_a_changed_stored_file_is_never_given_its_name(dispatch: Dispatch, sshd: Sshd):
    delivery = dispatch.delivery(sshd.place)
    path = Path(default_storage.path(delivery.run.content))
    path.write_bytes(b"x" * len(CONTENT))
    attempt = dispatch.deliver(delivery)
    assert attempt.outcome == Outcome.ERRORED
    assert "checksum differs" in attempt.words
    assert files(sshd) == {}


def test_a_foreign_file_is_not_overwritten(dispatch: Dispatch, sshd: Sshd):
    (sshd.root / NAME).write_bytes(b"theirs")
    delivery = dispatch.delivery(sshd.place)
    attempt = dispatch.deliver(delivery)
    assert (delivery.state, attempt.outcome) == (State.REFUSED, Outcome.REFUSED)
    assert "not overwritten" in delivery.reason
    assert files(sshd) == {NAME: b"theirs"}


def test_a_foreign_file_beside_one_of_ours_is_not_overwritten(dispatch: Dispatch, sshd: Sshd):
    first = dispatch.delivery(sshd.place)
    dispatch.deliver(first)
    (sshd.root / "other.csv").write_bytes(b"theirs")
    second = dispatch.delivery(first.server, run=dispatch.run(b"ours", name="other.csv"))
    assert dispatch.deliver(second).outcome == Outcome.REFUSED
    assert files(sshd) == {NAME: CONTENT, "other.csv": b"theirs"}


def test_our_own_file_of_that_name_is_replaced_by_the_newer_one(dispatch: Dispatch, sshd: Sshd):
    first = dispatch.delivery(sshd.place)
    dispatch.deliver(first)
    newer = dispatch.delivery(first.server, run=dispatch.run(b"newer"))
    dispatch.deliver(newer)
    assert files(sshd) == {NAME: b"newer"}


def test_an_attempt_that_was_refused_makes_no_foreign_file_ours(dispatch: Dispatch, sshd: Sshd):
    """It was refused while the name was given; a person sends it again later."""
    delivery = dispatch.delivery(sshd.place)
    Attempt.objects.create(
        tenant=dispatch.tenant, delivery=delivery, number=1, step=Step.RENAME,
        outcome=Outcome.REFUSED,
    )  # fmt: skip
    (sshd.root / NAME).write_bytes(b"theirs")
    attempt = dispatch.deliver(delivery)
    assert (delivery.state, attempt.number, attempt.outcome) == (
        State.REFUSED, 2, Outcome.REFUSED
    )  # fmt: skip
    assert files(sshd) == {NAME: b"theirs"}


def test_a_file_that_is_sent_again_is_sent_though_the_first_try_failed_before_it(
    dispatch: Dispatch, sshd: Sshd
):
    """What an attempt before the resend did says nothing about the file that is there now."""
    delivery = dispatch.delivery(sshd.place)
    dispatch.deliver(delivery)
    (sshd.root / NAME).write_bytes(b"x" * len(CONTENT))
    Attempt.objects.create(
        tenant=dispatch.tenant, delivery=delivery, number=2, step=Step.LOGIN,
        outcome=Outcome.FAILED,
    )  # fmt: skip
    Delivery.objects.filter(pk=delivery.pk).update(state=State.RETRYING, attempts=1)
    attempt = dispatch.deliver(delivery)
    assert (attempt.number, attempt.outcome) == (3, Outcome.DELIVERED)
    assert files(sshd) == {NAME: CONTENT}


@pytest.mark.parametrize("step", [Step.UPLOAD, Step.SIZE, Step.RENAME])
def test_a_cut_off_attempt_is_closed_and_what_it_left_is_removed(
    dispatch: Dispatch, sshd: Sshd, step: str
):
    delivery = dispatch.delivery(sshd.place)
    (sshd.root / f".{delivery.uid.hex}.1.part").write_bytes(b"half")
    Attempt.objects.create(tenant=dispatch.tenant, delivery=delivery, number=1, step=step)
    Delivery.objects.filter(pk=delivery.pk).update(state=State.SENDING, lease_until=Now())
    attempt = dispatch.deliver(delivery)
    dead = delivery.log.get(number=1)
    assert dead.outcome == Outcome.CUT_OFF
    assert "Portal error" in dead.words
    assert (dead.step, dead.bytes) == (step, 0)
    assert (attempt.number, attempt.outcome) == (2, Outcome.DELIVERED)
    assert (delivery.attempts, delivery.own_faults) == (0, 1)
    assert files(sshd) == {NAME: CONTENT}


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.ERRORED, Outcome.CUT_OFF])
def test_what_an_attempt_could_not_remove_the_next_one_removes(
    dispatch: Dispatch, sshd: Sshd, outcome: str
):
    delivery = dispatch.delivery(sshd.place)
    (sshd.root / f".{delivery.uid.hex}.1.part").write_bytes(b"half")
    Attempt.objects.create(
        tenant=dispatch.tenant, delivery=delivery, number=1, step=Step.UPLOAD, outcome=outcome
    )
    dispatch.deliver(delivery)
    assert files(sshd) == {NAME: CONTENT}


def test_an_attempt_that_was_cut_off_at_the_trigger_leaves_no_half_trigger(
    dispatch: Dispatch, sshd: Sshd
):
    delivery = dispatch.delivery(sshd.place, run=dispatch.run(trigger="empty"))
    (sshd.root / NAME).write_bytes(CONTENT)
    (sshd.root / f".{delivery.uid.hex}.1.part.trigger").write_bytes(b"")
    Attempt.objects.create(tenant=dispatch.tenant, delivery=delivery, number=1, step=Step.TRIGGER)
    Delivery.objects.filter(pk=delivery.pk).update(state=State.SENDING, lease_until=Now())
    dispatch.deliver(delivery)
    assert delivery.state == State.DELIVERED
    assert set(files(sshd)) == {NAME, f"{NAME}.trg"}


def test_a_delivery_that_is_taken_up_again_keeps_its_lease(dispatch: Dispatch, sshd: Sshd):
    """Without one nobody would take it up a second time, and its server would seem free."""
    delivery = dispatch.delivery(sshd.place)
    Attempt.objects.create(tenant=dispatch.tenant, delivery=delivery, number=1)
    Delivery.objects.filter(pk=delivery.pk).update(state=State.SENDING, lease_until=Now())
    claimed = deliveries._claimed(dispatch.tenant.pk, retries=True)
    assert claimed is not None
    assert deliveries._begin(claimed) is not None
    row = Delivery.objects.filter(state=State.SENDING, lease_until__gt=Now()).get()
    assert (row.owner, row.own_faults) == (claimed.owner, 1)
    assert row.owner != ""


def test_a_crash_after_the_rename_delivers_once(dispatch: Dispatch, sshd: Sshd):
    """The process died before it could write down that the file was there."""
    delivery = dispatch.delivery(sshd.place, run=dispatch.run(trigger="empty"))
    (sshd.root / NAME).write_bytes(CONTENT)
    before = (sshd.root / NAME).stat().st_ino
    Attempt.objects.create(tenant=dispatch.tenant, delivery=delivery, number=1, step=Step.RENAME)
    Delivery.objects.filter(pk=delivery.pk).update(state=State.SENDING, lease_until=Now())
    attempt = dispatch.deliver(delivery)
    assert (delivery.state, attempt.outcome) == (State.DELIVERED, Outcome.ALREADY_THERE)
    assert attempt.bytes == 0
    assert (sshd.root / NAME).stat().st_ino == before
    assert set(files(sshd)) == {NAME, f"{NAME}.trg"}


def test_the_audit_has_nothing_of_what_the_portal_does_itself(dispatch: Dispatch, sshd: Sshd):
    dispatch.deliver(dispatch.delivery(sshd.place))
    assert not AuditEntry.objects.exists()
