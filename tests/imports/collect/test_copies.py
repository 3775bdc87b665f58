"""What a collector copies is one whole version of a file, and what it removes is that version."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models.functions import Now

from imports.collect import folders, manifests, rounds, snapshot
from imports.collect.deliveries import Folder, forget_copy, uploader
from imports.collect.snapshot import ChangedWhileCopied
from imports.jobs import queries
from imports.models import Arrival, ArrivalFile, ImportJob
from portal import lifecycle
from portal.dropserver.jail import Jail, source_of
from portal.models import Account, Upload
from tests.imports.folder import CSV, Folders
from tests.imports.institution import Institution


@pytest.fixture
def sender(institution: Institution, settings: Any, tmp_path: Path) -> Folders:
    settings.MEDIA_ROOT = tmp_path / "files"
    return Folders(institution)


def stored() -> list[str]:
    return [name for _, _, names in os.walk(default_storage.path("")) for name in names]


def while_copied(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> None:
    """Let something happen between the blocks of a copy."""
    read = snapshot.HashedFile.read

    def changing(self: Any, size: int | None = -1) -> bytes:
        block = read(self, size)
        change()
        return block

    monkeypatch.setattr(snapshot.HashedFile, "read", changing)


@pytest.mark.parametrize(
    "content", [b"X" * len(CSV), b"X" * (len(CSV) + 9), b"X" * 5], ids=["same", "longer", "shorter"]
)
def test_a_file_that_is_written_to_while_it_is_copied_is_not_taken(
    sender: Folders, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    sender.deliver("p.csv", CSV)
    path = sender.folder() / "p.csv"
    while_copied(monkeypatch, lambda: path.write_bytes(content))
    with Jail(sender.root) as jail, pytest.raises(ChangedWhileCopied):
        snapshot.take(jail, (*folders.path_of(sender.drops["accounts"].path), "p.csv"), "copy")
    assert stored() == []
    sender.poll()
    assert ArrivalFile.objects.get().problem == "FileChanged"
    assert ImportJob.objects.count() == 0
    assert stored() == []


def test_a_copy_that_is_shorter_than_the_file_is_not_taken_for_whole(
    sender: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.put("p.csv", CSV)
    save = default_storage.save

    def cut_off(name: str, file: Any) -> str:
        return save(name, ContentFile(file.read(3)))

    monkeypatch.setattr(snapshot.default_storage, "save", cut_off)
    with Jail(sender.root) as jail, pytest.raises(ChangedWhileCopied):
        snapshot.take(jail, (*folders.path_of(sender.drops["accounts"].path), "p.csv"), "copy")


def test_a_newer_file_that_comes_between_the_look_and_the_move_is_put_back(
    sender: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = source_of(sender.put("p.csv", "old").stat())
    rename = os.rename

    def overtaken(old: str, new: str, **where: int) -> None:
        monkeypatch.setattr(os, "rename", rename)
        sender.put("p.csv", "newer")
        rename(old, new, **where)

    monkeypatch.setattr(os, "rename", overtaken)
    with Jail(sender.root) as jail:
        path = (*folders.path_of(sender.drops["accounts"].path), "p.csv")
        assert not folders.remove_same(jail, path, source)
    assert sender.text("p.csv") == "newer"
    assert sender.names() == {"p.csv"}


def test_the_second_attempt_at_a_claim_succeeds_in_the_same_round(
    sender: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.deliver("p.csv", CSV)
    rename, failures = Jail.rename, [OSError("busy")]

    def once(self: Jail, *args: Any, **more: Any) -> None:
        if failures:
            raise failures.pop()
        rename(self, *args, **more)

    monkeypatch.setattr(Jail, "rename", once)
    sender.poll()
    assert sender.names() == {"p.csv", "p.csv.done.PROCESSING"}


def test_a_delivery_that_another_collector_holds_is_not_claimed(sender: Folders) -> None:
    sender.deliver("p.csv", CSV)
    sender.poll()
    Arrival.objects.update(
        state="collecting", owner="other", lease_until=Now() + timedelta(minutes=1)
    )
    token = Arrival.objects.get().token
    with Jail(sender.root) as jail:
        folder = Folder(sender.drops["accounts"], jail)
        assert manifests.collect(folder, "p.csv.done.PROCESSING") is None
    assert Arrival.objects.get().token == token


def test_a_collector_that_loses_its_lease_leaves_no_copy(
    sender: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.deliver("p.csv", CSV)

    def lost(*_: object) -> None:
        raise lifecycle.LeaseLost("taken over")

    monkeypatch.setattr(manifests, "_take_all", lost)
    sender.poll()
    assert stored() == []


def test_a_senders_own_marked_manifest_is_not_taken_for_the_portals(sender: Folders) -> None:
    sender.put("p.done.CONTAINSINVALIDFILES", "<files/> of another day")
    sender.put("p.done", '<files><file name="missing.csv"/></files>')
    sender.go()
    assert sender.text("p.done.CONTAINSINVALIDFILES") == "<files/> of another day"
    assert 'INVALID="FileNotFound"' in sender.text("p.done.2.CONTAINSINVALIDFILES")


def upload(sender: Folders, username: str, path: str, state: str = "complete") -> Account:
    tenant = sender.institution.tenant
    account = Account.objects.create(tenant=tenant, endpoint=sender.endpoint, username=username)
    Upload.objects.create(
        tenant=tenant, account=account, endpoint=sender.endpoint, path=path, state=state
    )
    return account


def test_who_uploaded_a_name_last_is_the_sender(sender: Folders) -> None:
    path = f"{sender.drops['accounts'].path}/p.done"
    upload(sender, "first", path)
    second = upload(sender, "second", path)
    with Jail(sender.root) as jail:
        assert uploader(Folder(sender.drops["accounts"], jail), "p.done") == second.pk


def test_the_job_s_page_names_the_upload_that_was_taken(sender: Folders) -> None:
    path = f"{sender.drops['accounts'].path}/p.csv"
    upload(sender, "first", path)
    second = upload(sender, "second", path)
    sender.deliver("p.csv", CSV)
    sender.poll()
    job = ImportJob.objects.get()
    upload(sender, "later", path)
    row = queries.upload(job)
    assert row is not None
    assert row.account == second


def test_jobs_wait_for_the_lowest_of_two_files_that_are_being_received(
    institution: Institution,
) -> None:
    sender = Folders(institution, "accounts", "org_units", "enrollments")
    ranks = {}
    for feed in ("accounts", "enrollments"):
        path = sender.drops[feed].path
        upload(sender, feed, f"{path}/x.csv", state="open")
        ranks[feed] = rounds._rank(sender.drops[feed])[0]
    assert rounds._lowest_incoming_rank(institution.tenant.pk) == min(ranks.values())
    assert min(ranks.values()) < max(ranks.values())


def test_jobs_wait_for_no_upload_that_has_ended_or_stands_still(sender: Folders) -> None:
    path = f"{sender.drops['accounts'].path}/x.csv"
    upload(sender, "ended", path)
    upload(sender, "still", path, state="open")
    tenant = sender.institution.tenant.pk
    assert rounds._lowest_incoming_rank(tenant) is not None
    Upload.objects.filter(state="open").update(started_at=Now() - timedelta(minutes=16))
    assert rounds._lowest_incoming_rank(tenant) is None


def test_a_copy_is_deleted_only_when_the_row_that_forgets_it_is_committed(
    sender: Folders,
) -> None:
    sender.deliver("p.csv", CSV)
    sender.poll()
    row = ArrivalFile.objects.get()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        content = row.content
        forget_copy(row)
        raise ZeroDivisionError
    assert default_storage.exists(content)
