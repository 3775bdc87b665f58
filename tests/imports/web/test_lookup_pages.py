"""The pages of look-up tables, and the step that uses one in the wizard."""

from __future__ import annotations

from typing import Any

from imports.mapping.parsing import parse
from imports.models import LookupTable
from imports.web import lookup_forms
from tests.imports.web.desk import SPEC, Desk, file

CSV = "code,school\n1,North\n2,South\n"
HOSTILE = '<script>x</script>"><img src=x>'


def table_of(desk: Desk, text: str = CSV, name: str = "Schools", **more: Any) -> LookupTable:
    desk.post("lookup-create", name=name, pasted=text, **more)
    return LookupTable.objects.get(tenant=desk.institution.tenant, name=name)


def looking_up(**step: Any) -> dict[str, Any]:
    steps = [{"lookup": {"table": "Schools", **step}}]
    return {"fields": {**SPEC["fields"], "LastName": {"columns": ["Nachname"], "steps": steps}}}


def test_without_a_table_it_says_what_one_is_for(desk: Desk) -> None:
    assert "No look-up tables yet" in desk.get("lookups")


def test_a_table_is_pasted_or_uploaded(desk: Desk) -> None:
    text = desk.post("lookup-create", name="Pasted", pasted="code\tschool\n1\tNorth\n")
    assert "Table created." in text
    text = desk.post("lookup-create", name="Sent", file=file("t.csv", CSV), key="school")
    assert "2 rows · version 1" in text
    sent = LookupTable.objects.get(name="Sent")
    assert sent.current is not None
    assert sent.current.columns == ["school", "code"]
    listed = desk.get("lookups")
    assert "Pasted" in listed
    assert "Sent" in listed


def test_what_is_wrong_with_a_table_is_said_and_what_was_typed_stays(desk: Desk) -> None:
    text = desk.post("lookup-create", name="Schools", pasted="a,b\n1,x\n1,y\n", status=422)
    assert "Line 3: the key &quot;1&quot; is already on line 2" in text
    assert "1,y" in text
    assert "Choose a file, or paste" in desk.post("lookup-create", name="S", status=422)
    both = desk.post("lookup-create", name="S", pasted=CSV, file=file("t.csv", CSV), status=422)
    assert "Send only one of them" in both
    assert not LookupTable.objects.filter(tenant=desk.institution.tenant).exists()


def test_a_file_that_is_too_large_is_refused_in_words(desk: Desk, monkeypatch: Any) -> None:
    monkeypatch.setattr(lookup_forms, "MOST_BYTES", 100)
    monkeypatch.setattr("imports.mapping.table_files.MOST_BYTES", 100)
    big = file("t.csv", CSV + "3,x" * 100)
    text = desk.post("lookup-create", name="Big", file=big, status=422)
    assert "The table is larger than" in text


def test_the_page_shows_the_rows_and_finds_some(desk: Desk) -> None:
    hostile = HOSTILE.replace('"', '""')
    table = table_of(desk, f'code,school\n1,North\n2,"{hostile}"\n', HOSTILE[:20])
    text = desk.get("lookup", table.uid)
    assert "<script>x" not in text
    assert "North" in text
    page = desk.get("lookup", table.uid, find="NORTH")
    assert 'aria-label="Remove 1"' in page
    assert 'aria-label="Remove 2"' not in page
    assert "No rows contain this text." in desk.get("lookup", table.uid, find="zzz")


def test_a_row_is_changed_added_and_removed(desk: Desk) -> None:
    table = table_of(desk)
    row = {"based_on": 1, "cell-0": "2", "cell-1": "Sud"}
    assert "Changed “2”." in desk.post("lookup-row", table.uid, **row)
    text = desk.post("lookup-row", table.uid, **row, status=409)
    assert "Version 2 was saved" in text
    assert 'value="Sud"' in text
    text = desk.post("lookup-row-remove", table.uid, based_on=2, key="1")
    assert "Removed “1”." in text
    table.refresh_from_db()
    assert table.current is not None
    assert table.current.rows == [["2", "Sud"]]


def test_the_content_is_replaced_at_once_and_kept_as_a_version(desk: Desk) -> None:
    table = table_of(desk)
    assert "1,North" in desk.get("lookup", table.uid)
    text = desk.post("lookup-replace", table.uid, based_on=1, pasted="code,school\n9,West\n")
    assert "1 row · version 2" in text
    assert "Version 1" in text
    old = desk.client.get(f"/lookups/{table.uid}/1.csv")
    assert old.content.decode("utf-8-sig").splitlines() == ["code,school", "1,North", "2,South"]
    refused = desk.post("lookup-replace", table.uid, based_on=2, pasted="x", status=422)
    assert "Found 1 columns" in refused


def test_it_says_who_uses_a_table_and_refuses_to_delete_it(desk: Desk) -> None:
    table = table_of(desk)
    template = desk.template(**looking_up())
    for text in (desk.get("lookups"), desk.get("lookup", table.uid)):
        assert f"/templates/{template.uid}/" in text
    refused = desk.post("lookup-delete", table.uid, status=422)
    assert "It is used by “People”." in refused
    assert "looked up in &quot;Schools&quot;; the rest rejected" in desk.get(
        "template", template.uid
    )
    desk.post("template-delete", template.uid)
    assert "was deleted" in desk.post("lookup-delete", table.uid)
    assert desk.trail()[-1] == "lookup.delete"


def test_a_job_says_which_version_of_a_table_it_ran_with(desk: Desk) -> None:
    table_of(desk, "code,school\nLovelace,L\nNoether,N\n")
    job = desk.send(desk.template(**looking_up()))
    assert job.state == "complete"
    text = desk.get("job", job.uid)
    assert "Look-up tables" in text
    assert "Schools, version 1" in text


def test_the_spec_of_the_step_is_what_the_pages_write(desk: Desk) -> None:
    assert parse({**SPEC, **looking_up(column="school", other="default", default="?")})
