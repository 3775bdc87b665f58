"""A file that lies in a folder, from the list of what was not picked up into the wizard."""

from __future__ import annotations

import errno
import os
import shutil
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import reverse
from django.utils import timezone

from imports import sweep
from imports.collect import snapshot
from imports.drafts import files as draft_files
from imports.drafts import receiving, sampling
from imports.models import ImportDraft, ImportJob, Sighting
from portal import bell, tenancy
from tests.imports.conftest import institution as institution
from tests.imports.folder import CSV, Folders
from tests.imports.institution import CAMPUS, Institution
from tests.imports.web.test_arrival_template import click
from tests.imports.web.test_wizard import Admin, words
from tests.imports.web.test_wizard import admin as admin


@pytest.fixture
def sender(institution: Institution, settings: LazySettings, tmp_path: Any) -> Folders:
    settings.DROPS_DIR = tmp_path / "drops"
    return Folders(institution, "accounts", "courses")


def lying(sender: Folders, path: str) -> Sighting:
    sender.poll()
    return Sighting.objects.get(path__endswith=path, gone_at=None)


def stored(draft: ImportDraft) -> set[str]:
    """The draft's files in storage."""
    try:
        return set(default_storage.listdir(draft_files.folder_of(draft))[1])
    except FileNotFoundError:
        return set()


