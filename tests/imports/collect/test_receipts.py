"""What a sender reads beside the file: what holds now, of which file, and what to do."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from imports.arrivals.listing import Entry, Listing
from imports.collect import receipt_files
from imports.collect.folders import path_of
from imports.jobs import actions
from imports.models import Arrival, ArrivalFile, ImportJob, Sighting
from portal.dropserver.jail import Jail
from portal.models import Account, Drop, Notice, Upload
from tests.imports.folder import CSV, Folders
from tests.imports.institution import Institution

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "docs" / "result.schema.json").read_text(encoding="utf-8")
)
BAD = f"{CSV}0002,B,C,nowhere\n"


@pytest.fixture
def sender(institution: Institution) -> Folders:
    return Folders(institution)


def data(sender: Folders, name: str) -> dict[str, Any]:
    """The receipt as data, which must be as the published schema says."""
    content: dict[str, Any] = json.loads(sender.text(f"{name}.result.json"))
    jsonschema.validate(content, SCHEMA)
    return content


def test_it_says_of_which_file_and_job_it_is_and_when_in_the_institutions_zone(
    sender: Folders,
) -> None:
    sender.put("p.csv", CSV)
    md5 = sender.md5("p.csv")
    sender.put("p.done", sender.manifest("p.csv"))
    sender.go()
    job, receipt = ImportJob.objects.get(), sender.text("p.csv.result.txt")
    assert f"       job: {job.pk}\n" in receipt
    assert f"       MD5: {md5}\n" in receipt
    assert f"   SHA-256: {job.sha256}\n" in receipt
    zone = re.escape(sender.institution.tenant.time_zone)
    assert len(re.findall(rf": \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d {zone}\n", receipt)) == 3
    facts = data(sender, "p.csv")
    assert (facts["state"], facts["job"]["number"], facts["file"]["md5"]) == (
        "complete",
        job.pk,
        md5,
    )
    assert facts["job"]["rows"]["created"] == 1


@pytest.mark.parametrize(
    ("content", "state", "applied"),
    [
        (CSV, "complete", True),
        (BAD, "incomplete", True),
        (CSV.replace("@", " "), "failed", False),
    ],
)
def test_it_says_as_data_whether_anything_was_applied(
    sender: Folders, content: str, state: str, applied: bool
) -> None:
    sender.deliver("p.csv", content)
    sender.go()
    facts = data(sender, "p.csv")
    assert (facts["state"], facts["job"]["applied"]) == (state, applied)


@pytest.mark.parametrize(
    ("manifest", "state", "word", "reason"),
    [
        ("no manifest", "INVALIDSCHEMA", "refused", "not well-formed XML"),
        ('<files><file name="R&D.csv"/></files>', "INVALIDSCHEMA", "refused", '"&amp;"'),
        (
            '<files><file name="gone.csv"/></files>',
            "CONTAINSINVALIDFILES",
            "invalid",
            "There is no file gone.csv in this folder.",
        ),
        ('<files><file name=""/></files>', "CONTAINSINVALIDFILES", "invalid", "gives no name"),
    ],
)
def test_a_refused_manifest_says_why_beside_it_and_people_are_mailed_once(
    sender: Folders, manifest: str, state: str, word: str, reason: str
) -> None:
    sender.put("p.done", manifest)
    for _ in range(3):
        sender.go()
    assert sender.names() == {f"p.done.{state}", "p.done.result.txt"}
    assert sender.text("p.done.result.txt").startswith(f"{word}: p.done")
    assert reason in sender.text("p.done.result.txt")
    assert data(sender, "p.done")["state"] == word
    (notice,) = Notice.objects.all()
    assert notice.event == Notice.Event.NOT_TAKEN
    assert reason in notice.text


def test_each_line_is_named_with_its_value_where_these_differ(sender: Folders) -> None:
    rows = "0002,B,C,nowhere\n0003,B,C,home\n"
    sender.deliver("p.csv", f"{CSV}{rows}0004,B,C,{'x' * 300}\n")
    sender.deliver("q.csv", f"{CSV}{rows.replace('home', 'nowhere')}")
    sender.go()
    text = sender.text("p.csv.result.txt")
    assert '  Lines: 3 "nowhere", 4 "home", 5 "xxx' in text
    assert max(map(len, text.splitlines())) < 300
    assert "  Lines: 3, 4\n" in sender.text("q.csv.result.txt")


def test_only_where_other_lines_were_imported_they_are_spoken_of(sender: Folders) -> None:
    sender.deliver("p.csv", CSV, manifest="one.done")
    sender.put("two.done", '<f><file name="gone.csv"/></f>')
    sender.put("both.csv", CSV)
    sender.put("three.done", '<f><file name="gone.csv"/><file name="both.csv"/></f>')
    sender.go()
    assert "the others" not in sender.text("two.done.result.txt")
    assert "; each of the others has its own result. " in sender.text("three.done.result.txt")


def test_a_file_of_another_folder_need_not_be_corrected(sender: Folders) -> None:
    header = "CourseIdentifier,Subject,Number,Title,OrgUnitIdentifier,Type"
    sender.deliver("p.csv", f"{header}\n1,2,3,4,5,6\n")
    sender.go()
    text = sender.text("p.csv.result.txt")
    assert "looks like Courses" in text
    assert "need not be changed" in text and "Correct the file" not in text


def test_a_good_manifest_of_that_name_ends_the_refusals_receipt(sender: Folders) -> None:
    sender.put("p.done", "no manifest")
    sender.go()
    (sender.folder() / "p.done.INVALIDSCHEMA").unlink()
    sender.deliver("p.csv", CSV, manifest="p.done")
    sender.go()
    assert sender.names() == {"p.csv.result.txt"}


def test_a_misplaced_file_has_a_receipt_that_goes_with_it(sender: Folders) -> None:
    stray = sender.root / "accounts.csv"
    stray.write_text(CSV)
    for _ in range(2):
        sender.poll()
    receipt = (sender.root / "accounts.csv.result.txt").read_text()
    assert receipt.startswith("misplaced: accounts.csv")
    assert "is in the root folder, which is not imported" in receipt
    jsonschema.validate(json.loads((sender.root / "accounts.csv.result.json").read_text()), SCHEMA)
    assert [notice.event for notice in Notice.objects.all()] == ["not_taken"]
    assert Sighting.objects.get().verdict == "misplaced"
    stray.unlink()
    sender.poll()
    assert not list(sender.root.glob("*.result.*"))


def test_a_folder_that_gets_a_feed_later_keeps_the_receipts_of_its_imports(sender: Folders) -> None:
    """A file of that name was misplaced there before."""
    folder = sender.root / "new"
    folder.mkdir()
    (folder / "p.csv").write_text(CSV)
    sender.poll()
    assert (folder / "p.csv.result.txt").read_text().startswith("misplaced")
    (folder / "p.csv").unlink()
    sender.poll()
    tenant, endpoint = sender.institution.tenant, sender.endpoint
    sender.drops["new"] = Drop.objects.create(
        tenant=tenant, endpoint=endpoint, path="new", feed="accounts"
    )
    sender.deliver("p.csv", CSV, "new")
    sender.go()
    sender.poll()
    assert sender.text("p.csv.result.txt", "new").startswith("complete")


def test_a_senders_own_file_that_is_named_like_a_receipt_is_left_alone(sender: Folders) -> None:
    own = sender.root / "notes.result.txt"
    own.write_text("mine")
    for _ in range(2):
        sender.poll()
    assert own.read_text() == "mine"


def test_yesterdays_receipt_never_stands_beside_todays_file(sender: Folders) -> None:
    sender.deliver("p.csv", BAD)
    sender.go()
    yesterday = datetime.now(UTC).timestamp() - 86400
    for name in ("p.csv.result.txt", "p.csv.result.json"):
        os.utime(sender.folder() / name, (yesterday, yesterday))
    sender.put("p.csv", CSV)
    sender.poll()
    assert sender.names() == {"p.csv", "p.csv.errors.csv"}, "its rows may still be corrected"


@pytest.mark.parametrize(
    ("later_ns", "is_folder", "stays"), [(0, False, True), (1000, False, False), (1000, True, True)]
)
def test_a_receipt_goes_when_a_newer_file_of_its_name_is_there(
    sender: Folders, later_ns: int, is_folder: bool, stays: bool
) -> None:
    receipt = sender.put("p.csv.result.txt", "complete")
    at = receipt.stat().st_mtime_ns
    listing = Listing(
        [Entry("p.csv.result.txt", 8, at, 1), Entry("p.csv", 1, at + later_ns, 2, is_folder)]
    )
    with Jail(sender.root) as jail:
        receipt_files.remove_stale(jail, path_of(sender.drops["accounts"].path), listing)
    assert receipt.exists() is stays


def test_a_claimed_file_has_no_earlier_receipt_beside_it(sender: Folders) -> None:
    sender.deliver("p.csv", CSV)
    sender.go()
    sender.deliver("p.csv", CSV)
    sender.poll()
    assert sender.names() == {"p.csv", "p.csv.done.PROCESSING"}


def test_where_no_row_was_rejected_no_rows_are_spoken_of(sender: Folders) -> None:
    for content in ("", "Wrong,Header\n1,2\n", b"PK\x03\x04 archive"):
        sender.deliver("p.csv", content)
        sender.go()
        receipt = sender.text("p.csv.result.txt")
        assert receipt.startswith("failed: p.csv"), content
        assert "rejected rows are in" not in receipt
        assert "send it again, with a manifest that names it." in receipt
        assert sender.names() == {"p.csv.result.txt"}


def test_six_missing_columns_are_all_named(sender: Folders) -> None:
    drop = sender.drop("sections")
    sender.drops["sections"] = drop
    sender.deliver("s.csv", "X\n1\n", feed="sections")
    sender.go()
    job = ImportJob.objects.get()
    columns = [group.column for group in job.issue_groups.filter(code="missing_column")]
    assert len(columns) >= 6
    assert [column for column in columns if f'"{column}"' not in job.reason] == []


def held(sender: Folders) -> ImportJob:
    Drop.objects.update(limits={"creates": 0})
    sender.deliver("p.csv", CSV)
    sender.go()
    return ImportJob.objects.get()


def test_a_held_file_says_what_would_be_done_and_not_what_was(sender: Folders) -> None:
    held(sender)
    receipt = sender.text("p.csv.result.txt")
    assert receipt.startswith("held: p.csv")
    assert " would be created: 1\n" in receipt
    assert "\n   created:" not in receipt
    assert re.search(r"^ +read: 1$", receipt, re.MULTILINE)
    assert re.search(r"^ +rejected: 0$", receipt, re.MULTILINE)
    facts = data(sender, "p.csv")
    assert (facts["job"]["final"], facts["job"]["applied"]) == (False, False)


def test_a_discarded_file_says_that_nothing_was_done(sender: Folders) -> None:
    actions.discard(held(sender), sender.institution.person())
    sender.poll()
    receipt = sender.text("p.csv.result.txt")
    assert receipt.startswith("discarded: p.csv\nA data manager decided against it")
    assert " would be created: 1\n" in receipt


def test_a_trial_says_what_would_be_done(sender: Folders) -> None:
    sender.deliver("p.csv", CSV)
    sender.poll()
    ImportJob.objects.update(dry_run=True)
    sender.go()
    receipt = sender.text("p.csv.result.txt")
    assert receipt.startswith("dry run: p.csv")
    assert " would be created: 1\n" in receipt


def test_an_undone_import_says_so_and_what_it_says_follows_an_undo_of_the_undo(
    sender: Folders,
) -> None:
    sender.deliver("p.csv", CSV)
    sender.go()
    undo = sender.institution.undo(ImportJob.objects.get())
    sender.poll()
    assert sender.text("p.csv.result.txt").startswith("undone: p.csv")
    assert data(sender, "p.csv")["job"]["applied"] is False
    assert Arrival.objects.get().state == "done"
    sender.institution.undo(undo)
    sender.institution.tenant.refresh_from_db()
    Arrival.objects.update(settled_at=None)
    sender.poll()
    assert sender.text("p.csv.result.txt").startswith("complete: p.csv")


def test_an_undo_does_not_overwrite_a_later_files_receipt(sender: Folders) -> None:
    for content in (CSV, CSV.replace("Ada", "Eda")):
        sender.deliver("p.csv", content)
        sender.go()
    before = sender.text("p.csv.result.txt")
    sender.institution.undo(ImportJob.objects.order_by("pk")[0])
    sender.poll()
    assert sender.text("p.csv.result.txt") == before


def test_an_undo_is_said_while_a_later_file_has_no_receipt_yet(sender: Folders) -> None:
    sender.deliver("p.csv", CSV)
    sender.go()
    first = ImportJob.objects.get()
    sender.institution.undo(first)
    sender.deliver("p.csv", CSV.replace("Ada", "Augusta"))
    sender.poll()
    assert ArrivalFile.objects.get(job=first).reported_state == "undone"


def test_a_correction_is_of_the_last_file_of_its_name(sender: Folders) -> None:
    for name in ("B", "C"):
        sender.deliver("p.csv", f"{CSV}0002,{name},{name},nowhere\n")
        sender.go()
    sender.deliver("p.csv.errors.csv", f"{CSV}0002,C,C,c@example.edu\n")
    sender.poll()
    first, last, correction = ImportJob.objects.order_by("pk")
    assert (first.state, last.state, correction.corrects) == ("incomplete", "incomplete", last)


def uploading(sender: Folders, name: str) -> Upload:
    tenant = sender.institution.tenant
    account = Account.objects.create(tenant=tenant, endpoint=sender.endpoint, username="maria")
    path = f"{sender.drops['accounts'].path}/{name}"
    return Upload.objects.create(
        tenant=tenant, account=account, endpoint=sender.endpoint, path=path
    )


@pytest.mark.parametrize("name", ["p.csv", "p.csv.filepart"])
def test_a_manifest_that_overtakes_its_file_waits_while_that_is_uploaded(
    sender: Folders, name: str
) -> None:
    upload = uploading(sender, name)
    sender.put("p.done", '<files><file name="p.csv"/></files>')
    sender.put("other.done", '<files><file name="other.csv"/></files>')
    sender.put("other.csv", CSV)
    sender.poll()
    assert sender.sightings() == {f"{sender.drops['accounts'].path}/p.done": "upload_open"}
    assert ArrivalFile.objects.get().name == "other.csv", "nobody else waits"
    sender.put("p.csv", CSV)
    Upload.objects.filter(pk=upload.pk).update(state=Upload.State.COMPLETE)
    sender.go()
    assert sender.text("p.csv.result.txt").startswith("complete: p.csv")


def test_an_upload_that_its_server_could_not_end_makes_nobody_wait_once_it_was_sent_again(
    sender: Folders,
) -> None:
    lost = uploading(sender, "p.csv")
    Upload.objects.create(
        tenant=lost.tenant, account=lost.account, endpoint=lost.endpoint, path=lost.path,
        state=Upload.State.COMPLETE,
    )  # fmt: skip
    sender.deliver("p.csv", CSV)
    sender.go()
    assert sender.text("p.csv.result.txt").startswith("complete: p.csv")


def test_without_a_configuration_the_data_file_does_not_ask_for_a_manifest(
    sender: Folders,
) -> None:
    Drop.objects.update(feed="")
    sender.deliver("p.csv", CSV)
    for _ in range(2):
        sender.poll()
    assert "waiting_for_manifest" not in sender.sightings().values()


def test_moments_in_sentences_are_in_the_institutions_zone(sender: Folders) -> None:
    sender.institution.tenant.time_zone = "Asia/Tokyo"
    sender.institution.tenant.save()
    sender.put("p.csv", CSV)
    sender.poll()
    reason = Sighting.objects.get().reason
    tokyo = datetime.now(UTC) + timedelta(hours=9)
    assert re.search(rf"since {tokyo:%Y-%m-%d} \d\d:\d\d Asia/Tokyo and is waiting", reason)
