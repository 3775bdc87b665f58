"""Rows of every kind for looking at the pages: many, long, hostile, running, held, failed, none."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from imports.drafts import keeping, receiving
from imports.mapping.parsing import parse
from imports.mapping.tables import Table
from imports.models import (
    Arrival,
    ArrivalFile,
    Decision,
    ImportDraft,
    ImportJob,
    ImportTemplate,
    IssueGroup,
    JobEvent,
    LookupTable,
    Sighting,
)
from imports.templates import actions
from imports.templates.lookups import actions as lookup_actions
from imports.templates.rules import TemplateIdentity
from portal import provision, tenancy
from portal.changes import Actor
from portal.events import recording, rules
from portal.models import (
    AccountKey,
    ApiToken,
    Beat,
    Drop,
    DropSession,
    Event,
    Record,
    RecordKind,
    Upload,
)
from portal.people import tokens
from tests.cast import Cast

HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>\u202egnp.csv'
LONG = "enrollments_for_the_whole_district_" + "with_every_campus_and_term_" * 6 + "2026.csv"
State = ImportJob.State
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIn5VQFs4p1YAyYSvGXgq0TzC/1j3qsqYV2mJZ1kJw8r nightly job"


def everything(cast: Cast, jobs: int = 1000) -> dict[str, Any]:
    """Fill the cast's home; abroad stays empty. Returns rows by the name of what they show."""
    with tenancy.everyone("a test seeds its pages"):
        arrivals = _arrivals(cast)
        seeded: dict[str, Any] = {
            **_special(cast, arrivals),
            "arrival": arrivals["mixed"],
            "unmatched": arrivals["unmatched"],
        }
        _ordinary(cast, arrivals["good"], jobs)
        seeded["sighting"] = _sightings(cast)
        seeded["lookup"] = _lookup(cast)
        seeded["template"] = _template(cast, seeded["complete"])
        _plan(seeded["held"])
        seeded["record"] = _records(cast, seeded["complete"])
        seeded["key"] = _sessions(cast)
        seeded["draft"] = _draft(cast)
        seeded["event"] = _happenings(cast)
        seeded["token"] = _tokens(cast)
        now = timezone.now()
        for name, age in (("worker@host", 3), ("beat@host", 8), ("drop@host", 400)):
            Beat.objects.update_or_create(
                name=name, defaults={"seen_at": now - timedelta(seconds=age)}
            )
    return seeded


def _draft(cast: Cast) -> ImportDraft:
    """An import in the making, with a hostile file."""
    draft = keeping.new(cast.home, cast.admin, "accounts")
    header = f"Person ID;First;Last;E-mail;{HOSTILE.replace(chr(34), '')}\n"
    text = header + "0001;Ada;<b>LOVELACE</b>;ada@example.edu;x\n" * 20
    receiving.upload(draft, cast.admin, 1, SimpleUploadedFile(HOSTILE, text.encode()))
    return draft


def _drop(cast: Cast, feed: str) -> Drop:
    return Drop.objects.get(endpoint=cast.endpoint, feed=feed)


