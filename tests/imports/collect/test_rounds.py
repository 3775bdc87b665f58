"""Rounds through real folders: once each, in order, and nobody's trouble stops the others."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.db.models.functions import Now

from imports.collect import folders, rounds, snapshot, write_back
from imports.jobs import queries
from imports.models import Arrival, ArrivalFile, Decision, ImportJob, Sighting
from portal import tenancy
from portal.dropserver.jail import Jail, source_of
from portal.models import Account, Drop, Endpoint, Upload
from tests.imports.folder import CSV, Folders, arrivals
from tests.imports.institution import CAMPUS, Institution, counts
from tests.sizes import scaled

MANY = scaled(200, 1_000)


@pytest.fixture
def sender(institution: Institution) -> Folders:
    return Folders(institution)


def states() -> list[str]:
    return list(ImportJob.objects.order_by("pk").values_list("state", flat=True))


def test_a_delivery_is_imported_told_and_cleared_away(sender: Folders) -> None:
    sender.deliver("people.csv", CSV, manifest="people.DONE")
    sender.poll()
    assert sender.names() == {"people.csv", "people.DONE.PROCESSING"}
    assert sender.sightings() == {}
    sender.go()
    assert sender.names() == {"people.csv.result.txt"}
    first, *rest = sender.text("people.csv.result.txt").splitlines()
    assert first == "complete: people.csv"
    assert "   created: 1" in rest
    assert arrivals() == ["done"]


def test_an_incomplete_file_comes_back_and_may_be_corrected_in_place(sender: Folders) -> None:
    sender.deliver("p.csv", f"{CSV}0002,B,C,nowhere\n")
    sender.go()
    assert sender.names() == {"p.csv.result.txt", "p.csv.errors.csv"}
    assert sender.text("p.csv.result.txt").startswith("incomplete: p.csv")
    assert "Lines: 3" in sender.text("p.csv.result.txt")
    sender.deliver(
        "p.csv.errors.csv", sender.text("p.csv.errors.csv").replace("nowhere", "b@c.org")
    )
    (job,) = sender.go()
    assert counts(ImportJob.objects.get(pk=job.pk)) == {"read": 1, "created": 1}
    assert sender.text("p.csv.errors.csv.result.txt").startswith("complete: p.csv.errors.csv")
    receipt = sender.text("p.csv.result.txt")
    assert receipt.startswith("incomplete: p.csv")
    assert f"came again in p.csv.errors.csv (job {job.pk}), which is complete" in receipt
    assert "put that file back" not in receipt
    assert "p.csv.errors.csv" not in sender.names()
    sender.deliver("p.csv", CSV)
    sender.go()
    assert "p.csv.errors.csv" not in sender.names()


def test_a_correction_that_fails_again_leaves_one_attachment_to_correct(sender: Folders) -> None:
    sender.deliver("p.csv", CSV.replace("ada@example.edu", "nowhere"))
    sender.go()
    sender.deliver("p.csv.errors.csv", sender.text("p.csv.errors.csv"))
    sender.go()
    assert "which is failed: see the result of that file" in sender.text("p.csv.result.txt")
    assert {name for name in sender.names() if name.endswith(".errors.csv")} == {
        "p.csv.errors.csv.errors.csv"
    }


def test_a_failed_file_says_why(sender: Folders) -> None:
    sender.deliver("p.csv", "PersonIdentifer,FirstName,LastName,Email\n1,2,3,4\n")
    sender.go()
    text = sender.text("p.csv.result.txt")
    assert text.startswith("failed: p.csv")
    assert 'The column "PersonIdentifier" is missing.' in text
    assert sender.names() == {"p.csv.result.txt"}


def test_a_held_file_is_told_as_held_and_then_as_what_became_of_it(sender: Folders) -> None:
    Drop.objects.update(limits={"creates": 0})
    sender.deliver("p.csv", CSV)
    sender.go()
    assert sender.text("p.csv.result.txt").startswith("held: p.csv")
    assert sender.names() == {"p.csv.result.txt", "p.csv.done.PROCESSING"}
    ImportJob.objects.update(state="ready", released_plan={"created": 1}, ready_at=Now())
    sender.go()
    assert sender.text("p.csv.result.txt").startswith("complete: p.csv")
    assert sender.names() == {"p.csv.result.txt"}


def test_a_discarded_file_is_told_as_discarded(sender: Folders) -> None:
    Drop.objects.update(limits={"creates": 0})
    sender.deliver("p.csv", CSV)
    sender.go()
    ImportJob.objects.update(state="discarded")
    sender.poll()
    assert sender.text("p.csv.result.txt").startswith("discarded: p.csv")
    assert arrivals() == ["done"]


def test_one_file_under_five_manifests_is_imported_once(sender: Folders) -> None:
    sender.put("p.csv", CSV)
    for number in range(5):
        sender.put(f"{number}.done", sender.manifest("p.csv"))
    sender.go()
    assert states() == ["complete"]
    assert arrivals() == ["done"] * 5
    assert ArrivalFile.objects.exclude(duplicate_of=None).count() == 4
    assert Decision.objects.filter(verdict="duplicate").count() == 4
    assert sender.names() == {"p.csv.result.txt"}


def test_the_same_content_under_five_names_is_written_once(sender: Folders) -> None:
    for number in range(5):
        sender.deliver(f"{number}.csv", CSV)
    sender.go()
    numbers = [counts(job) for job in ImportJob.objects.order_by("pk")]
    assert numbers == [{"read": 1, "created": 1}, *[{"read": 1, "unchanged": 1}] * 4]


def test_a_delivery_sent_again_the_next_day_writes_nothing(sender: Folders) -> None:
    sender.deliver("p.csv", CSV)
    sender.go()
    before = sender.institution.writes()
    sender.deliver("p.csv", CSV)
    sender.go()
    assert states() == ["complete", "complete"]
    assert sender.institution.writes() == before


def test_ten_collectors_at_once_make_one_job(sender: Folders) -> None:
    sender.deliver("p.csv", CSV)
    failed: list[BaseException] = []

    def collect() -> None:
        try:
            with tenancy.scope(sender.institution.tenant.pk):
                sender.poll()
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=collect) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    sender.go()
    assert (states(), arrivals()) == (["complete"], ["done"])
    assert Arrival.objects.get().attempt == 1


def test_two_collectors_that_do_not_know_of_each_other_make_one_job(sender: Folders) -> None:
    """As if the lock between them were lost: the claim and the row still have one winner."""
    sender.deliver("p.csv", CSV)
    start = threading.Barrier(2)

    def collect() -> None:
        with tenancy.scope(sender.institution.tenant.pk):
            start.wait(30)
            rounds._endpoint(sender.endpoint)
        connection.close()

    threads = [threading.Thread(target=collect) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    sender.go()
    assert (states(), arrivals()) == (["complete"], ["done"])


def test_a_file_replaced_while_it_is_processed_stays(sender: Folders) -> None:
    sender.deliver("p.csv", CSV)
    sender.poll()
    newer = CSV.replace("Ada", "Newer")
    sender.put("p.csv", newer)
    sender.go()
    assert sender.text("p.csv") == newer
    assert sender.institution.records("accounts")["0001"]["FirstName"] == "Ada"
    assert sender.sightings() == {"Accounts/AccountImports/p.csv": "waiting_for_manifest"}
    sender.put("again.done", sender.manifest("p.csv"))
    sender.go()
    assert sender.institution.records("accounts")["0001"]["FirstName"] == "Newer"
    assert "p.csv" not in sender.names()


def test_very_many_files_in_one_manifest(sender: Folders) -> None:
    names = [f"{number}.csv" for number in range(MANY)]
    for name in names:
        (sender.folder() / name).write_text("no header")
    sender.put("all.done", sender.manifest(*names))
    sender.poll()
    assert ImportJob.objects.filter(state="ready").count() == MANY
    assert ArrivalFile.objects.exclude(removed_at=None).count() == 0
    assert sender.names() == {*names, "all.done.PROCESSING"}
    sender.poll()
    assert ImportJob.objects.count() == MANY


class Killed(BaseException):
    """The process ends here."""


def kill_once(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, *, after: bool) -> None:
    """End the process at the first call of a function, before or after its work."""
    act = getattr(owner, name)

    def cut(*args: Any, **values: Any) -> Any:
        monkeypatch.setattr(owner, name, act)
        if after:
            act(*args, **values)
        raise Killed

    monkeypatch.setattr(owner, name, cut)


@pytest.mark.parametrize("after", [False, True])
def test_a_kill_while_a_manifest_is_marked_leaves_one_marked_manifest(
    sender: Folders, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    sender.put("p.done", '<files><file name="missing.csv"/></files>')
    kill_once(monkeypatch, Jail, "remove", after=after)
    with pytest.raises(Killed):
        sender.go()
    sender.go()
    assert sender.names() == {"p.done.CONTAINSINVALIDFILES", "p.done.result.txt"}
    assert 'INVALID="FileNotFound"' in sender.text("p.done.CONTAINSINVALIDFILES")
    assert Arrival.objects.get().current_name == "p.done.CONTAINSINVALIDFILES"
    assert arrivals() == ["invalid_files"]


def test_a_kill_after_a_manifest_was_renamed_does_not_give_it_a_name_it_has_not(
    sender: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.put("p.done", "no manifest")
    kill_once(monkeypatch, write_back, "_set_current_name", after=False)
    with pytest.raises(Killed):
        sender.go()
    sender.go()
    assert sender.names() == {"p.done.INVALIDSCHEMA", "p.done.result.txt"}
    assert Arrival.objects.get().current_name == "p.done.INVALIDSCHEMA"


def test_two_deliveries_of_the_same_bad_manifest_are_both_marked(sender: Folders) -> None:
    for _ in range(2):
        sender.put("p.done", '<files><file name="missing.csv"/></files>')
        sender.go()
    names = {"p.done.CONTAINSINVALIDFILES", "p.done.2.CONTAINSINVALIDFILES"}
    assert sender.names() == {*names, "p.done.result.txt"}
    assert set(Arrival.objects.values_list("current_name", flat=True)) == names


def test_a_missing_configuration_is_told_and_tried_again(
    sender: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    Drop.objects.update(feed="")
    copied: list[str] = []
    take = snapshot.take
    monkeypatch.setattr(
        snapshot, "take", lambda *arguments: copied.append(arguments[2]) or take(*arguments)
    )
    sender.deliver("p.csv", CSV)
    sender.go()
    assert sender.names() == {"p.csv", "p.csv.done.IMPORTCONFIGMISSING"}
    assert (arrivals(), states()) == (["config_missing"], [])
    Drop.objects.update(feed="accounts")
    sender.go()
    assert arrivals() == ["config_missing"], "It is tried again before its time."
    assert copied == [], "A file was copied of which nobody knows what it is."
    later(monkeypatch, timedelta(minutes=6))
    sender.go()
    assert (arrivals(), states()) == (["done"], ["complete"])
    assert sender.names() == {"p.csv.result.txt"}
    assert len(copied) == 1


@pytest.mark.parametrize("checksum", ["", 'checksum="0123456789abcdef0123456789abcdef"'])
def test_without_a_configuration_the_references_are_judged_before_it(
    sender: Folders, checksum: str
) -> None:
    """The seed's order: exists, checksum, configuration. Without a good line none is asked for."""
    Drop.objects.update(feed="")
    sender.put("p.csv", CSV)
    kind = f'{checksum} checksumhashtype="md5"' if checksum else ""
    name = "p.csv" if checksum else "missing.csv"
    sender.put("p.done", f'<files><file name="{name}" {kind}/></files>')
    sender.go()
    assert sender.names() == {"p.csv", "p.done.CONTAINSINVALIDFILES", "p.done.result.txt"}
    expected = "ChecksumMismatch" if checksum else "FileNotFound"
    assert ArrivalFile.objects.get().problem == expected


