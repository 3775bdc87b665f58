"""One run to its end: whose fault a failure is, what a retry leaves, which name a file gets."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models.functions import Now
from django.db.utils import OperationalError

from exports import pipeline, queue, schedule, writing
from exports.models import Delivery, Export, ExportRun
from portal.lifecycle import LeaseLost
from portal.models import Notice
from tests.exports.house import MONDAY, House, after, content, ids, noon

State = ExportRun.State
TUESDAY = MONDAY + timedelta(days=1)


def ready(house: House, **values: object) -> ExportRun:
    """A run that waits, with one event to send."""
    house.event(noon(MONDAY), "e")
    export = house.export(**values)
    house.destination(export)
    schedule.make_due(house.tenant.pk, after(MONDAY))
    return ExportRun.objects.get(export=export)


def claimed(house: House) -> ExportRun:
    run = queue.claim(house.tenant.pk)
    assert run is not None
    return run


def due_again(run: ExportRun) -> None:
    ExportRun.objects.filter(pk=run.pk).update(ready_at=Now(), lease_until=None)


def stored() -> list[str]:
    return [p.name for p in Path(settings.MEDIA_ROOT).rglob("*") if p.is_file()]


def test_a_written_run_has_its_file_and_a_delivery_for_each_destination(house: House) -> None:
    run = ready(house, keep_days=3)
    house.destination(run.export, "second")
    sentence = pipeline.write_next(house.tenant.pk)
    run.refresh_from_db()
    assert sentence == f"Export run {run.pk}: written, 1 rows."
    assert (run.state, run.rows, run.attempt, run.owner) == (State.WRITTEN, 1, 1, "")
    assert run.kept_until - run.finished_at == timedelta(days=3)
    deliveries = Delivery.objects.filter(run=run).order_by("pk")
    assert list(deliveries.values_list("path", "state")) == [("in", "ready"), ("second", "ready")]
    assert list(settings.SPOOL_DIR.iterdir()) == []
    assert pipeline.write_next(house.tenant.pk).endswith("nothing to write.")


@pytest.mark.parametrize(
    "values, words",
    [
        ({"columns": [{"name": "a"}]}, "needs either a path or a constant"),
        ({"name_pattern": "../{date}"}, "is not allowed in a file name"),
        ({"source": {"records": "nobody"}, "format": "csv"}, "no record type “nobody”"),
        ({"columns": [{"name": n, "path": "x"} for n in ("a", "a.b")]}, "In JSON"),
    ],
)
def test_a_definition_that_cannot_be_carried_out_fails_with_words(
    house: House, values: dict[str, object], words: str
) -> None:
    run = ready(house, **values)
    house.write()
    run.refresh_from_db()
    assert (run.state, run.attempt) == (State.FAILED, 1) and words in run.reason
    (notice,) = Notice.objects.filter(tenant=house.tenant)
    assert notice.event == Notice.Event.EXPORT_FAILED and words in notice.text
    assert not Delivery.objects.filter(run=run).exists()


def test_our_fault_is_tried_again_and_then_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "write", full)
    run = ready(house)
    for attempt in (1, 2):
        house.write()
        run.refresh_from_db()
        assert (run.state, run.attempt) == (State.ERRORED, attempt)
        assert not Notice.objects.filter(tenant=house.tenant).exists()
        assert house.write() == [], "not due yet"
        due_again(run)
    house.write()
    run.refresh_from_db()
    assert (run.state, run.attempt) == (State.FAILED, 3) and "a portal error" in run.reason
    events = set(Notice.objects.filter(tenant=house.tenant).values_list("event", flat=True))
    assert events == {Notice.Event.EXPORT_FAILED, Notice.Event.PORTAL_FAULT}
    assert stored() == []


def test_a_fault_that_goes_away_leaves_one_file(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off after storing, before the end: the second attempt's file is the only one."""

    def broken(run: ExportRun) -> int:
        raise OperationalError("the server closed the connection unexpectedly")

    monkeypatch.setattr(pipeline, "make_deliveries", broken)
    run = ready(house)
    house.write()
    run.refresh_from_db()
    assert (run.state, run.content, run.snapshot) == (State.ERRORED, "", "") and len(stored()) == 1
    name = run.file_name
    monkeypatch.undo()
    due_again(run)
    house.write()
    run.refresh_from_db()
    assert (run.state, run.attempt, run.file_name) == (State.WRITTEN, 2, name)
    assert len(stored()) == 1 and default_storage.exists(run.content)
    assert Delivery.objects.filter(run=run).count() == 1


