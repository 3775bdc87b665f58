"""Files of a template account from the home to the records, through the collector's rounds."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.storage import default_storage
from django.db import OperationalError, transaction
from django.db.models import ProtectedError
from django.db.models.functions import Now

from imports.collect import account_templates, replaced, rounds, snapshot, template_files
from imports.jobs import instructions
from imports.models import (
    Arrival,
    ArrivalFile,
    ImportJob,
    ImportTemplate,
    Sighting,
    TemplateVersion,
)
from portal import provision
from portal.models import Account, Drop, Endpoint, Notice, Upload
from tests.imports.folder import without_data
from tests.imports.institution import CAMPUS, Institution
from tests.locked import elsewhere

BAD = (
    "PersonIdentifier,FirstName,LastName,Email\n0001,Ada,Lovelace,ada@example.edu\n,No,Key,x@y.z\n"
)


COLUMNS = ["PersonIdentifier", "FirstName", "LastName", "Email"]
PLAIN = {
    "version": 1,
    "columns": COLUMNS,
    "fields": {name: {"columns": [name]} for name in COLUMNS},
}


class Desk:
    """A template account with its home, as its sender and the collector see it."""

    def __init__(self, institution: Institution, settings: LazySettings) -> None:
        settings.TEMPLATE_QUIET_SECONDS = 0
        self.institution = institution
        self.endpoint = Endpoint.objects.create(tenant=institution.tenant, name="SFTP")
        self.account = self.login("pat")
        self.home = Path(settings.DROPS_DIR) / str(self.endpoint.uid) / self.account.home
        self.drop = Drop.objects.get(path=self.account.home)

    def login(self, base: str) -> Account:
        return provision.template_account(self.endpoint, base, "test", "tx", "secret")

    def template(self, *names: str, spec: dict[str, Any] | None = None, **more: Any) -> Any:
        values = {"feed": "accounts", "account": self.account, "name": f"T {names}", **more}
        template = ImportTemplate.objects.create(
            tenant=self.institution.tenant, file_names=list(names), **values
        )
        template.current = TemplateVersion.objects.create(
            tenant=self.institution.tenant,
            template=template,
            number=1,
            spec={**PLAIN, **(spec or {})},
        )
        template.save()
        return template

    def put(self, name: str, content: str = CAMPUS["accounts"]) -> Path:
        path = self.home / name
        part = self.home.parent / "part"
        part.write_text(content)
        part.rename(path)
        return path

    def round(self) -> None:
        rounds.poll(self.institution.tenant.pk)

    def import_all(self) -> list[ImportJob]:
        self.round()
        done = self.institution.work()
        self.round()
        return done

    def names(self) -> set[str]:
        return without_data({path.name for path in self.home.iterdir()} - {".parts"})

    def log(self) -> list[tuple[str, str]]:
        arrival = Arrival.objects.get()
        return list(arrival.decisions.order_by("pk").values_list("subject", "verdict"))


@pytest.fixture
def desk(institution: Institution, settings: LazySettings, tmp_path: Path) -> Desk:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.DROPS_DIR = tmp_path / "drops"
    return Desk(institution, settings)


def test_a_file_that_a_template_names_becomes_records_and_leaves_the_home(desk: Desk) -> None:
    template = desk.template("users.csv", spec={"settings": {"keep_days": 3}})
    desk.put("users.csv")
    (job,) = desk.import_all()
    job.refresh_from_db()
    assert (job.state, job.template_version, job.file_name) == (
        "complete",
        template.current,
        "users.csv",
    )
    assert job.kept_until is not None
    assert (job.kept_until - job.created_at).days == 3
    (decision,) = Arrival.objects.get().decisions.all()
    expected = f"users.csv is named by the template “{template.name}”, version 1."
    assert (decision.verdict, decision.reason) == ("accepted", expected)
    assert len(desk.institution.records("accounts")) == 3
    arrival = Arrival.objects.get()
    assert (arrival.name, arrival.state, arrival.current_name) == ("users.csv", "done", "")
    assert arrival.account == desk.account
    assert arrival.settled_at is not None
    assert desk.names() == {"users.csv.result.txt"}
    assert (desk.home / "users.csv.result.txt").read_text().startswith("complete: users.csv")
    assert "version 1" in arrival.decisions.get().reason


def test_ten_rounds_make_one_job_and_the_file_sent_again_another(desk: Desk) -> None:
    desk.template("users.csv")
    desk.put("users.csv")
    for _ in range(10):
        desk.round()
    assert ImportJob.objects.count() == 1
    desk.institution.work()
    desk.put("users.csv")
    desk.import_all()
    assert ImportJob.objects.count() == Arrival.objects.count() == 2


def test_a_file_that_another_collector_is_taking_is_left_to_it(desk: Desk) -> None:
    desk.template("people.csv")
    desk.put("people.csv")
    desk.round()
    Arrival.objects.update(
        state="collecting", owner="other", lease_until=Now() + timedelta(minutes=1)
    )
    token = Arrival.objects.get().token
    desk.round()
    assert Arrival.objects.get().token == token
    Arrival.objects.update(lease_until=Now() - timedelta(seconds=1))
    desk.round()
    assert Arrival.objects.get().token == token + 1


def test_of_two_templates_for_one_name_the_older_counts(desk: Desk) -> None:
    older, _newer = desk.template("a.csv"), desk.template("a.csv", name="Newer")
    ImportTemplate.objects.filter(pk=older.pk).update(name="Written last")
    assert account_templates.of_drop(desk.drop).names == {"a.csv": older.pk}


def test_an_overwritten_upload_that_another_collector_has_told_is_not_told_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.template("a.csv")
    upload = Upload.objects.create(
        tenant=desk.institution.tenant,
        account=desk.account,
        endpoint=desk.endpoint,
        path=f"{desk.account.home}/a.csv",
        state="complete",
        size=5,
        source="1:2:5",
        replaced_at=Now(),
        replaced_checked=True,
    )
    upload.refresh_from_db()
    monkeypatch.setattr(replaced.uploads, "replaced", lambda _folder: [upload])
    desk.round()
    assert not Arrival.objects.exists()
    Upload.objects.update(replaced_checked=False)
    desk.round()
    assert Arrival.objects.get().state == "replaced"


def test_a_template_is_not_changed_between_the_choice_and_the_job(desk: Desk) -> None:
    """Who disables it, or saves a version, waits until the job has the version of this moment."""
    template = desk.template("people.csv")
    disable = "UPDATE imports_importtemplate SET enabled = false WHERE id = %s"
    with (
        elsewhere(disable, template.pk),
        pytest.raises(OperationalError, match="lock timeout"),
        transaction.atomic(),
    ):
        account_templates.locked(template.pk)
    with transaction.atomic():
        assert account_templates.locked(template.pk) is None


def test_a_job_is_held_by_the_limits_of_its_drop_and_of_its_version(desk: Desk) -> None:
    desk.drop.limits = {"removes": 1}
    desk.drop.save()
    desk.template("users.csv", spec={"settings": {"limits": {"creates": 2}}})
    desk.put("users.csv")
    (job,) = desk.import_all()
    job.refresh_from_db()
    assert job.limits == {}, "Both are looked up when it runs."
    assert instructions.of_job(job).limits == {"removes": 1, "creates": 2}
    assert job.state == "held"
    assert [(hold["measure"], hold["limit"]) for hold in job.hold_reasons] == [("creates", 2)]
    assert desk.names() == {"users.csv.result.txt"}
    assert Notice.objects.get().event == Notice.Event.HELD


def test_rejected_rows_come_back_with_the_name_to_send_them_under(desk: Desk) -> None:
    desk.template("users.csv")
    desk.put("users.csv", BAD)
    desk.import_all()
    assert desk.names() == {"users.csv.result.txt", "users.csv.errors.csv"}
    assert (
        "put that file back here under its name."
        in (desk.home / "users.csv.result.txt").read_text()
    )
    desk.round()
    assert Arrival.objects.count() == 1


def test_a_newer_file_of_the_name_is_not_removed_with_the_one_that_was_taken(desk: Desk) -> None:
    desk.template("users.csv")
    desk.put("users.csv")
    desk.round()
    desk.institution.work()
    desk.put("users.csv", CAMPUS["accounts"] + "0004,Mary,Somerville,mary@example.edu\n")
    desk.import_all()
    assert len(desk.institution.records("accounts")) == 4


def test_a_file_that_no_template_names_is_shown_once_with_its_near_miss_and_stays(
    desk: Desk,
) -> None:
    desk.template("users.csv")
    desk.put("Users.CSV")
    for _ in range(3):
        desk.round()
    arrival = Arrival.objects.get()
    assert (arrival.state, arrival.name, arrival.settled_at) == ("unmatched", "Users.CSV", None)
    assert desk.log() == [("Users.CSV", "unmatched"), ("users.csv", "near_miss")]
    assert not ImportJob.objects.exists()
    assert desk.names() == {"Users.CSV", "Users.CSV.result.txt"}
    result = (desk.home / "Users.CSV.result.txt").read_text()
    assert result.startswith("unmatched: Users.CSV")
    assert "uppercase and lowercase letters differ" in result
    file = ArrivalFile.objects.get()
    assert default_storage.open(file.content).read().decode() == CAMPUS["accounts"]
    notice = Notice.objects.get()
    assert (notice.event, notice.link) == ("unmatched", f"/arrivals/{arrival.uid}/")
    assert Sighting.objects.get(gone_at=None).verdict == "unmatched"


def test_an_unmatched_file_is_imported_when_a_template_of_its_name_is_made(desk: Desk) -> None:
    desk.put("people.csv")
    desk.round()
    assert Arrival.objects.get().state == "unmatched"
    desk.template("people.csv")
    desk.import_all()
    arrival = Arrival.objects.get()
    assert (arrival.state, ArrivalFile.objects.get().problem) == ("done", "")
    assert [verdict for _, verdict in desk.log()] == ["unmatched", "accepted"]
    assert desk.names() == {"people.csv.result.txt"}
    assert "complete" in (desk.home / "people.csv.result.txt").read_text()


def test_an_unmatched_file_is_imported_when_its_sender_renames_it(desk: Desk) -> None:
    desk.template("users.csv")
    wrong = desk.put("Users.csv")
    desk.round()
    wrong.rename(desk.home / "users.csv")
    desk.import_all()
    assert Arrival.objects.get().state == "done"
    assert ImportJob.objects.get().file_name == "users.csv"
    assert desk.names() == {"users.csv.result.txt"}


def test_an_unmatched_file_that_is_renamed_to_another_wrong_name_is_told_again(desk: Desk) -> None:
    wrong = desk.put("one.csv")
    desk.round()
    wrong.rename(desk.home / "two.csv")
    desk.round()
    desk.round()
    assert Arrival.objects.get().name == "two.csv"
    assert Notice.objects.count() == 2
    assert desk.names() == {"two.csv", "two.csv.result.txt"}


def test_an_unmatched_file_that_is_removed_settles_its_arrival(desk: Desk) -> None:
    desk.put("other.csv")
    desk.round()
    (desk.home / "other.csv").unlink()
    desk.round()
    arrival = Arrival.objects.get()
    assert (arrival.state, arrival.current_name) == ("unmatched", "")
    assert arrival.settled_at is not None
    assert desk.names() == set(), "its receipt goes with it"


def test_no_receipt_of_a_name_stays_that_was_changed_twice(desk: Desk) -> None:
    """A file that was renamed before it was removed left its last receipt behind."""
    wrong = desk.put("one.csv")
    desk.round()
    wrong.rename(desk.home / "two.csv")
    desk.round()
    (desk.home / "two.csv").unlink()
    desk.round()
    assert desk.names() == set()


def test_the_copy_of_an_unmatched_file_is_deleted_when_its_days_are_over(
    desk: Desk, settings: LazySettings
) -> None:
    desk.put("other.csv")
    desk.round()
    content = ArrivalFile.objects.get().content
    assert template_files.forget_unmatched() == 0
    settings.KEEP_FILES_DAYS = 0
    assert template_files.forget_unmatched() == 1
    assert not default_storage.exists(content)
    assert ArrivalFile.objects.get().content == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"enabled": False}, "it is disabled"),
        ({"account": None}, "not assigned to an account"),
        ({"current": None}, "not finished"),
    ],
)
def test_a_template_that_does_not_count_is_named(
    desk: Desk, changes: dict[str, Any], words: str
) -> None:
    template = desk.template("users.csv")
    ImportTemplate.objects.filter(pk=template.pk).update(**changes)
    desk.put("users.csv")
    desk.round()
    assert Arrival.objects.get().state == "unmatched"
    assert words in ArrivalFile.objects.get().reason


def test_a_template_of_another_account_does_not_count_and_is_named(desk: Desk) -> None:
    desk.template("users.csv", account=desk.login("kim"))
    desk.put("users.csv")
    desk.round()
    assert "kim_admin_test_tx" in ArrivalFile.objects.get().reason


def test_a_job_goes_on_with_its_version_when_its_template_is_switched_off_or_changed(
    desk: Desk,
) -> None:
    template = desk.template("users.csv")
    desk.put("users.csv")
    desk.round()
    template.enabled = False
    template.save()
    with pytest.raises(ProtectedError):
        template.delete()
    (job,) = desk.institution.work()
    job.refresh_from_db()
    assert (job.state, job.template_version.number) == ("complete", 1)


def test_temporary_names_wait_until_they_are_renamed(desk: Desk) -> None:
    desk.template("users.csv")
    part = desk.put("users.csv.filepart")
    desk.round()
    assert not Arrival.objects.exists()
    assert Sighting.objects.get().verdict == "temporary"
    part.rename(desk.home / "users.csv")
    desk.import_all()
    assert ImportJob.objects.get().state == "complete"


def test_a_file_that_was_taken_and_renamed_meanwhile_is_not_imported_twice(desk: Desk) -> None:
    desk.template("users.csv", "again.csv")
    path = desk.put("users.csv")
    desk.round()
    path.rename(desk.home / "again.csv")
    desk.import_all()
    desk.round()
    assert ImportJob.objects.count() == 1
    assert Sighting.objects.get(gone_at=None).verdict == "taken_before"


def test_a_feed_that_is_gone_waits_for_the_operator_and_is_told_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = desk.template("users.csv", feed="gone")
    desk.put("users.csv")
    desk.round()
    desk.round()
    arrival = Arrival.objects.get()
    assert arrival.state == "config_missing"
    assert Notice.objects.get().event == Notice.Event.PORTAL_FAULT
    assert Sighting.objects.get(gone_at=None).verdict == "configuration_missing"
    Arrival.objects.update(ready_at="2020-01-01T00:00Z")
    with monkeypatch.context() as patched:
        patched.setattr(snapshot, "take", None)  # nothing is copied before its feed is known
        desk.round()
    arrival.refresh_from_db()
    assert (arrival.state, arrival.ready_at.year > 2020) == ("config_missing", True)
    ImportTemplate.objects.filter(pk=template.pk).update(feed="accounts")
    Arrival.objects.update(ready_at="2020-01-01T00:00Z")
    desk.import_all()
    assert Arrival.objects.get().state == "done"


def test_files_of_one_round_are_imported_in_the_order_of_their_record_types(desk: Desk) -> None:
    desk.template("a.csv", feed="org_units")
    desk.template("z.csv", feed="accounts")
    desk.put("a.csv", CAMPUS["org_units"])
    desk.put("z.csv")
    jobs = desk.import_all()
    assert [job.rank for job in jobs] == sorted(job.rank for job in jobs)
    assert len(jobs) == 2


def test_jobs_wait_for_a_file_they_depend_on_that_is_being_received(desk: Desk) -> None:
    desk.template("users.csv", feed="accounts")
    desk.template("sections.csv", feed="sections")
    Upload.objects.create(
        tenant=desk.institution.tenant,
        account=desk.account,
        endpoint=desk.endpoint,
        path=f"{desk.account.home}/users.csv.filepart",
    )
    desk.put("sections.csv", CAMPUS["sections"])
    desk.round()
    assert desk.institution.work() == []
    Upload.objects.create(
        tenant=desk.institution.tenant,
        account=desk.account,
        endpoint=desk.endpoint,
        path=f"{desk.account.home}/movie.mp4",
    )
    desk.round()
    assert desk.institution.work() == []
    Upload.objects.update(path=f"{desk.account.home}/photo.jpg")
    desk.round()
    assert len(desk.institution.work()) == 1


def test_a_hostile_name_is_shown_and_harms_nothing(desk: Desk) -> None:
    desk.put("<script>\u202e\n.csv")
    desk.round()
    notice = Notice.objects.get()
    assert "\n" not in notice.title + notice.text
    assert "\u202e" not in notice.title + notice.text


def test_a_name_that_is_no_text_is_explained_and_stops_nobody(desk: Desk) -> None:
    desk.template("users.csv")
    (desk.home / "us\udce9rs.csv").write_text("x")
    desk.put("users.csv")
    desk.import_all()
    assert ImportJob.objects.get().state == "complete"
    assert Sighting.objects.get(gone_at=None).verdict == "name_not_text"
