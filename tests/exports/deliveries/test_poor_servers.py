"""A19: servers that can do less than OpenSSH are delivered to, or refused with their own words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from exports.models import Attempt, Delivery
from tests.exports.deliveries import farside
from tests.exports.deliveries.dispatch import CONTENT, NAME, Dispatch
from tests.exports.deliveries.farside import FarSide

pytestmark = pytest.mark.usefixtures("transactional_db")
State, Outcome, Step = Delivery.State, Attempt.Outcome, Attempt.Step


@pytest.fixture
def far(tmp_path: Path) -> Iterator[FarSide]:
    with farside.running(tmp_path / "far") as side:
        yield side


def sent(dispatch: Dispatch, far: FarSide, **of_run: str) -> tuple[Delivery, Attempt]:
    delivery = dispatch.delivery(far.place, **of_run)
    return delivery, dispatch.deliver(delivery)


@pytest.mark.parametrize("rename", ["", "plain", "careful"])
@pytest.mark.parametrize("trigger", ["", "manifest"])
def test_every_kind_of_rename_delivers(dispatch: Dispatch, far: FarSide, rename: str, trigger: str):
    far.faults.rename = rename
    delivery, _ = sent(dispatch, far, trigger=trigger)
    assert delivery.state == State.DELIVERED, delivery.reason
    assert far.names() == [NAME] + ([f"{NAME}.done"] if trigger else [])
    assert (far.root / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize("rename", ["", "plain", "careful"])
def test_every_kind_of_rename_replaces_what_is_ours(dispatch: Dispatch, far: FarSide, rename: str):
    far.faults.rename = rename
    first, _ = sent(dispatch, far)
    newer = dispatch.delivery(first.server, run=dispatch.run(b"newer"))
    dispatch.deliver(newer)
    assert newer.state == State.DELIVERED, newer.reason
    assert {name: (far.root / name).read_bytes() for name in far.names()} == {NAME: b"newer"}
    removed = [path for path in far.removed if path.endswith(NAME)]
    assert len(removed) == (rename == "careful")


def test_no_renaming_at_all_is_refused_with_the_servers_words(dispatch: Dispatch, far: FarSide):
    far.faults.rename = "denied"
    delivery, attempt = sent(dispatch, far)
    assert (delivery.state, attempt.step) == (State.REFUSED, Step.RENAME)
    assert "does not allow it to be renamed" in delivery.reason
    assert "“no renaming here” (code 3)" in delivery.reason
    assert far.names() == []


def test_a_server_without_sizes_is_believed_and_that_is_noted(dispatch: Dispatch, far: FarSide):
    far.faults.stats = False
    delivery, attempt = sent(dispatch, far)
    assert delivery.state == State.DELIVERED
    assert f"acknowledged all {len(CONTENT):,} bytes" in attempt.words
    assert (far.root / NAME).read_bytes() == CONTENT


def test_a_full_disk_is_tried_again_and_leaves_nothing(dispatch: Dispatch, far: FarSide):
    far.faults.disk = len(CONTENT) - 1  # so that the very last write fails
    delivery, attempt = sent(dispatch, far)
    assert (delivery.state, attempt.outcome) == (State.RETRYING, Outcome.FAILED)
    assert "no space left on device" in attempt.words
    assert far.names() == []
    far.faults.disk = None
    assert dispatch.deliver(delivery).outcome == Outcome.DELIVERED


def test_a_stored_size_that_differs_never_gets_the_name(dispatch: Dispatch, far: FarSide):
    far.faults.rename = "plain"
    far.faults.lies_about_size = 5
    delivery = dispatch.delivery(far.place)
    attempt = dispatch.deliver(delivery)
    assert (attempt.outcome, attempt.step) == (Outcome.FAILED, Step.SIZE)
    assert f"stored 5 of {len(CONTENT):,} bytes" in attempt.words
    assert far.names() == []


@pytest.mark.parametrize("rename", ["", "plain"])
def test_a_connection_lost_right_after_the_rename_delivers_once(
    dispatch: Dispatch, far: FarSide, rename: str
):
    """A18: the answer is lost; the next attempt looks before it sends."""
    far.faults.rename = rename
    far.faults.after_rename = ".csv"
    delivery, attempt = sent(dispatch, far, trigger="empty")
    assert (delivery.state, attempt.outcome) == (State.RETRYING, Outcome.FAILED)
    assert (far.root / NAME).read_bytes() == CONTENT
    far.faults.after_rename = ""
    opened = len(far.opened)
    assert dispatch.deliver(delivery).outcome == Outcome.ALREADY_THERE
    assert delivery.state == State.DELIVERED
    assert far.names() == [NAME, f"{NAME}.trg"]
    assert [path for path in far.opened[opened:] if "trigger" not in path] == []


def test_a_lost_answer_to_the_trigger_sends_the_data_no_second_time(
    dispatch: Dispatch, far: FarSide
):
    far.faults.after_rename = ".trg"
    delivery, attempt = sent(dispatch, far, trigger="empty")
    assert (attempt.outcome, attempt.step) == (Outcome.FAILED, Step.TRIGGER)
    far.faults.after_rename = ""
    assert dispatch.deliver(delivery).outcome == Outcome.ALREADY_THERE
    assert len([path for path in far.opened if path.endswith(".part")]) == 1


def test_a_server_that_is_too_old_is_told_from_one_that_is_away(dispatch: Dispatch, tmp_path: Path):
    with farside.running(tmp_path / "old", kex_algs=["diffie-hellman-group14-sha1"]) as old:
        delivery, attempt = sent(dispatch, old)
    assert (delivery.state, attempt.step) == (State.REFUSED, Step.CONNECT)
    assert "no key exchange that is still safe" in delivery.reason


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"encryption_algs": ["aes128-cbc"]}, "cipher"),
        ({"encryption_algs": ["aes128-ctr"], "mac_algs": ["hmac-sha1"]}, "checksum"),
    ],
)
def test_weak_algorithms_are_not_agreed_on(
    dispatch: Dispatch, tmp_path: Path, options: dict[str, list[str]], what: str
):
    with farside.running(tmp_path / "weak", **options) as weak:
        delivery, _ = sent(dispatch, weak)
        assert weak.logins == []
    assert delivery.state == State.REFUSED
    assert f"no {what} that is still safe" in delivery.reason


def test_a_server_without_sftp_says_so(dispatch: Dispatch, tmp_path: Path):
    with farside.running(tmp_path / "shell", sftp_factory=None) as shell:
        delivery, _ = sent(dispatch, shell)
    assert delivery.state == State.REFUSED
    assert "opens no SFTP session" in delivery.reason


def test_passwords_with_every_character_log_in(dispatch: Dispatch, far: FarSide):
    assert farside.PASSWORD == "p@ss word"
    delivery, _ = sent(dispatch, far)
    assert delivery.state == State.DELIVERED
    assert far.logins == [farside.USER]