def _arrivals(cast: Cast) -> dict[str, Arrival]:
    def arrival(name: str, state: str, feed: str = "accounts", **more: Any) -> Arrival:
        return Arrival.objects.create(
            tenant=cast.home,
            drop=_drop(cast, feed),
            account=cast.account,
            identity=hashlib.sha256(name.encode()).hexdigest(),
            name=name,
            state=state,
            **more,
        )

    rows = {
        "good": arrival("accounts.done", Arrival.State.DONE, settled_at=timezone.now()),
        "mixed": arrival(
            "nightly.done",
            Arrival.State.INVALID_FILES,
            current_name="nightly.done.CONTAINSINVALIDFILES",
            settled_at=timezone.now(),
        ),
        "broken": arrival("broken.done", Arrival.State.INVALID_SCHEMA),
        "config": arrival("photos.done", Arrival.State.CONFIG_MISSING),
        "hostile": arrival(HOSTILE + ".done", Arrival.State.PROCESSING),
        "unmatched": arrival("staff 2026.csv", Arrival.State.UNMATCHED),
    }
    _unmatched(cast, rows["unmatched"])
    _file(rows["mixed"], 1, "courses.csv", problem="FileNotFound",
          reason="No file courses.csv is in the folder. Found: Courses.csv, which differs in "
                 "capital letters. Send it under the name that the manifest gives.")  # fmt: skip
    _file(rows["mixed"], 2, "sections.csv", problem="ChecksumMismatch",
          reason="The manifest says md5 0cc175b9c0f1b6a831c399e2, the file has "
                 "92eb5ffee6ae2fec3ad71c777531578f. Send the file again.")  # fmt: skip
    _file(rows["mixed"], 3, HOSTILE, size=4096)
    for verdict, reason in (
        ("processing", "The manifest was claimed by renaming it to nightly.done.PROCESSING."),
        ("invalid_files", "2 of 3 references are invalid; the good one is imported."),
    ):
        Decision.objects.create(tenant=cast.home, arrival=rows["mixed"], subject="nightly.done",
                                verdict=verdict, reason=reason)  # fmt: skip
    return rows


def _unmatched(cast: Cast, arrival: Arrival) -> None:
    content = default_storage.save("arrivals/staff.csv", ContentFile(b"A,B\r\n1,2\r\n"))
    _file(arrival, 0, arrival.name, size=10, problem="unmatched", content=content,
          reason="No template of the account names this file.")  # fmt: skip
    for verdict, subject in (("unmatched", arrival.name), ("near_miss", HOSTILE)):
        Decision.objects.create(
            tenant=cast.home, arrival=arrival, subject=subject, verdict=verdict,
            reason="It differs in capital letters.",
        )  # fmt: skip


def _file(arrival: Arrival, index: int, name: str, **more: Any) -> ArrivalFile:
    return ArrivalFile.objects.create(
        tenant=arrival.tenant, arrival=arrival, index=index, name=name, source=name, **more
    )


def _job(cast: Cast, name: str, state: str, **more: Any) -> ImportJob:
    now = timezone.now()
    values: dict[str, Any] = {
        "feed": "accounts",
        "record_type": "accounts",
        "file_size": 4_812_331,
        "created_at": now - timedelta(minutes=4),
        "started_at": now - timedelta(minutes=3),
        "finished_at": now - timedelta(minutes=2, seconds=40),
    }
    return ImportJob.objects.create(
        tenant=cast.home, file_name=name, state=state, **{**values, **more}
    )


