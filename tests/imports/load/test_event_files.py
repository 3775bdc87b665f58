"""Events by file: rows and JSON lines become events, once, with their payload as it was meant."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imports.issues import Code
from imports.load import as_events
from imports.load.reading import FileSource
from imports.mapping.matching import match
from imports.mapping.parsing import parse
from imports.models import ImportJob, ImportTemplate
from imports.scan import json_lines
from imports.scan.dialect import detect
from imports.templates import actions as acts
from imports.templates.rules import TemplateIdentity
from portal.changes import Actor
from portal.events import recording, rules
from portal.models import Event, Tenant
from portal.records.catalog import catalog
from tests.imports.folder import Folders
from tests.imports.institution import Institution, counts, issues, rejected

# The header of the platform's own file (research notes 4.2).
HEADER = (
    "id,source,timestamp,type,user,companyId,event,notifiableId,title,userDetail.id,"
    "userDetail.firstName,userDetail.lastName,userDetail.externalCustomerId,"
    "userDetail.sfContactId,userDetail.sfAccountId,userDetail.client,userDetail.ref1,"
    "userDetail.ref2,userDetail.ref3\n"
)
ROW = (
    "{id},course_completed,2020-05-18T18:00:13.123Z,status_change,lee@example.edu,c-1,"
    'courseCompletion,n-1,"Safety, part 1",u-1,Lee,Moreno,0001,,,k-1,,,\n'
)


def sent(kind: str | None = "file") -> list[Event]:
    events = Event.objects.order_by("uid")
    return list(events.filter(source=kind) if kind else events)


def lines(*documents: Any) -> str:
    return "".join(json.dumps(document) + "\n" for document in documents)


def event(uid: str, **members: Any) -> dict[str, Any]:
    return {"id": uid, "type": "free", "timestamp": "2026-01-02T03:04:05Z", **members}


def test_three_completions_dropped_as_csv_become_three_events(institution: Institution) -> None:
    """The story: a file and its manifest in the folder `events`, the result beside it."""
    folders = Folders(institution, "events")
    folders.deliver("completions.csv", HEADER + "".join(ROW.format(id=n) for n in "abc"))
    folders.go()
    assert folders.text("completions.csv.result.txt").startswith("complete")
    assert [event_row.uid for event_row in sent()] == ["a", "b", "c"]
    first = sent()[0]
    assert (first.type, first.subject) == ("courseCompletion", "lee@example.edu")
    assert first.at.isoformat() == "2020-05-18T18:00:13.123000+00:00"
    assert first.payload == {
        "source": "course_completed",
        "type": "status_change",
        "user": "lee@example.edu",
        "companyId": "c-1",
        "notifiableId": "n-1",
        "title": "Safety, part 1",
        "userDetail": {
            "id": "u-1",
            "firstName": "Lee",
            "lastName": "Moreno",
            "externalCustomerId": "0001",
            "client": "k-1",
        },
    }


def test_a_file_sent_again_adds_nothing(institution: Institution) -> None:
    institution.send("events", HEADER + ROW.format(id="a"))
    job = institution.send("events", HEADER + ROW.format(id="a") + ROW.format(id="b"))
    assert counts(job) == {"read": 2, "created": 1, "unchanged": 1}
    assert [event_row.uid for event_row in sent()] == ["a", "b"]


def test_an_event_that_came_by_rest_before_stays_as_it_is(institution: Institution) -> None:
    recording.record_many(institution.tenant.pk, [rules.read(event("a", subject="first"))])
    institution.send("events", "id,type,timestamp,subject\na,free,2026-01-01T00:00:00Z,second\n")
    assert [
        (event_row.subject, event_row.source) for event_row in sent(None) if event_row.uid == "a"
    ] == [("first", "api")]


def test_plain_columns_and_a_local_time(institution: Institution) -> None:
    job = institution.send(
        "events",
        "id,type,timestamp,subject,score,a.b.c,a.d,x,x.y,.z\n"
        "1,free,5/18/2026 2:00 PM,lee,0.9,1,2,3,4,5\n"
        "2,free,2026-05-18,,,,,,,\n",
    )
    assert job.state == "complete", job.reason
    first, second = sent()
    assert first.payload == {
        "score": "0.9",
        "a": {"b": {"c": "1"}, "d": "2"},
        "x": "3",
        "x.y": "4",
        ".z": "5",
    }
    # The institution is in New York.
    assert first.at.isoformat() == "2026-05-18T18:00:00+00:00"
    assert second.at.isoformat() == "2026-05-18T04:00:00+00:00"
    assert (second.subject, second.payload) == ("", {})


def test_very_many_columns_are_no_obstacle(institution: Institution) -> None:
    names = [f"c{n}" for n in range(500)] + [f"d.e{n}" for n in range(200)]
    job = institution.send(
        "events",
        f"id,type,timestamp,{','.join(names)}\n1,free,2026-01-01,{','.join(names)}\n",
    )
    assert job.state == "complete", job.reason
    (event_row,) = sent()
    assert len(event_row.payload) == 501
    assert len(event_row.payload["d"]) == 200


def test_hostile_names_of_columns_are_only_names(institution: Institution) -> None:
    names = ["%s", "a'b", 'q"q', "$1", "{x}", "__proto__", "a.%s", "\N{SNOWMAN}", "\\u0000"]
    cells = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    job = institution.send("events", f"id,type,timestamp,{cells}\n1,free,2026-01-01{',v' * 9}\n")
    assert job.state == "complete", job.reason
    (event_row,) = sent()
    assert set(event_row.payload) == {*names, "a"} - {"a.%s"}


def test_a_row_that_is_no_event_is_rejected(institution: Institution) -> None:
    job = institution.send(
        "events",
        "id,type,timestamp,payload\n"
        "1,free,2026-01-01,\n"
        ",free,2026-01-01,\n"
        "3,two words,2026-01-01,\n"
        "4,free,0000-01-01,\n"
        "5,free,2026-01-01,[1]\n"
        '6,free,2026-01-01,"{""a"": ""\\u0000""}"\n'
        '7,free,2026-01-01,"{""a"": 1}"\n',
    )
    assert counts(job) == {"read": 7, "created": 2, "rejected": 5}
    assert [(event_row.uid, event_row.payload) for event_row in sent()] == [
        ("1", {}),
        ("7", {"a": 1}),
    ]


def test_json_lines_keep_their_types(institution: Institution) -> None:
    text = "\ufeff" + lines(
        event("a", subject="lee", score=0.5, passed=True, tags=["x", 1], deep={"n": None}),
        event("b", payload={"text": 'two\nlines, and a "quote"'}),
    )
    job = institution.send("events", text, file_name="events.jsonl")
    assert job.state == "complete", (job.reason, issues(job))
    a, b = sent()
    assert (a.type, a.subject) == ("free", "lee")
    assert a.payload == {"score": 0.5, "passed": True, "tags": ["x", 1], "deep": {"n": None}}
    assert b.payload == {"text": 'two\nlines, and a "quote"'}


def test_a_wrong_line_is_rejected_with_its_number_and_reason(institution: Institution) -> None:
    text = (
        lines(event("a"))
        + "\n"
        + '{"id": "b",\n'
        + lines(event("c", timestamp="soon"), event("d"))
        + "not json\n"
        + '{"id":"' + "x" * 70_000 + '"}\n'
        + json.dumps(event("e"))
    )  # fmt: skip
    job = institution.send("events", text, file_name="events.ndjson")
    assert counts(job) == {"read": 7, "created": 3, "rejected": 4}
    assert job.state == "incomplete"
    assert [event_row.uid for event_row in sent()] == ["a", "d", "e"]
    rows = rejected(job)
    assert [(row["_line"], row["_code"]) for row in rows] == [
        (line, Code.NOT_JSON) for line in ("3", "4", "6", "7")
    ]
    assert '"timestamp" is "soon"' in rows[1]["_error"]
    assert rows[2]["payload"] == "not json"


@pytest.mark.parametrize("levels", [21, 500, 935, 993, 5_000])
@pytest.mark.parametrize("as_csv", [False, True])
def test_an_event_of_too_many_levels_costs_one_row(
    institution: Institution, levels: int, as_csv: bool
) -> None:
    payload = '{"a":' * levels + "1" + "}" * levels
    if as_csv:
        cell = payload.replace('"', '""')
        rows = [f'{uid},free,2026-01-01,"{text}"' for uid, text in (("a", cell), ("b", "{}"))]
        content, name = "id,event,timestamp,payload\n" + "\n".join(rows) + "\n", "events.csv"
    else:
        deep = f'{{"id":"a","event":"x","timestamp":"2026-01-01T00:00:00Z","payload":{payload}}}\n'
        content, name = deep + lines(event("b")), "events.jsonl"
    job = institution.send("events", content, file_name=name)
    assert (job.state, job.attempt, counts(job)) == (
        "incomplete", 1, {"read": 2, "created": 1, "rejected": 1},
    )  # fmt: skip


def test_bytes_that_are_not_text_cost_one_line(institution: Institution) -> None:
    data = (
        lines(event("a")).encode() + b'{"id": "\xff"}\r\n{"a": "\0"}\n' + lines(event("b")).encode()
    )
    job = institution.send("events", data)
    assert counts(job) == {"read": 4, "created": 2, "rejected": 2}
    assert "UTF-8" in rejected(job)[0]["_error"]


def test_an_endless_line_costs_one_line(institution: Institution) -> None:
    text = lines(event("a")) + "{" + "x" * 3_000_000 + "\n" + lines(event("b"))
    job = institution.send("events", text)
    assert counts(job) == {"read": 3, "created": 2, "rejected": 1}
    assert [row["_line"] for row in rejected(job)] == ["2"]


def test_a_file_of_wrong_lines_fails(institution: Institution) -> None:
    job = institution.send("events", "no\nnone\n", file_name="events.jsonl")
    assert (job.state, job.fault) == ("failed", ImportJob.Fault.SENDER)
    assert sent(None) == []


def test_a_json_array_is_refused_with_what_to_do(institution: Institution) -> None:
    job = institution.send("events", json.dumps([event("a")]), file_name="events.json")
    assert job.state == "failed"
    assert "an object on each line" in job.reason


def test_of_the_same_id_twice_in_a_file_the_first_stands(institution: Institution) -> None:
    job = institution.send("events", lines(event("a"), event("b"), event("a", subject="x")))
    assert counts(job) == {"read": 3, "created": 2, "unchanged": 1}
    assert [(event_row.uid, event_row.subject) for event_row in sent()] == [("a", ""), ("b", "")]


def test_an_undo_leaves_the_events(institution: Institution) -> None:
    job = institution.send("events", lines(event("a")))
    undo = institution.undo(job)
    assert undo.state == "complete"
    assert institution.records("event") == {}
    assert [event_row.uid for event_row in sent()] == ["a"]
    again = institution.send("events", lines(event("a")))
    assert again.state == "complete"
    assert [event_row.uid for event_row in sent()] == ["a"]


@pytest.mark.parametrize("count", [3])
def test_a_finished_import_is_one_event(institution: Institution, count: int) -> None:
    rows = "".join(f"update,u{n},A,B,u{n}@b.org\n" for n in range(count))
    job = institution.send(
        "engage_users", "Action,Username,FirstName,LastName,CampusEmail\n" + rows
    )
    (announced,) = sent("portal")
    assert (announced.uid, announced.type, announced.subject) == (
        f"import-{job.uid}",
        "importFinished",
        job.file_name,
    )
    assert announced.payload == {
        "job": str(job.uid),
        "number": job.pk,
        "recordType": "engage_users",
        "feed": "engage_users",
        "fileName": job.file_name,
        "state": "complete",
        "created": 3,
        "updated": 0,
        "unchanged": 0,
        "removed": 0,
        "rejected": 0,
    }
    undo = institution.undo(job)
    assert [
        event_row.payload["removed"]
        for event_row in sent("portal")
        if str(undo.uid) in event_row.uid
    ] == [3]
    assert len(sent("portal")) == 2


def test_an_import_that_changed_nothing_by_its_fault_is_no_event(institution: Institution) -> None:
    job = institution.send("engage_users", "Nothing\n1\n")
    assert job.state == "failed"
    institution.send("engage_users", "Action,Username,FirstName,LastName,CampusEmail\nx,,,,\n")
    institution.send("events", lines(event("a")), dry_run=True)
    assert sent(None) == []


def template(institution: Institution) -> ImportTemplate:
    spec = {
        "version": 1,
        "columns": ["Number", "Kind", "When", "Who", "Score", "Course"],
        "fields": {
            "id": {"columns": ["Number"]},
            "event": {"columns": ["Kind"], "steps": [{"case": "lower"}]},
            "timestamp": {"columns": ["When"]},
            "subject": {"columns": ["Who"]},
            "result.score": {"columns": ["Score"], "steps": [{"pad": {"width": 3, "with": "0"}}]},
        },
        "own_fields": [{"name": "result.score", "type": "text"}],
    }
    identity = TemplateIdentity(name="Completions", file_names=("completions.csv",))
    actor = Actor(institution.person())
    return acts.create(institution.tenant, actor, identity, "events", parse(spec))


def test_a_template_renames_columns_and_what_it_does_not_know_is_kept(
    institution: Institution,
) -> None:
    """The column Course is known to it and not taken: somebody has left it out."""
    saved = template(institution)
    text = "Number,Kind,When,Who,Score,Course,extra.one\n1,DONE,2026-05-18T00:00:00Z,lee,7,Bio,x\n"
    job = institution.send("events", text, template_version=saved.current)
    assert job.state == "complete", (job.reason, issues(job))
    (event_row,) = sent()
    assert (event_row.type, event_row.subject) == ("done", "lee")
    assert event_row.payload == {"result": {"score": "007"}, "extra": {"one": "x"}}


def test_json_lines_need_no_mapping(institution: Institution) -> None:
    saved = template(institution)
    job = institution.send("events", lines(event("a", n=1)), template_version=saved.current)
    assert job.state == "complete", (job.reason, issues(job))
    assert [(event_row.uid, event_row.payload) for event_row in sent()] == [("a", {"n": 1})]


def test_a_zone_that_the_database_does_not_know_counts_as_utc(institution: Institution) -> None:
    Tenant.objects.filter(pk=institution.tenant.pk).update(time_zone="Moon/Crater")
    institution.send("events", "id,type,timestamp\n1,free,2026-05-18\n")
    assert sent()[0].at.isoformat() == "2026-05-18T00:00:00+00:00"


@pytest.mark.parametrize(
    ("names", "tree"),
    [
        (["a", "b.c", "b.d"], {"a": "a", "b": {"c": "b.c", "d": "b.d"}}),
        (["a.b", "a"], {"a.b": "a.b", "a": "a"}),
        (["a.b.c", "a.b"], {"a.b.c": "a.b.c", "a": {"b": "a.b"}}),
        ([".", "a.", "a..b"], {".": ".", "a.": "a.", "a..b": "a..b"}),
        ([".".join("x" * 30)], {".".join("x" * 30): ".".join("x" * 30)}),
    ],
)
def test_dotted_names_nest_where_they_can(names: list[str], tree: dict[str, Any]) -> None:
    assert as_events.nested({name: name for name in names}) == tree


def test_a_record_read_again_has_the_number_of_its_line(tmp_path: Path) -> None:
    """The attachment fetches late rejects so, where they are too many to be kept."""
    text = io.BytesIO((lines(event("a")) + "nothing\n" + lines(event("b"))).encode())
    with (tmp_path / "lines.csv").open("w+b") as table:
        json_lines.to_csv(text, table)
        dialect = detect(table, table.tell())
        mapping = match(
            json_lines.COLUMNS, catalog().feed("events"), catalog().record_type("event")
        )
        source = FileSource(table, table.tell(), dialect, mapping, json_lines=True)
        ((line, record),) = source.records_on(np.array([3]))
    assert (line, record.split(b",")[0]) == (3, b"b")


def test_corrected_json_lines_come_back_where_they_stand_in_the_attachment(
    institution: Institution,
) -> None:
    """A line that is no event stands in `payload`; corrected there it is an event."""
    folders = Folders(institution, "events")
    bad = json.dumps({"id": "b", "timestamp": "2026-01-02T03:04:05Z"}) + "\nnonsense\n"
    folders.deliver("e.jsonl", lines(event("a")) + bad)
    folders.go()
    groups = {group.message: group.examples for group in ImportJob.objects.get().issue_groups.all()}
    assert len(groups) == 2, "each line gets its own reason"
    table = csv.reader(io.StringIO(folders.text("e.jsonl.errors.csv").lstrip("\ufeff")))
    header, *rows = table
    place = header.index("payload")
    assert [row[place] for row in rows] == bad.splitlines()
    rows[0][place] = json.dumps(event("b", payload={"n": 1.5}), indent=1)
    out = io.StringIO()
    csv.writer(out).writerows([header, *rows])
    folders.deliver("e.jsonl.errors.csv", out.getvalue())
    folders.go()
    second = ImportJob.objects.order_by("pk").last()
    assert second is not None
    assert (second.state, second.rows_rejected) == ("incomplete", 1)
    assert {event.uid: event.payload for event in sent()} == {"a": {}, "b": {"n": 1.5}}
    (group,) = second.issue_groups.all()
    assert group.code == "not_json"
    line = 1 + out.getvalue().replace("\r\n", "\n").split("nonsense")[0].count("\n")
    assert group.examples[0][0] == line, "the attachment's own line"