def later(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """Set the collector's clock forward."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + by

    monkeypatch.setattr(rounds, "datetime", Later)


def test_files_out_of_place_are_sighted_and_left(sender: Folders) -> None:
    (sender.root / "p.csv").write_text(CSV)
    (sender.root / "Accounts/p.done").write_text("<file/>")
    sender.poll()
    assert sender.sightings() == {"p.csv": "misplaced", "Accounts/p.done": "misplaced"}
    assert "AccountImports" in Sighting.objects.get(path="Accounts/p.done").reason
    (sender.root / "p.csv").unlink()
    sender.poll()
    assert sender.sightings() == {"Accounts/p.done": "misplaced"}
    assert Sighting.objects.exclude(gone_at=None).count() == 1


def test_sightings_appear_change_and_go(sender: Folders) -> None:
    sender.put("p.csv", CSV)
    sender.poll()
    path = "Accounts/AccountImports/p.csv"
    first = Sighting.objects.get(path=path)
    assert (first.verdict, first.size) == ("waiting_for_manifest", len(CSV))
    assert queries.sighting_verdicts(sender.institution.tenant) == {first.verdict: 1}
    sender.poll()
    assert Sighting.objects.get(path=path).last_seen > first.last_seen
    sender.put("p.csv", CSV * 2)
    sender.poll()
    assert Sighting.objects.get(path=path).size == 2 * len(CSV)
    sender.put("p.done", sender.manifest("p.csv"))
    sender.poll()
    assert sender.sightings() == {}
    assert queries.sighting_verdicts(sender.institution.tenant) == {}
    assert Sighting.objects.get(path=path).first_seen == first.first_seen


def test_a_claim_that_fails_twice_lets_the_next_manifest_have_its_turn(sender: Folders) -> None:
    """A manifest with a second name in the file system cannot be renamed: links are refused."""
    sender.put("p.csv", CSV)
    stuck = sender.put("a.done", sender.manifest("p.csv"))
    os.link(stuck, sender.root / "second name")
    sender.deliver("q.csv", CSV)
    sender.go()
    assert {"a.done", "p.csv", "q.csv.result.txt"} == sender.names()
    (sender.root / "second name").unlink()
    sender.go()
    assert sender.names() == {"p.csv.result.txt", "q.csv.result.txt"}


def test_a_taken_name_of_the_state_is_gone_round(sender: Folders) -> None:
    folder = sender.folder()
    (folder / "p.csv.done.PROCESSING").mkdir()
    (folder / "bad.done.PROCESSING").symlink_to("/etc/passwd")
    (folder / "bad.done.INVALIDSCHEMA").symlink_to("nowhere")
    sender.put("bad.done", "nothing")
    sender.deliver("p.csv", CSV)
    sender.go()
    assert states() == ["complete"]
    assert "bad.done.2.INVALIDSCHEMA" in sender.names()
    assert "p.csv" not in sender.names()


def test_dependent_kinds_that_arrive_together_run_in_order(institution: Institution) -> None:
    sender = Folders(institution, *reversed(CAMPUS))
    for feed in sender.drops:
        sender.deliver(f"{feed}.csv", CAMPUS[feed], feed)
    assert [job.feed for job in sender.go()] == list(CAMPUS)
    assert set(states()) == {"complete"}


def test_a_kind_waits_while_one_that_it_needs_is_being_uploaded(institution: Institution) -> None:
    sender = Folders(institution, "accounts", "org_units")
    account = Account.objects.create(
        tenant=institution.tenant, endpoint=sender.endpoint, username="sender"
    )
    upload = Upload.objects.create(
        tenant=institution.tenant,
        account=account,
        endpoint=sender.endpoint,
        path="Accounts/AccountImports/people.csv",
    )
    sender.deliver("units.csv", CAMPUS["org_units"], "org_units")
    sender.poll()
    assert institution.work() == []
    ImportJob.objects.update(ready_at=Now() + timedelta(seconds=1))
    sender.poll()
    left = (ImportJob.objects.get().ready_at - datetime.now(UTC)).total_seconds()
    assert left > 30, "It goes ahead although the upload has not ended."
    upload.delete()
    sender.poll()
    assert [job.feed for job in institution.work()] == ["org_units"]


def test_the_same_kind_does_not_wait_while_another_file_of_it_is_being_uploaded(
    institution: Institution,
) -> None:
    sender = Folders(institution)
    account = Account.objects.create(
        tenant=institution.tenant, endpoint=sender.endpoint, username="sender"
    )
    Upload.objects.create(
        tenant=institution.tenant,
        account=account,
        endpoint=sender.endpoint,
        path="Accounts/AccountImports/more.csv",
    )
    sender.deliver("people.csv", CSV)
    sender.poll()
    assert [job.state for job in institution.work()] == ["complete"]


def hostile(sender: Folders) -> Iterator[Path]:
    folder = sender.folder()
    (folder / "folder.done").mkdir()
    (folder / "link.done").symlink_to("/etc/passwd")
    (folder / "loop").symlink_to(".")
    (sender.root / "away").symlink_to("/")
    os.mkfifo(folder / "pipe.done")
    for name in ("new\nline", "\u202egnp.exe", "\x1b[31mred", "x" * 250, "'; DROP TABLE x; --"):
        (folder / f"{name}.csv"[:255]).write_text("x")
        (folder / f"{name}.done"[:255]).write_text("no manifest")
    (folder / "named.done").write_text('<files><file name="link.done"/><file name="loop"/></files>')
    (folder / os.fsdecode(b"\xff\xfe.csv")).write_text("x")
    (folder / os.fsdecode(b"\xff\xfe.done")).write_text("<files><file name='p.csv'/></files>")
    (sender.root / os.fsdecode(b"\xff.csv")).write_text("x")
    deep = sender.root
    for _ in range(12):
        deep = deep / ("d" * 200)
        deep.mkdir()
        (deep / "deep.csv").write_text("x")
    yield folder


def test_a_hostile_tree_stops_nobody(institution: Institution) -> None:
    sender = Folders(institution, "accounts", "org_units")
    other = Folders(institution, "academic_terms")
    for _ in hostile(sender):
        sender.deliver("p.csv", CSV)
        sender.deliver("units.csv", CAMPUS["org_units"], "org_units")
        other.deliver("terms.csv", CAMPUS["academic_terms"])
        sender.go()
        assert sorted(states()) == ["complete"] * 3
        assert "p.csv.result.txt" in sender.names()
        assert "units.csv.result.txt" in sender.names("org_units")
        assert "terms.csv.result.txt" in other.names()
        before = set(Sighting.objects.values_list("pk", flat=True))
        sender.go()
        assert set(Sighting.objects.values_list("pk", flat=True)) == before


def test_a_folder_replaced_by_a_file_stops_nobody(institution: Institution) -> None:
    sender = Folders(institution, "accounts", "org_units")
    sender.folder().rmdir()
    sender.folder().write_text("no folder")
    sender.deliver("units.csv", CAMPUS["org_units"], "org_units")
    sender.go()
    assert states() == ["complete"]


def test_a_disabled_endpoint_is_left_alone(institution: Institution) -> None:
    sender = Folders(institution)
    sender.deliver("p.csv", CSV)
    Endpoint.objects.update(enabled=False)
    sender.poll()
    assert sender.names() == {"p.csv", "p.csv.done"}
    assert not Sighting.objects.exists()
    Endpoint.objects.update(enabled=True)
    sender.poll()
    assert sender.names() == {"p.csv", "p.csv.done.PROCESSING"}


def test_a_missing_folder_is_made_again(sender: Folders) -> None:
    sender.folder().rmdir()
    sender.poll()
    assert sender.folder().is_dir()


def test_a_manifest_overwritten_while_it_is_processed_stops_nobody(sender: Folders) -> None:
    sender.put("a.csv", CSV)
    sender.put("a.done", '<files><file name="a.csv"/><file name="gone.csv"/></files>')
    with Jail(sender.root) as jail:
        drop = rounds.Folder(sender.drops["accounts"], jail)
        rounds.claim(drop, drop.listing().by_name["a.done"])
        rounds.collect(drop, "a.done.PROCESSING")
    sender.put("a.done.PROCESSING", "something else")
    sender.deliver("b.csv", CSV)
    sender.go()
    assert states() == ["complete", "complete"]
    assert sender.text("a.done.CONTAINSINVALIDFILES") == "something else"
    assert arrivals() == ["invalid_files", "done"]


def test_one_delivery_that_cannot_be_settled_stops_no_other(sender: Folders) -> None:
    sender.deliver("a.csv", CSV)
    sender.deliver("b.csv", CSV)
    (sender.folder() / "a.csv.result.txt").mkdir()
    sender.go()
    assert arrivals() == ["processing", "done"]
    (sender.folder() / "a.csv.result.txt").rmdir()
    sender.poll()
    assert arrivals() == ["done", "done"]
    assert sender.names() == {"a.csv.result.txt", "b.csv.result.txt"}


def test_what_is_not_imported_is_not_kept(sender: Folders) -> None:
    sender.put("p.csv", CSV)
    wrong = sender.manifest("p.csv").replace(sender.md5("p.csv"), "0" * 32)
    sender.put("p.done", wrong)
    sender.go()
    file = ArrivalFile.objects.get()
    assert (file.problem, file.content) == ("ChecksumMismatch", "")
    assert file.md5 == sender.md5("p.csv")
    stored = default_storage.path(f"arrivals/{file.tenant_id}/{file.arrival.uid}")
    assert not Path(stored).exists() or not any(Path(stored).iterdir())


def test_a_round_cut_off_after_the_claim_is_taken_up(sender: Folders) -> None:
    sender.deliver("p.csv", CSV)
    (sender.folder() / "p.csv.done").rename(sender.folder() / "p.csv.done.PROCESSING")
    sender.go()
    assert (states(), sender.names()) == (["complete"], {"p.csv.result.txt"})


def test_half_written_files_of_a_killed_collector_are_cleared_away(sender: Folders) -> None:
    old = sender.put(f".{'0' * 32}.tmp", "half")
    new = sender.put(f".{'1' * 32}.tmp", "half")
    theirs = sender.put(".profile.tmp", "theirs")
    yesterday = datetime.now(UTC).timestamp() - 2 * 86400
    os.utime(old, (yesterday, yesterday))
    os.utime(theirs, (yesterday, yesterday))
    sender.poll()
    assert sender.names() == {new.name, theirs.name}


def test_a_newer_file_is_not_removed_for_an_older_one(sender: Folders) -> None:
    path = ("Accounts", "AccountImports", "p.csv")
    with Jail(sender.root) as jail:
        source = source_of(sender.put("p.csv", "one").stat())
        newer = sender.put("p.csv", "two")
        assert not folders.remove_same(jail, path, source)
        assert newer.read_text() == "two"
        assert folders.remove_same(jail, path, source_of(newer.stat()))
        assert sender.names() == set()
        assert not folders.remove_same(jail, path, source)