def _special(cast: Cast, arrivals: dict[str, Arrival]) -> dict[str, Any]:
    now = timezone.now()
    counts = {"rows_read": 48_211, "rows_created": 1204, "rows_updated": 311, "rows_removed": 0}
    incomplete = _job(
        cast, "accounts.csv", State.INCOMPLETE, **counts, rows_unchanged=46_655, rows_rejected=41,
        warnings=12, arrival_file=_file(arrivals["mixed"], 4, "accounts.csv", size=4_812_331),
        sha256="9f" * 32, kept_until=now + timedelta(days=30),
        attachment=default_storage.save("jobs/errors.csv", ContentFile(b"_line\r\n7\r\n")),
        content=default_storage.save("jobs/accounts.csv", ContentFile(b"A,B\r\n1,2\r\n")),
    )  # fmt: skip
    _issues(incomplete)
    _events(incomplete, State.RUNNING, State.INCOMPLETE)
    rows = {
        "incomplete": incomplete,
        "running": _job(
            cast, "enrollments.csv", State.RUNNING, feed="enrollments", record_type="enrollments",
            stage="reading", bytes_read=3_100_000, rows_read=310_220, finished_at=None,
            started_at=now - timedelta(seconds=9),
        ),
        "waiting": _job(cast, "instructors.csv", State.READY, started_at=None, finished_at=None),
        "errored": _job(cast, "terms.csv", State.ERRORED, finished_at=None, fault="portal",
                        reason="The database did not answer.", attempt=1),
        "held": _job(
            cast, "org_units.csv", State.HELD, feed="org_units", record_type="org_units",
            rows_read=412, rows_created=2, rows_updated=1, rows_removed=398, finished_at=None,
            hold_reasons=[
                {"code": "removes", "measure": "removes", "count": 398, "limit": "10%",
                 "sentence": "The file would remove 398 records; the limit is 10%."},
            ],
        ),
        "failed": _job(
            cast, "courses.csv", State.FAILED, feed="courses", record_type="courses",
            fault="sender", reason='The column "CourseIdentifier" is missing. Found: '
            '"Course Identifier". Rename it and send the file again.',
        ),
        "our_fault": _job(
            cast, "sections.csv", State.FAILED, feed="sections", record_type="sections",
            fault="portal", reason="The import was tried 3 times and stopped each time.",
            content=incomplete.content, kept_until=now + timedelta(days=30),
        ),
        "complete": _job(cast, "academic_terms.csv", State.COMPLETE, feed="academic_terms",
                         record_type="academic_terms", rows_read=8, rows_created=8),
        "hostile": _job(cast, HOSTILE, State.INCOMPLETE, rows_read=2, rows_rejected=1),
        "long": _job(cast, LONG, State.COMPLETE, rows_read=123_456_789, rows_created=123_456_789),
    }  # fmt: skip
    _issues(rows["hostile"])
    _events(rows["held"], State.RUNNING, State.HELD)
    for name in ("failed", "our_fault", "complete"):
        _events(rows[name], State.RUNNING, rows[name].state)
    return rows


def _issues(job: ImportJob) -> None:
    def group(code: str, message: str, count: int, column: str, *examples: list[Any]) -> None:
        IssueGroup.objects.create(
            tenant=job.tenant, job=job, severity="warning" if code == "bad_format" else "error",
            code=code, message=message, count=count, column=column, examples=list(examples),
        )  # fmt: skip

    group("required", "The cell is blank, but every account needs an e-mail address. Fill it in.",
          23, "Email", [7, ""], [19, ""], [1204, ""])  # fmt: skip
    group("not_an_email", "This is no e-mail address. Expected a form such as ada@example.edu.",
          17, "Email", [52, " ada@ example.edu "], [77, HOSTILE], [81, "tab\there"])  # fmt: skip
    group("too_many_cells", "The row has 6 cells, the header has 4. Is a comma unquoted?",
          1, "", [40_001, 'Lovelace, Ada,"x'])  # fmt: skip
    group("bad_format", "The name begins with a space. It was taken off.", 12, "FirstName",
          [3, " Grace"])  # fmt: skip


def _events(job: ImportJob, *states: str) -> None:
    for number, state in enumerate(states):
        JobEvent.objects.create(
            tenant=job.tenant, job=job, state=state, actor="worker-1",
            at=job.created_at + timedelta(seconds=20 * (number + 1)),
        )  # fmt: skip


def _lookup(cast: Cast) -> LookupTable:
    """One with a long hostile row, and its name."""
    rows = [(f"{number:04}", f"School {number}", "") for number in range(120)]
    content = Table(
        columns=("code", "school", LONG[:60]), rows=((HOSTILE, LONG, HOSTILE), *rows), fold=True
    )
    actor = Actor(cast.admin)
    name = HOSTILE.replace("\u202e", "")
    return lookup_actions.create(cast.home, actor, name, content, HOSTILE)