def test_a_worker_that_lost_its_run_changes_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was frozen while it stored its file; another has taken and finished the run meanwhile."""
    run = ready(house)
    mine = claimed(house)
    store = pipeline._store

    def slow(late: ExportRun, path: Path) -> str:
        monkeypatch.undo()
        ExportRun.objects.filter(pk=run.pk).update(lease_until=Now() - timedelta(seconds=1))
        assert "written" in pipeline.run(claimed(house))
        return store(late, path)

    monkeypatch.setattr(pipeline, "_store", slow)
    sentence = pipeline.run(mine)
    run.refresh_from_db()
    assert "taken" in sentence or "did not go" in sentence or "somebody else" in sentence
    assert (run.state, run.token, ids(run)) == (State.WRITTEN, 2, ["e"])
    assert len(stored()) == 1 and Delivery.objects.filter(run=run).count() == 1


def test_a_run_whose_workers_die_is_given_up(house: House) -> None:
    run = ready(house)
    for _ in range(settings.MAX_ATTEMPTS):
        claimed(house)
        ExportRun.objects.filter(pk=run.pk).update(lease_until=Now() - timedelta(seconds=1))
    assert pipeline.write_next(house.tenant.pk).endswith("nothing to write.")
    run.refresh_from_db()
    assert run.state == State.FAILED and "without an error message 3 times" in run.reason


def test_a_name_that_was_given_before_is_told_apart(house: House) -> None:
    house.event(noon(MONDAY), "e")
    export = house.export(name_pattern="users_{date}", format="csv")
    night = house.night(export, MONDAY)
    again = schedule.run_now(export, None, MONDAY)
    house.write()
    again.refresh_from_db()
    assert night.file_name == "users_2026-03-02.csv"
    assert again.file_name.startswith("users_2026-03-02-") and again.file_name.endswith(".csv")


def test_two_exports_to_one_folder_never_have_one_name(house: House) -> None:
    house.event(noon(MONDAY), "e")
    first, same, elsewhere = (
        house.export(name_pattern=p) for p in ("u{date}", "U{date}", "u{date}")
    )
    for export, path in ((first, "in"), (same, "in"), (elsewhere, "other")):
        house.destination(export, path)
    names = [house.night(export, MONDAY).file_name for export in (first, same, elsewhere)]
    assert names[0] == names[2] == "u2026-03-02.jsonl"
    assert names[1].startswith("U2026-03-02-")


def test_the_file_name_has_the_event_type_or_the_exports_name(house: House) -> None:
    house.event(noon(MONDAY), "e", type="a/b")
    both = house.export(name="All of / them", name_pattern="{event}_{date}")
    export = house.export(source={"events": ["a/b"]}, name_pattern="{event}_{date}")
    assert house.night(both, MONDAY).file_name == "All-of-them_2026-03-02.jsonl"
    assert house.night(export, MONDAY).file_name == "a-b_2026-03-02.jsonl"


def test_the_heartbeat_ends_the_writing_of_a_run_that_was_taken(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ready(house)

    def taken(*arguments: object) -> None:
        raise LeaseLost("taken over")

    monkeypatch.setattr(pipeline.Heartbeat, "check", taken)
    assert "taken over" in pipeline.run(claimed(house))
    run.refresh_from_db()
    assert run.state == State.RUNNING and stored() == []


def test_the_snapshot_transaction_cannot_write(house: House) -> None:
    export = house.export()
    with pytest.raises(Exception, match="read-only"), transaction.atomic():
        assert pipeline._begin_snapshot().count(":") == 2
        Export.objects.filter(pk=export.pk).update(name="x")


def test_a_file_can_be_read_after_its_export_has_changed(house: House) -> None:
    run = ready(house)
    house.write()
    run.refresh_from_db()
    Export.objects.filter(pk=run.export_id).update(columns=[{"name": "x", "constant": "y"}])
    assert b'"id": "e"' in content(run)
