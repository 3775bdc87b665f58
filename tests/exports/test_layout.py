"""Columns: the dictionary's header, paths and constants, and what cannot be a column."""

from __future__ import annotations

from typing import Any

import pytest

from exports import layout
from exports.layout import Column
from portal.events.types import known_types
from portal.faults import Refused

HEADER = (
    "id,source,timestamp,type,user,companyId,event,notifiableId,title,userDetail.id,"
    "userDetail.firstName,userDetail.lastName,userDetail.externalCustomerId,"
    "userDetail.sfContactId,userDetail.sfAccountId,userDetail.client,userDetail.ref1,"
    "userDetail.ref2,userDetail.ref3"
)
COMPLETIONS = {"events": ["courseCompletion"]}


def test_course_completions_have_the_header_of_the_dictionary() -> None:
    chosen = layout.columns(COMPLETIONS, [])
    assert ",".join(layout.header(chosen)) == HEADER
    assert all(column.name == column.path for column in chosen)


@pytest.mark.parametrize("source", [{}, {"events": []}, {"events": ["a", "b"]}, {"events": ["a"]}])
def test_other_events_are_shown_whole(source: dict[str, Any]) -> None:
    names = layout.header(layout.columns(source, []))
    assert names == ["id", "timestamp", "event", "subject", "payload"]


def test_records_have_the_fields_of_their_type() -> None:
    names = layout.header(layout.columns({"records": "accounts", "changed": False}, []))
    assert "PersonIdentifier" in names and "active" not in names
    changed = layout.header(layout.columns({"records": "accounts", "changed": True}, []))
    assert changed == [*names, "active"]


def test_stored_columns_keep_their_order_names_paths_and_constants() -> None:
    stored = [{"name": "B", "path": "a.b"}, {"name": "A", "constant": ""}]
    assert layout.columns(COMPLETIONS, stored) == [Column("B", "a.b"), Column("A")]


@pytest.mark.parametrize(
    "stored, words",
    [
        (["x"], "no name"),
        ([{"name": " ", "path": "a"}], "empty"),
        ([{"name": "a\nb", "path": "a"}], "invisible"),
        ([{"name": "a"}], "either a path or a constant"),
        ([{"name": "a", "path": "b", "constant": "c"}], "either"),
        ([{"name": "a", "path": "b..c"}], "dots"),
        ([{"name": "a", "path": ".b"}], "dots"),
        ([{"name": "a", "path": ""}], "empty"),
        ([{"name": "a", "path": "x" * 300}], "too long"),
        ([{"name": "a", "path": 7}], "empty"),
        ([{"name": "a", "constant": 7}], "not a text"),
        ([{"name": "a", "path": "b"}, {"name": "a", "path": "c"}], "two columns"),
        ([{"name": str(n), "path": "a"} for n in range(501)], "maximum"),
    ],
)
def test_what_cannot_be_a_column_is_named(stored: list[Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        layout.columns(COMPLETIONS, stored)


def test_a_fault_of_a_column_says_where_it_is() -> None:
    stored = [{"name": "a", "path": "a"}, {"name": "b", "path": "x..y"}]
    with pytest.raises(Refused) as caught:
        layout.columns(COMPLETIONS, stored)
    (fault,) = caught.value.faults
    assert (fault.where, fault.code) == ("columns[1].path", "empty_step")


def test_an_unknown_record_type_is_named() -> None:
    with pytest.raises(Refused, match="no record type “nobody”"):
        layout.columns({"records": "nobody"}, [])


def test_dots_in_names_make_objects_in_json() -> None:
    columns = [Column("a"), Column("b.c"), Column("b.d.e"), Column("x."), Column("..")]
    assert layout.nested(columns) == {
        "a": columns[0],
        "b": {"c": columns[1], "d": {"e": columns[2]}},
        "x.": columns[3],
        "..": columns[4],
    }


@pytest.mark.parametrize("pair", [("a", "a.b"), ("a.b", "a"), ("a.b.c", "a.b")])
def test_a_name_that_is_a_value_and_an_object_is_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(Refused, match="In JSON"):
        layout.nested([Column(name) for name in pair])


def test_every_member_of_a_known_event_type_has_a_column() -> None:
    for name, event_type in known_types().items():
        paths = {column.path for column in layout.columns({"events": [name]}, [])}
        assert {member.name for member in event_type.members} <= paths