def _template(cast: Cast, job: ImportJob) -> ImportTemplate:
    """One with two versions, hostile names and a file that ran with it."""
    spec: dict[str, Any] = {
        "version": 1,
        "columns": ["Nr", "Vorname", "Nachname", "Mail", HOSTILE],
        "fields": {
            "PersonIdentifier": {"columns": ["Nr"], "steps": [{"trim": True}]},
            "FirstName": {"columns": ["Vorname"]},
            "LastName": {"columns": ["Nachname"], "steps": [{"replace": {"find": HOSTILE,
                                                                        "with": "X"}}]},
            "Email": {"columns": ["Mail"]},
        },
        "settings": {"operation": "mirror", "limits": {"removes": "5%"}},
    }  # fmt: skip
    actor = Actor(cast.admin)
    identity = TemplateIdentity(name="People of the registrar", file_names=("people.csv", LONG))
    template = actions.create(cast.home, actor, identity, "accounts", parse(spec))
    ImportTemplate.objects.filter(pk=template.pk).update(account=cast.account)
    lookup = {"lookup": {"table": HOSTILE.replace("\u202e", "")}}
    spec["fields"]["Email"]["steps"] = [lookup]
    spec["fields"]["FirstName"]["steps"] = [{"case": "title"}, {"map": {"values": {"NN": ""}}}]
    version = actions.save(template, actor, parse(spec), based_on=1, note=HOSTILE)
    for name in (HOSTILE, "Terms"):
        identity = TemplateIdentity(name=name[:100])
        other = actions.create(cast.home, actor, identity, "accounts", parse(spec))
    actions.set_enabled(other, actor, enabled=False)
    ImportJob.objects.filter(pk=job.pk).update(template_version=version)
    return template


def _plan(job: ImportJob) -> None:
    """The first rows of a held job's plan."""
    record = {"OrgUnitIdentifier": "SCI", "Name": HOSTILE, "Acronym": None, "Type": "School"}
    job.plan_detail = {
        "creates": [{"line": n, "key": f"U{n}", "record": record} for n in (2, 3)],
        "updates": [{"line": 9, "key": "SCI", "returns": True,
                     "changes": {"Name": ["Science", HOSTILE], "Acronym": [None, "SC"]}}],
        "removes": [{"line": None, "key": LONG[:200], "record": record, "left_out": 3}],
    }  # fmt: skip
    job.save(update_fields=["plan_detail"])


def _ordinary(cast: Cast, arrival: Arrival, count: int) -> None:
    """A season of nightly files."""
    start: datetime = timezone.now() - timedelta(hours=3)
    feeds = ("accounts", "courses", "sections", "enrollments", "org_units")
    ImportJob.objects.bulk_create(
        ImportJob(
            tenant=cast.home,
            file_name=f"{feeds[n % 5]}_{n:04}.csv",
            feed=feeds[n % 5],
            record_type=feeds[n % 5],
            state=State.INCOMPLETE if n % 9 == 0 else State.FAILED if n % 31 == 0
            else State.COMPLETE,
            rows_read=n * 37 % 90_000,
            rows_created=n * 7 % 400,
            rows_unchanged=n * 29 % 80_000,
            rows_rejected=n % 9 == 0 and n % 50,
            file_size=n * 4096,
            created_at=start - timedelta(hours=3 * n),
            started_at=start - timedelta(hours=3 * n, seconds=-2),
            finished_at=start - timedelta(hours=3 * n, seconds=-2 - n % 40),
        )
        for n in range(count)
    )  # fmt: skip


def _sightings(cast: Cast) -> Sighting:
    """Files in the folders; the first of them."""
    for path, verdict, reason in (
        ("accounts.csv", "misplaced", "The file accounts.csv is in the root folder, "
         "which is not imported. Put it into Accounts/AccountImports."),
        ("Core/Courses/courses_2026.csv", "waiting_for_manifest", "No manifest names this file "
         "yet. Put one beside it, such as courses_2026.done."),
        ("Core/Courses/courses.DONE.txt", "almost_manifest", "This looks like a manifest, but its "
         "name does not end in .done. Rename it."),
        (f"Core/{HOSTILE}", "misplaced", "Nothing is imported from here."),
        (f"Core/{LONG}", "in_progress", "The file is being uploaded."),
    ):  # fmt: skip
        Sighting.objects.create(tenant=cast.home, endpoint=cast.endpoint, path=path, size=88_213,
                                verdict=verdict, reason=reason)  # fmt: skip
    return Sighting.objects.filter(tenant=cast.home).order_by("pk")[0]


