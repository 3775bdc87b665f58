"""The export form: made, changed, its rows moved by buttons, and every bad input named."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse

from exports.models import Destination, Export, Server
from portal import tenancy
from portal.models import AuditEntry, Event
from tests.browser import seed_exports
from tests.cast import Cast, as_person
from tests.exports.web.office import acts, export, form, get, make_export, post, server, words


def columns(*rows: tuple[str, str, str]) -> dict[str, str]:
    """Column rows as (header, kind, value)."""
    sent = {"columns": "own"}
    for number, (name, kind, value) in enumerate(rows):
        sent |= {
            f"column-{number}-name": name,
            f"column-{number}-kind": kind,
            f"column-{number}-value": value,
        }
    return sent


def order(page: str) -> list[str]:
    """The headers of the column rows in their order."""
    return [
        piece.split('value="', 1)[1].split('"', 1)[0]
        for piece in page.split('name="column-')[1:]
        if piece.split('"', 1)[0].endswith("-name")
    ]


def test_a_new_export_starts_with_the_seeds_nightly_file(cast: Cast) -> None:
    page = get(cast, "export-new")
    assert 'value="{event}-{id}_{time}-{random}"' in page
    assert 'value="02:00"' in page
    assert '<option value="America/Chicago" selected>' in page


def test_an_export_is_made_with_its_destination_and_audited(cast: Cast) -> None:
    place = server(cast)
    answer = post(
        cast, "export-new", **form(**{"place-0-server": str(place.uid), "place-0-path": "/in"})
    )
    row = export(cast)
    assert answer.redirect_chain == [(reverse("export", args=[row.uid]), 302)]
    assert (row.source, row.columns, row.at) == ({"events": ["courseCompletion"]}, [], time(2))
    assert (row.created_by, row.started_on) == (cast.admin, None)
    with tenancy.everyone("a test looks"):
        there = Destination.objects.get(export=row)
    assert (there.server_id, there.path) == (place.pk, "/in")
    assert acts(cast) == ["export.create"]


def test_save_and_start_needs_a_destination(cast: Cast) -> None:
    answer = post(cast, "export-new", **form(do="start"))
    assert "Not started: Add a destination first" in words(answer)
    assert export(cast).started_on is None


def test_a_change_that_adds_the_first_destination_starts_it_in_the_new_zone(cast: Cast) -> None:
    row = make_export(cast)
    place = server(cast)
    changes = {"do": "start", "time_zone": "Asia/Tokyo", "version": str(row.version)}
    sent = form(**changes, **{"place-0-server": str(place.uid), "place-0-path": "/in"})
    answer = post(cast, "export-change", row.uid, **sent)
    assert "Not started" not in words(answer)
    here = datetime.now(ZoneInfo("Asia/Tokyo")).date()
    assert export(cast).started_on == here


def test_records_are_chosen_by_type(cast: Cast) -> None:
    row = make_export(cast, kind="records", types=[], record_type="accounts", changed="changed")
    assert row.source == {"records": "accounts", "changed": True}
    assert "Changed records: Accounts" in words(get(cast, "export", row.uid))


def test_types_that_are_still_to_come_can_be_named(cast: Cast) -> None:
    row = make_export(cast, more_types="badgeIssued, courseCompletion")
    assert row.source == {"events": ["courseCompletion", "badgeIssued"]}
    page = get(cast, "export-change", row.uid)
    assert 'value="badgeIssued"' in page


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "This field is required."),
        ({"name_pattern": "../{date}"}, "is not allowed in a file name"),
        ({"name_pattern": "nightly"}, "would be the same every night"),
        ({"name_pattern": "{evnt}-{date}"}, "There is no part {evnt}"),
        ({"days": []}, "Choose at least one day."),
        ({"time_zone": "Mars/Olympus"}, "There is no such time zone."),
        ({"at": "25:00"}, "Enter a valid time."),
        ({"keep_days": "0"}, "greater than or equal to 1"),
        ({"kind": "records", "types": []}, "Choose which records are sent."),
        ({"more_types": "x" * 101}, "has 101 characters; an event type has at most 100"),
        ({"place-0-server": "", "place-0-path": "/in"}, "Choose a server, or remove this row."),
        (columns(("a", "path", "x"), ("a", "path", "y")), "There are two columns “a”. Rename one."),
        (columns(("", "path", "x")), "is empty, invisible or longer"),
        (columns(("a", "path", "")), "The path of column “a” is empty."),
        (columns(("a", "path", "x..y")), "has nothing before, after or between its dots"),
        (
            {**columns(("a", "path", "x"), ("a.b", "path", "y")), "format": "json"},
            "cannot be a value and contain",
        ),
    ],
)
def test_each_bad_input_is_named_and_nothing_is_saved(
    cast: Cast, changes: dict[str, Any], message: str
) -> None:
    answer = post(cast, "export-new", **form(**changes))
    assert answer.status_code == 422
    assert message in words(answer).replace("&quot;", '"')
    with tenancy.everyone("a test looks"):
        assert not Export.objects.exists()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (" /in", "begins or ends with a space"),
        ("/in\u200b", "an invisible character"),
        ("sftp://u:p@h.example/in", "This is a full address"),
        ("/" + "x" * 500, "longer than 500 characters"),
    ],
)
def test_a_bad_folder_is_named_at_its_row(cast: Cast, path: str, message: str) -> None:
    place = {"place-0-server": str(server(cast).uid), "place-0-path": path}
    answer = post(cast, "export-new", **form(**place))
    assert answer.status_code == 422
    assert message in words(answer)


def test_one_folder_named_twice_is_told(cast: Cast) -> None:
    uid = str(server(cast).uid)
    rows = {f"place-{n}-{name}": v for n in (0, 1) for name, v in (("server", uid), ("path", "/x"))}
    answer = post(cast, "export-new", **form(**rows))
    assert "This folder appears twice." in words(answer)


def test_a_name_that_is_taken_is_told_without_case(cast: Cast) -> None:
    make_export(cast)
    answer = post(cast, "export-new", **form(name="completed COURSES"))
    assert answer.status_code == 422
    assert "Another export has this name." in words(answer)


def test_a_server_of_another_tenant_cannot_be_chosen(cast: Cast) -> None:
    with tenancy.everyone("a test makes a server"):
        foreign = Server.objects.create(
            tenant=cast.abroad, name="Theirs", host="x.example", username="u"
        )
    place = {"place-0-server": str(foreign.uid), "place-0-path": ""}
    answer = post(cast, "export-new", **form(**place))
    assert "Choose a server, or remove this row." in words(answer)
    assert "Theirs" not in words(answer)


def test_of_two_people_who_save_the_second_is_told_what_differs(cast: Cast) -> None:
    row = make_export(cast)
    post(cast, "export-change", row.uid, **form(at="03:00", version="1"))
    answer = post(cast, "export-change", row.uid, **form(keep_days="7", version="1"))
    assert answer.status_code == 409
    assert "Somebody saved this export in the meantime" in words(answer)
    assert "Your version differs in: Time of day, Keep files for." in words(answer)
    fresh = export(cast)
    assert (fresh.at, fresh.keep_days, fresh.version) == (time(3), 30, 2)
    # Knowing that, saving again is a decision.
    assert 'name="version" value="2"' in answer.content.decode()
    post(cast, "export-change", row.uid, **form(keep_days="7", version="2"))
    assert export(cast).keep_days == 7


def test_a_change_is_audited_with_what_changed(cast: Cast) -> None:
    row = make_export(cast)
    post(cast, "export-change", row.uid, **form(at="04:30", version="1"))
    with tenancy.everyone("a test looks"):
        entry = AuditEntry.objects.get(action="export.change")
    assert entry.detail == {"name": "Completed courses", "changed": "at"}
    assert entry.user == cast.admin


def test_the_usual_columns_become_rows_to_change(cast: Cast) -> None:
    page = post(cast, "export-new", **form(do="columns-own")).content.decode()
    assert order(page)[:3] == ["id", "source", "timestamp"]
    assert len(order(page)) == 19


@pytest.mark.parametrize(
    ("do", "expected"),
    [
        ("column-up-1", ["b", "a", "c"]),
        ("column-down-1", ["a", "c", "b"]),
        ("column-remove-0", ["b", "c"]),
        ("column-add", ["a", "b", "c", ""]),
        ("column-up-0", ["a", "b", "c"]),
        ("column-down-2", ["a", "b", "c"]),
        ("column-up-99", ["a", "b", "c"]),
        ("column-up-x", ["a", "b", "c"]),
        ("nonsense", ["a", "b", "c"]),
    ],
)
def test_rows_are_moved_without_script_and_without_faults(
    cast: Cast, do: str, expected: list[str]
) -> None:
    rows = columns(("a", "path", "x"), ("b", "constant", ""), ("c", "path", "z"))
    answer = post(cast, "export-new", **form(do=do, name="", **rows))
    assert answer.status_code == 200
    assert order(answer.content.decode()) == expected
    assert "field-error" not in answer.content.decode()


def test_own_columns_are_saved_in_their_order_with_constants(cast: Cast) -> None:
    rows = columns(("Who", "path", "user"), ("School", "constant", "Harbor "))
    row = make_export(cast, **rows)
    assert row.columns == [
        {"name": "Who", "path": "user"},
        {"name": "School", "constant": "Harbor "},
    ]
    page = get(cast, "export-change", row.uid)
    assert order(page) == ["Who", "School"]


def test_a_path_that_no_event_has_is_named_with_what_was_meant(cast: Cast) -> None:
    seed_exports.everything(cast, runs=0)
    rows = columns(("First", "path", "userdetail.firstname"), ("X", "path", "nothing.like.it"))
    text = words(post(cast, "export-new", **form(do="show", **rows)))
    assert "None of the newest items has this path. Did you mean userDetail.firstName?" in text
    assert "None of the newest items has this path: the column would be empty." in text


def test_sample_values_are_shown_beside_a_path(cast: Cast) -> None:
    seed_exports.everything(cast, runs=0)
    asked = {"number": "3", "kind": "events", "types": "courseCompletion",
             "column-3-value": "userDetail.lastName", "column-3-kind": "path"}  # fmt: skip
    assert "Lovelace 0" in get(cast, "export-sample", **asked)


def test_samples_come_from_ones_own_tenant_only(cast: Cast) -> None:
    seed_exports.everything(cast, runs=0)
    with tenancy.everyone("a test looks"):
        assert Event.objects.filter(tenant=cast.home).exists()
    asked = {"number": "0", "kind": "events", "column-0-value": "userDetail.lastName"}
    assert "Lovelace" not in get(cast, "export-sample", person="outsider", **asked)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{event}_{date}", "courseCompletion_"),
        ("{date:%Y%m%d}", ".csv.gz"),
        ("a/{date}", "“/” is not allowed in a file name"),
        ("", "The file name is empty."),
    ],
)
def test_the_file_name_is_shown_while_it_is_typed(cast: Cast, pattern: str, message: str) -> None:
    asked = {"name_pattern": pattern, "format": "csv", "compression": "gzip"}
    asked |= {"time_zone": "America/Chicago", "kind": "events", "types": "courseCompletion"}
    assert message in words(get(cast, "export-name-preview", **asked))


def test_a_preview_of_nonsense_is_empty_and_no_fault(cast: Cast) -> None:
    asked = {"name_pattern": "{date}", "format": "exe", "time_zone": "Mars/Olympus"}
    assert words(get(cast, "export-name-preview", **asked)) == ""


def test_an_address_in_the_form_makes_a_server_and_a_destination(cast: Cast) -> None:
    url = "sftp://ada:p%40ss@files.partner.example:2022/in/box"
    answer = post(cast, "export-new", **form(do="url", url=url))
    assert answer.status_code == 200
    assert 'value="/in/box"' in answer.content.decode()
    assert "p%40ss" not in answer.content.decode()
    with tenancy.everyone("a test looks"):
        row = Server.objects.get()
    assert (row.host, row.port, row.username) == ("files.partner.example", 2022, "ada")
    assert acts(cast) == ["server.create"]


def test_a_stray_blank_in_an_address_is_named_with_its_place(cast: Cast) -> None:
    answer = post(cast, "export-new", **form(do="url", url="sftp://ada:x@h.example /in"))
    assert answer.status_code == 422
    assert "is a space; remove it" in words(answer)
    assert 'value="Completed courses"' in answer.content.decode()


def test_a_hostile_name_is_text(cast: Cast) -> None:
    row = make_export(cast, name="<script>x</script>")
    for page in (get(cast, "export", row.uid), get(cast, "exports")):
        assert "<script>x" not in page
        assert "&lt;script&gt;x" in page


def test_only_an_admin_sees_the_form(cast: Cast) -> None:
    row = make_export(cast)
    for person in ("viewer", "manager"):
        client = as_person(cast, person)
        assert client.get(reverse("export-new")).status_code == 403
        assert client.post(reverse("export-change", args=[row.uid]), form()).status_code == 403
