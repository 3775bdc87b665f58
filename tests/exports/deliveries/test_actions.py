"""What people do with deliveries: send again, cancel, see to it, test a connection."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.storage import FileSystemStorage
from django.db import connection
from django.db.models.functions import Now

from exports import actions, secrets
from exports import delivery as deliveries
from exports.models import Attempt, Delivery
from portal import tenancy
from portal.faults import Refused
from portal.models import AuditEntry
from portal.vault import VaultError
from tests.exports.deliveries import farside
from tests.exports.deliveries.dispatch import CONTENT, NAME, Dispatch
from tests.sshd import Sshd

pytestmark = pytest.mark.usefixtures("transactional_db")
State, Outcome, Step = Delivery.State, Attempt.Outcome, Attempt.Step


def audited() -> list[str]:
    return list(AuditEntry.objects.values_list("action", flat=True))


def test_a_delivered_file_is_sent_again(dispatch: Dispatch, sshd: Sshd):
    delivery = dispatch.delivery(sshd.place)
    dispatch.deliver(delivery)
    (sshd.root / NAME).unlink()
    actions.resend(delivery, dispatch.user)
    assert (delivery.state, delivery.attempts, delivery.sent_again) == (State.READY, 0, 1)
    assert dispatch.deliver(delivery).outcome == Outcome.DELIVERED
    assert (sshd.root / NAME).read_bytes() == CONTENT
    assert audited() == ["delivery.resend"]


def test_what_lies_there_already_is_replaced_by_the_same(dispatch: Dispatch, sshd: Sshd):
    delivery = dispatch.delivery(sshd.place)
    dispatch.deliver(delivery)
    before = (sshd.root / NAME).stat().st_ino
    actions.resend(delivery, dispatch.user)
    assert dispatch.deliver(delivery).outcome == Outcome.DELIVERED
    assert [path.name for path in sshd.root.iterdir()] == [NAME]
    assert (sshd.root / NAME).stat().st_ino != before


def test_a_refused_delivery_goes_after_the_cause_is_gone(dispatch: Dispatch, sshd: Sshd):
    delivery = dispatch.delivery(sshd.place, path="later")
    dispatch.deliver(delivery)
    actions.acknowledge(delivery, dispatch.user)
    assert delivery.acknowledged_by == dispatch.user
    with pytest.raises(Refused, match="already acknowledged it"):
        actions.acknowledge(delivery, dispatch.user)
    (sshd.root / "later").mkdir()
    actions.resend(delivery, dispatch.user)
    assert (delivery.incident_at, delivery.acknowledged_at) == (None, None)
    dispatch.deliver(delivery)
    assert (sshd.root / "later" / NAME).read_bytes() == CONTENT
    (sshd.root / "later" / NAME).unlink()
    with pytest.raises(Refused, match="no longer has an open incident"):
        actions.acknowledge(delivery, dispatch.user)
    assert audited() == ["delivery.acknowledge", "delivery.resend"]


def test_a_file_that_is_no_longer_kept_cannot_be_sent_again(dispatch: Dispatch, sshd: Sshd):
    delivery = dispatch.delivery(sshd.place)
    dispatch.deliver(delivery)
    delivery.run.content = ""
    delivery.run.save()
    with pytest.raises(Refused, match="no longer kept"):
        actions.resend(delivery, dispatch.user)
    assert delivery.state == State.DELIVERED


def test_a_waiting_delivery_is_cancelled_and_stays_so(dispatch: Dispatch, sshd: Sshd):
    delivery = dispatch.delivery(sshd.place)
    with pytest.raises(Refused, match="waiting already"):
        actions.resend(delivery, dispatch.user)
    actions.cancel(delivery, dispatch.user)
    assert (delivery.state, delivery.reason) == (State.CANCELLED, "Cancelled by ada@oak.example.")
    assert deliveries.deliver_next(dispatch.tenant.pk).endswith("nothing to deliver.")
    with pytest.raises(Refused, match="cancelled already"):
        actions.cancel(delivery, dispatch.user)
    assert list(sshd.root.iterdir()) == []


def during_reading(monkeypatch: pytest.MonkeyPatch, dispatch: Dispatch, act: Callable[[], None]):
    """Let a person act, from elsewhere, while the file is being read for the second time: sent."""
    opened: list[str] = []
    plain = FileSystemStorage._open

    def _open(self: FileSystemStorage, name: str, mode: str = "rb"):  # type: ignore[no-untyped-def]
        opened.append(name)
        if len(opened) == 2:
            elsewhere(dispatch, act)
        return plain(self, name, mode)

    monkeypatch.setattr(FileSystemStorage, "_open", _open)


def elsewhere(dispatch: Dispatch, act: Callable[[], None]) -> None:
    def run() -> None:
        try:
            with tenancy.scope(dispatch.tenant.pk):
                act()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()


def test_a_cancelled_one_that_is_being_sent_never_gets_its_name(
    dispatch: Dispatch, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
):
    delivery = dispatch.delivery(sshd.place)
    asked = Delivery.objects.get(pk=delivery.pk)
    during_reading(monkeypatch, dispatch, lambda: actions.cancel(asked, dispatch.user))
    attempt = dispatch.deliver(delivery)
    assert delivery.state == State.CANCELLED
    assert (attempt.outcome, attempt.words) == (Outcome.CUT_OFF, "Cancelled by ada@oak.example.")
    assert attempt.step == Step.UPLOAD
    assert list(sshd.root.iterdir()) == []


def test_a_courier_that_lost_its_delivery_writes_nothing(
    dispatch: Dispatch, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
):
    """A5: its lease ran out while it slept, and another one has sent the file meanwhile."""
    delivery = dispatch.delivery(sshd.place)

    def overtake() -> None:
        monkeypatch.undo()
        rows = Delivery.objects.filter(pk=delivery.pk)
        rows.update(lease_until=Now() - timedelta(seconds=1))
        deliveries.deliver_next(dispatch.tenant.pk)

    during_reading(monkeypatch, dispatch, overtake)
    sentence = deliveries.deliver_next(dispatch.tenant.pk)
    assert "held by somebody else" in sentence or "taken over" in sentence
    delivery.refresh_from_db()
    assert delivery.state == State.DELIVERED
    ends = list(delivery.log.order_by("number").values_list("outcome", flat=True))
    assert ends == [Outcome.CUT_OFF, Outcome.DELIVERED]
    assert {path.name: path.read_bytes() for path in sshd.root.iterdir()} == {NAME: CONTENT}


def test_it_is_too_late_to_cancel_while_the_name_is_given(dispatch: Dispatch, sshd: Sshd):
    delivery = dispatch.delivery(sshd.place)
    Delivery.objects.filter(pk=delivery.pk).update(state=State.SENDING)
    Attempt.objects.create(tenant=dispatch.tenant, delivery=delivery, number=1, step=Step.RENAME)
    with pytest.raises(Refused, match="too late"):
        actions.cancel(delivery, dispatch.user)


def test_a_connection_is_tested_step_by_step(dispatch: Dispatch, sshd: Sshd):
    server = dispatch.server(sshd.place)
    probe = actions.test(server, "")
    assert probe.ok
    assert [step.name for step in probe.steps] == [
        *("resolve", "connect", "host_key", "login", "folder", "upload", "rename", "remove")
    ]
    assert list(sshd.root.iterdir()) == []


def test_a_first_test_shows_the_key_and_logs_in_to_nothing(dispatch: Dispatch, tmp_path: Path):
    with farside.running(tmp_path / "far") as far:
        server = dispatch.server(replace(far.place, host_key=""))
        probe = actions.test(server, "")
        assert (probe.ok, probe.needs_pin) == (False, True)
        assert probe.host_key == far.place.host_key
        assert far.logins == []
        assert far.opened == []


def test_a_test_names_what_is_missing_and_leaves_nothing(dispatch: Dispatch, tmp_path: Path):
    with farside.running(tmp_path / "far", farside.Faults(rename="denied")) as far:
        server = dispatch.server(far.place)
        last = actions.test(server, "").steps[-1]
        assert (last.name, last.ok) == ("rename", False)
        assert "right to rename" in last.sentence
        assert far.names() == []
        far.faults.rename, far.faults.keeps = "", True
        last = actions.test(server, "").steps[-1]
        assert (last.name, last.ok) == ("remove", False)
        assert far.names()[0] in last.sentence
        assert "does not exist" in actions.test(server, "nowhere").steps[-1].sentence


def test_secrets_open_at_their_server_only(dispatch: Dispatch, sshd: Sshd):
    server = dispatch.server(replace(sshd.place, password="p@ss"), "One")
    other = dispatch.server(replace(sshd.place, password=""), "Other")
    assert "p@ss" not in server.password
    assert secrets.password_of(server) == "p@ss"
    assert secrets.private_key_of(server) == sshd.place.private_key.strip()
    assert secrets.password_of(other) == ""
    other.password = server.password
    with pytest.raises(VaultError):
        secrets.password_of(other)
    probe = actions.test(other, "")
    assert "cannot be decrypted" in probe.steps[-1].sentence
    with pytest.raises(Refused):
        secrets.seal_private_key(server, "no key")
