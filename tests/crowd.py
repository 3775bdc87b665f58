"""Rows of everything that a page lists, as many as asked for; each call adds to those before.

Each row has relations of its own where it can, so that a query for every row shows as one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from exports.models import Attempt, Delivery, Destination, Export, ExportRun, Server
from imports.drafts import keeping, receiving
from imports.mapping.parsing import parse
from imports.mapping.tables import Table
from imports.models import (
    Arrival,
    ArrivalFile,
    Decision,
    ImportJob,
    ImportTemplate,
    IssueGroup,
    JobEvent,
    LookupTable,
    Sighting,
)
from imports.templates import actions as template_actions
from imports.templates.lookups import actions as lookup_actions
from imports.templates.rules import TemplateIdentity
from portal import audit, provision, tenancy
from portal.changes import Actor
from portal.events import recording, rules
from portal.models import (
    Account,
    AccountKey,
    Beat,
    Drop,
    DropSession,
    Event,
    Record,
    RecordKind,
    Role,
    Upload,
    User,
)
from portal.people import tokens
from tests.cast import Cast

SPEC: dict[str, Any] = {
    "version": 1,
    "columns": ["Nr", "First", "Last", "Mail"],
    "fields": {
        "PersonIdentifier": {"columns": ["Nr"]},
        "FirstName": {"columns": ["First"]},
        "LastName": {"columns": ["Last"]},
        "Email": {"columns": ["Mail"]},
    },
}


def add(cast: Cast, numbers: Sequence[int]) -> dict[str, Any]:
    """A row of every kind for each number; the rows of the first number by what they are."""
    with tenancy.everyone("a test seeds its pages"):
        rows = [_add(cast, number) for number in numbers]
        _beats(numbers)
    return rows[0]


def _add(cast: Cast, number: int) -> dict[str, Any]:
    user = provision.user(f"person{number}@harbor.example", "x" * 20, cast.home, Role.MANAGER)
    account = provision.account(cast.endpoint, f"sender-{number}", "x" * 20)
    lookup = _lookup(cast, user, number)
    template = _template(cast, user, account, lookup, number)
    arrival = _arrival(cast, account, number)
    _sessions(cast, account, number)
    job = _job(cast, user, arrival, template, number)
    _sighting(cast, number)
    audit.record(cast.home.pk, "job.retry", str(job.uid), user=user, address="192.0.2.1")
    token, secret = tokens.make(cast.home, f"Client {number}", ["events:read"], user=user)
    return {
        "account": account,
        "lookup": lookup,
        "template": template,
        "arrival": arrival,
        "folder": arrival.drop,
        "job": job,
        "token": token,
        "secret": secret,
        "record": _record(cast, job, number),
        "event": _event(cast, number),
        "draft": _draft(cast, user, number),
        **_export(cast, user, number),
    }


def add_below(cast: Cast, rows: dict[str, Any], numbers: Sequence[int]) -> None:
    """More of what single pages list: for each number one more below each of the rows."""
    with tenancy.everyone("a test seeds its pages"):
        for number in numbers:
            user = User.objects.get(email=f"person{number}@harbor.example")
            _below_job(rows["job"], number)
            _below_arrival(cast, rows["arrival"], number)
            _session(cast, rows["account"], number)
            version = rows["template"].versions.order_by("-number")[0].number
            template_actions.save(
                rows["template"], Actor(user), parse(SPEC | _note(number)),
                based_on=version, note=f"Number {number}",
            )  # fmt: skip
            _run(cast, user, rows["export"], rows["server"], number)
            _attempts(cast, rows["delivery"])
            Destination.objects.create(
                tenant=cast.home, export=rows["export"], server=rows["server"], path=f"/{number}"
            )
            _attempts(cast, _delivery(cast, user, rows["run"], rows["server"], number))


def _note(number: int) -> dict[str, Any]:
    """Settings that make a version differ from the one before."""
    return {"settings": {"limits": {"removes": f"{number + 1}%"}}}


def _beats(numbers: Sequence[int]) -> None:
    for number in numbers:
        Beat.objects.update_or_create(
            name=f"worker{number}@host", defaults={"seen_at": timezone.now()}
        )


def _lookup(cast: Cast, user: User, number: int) -> LookupTable:
    table = Table(columns=("code", "school"), rows=(("1", "North"), ("2", "South")), fold=True)
    actor = Actor(user)
    return lookup_actions.create(cast.home, actor, f"schools {number}", table, "")


def _template(
    cast: Cast, user: User, account: Account, lookup: LookupTable, number: int
) -> ImportTemplate:
    identity = TemplateIdentity(name=f"People {number}", file_names=(f"people{number}.csv",))
    fields = {**SPEC["fields"]}
    fields["LastName"] = {"columns": ["Last"], "steps": [{"lookup": {"table": lookup.name}}]}
    spec = parse({**SPEC, "fields": fields})
    template = template_actions.create(cast.home, Actor(user), identity, "accounts", spec)
    template.account = account
    template.save(update_fields=["account"])
    return template


def _arrival(cast: Cast, account: Account, number: int) -> Arrival:
    drop = Drop.objects.filter(tenant=cast.home).order_by("path")[number % 5]
    arrival = Arrival.objects.create(
        tenant=cast.home,
        drop=drop,
        account=account,
        identity=hashlib.sha256(f"{number}".encode()).hexdigest(),
        name=f"nightly{number}.done",
        state=Arrival.State.DONE,
        settled_at=timezone.now(),
    )
    _below_arrival(cast, arrival, number)
    return arrival


def _below_arrival(cast: Cast, arrival: Arrival, number: int) -> None:
    """A file that is a duplicate of another delivery's, with its job, and a decision."""
    original = ArrivalFile.objects.filter(tenant=cast.home).exclude(arrival=arrival).first()
    file = ArrivalFile.objects.create(
        tenant=cast.home, arrival=arrival, index=number, name=f"accounts{number}.csv",
        source=f"{arrival.pk}/{number}", duplicate_of=original,
    )  # fmt: skip
    ImportJob.objects.create(
        tenant=cast.home, file_name=file.name, feed="accounts", record_type="accounts",
        state=ImportJob.State.COMPLETE, arrival_file=file,
    )  # fmt: skip
    Decision.objects.create(
        tenant=cast.home, arrival=arrival, subject=file.name, verdict="near_miss", reason="So."
    )


