"""Identifiers that came without the zeros that the stored ones begin with."""

from __future__ import annotations

from django.db import connection

from imports.load import lost_zeros
from imports.load.staging import StagingTable
from imports.load.stored import Target
from portal.models import RecordKind
from tests.imports.institution import Institution

ACCOUNTS = "PersonIdentifier,FirstName,LastName,Email\n"


def test_new_numbers_that_only_lack_stored_zeros_are_counted_also_below_ten(
    institution: Institution,
) -> None:
    rows = "00031,A,B,a@b.org\n0032,C,D,c@d.org\n33,E,F,e@f.org\n0x1,G,H,g@h.org\n"
    job = institution.send("accounts", ACCOUNTS + rows)
    stage = StagingTable(job)
    target = Target(institution.tenant.pk, RecordKind.objects.get(name="accounts").pk)
    keys = ["31", "32", "33", "34", "x1"]
    insert = "INSERT INTO {rows} (line, key) SELECT * FROM unnest(%s::bigint[], %s::text[])"
    matches = "CREATE UNLOGGED TABLE {matches} AS SELECT 4::bigint AS line, 'same' AS verdict"
    with connection.cursor() as cursor:
        cursor.execute(stage.statement("CREATE UNLOGGED TABLE {rows} (line bigint, key text)"))
        cursor.execute(stage.statement(insert), [list(range(2, 7)), keys])
        cursor.execute(stage.statement(matches))
    try:
        measured = lost_zeros.measure(stage, target, 5)
    finally:
        stage.drop()
    assert measured.count == 2
    assert measured.examples == ((2, "31", "00031"), (3, "32", "0032"))
    assert "31 on line 2 for 00031" in measured.sentence()