def _records(cast: Cast, job: ImportJob) -> Record:
    kind = RecordKind.objects.get(name="accounts")
    names = ("Ada Lovelace", "Grace Hopper", "Katherine Johnson", "Mary Jackson", "Alan Turing")
    Record.objects.bulk_create(
        Record(
            tenant=cast.home,
            kind=kind,
            key=f"{n:08}",
            active=n % 17 != 0,
            created_job=job.pk,
            changed_job=job.pk,
            data={
                "PersonIdentifier": f"{n:08}",
                "FirstName": names[n % 5].split()[0] if n else HOSTILE,
                "LastName": names[n % 5].split()[1],
                "Email": f"person{n}@harbor.example",
            },
        )
        for n in range(130)
    )
    return Record.objects.get(tenant=cast.home, kind=kind, key="00000000")


def _sessions(cast: Cast) -> AccountKey:
    key = provision.key(cast.account, KEY)
    for number in range(4):
        session = DropSession.objects.create(
            tenant=cast.home,
            account=cast.account,
            address="198.51.100.7",
            client="OpenSSH_9.2p1 Debian-2" if number else HOSTILE,
            method="publickey" if number % 2 else "password",
            ended_at=timezone.now() if number else None,
            end_reason="closed by the client" if number else "",
        )
        Upload.objects.create(
            tenant=cast.home, session=session, account=cast.account, endpoint=cast.endpoint,
            path="Accounts/AccountImports/accounts.csv", size=700_000,
            state=Upload.State.PARTIAL if number == 1 else Upload.State.COMPLETE,
        )  # fmt: skip
    return key


def _happenings(cast: Cast) -> Event:
    """Events of all kinds: known and free, with a hostile one, and one of the portal's own."""
    ordinary = [
        {
            "id": f"7c9e6679-7425-40de-944b-e07fc1f9{number:04}",
            "event": "courseCompletion" if number % 3 else "courseAction",
            "timestamp": f"2026-05-{number % 28 + 1:02}T14:{number % 60:02}:00Z",
            "user": f"learner{number}@harbor.example",
            "title": "Laboratory safety",
            "userDetail": {"firstName": "Lee", "lastName": "Moreno", "ref1": None},
        }
        for number in range(120)
    ]
    hostile = {
        "id": HOSTILE.replace("\u202e", "") + "x" * 80,
        "type": "free",
        "timestamp": "2026-06-01T00:00:00Z",
        "subject": HOSTILE,
        "payload": {HOSTILE: [HOSTILE, {"deep": "x" * 300}]},
    }
    recording.record_many(
        cast.home.pk, [rules.read(document) for document in (*ordinary, hostile)], Event.Source.API
    )
    job = {"job": "0", "number": 1, "state": "complete", "created": 3}
    recording.announce(cast.home.pk, "import-0", "importFinished", "accounts.csv", job)
    return Event.objects.get(tenant=cast.home, uid=hostile["id"])


def _tokens(cast: Cast) -> ApiToken:
    """A live token, one with a hostile name, one expired and one revoked."""
    now = timezone.now()
    row, _ = tokens.make(
        cast.home, "Nightly job of the student system", ["events:write"], user=cast.admin
    )
    tokens.make(cast.home, HOSTILE, ["events:read"], expires_at=now + timedelta(days=3))
    tokens.make(cast.home, "Trial", ["events:read", "events:write"], expires_at=now)
    tokens.revoke(tokens.make(cast.home, "Lost", ["events:write"])[0])
    return row