def _job(
    cast: Cast, user: User, arrival: Arrival, template: ImportTemplate, number: int
) -> ImportJob:
    now = timezone.now()
    file = ArrivalFile.objects.create(
        tenant=cast.home, arrival=arrival, index=1000 + number, name="more.csv", source=f"{number}"
    )
    _upload(DropSession.objects.get(account=arrival.account), f"{arrival.drop.path}/more.csv")
    job = ImportJob.objects.create(
        tenant=cast.home, file_name=f"accounts_{number}.csv", feed="accounts",
        record_type="accounts", state=ImportJob.State.INCOMPLETE, arrival_file=file, user=user,
        template_version=template.current, rows_read=9, rows_created=8, rows_rejected=1,
        started_at=now - timedelta(minutes=1), finished_at=now, content="jobs/x.csv",
    )  # fmt: skip
    _below_job(job, number)
    return job


def _below_job(job: ImportJob, number: int) -> None:
    IssueGroup.objects.create(
        tenant=job.tenant, job=job, severity="error", code="required", column=f"Column {number}",
        message="The cell is blank.", count=3, examples=[[7, ""]],
    )  # fmt: skip
    JobEvent.objects.create(tenant=job.tenant, job=job, state="running", actor=f"worker-{number}")
    ImportJob.objects.create(
        tenant=job.tenant, file_name="undo", feed=job.feed, record_type=job.record_type, undoes=job,
        state=ImportJob.State.FAILED, fault="sender", reason="It could not be undone.",
    )  # fmt: skip


def _sessions(cast: Cast, account: Account, number: int) -> None:
    for key in range(2):
        AccountKey.objects.create(
            tenant=cast.home, account=account, name="key", line="ssh-ed25519 AAAA",
            fingerprint=f"SHA256:{number}-{key}",
        )  # fmt: skip
    _session(cast, account, number)


def _session(cast: Cast, account: Account, number: int) -> None:
    session = DropSession.objects.create(
        tenant=cast.home, account=account, address="198.51.100.7", client="OpenSSH_9.2p1",
        method="publickey", ended_at=timezone.now(), end_reason="closed by the client",
    )  # fmt: skip
    AccountKey.objects.create(
        tenant=cast.home, account=account, name="key", line="ssh-ed25519 AAAA",
        fingerprint=f"SHA256:session-{session.pk}",
    )  # fmt: skip
    _upload(session, f"Accounts/accounts{number}.csv")


