"""A file that nothing takes is told what its columns look like, and where such files go."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import LazySettings

from imports.collect import folders as collect_folders
from imports.collect import recognise
from imports.models import Arrival, Sighting
from tests.imports.collect.test_template_files import Desk
from tests.imports.collect.test_template_files import desk as desk
from tests.imports.conftest import institution as institution
from tests.imports.folder import Folders
from tests.imports.institution import CAMPUS, Institution

BANNER = "SPRIDEN_ID,SPRIDEN_LAST_NAME,SPRIDEN_FIRST_NAME,GOREMAL_EMAIL_ADDRESS\nA1,M,Ada,a@b.io\n"


@pytest.fixture
def sender(institution: Institution, settings: LazySettings, tmp_path: Path) -> Folders:
    settings.DROPS_DIR = tmp_path / "drops"
    settings.MEDIA_ROOT = tmp_path / "files"
    return Folders(institution, "courses", "accounts")


def reason(path: str) -> str:
    return Sighting.objects.get(path=path, gone_at=None).reason


@pytest.mark.parametrize("content", [CAMPUS["accounts"], BANNER])
def test_a_misplaced_file_is_told_the_folder_of_its_columns(sender: Folders, content: str) -> None:
    (sender.root / "nightly.csv").write_text(content)
    sender.poll()
    folder = sender.drops["accounts"].path
    assert f"By its columns it looks like Accounts: the folder for that is {folder}." in reason(
        "nightly.csv"
    )


def test_a_misplaced_file_is_read_once(sender: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    (sender.root / "nightly.csv").write_text(BANNER)
    sender.poll()
    first = reason("nightly.csv")
    monkeypatch.setattr(collect_folders, "reading", lambda *_: pytest.fail("it is read again"))
    sender.poll()
    assert reason("nightly.csv") == first


def test_of_many_misplaced_files_some_are_read_in_each_round(
    sender: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading them all would hold up the files that are in their place."""
    monkeypatch.setattr(recognise, "_MOST", 3)
    for number in range(7):
        (sender.root / f"{number}.csv").write_text(BANNER)
    for read in (3, 6, 7):
        sender.poll()
        reasons = Sighting.objects.filter(gone_at=None).values_list("reason", flat=True)
        assert sum("looks like" in each for each in reasons) == read
        receipts = [path.read_text() for path in sender.root.glob("*.result.txt")]
        assert len(receipts) == read
        assert all("By its columns it looks like Accounts" in each for each in receipts)


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b"PK\x03\x04", b"one\n", b'"open\n'])
def test_a_file_that_cannot_be_read_is_reported_as_before(sender: Folders, content: bytes) -> None:
    (sender.root / "nightly.csv").write_bytes(content)
    sender.poll()
    assert "which is not imported" in reason("nightly.csv")
    assert "looks like" not in reason("nightly.csv")


def test_an_unmatched_file_is_told_the_name_of_the_template_for_it(desk: Desk) -> None:
    desk.template("Users.csv")
    desk.put("weekly-dump.csv", BANNER)
    desk.round()
    row = Arrival.objects.get().files.get()
    assert row.reason.endswith(
        "By its columns it looks like Accounts, which this account sends as Users.csv."
    )


def test_the_name_of_a_disabled_template_is_not_offered(desk: Desk) -> None:
    desk.template("Old.csv", enabled=False)
    desk.put("weekly-dump.csv", BANNER)
    desk.round()
    row = Arrival.objects.get().files.get()
    assert row.reason.endswith("By its columns it looks like Accounts.")
