"""The sweep makes what is due, rings for what waits, and deletes files whose days are over."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from django.db.models.functions import Now

from exports import queue, sweep, tasks
from exports.models import Delivery, ExportRun
from portal import bell, tenancy
from portal.celery import app
from tests.exports.house import MONDAY, House, noon


@pytest.fixture
def notified(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The tasks that were asked for, each with its tenant, in order."""
    notified: list[tuple[str, int]] = []

    def ring(task: str, tenant_id: int, expires: float | None = None) -> bool:
        notified.append((task, tenant_id))
        return True

    monkeypatch.setattr(bell, "ring", ring)
    return notified


def test_it_makes_due_runs_and_rings_for_them(
    house: House, notified: list[tuple[str, int]]
) -> None:
    export = house.export()  # long due: as many nights as are caught up
    with tenancy.everyone("a sweep"):
        sentence = sweep.sweep()
    count = ExportRun.objects.filter(export=export).count()
    assert count == 31 and sentence.startswith("Made 31 runs; rang for 1 to write")
    assert (bell.EXPORT, house.tenant.pk) in notified
    with tenancy.everyone("a sweep"):
        assert sweep.sweep().startswith("Made 0 runs; rang for 1 to write")


def test_the_task_writes_one_run_and_rings_for_the_next(
    house: House, notified: list[tuple[str, int]]
) -> None:
    house.export()
    with tenancy.everyone("a sweep"):
        sweep.sweep()
    notified.clear()
    assert "empty" in tasks.write_tenant(house.tenant.pk)
    assert notified == [(bell.EXPORT, house.tenant.pk)]


def test_it_deletes_files_whose_days_are_over_save_those_on_their_way(house: House) -> None:
    house.event(noon(MONDAY), "e")
    export, sending = house.export(keep_days=0), house.export(keep_days=0)
    house.destination(sending)
    old, on_its_way = house.night(export, MONDAY), house.night(sending, MONDAY)
    kept = house.night(house.export(keep_days=1), MONDAY)
    with tenancy.everyone("a sweep"):
        assert sweep.forget_old_files() == 1
        assert not default_storage.exists(old.content)
        assert default_storage.exists(kept.content) and default_storage.exists(on_its_way.content)
        Delivery.objects.filter(run=on_its_way).update(state=Delivery.State.DELIVERED)
        assert sweep.forget_old_files() == 1
    old.refresh_from_db()
    assert old.content == "" and old.sha256


def test_spools_of_dead_attempts_are_removed_and_no_others(house: House) -> None:
    run = ExportRun.objects.get(pk=house.night(house.export(), MONDAY).pk)
    lease = {"state": ExportRun.State.RUNNING, "lease_until": Now() + timedelta(minutes=1)}
    ExportRun.objects.filter(pk=run.pk).update(**lease)
    names = (f"run_{run.pk}_{run.token}_x", f"run_{run.pk}_{run.token + 1}_x", "job_1_1_x")
    mine, dead, imports = (settings.SPOOL_DIR / name for name in names)
    for folder in (mine, dead, imports):
        folder.mkdir(parents=True)
    assert queue.spool.clear() == 1
    assert mine.exists() and imports.exists() and not dead.exists()


def test_beat_ticks_for_imports_and_exports() -> None:
    app.loader.import_default_modules()
    assert {"sweep", "exports"} <= set(app.conf.beat_schedule)
    routes = settings.CELERY_TASK_ROUTES
    assert routes[bell.EXPORT] == {"queue": "import"} and routes[bell.DELIVER] == {
        "queue": "deliver"
    }