def test_one_click_fetches_a_waiting_file_into_the_wizard_and_leaves_it_where_it_is(
    admin: Admin, sender: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.put("people.csv", CSV)
    file = lying(sender, "people.csv")
    rung: list[tuple[str, int]] = []
    monkeypatch.setattr(bell, "ring", lambda task, tenant: rung.append((task, tenant)))
    assert click(admin, "sighting-template", file.pk).endswith("/file/")
    assert rung == [(bell.POLL, sender.institution.tenant.pk)]
    assert "The file is being copied" in admin.page("draft-file")
    asked = reverse("draft-fetched", args=[admin.uid])
    assert admin.client.get(asked, headers={"HX-Request": "true"}).status_code == 204

    sender.poll()
    answer = admin.client.get(asked, headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"] == reverse("draft-file", args=[admin.uid])
    shown = admin.page("draft-file")
    assert "being copied" not in shown
    assert "Lovelace" in shown
    draft = admin.draft()
    assert (draft.feed, draft.file_name, draft.requested) == ("accounts", "people.csv", None)
    assert draft.spec["fields"]["LastName"] == {"columns": ["LastName"]}
    assert "people.csv" in sender.names()

    sender.put("people.done", sender.manifest("people.csv"))
    assert [job.state for job in sender.go()] == ["complete"]


def test_the_columns_of_a_misplaced_file_say_what_it_is_for(admin: Admin, sender: Folders) -> None:
    (sender.root / "stray.csv").write_text(CAMPUS["academic_terms"])
    click(admin, "sighting-template", lying(sender, "stray.csv").pk)
    sender.poll()
    admin.page("draft-file")
    assert admin.draft().feed == "academic_terms"


def test_the_wizard_offers_what_lies_in_the_folders_and_keeps_the_chosen_type(
    admin: Admin, sender: Folders
) -> None:
    sender.put("dates.csv", CAMPUS["academic_terms"])
    sender.put("accounts.done.INVALIDSCHEMA", "<x")
    file = lying(sender, "dates.csv")
    admin.begin("accounts")
    offered = admin.page("draft-file")
    assert f'value="lies-{file.pk}"' in offered
    assert "INVALIDSCHEMA" not in offered
    admin.send("draft-pick", job=f"lies-{file.pk}")
    sender.poll()
    assert "BeginDate" in admin.page("draft-file")
    assert admin.draft().feed == "accounts"


def test_a_file_that_is_gone_before_it_is_fetched_is_told(admin: Admin, sender: Folders) -> None:
    path = sender.put("people.csv", CSV)
    click(admin, "sighting-template", lying(sender, "people.csv").pk)
    path.unlink()
    sender.poll()
    text = words(admin.page("draft-file"))
    assert "no longer in its folder" in text
    assert "being copied" not in text
    assert stored(admin.draft()) == set()


def test_what_is_no_table_is_refused_in_words_and_not_kept(admin: Admin, sender: Folders) -> None:
    sender.put("photo.csv", b"\x89PNG\r\n\x1a\n" + bytes(100))
    click(admin, "sighting-template", lying(sender, "photo.csv").pk)
    sender.poll()
    assert "image" in words(admin.page("draft-file")).lower()
    assert admin.draft().content == ""
    assert stored(admin.draft()) == set()


def test_another_file_that_is_chosen_meanwhile_counts(admin: Admin, sender: Folders) -> None:
    sender.put("people.csv", CSV)
    click(admin, "sighting-template", lying(sender, "people.csv").pk)
    admin.upload("A,B\n1,2\n", "other.csv")
    sender.poll()
    assert "Lovelace" not in admin.page("draft-file")
    assert admin.draft().file_name == "other.csv"


def test_a_second_click_waits_with_the_same_draft(admin: Admin, sender: Folders) -> None:
    sender.put("people.csv", CSV)
    file = lying(sender, "people.csv")
    first = click(admin, "sighting-template", file.pk)
    assert click(admin, "sighting-template", file.pk) == first


def test_only_who_may_make_a_template_is_offered_one(admin: Admin, sender: Folders) -> None:
    sender.put("people.csv", CSV)
    sender.put("notes.done.bak", "x")
    sender.poll()
    words_of = "Create a template from this file"
    assert admin.client.get(reverse("sightings")).content.decode().count(words_of) == 1
    sender.institution.person().memberships.update(role="manager")
    assert words_of not in admin.client.get(reverse("sightings")).content.decode()


def test_a_fault_of_ours_is_not_told_as_the_senders_and_is_tried_again(
    admin: Admin, sender: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.put("first.csv", CSV)
    sender.put("second.csv", CSV)
    files = [lying(sender, name).pk for name in ("first.csv", "second.csv")]
    first, _second = [click(admin, "sighting-template", file) for file in files]
    real = snapshot.take

    def full(jail: Any, path: Any, name: str) -> Any:
        if path[-1] == "first.csv":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(jail, path, name)

    monkeypatch.setattr(snapshot, "take", full)
    sender.poll()
    assert "Lovelace" in admin.page("draft-file")  # the second, whatever became of the first
    admin.uid = first.rsplit("/", 3)[1]
    assert "being copied" in admin.page("draft-file")
    monkeypatch.undo()
    sender.poll()
    assert "Lovelace" in admin.page("draft-file")


def test_what_cannot_be_fetched_is_not_offered(admin: Admin, sender: Folders) -> None:
    sender.put("people.csv", CSV)
    sender.put(os.fsdecode(b"ma\xf1ana.csv"), CSV)
    file = lying(sender, "people.csv")
    admin.begin()
    assert admin.page("draft-file").count('value="lies-') == 1
    type(sender.endpoint).objects.update(enabled=False)
    assert 'value="lies-' not in admin.page("draft-file")
    assert "no longer waiting" in admin.send("draft-pick", status=422, job=f"lies-{file.pk}")
    assert "Choose a file" in admin.send("draft-pick", status=422, job="lies-²")


def test_files_of_an_endpoint_whose_folder_is_gone_no_longer_lie_there(sender: Folders) -> None:
    sender.put("people.csv", CSV)
    sender.poll()
    shutil.rmtree(sender.root)
    sender.poll()
    assert sender.sightings() == {}


def test_a_file_that_another_look_has_taken_stays_when_this_one_fails(
    admin: Admin, sender: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.put("people.csv", CSV)
    click(admin, "sighting-template", lying(sender, "people.csv").pk)
    sender.poll()
    late = admin.draft()
    assert "Lovelace" in admin.page("draft-file")
    monkeypatch.setattr(sampling, "likely_reading", fails)
    with pytest.raises(FileNotFoundError):
        receiving.take_fetched(late, sender.institution.person())
    monkeypatch.undo()
    assert "Lovelace" in admin.page("draft-file")


def fails(*_given: Any) -> Any:
    raise OSError(errno.EIO, "Input/output error")


# --- what a draft keeps


def test_another_file_takes_the_place_of_the_first_in_storage_too(admin: Admin) -> None:
    admin.begin()
    admin.upload("A,B\n1,2\n")
    admin.upload("A,B\n3,4\n")
    assert len(stored(admin.draft())) == 1
    assert default_storage.open(admin.draft().content).read() == b"A,B\n3,4\n"


def test_a_file_that_a_job_keeps_stays_when_the_draft_takes_another(admin: Admin) -> None:
    admin.begin()
    admin.upload(CSV)
    admin.send("draft-validate")
    admin.upload("A,B\n3,4\n")
    admin.work()
    assert ImportJob.objects.get().state == "planned"


def test_what_a_request_that_was_cut_off_has_stored_goes_with_the_draft(admin: Admin) -> None:
    admin.begin()
    admin.upload(CSV)
    draft = admin.draft()
    default_storage.save(f"{draft_files.folder_of(draft)}/file", ContentFile(b"left behind"))
    admin.send("draft-discard")
    assert stored(draft) == set()


def test_drafts_are_forgotten_with_their_files_after_the_days_of_files(
    admin: Admin, settings: LazySettings
) -> None:
    admin.begin()
    admin.upload(CSV)
    old = admin.draft()
    admin.begin()
    admin.upload(CSV)
    long_ago = timezone.now() - timedelta(days=settings.KEEP_FILES_DAYS, hours=1)
    ImportDraft.objects.filter(pk=old.pk).update(changed_at=long_ago)
    with tenancy.everyone("the sweep looks after all tenants"):
        sweep.sweep()
    assert list(ImportDraft.objects.all()) == [admin.draft()]
    assert (stored(old), len(stored(admin.draft()))) == (set(), 1)