def _upload(session: DropSession, path: str) -> None:
    Upload.objects.create(
        tenant=session.tenant, session=session, account=session.account,
        endpoint=session.account.endpoint, path=path, size=7, state=Upload.State.COMPLETE,
    )  # fmt: skip


def _sighting(cast: Cast, number: int) -> None:
    drop = Drop.objects.filter(tenant=cast.home).order_by("path")[number % 5]
    Sighting.objects.create(
        tenant=cast.home, endpoint=cast.endpoint, drop=drop, path=f"{drop.path}/lost{number}.csv",
        size=88, verdict="waiting_for_manifest", reason="No manifest names this file yet.",
    )  # fmt: skip


def _record(cast: Cast, job: ImportJob, number: int) -> Record:
    return Record.objects.create(
        tenant=cast.home,
        kind=RecordKind.objects.get(name="accounts"),
        key=f"{number:08}",
        created_job=job.pk,
        changed_job=job.pk,
        data={"PersonIdentifier": f"{number:08}", "FirstName": "Ada", "LastName": "Lovelace"},
    )


def _event(cast: Cast, number: int) -> Event:
    event = {
        "id": f"event-{number}",
        "event": "courseCompletion",
        "timestamp": "2026-05-01T14:00:00Z",
        "user": f"learner{number}@harbor.example",
        "title": "Laboratory safety",
    }
    recording.record_many(cast.home.pk, [rules.read(event)], Event.Source.API)
    return Event.objects.get(tenant=cast.home, uid=event["id"])


def _draft(cast: Cast, user: User, number: int) -> Any:
    draft = keeping.new(cast.home, user, "accounts")
    text = f"Person ID;First;Last;E-mail\n{number};Ada;Lovelace;ada@example.edu\n"
    receiving.upload(draft, user, 1, SimpleUploadedFile(f"people{number}.csv", text.encode()))
    return draft


def _export(cast: Cast, user: User, number: int) -> dict[str, Any]:
    server = Server.objects.create(
        tenant=cast.home, name=f"District {number}", host="sftp.district.example",
        username=f"causeway{number}",
    )  # fmt: skip
    export = Export.objects.create(
        tenant=cast.home, name=f"Courses {number}", source={"events": ["courseCompletion"]},
        name_pattern="{event}_{date}", at=time(2), time_zone="America/Chicago",
        days=[1, 2, 3, 4, 5, 6, 7], started_on=date(2026, 1, 1), created_by=user,
    )  # fmt: skip
    Destination.objects.create(tenant=cast.home, export=export, server=server, path="/in")
    run = _run(cast, user, export, server, number)
    delivery = run.deliveries.get()
    _attempts(cast, delivery)
    return {"server": server, "export": export, "run": run, "delivery": delivery}


def _run(cast: Cast, user: User, export: Export, server: Server, number: int) -> ExportRun:
    """A run that a person asked for, with a delivery that was given up and seen to."""
    now: datetime = timezone.now()
    run = ExportRun.objects.create(
        tenant=cast.home, export=export, kind=ExportRun.Kind.RERUN, user=user,
        local_date=now.date() - timedelta(days=1 + number % 50), window_start=now, window_end=now,
        state=ExportRun.State.WRITTEN, file_name=f"courses{number}.csv", rows=3, size=71,
    )  # fmt: skip
    _delivery(cast, user, run, server, number)
    return run


def _delivery(cast: Cast, user: User, run: ExportRun, server: Server, number: int) -> Delivery:
    now = timezone.now()
    return Delivery.objects.create(
        tenant=cast.home, run=run, server=server, path=f"/{number}", acknowledged_by=user,
        state=Delivery.State.GIVEN_UP, attempts=11, incident_at=now, acknowledged_at=now,
    )  # fmt: skip


def _attempts(cast: Cast, delivery: Delivery) -> None:
    first = delivery.log.count()
    Attempt.objects.bulk_create(
        Attempt(tenant=cast.home, delivery=delivery, number=first + n, outcome="failed")
        for n in (1, 2)
    )
