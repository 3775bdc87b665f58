"""Stored keys in the form in which keys are compared now: form C, without what nobody sees.

A key of which another record has the new form already stays as it is: two records that are one
person can be told by a person only, and a mirror's next file takes away the one it does not name.
"""

import polars as pl
from django.db import migrations

from imports.check.characters import compared

_AT_ONCE = 10_000
# Keys are in lower case already where their type folds them; long ones end in a digest.
_SELECT = """
    SELECT id, tenant_id, kind_id, key FROM portal_record
    WHERE id > %s AND key ~ '[^\\x1f-\\x7e]' AND key !~ '…[0-9a-f]{64}$' ORDER BY id LIMIT %s
"""
_UPDATE = """
    UPDATE portal_record r SET key = v.key
    FROM (SELECT unnest(%s::bigint[]) AS id, unnest(%s::text[]) AS key) v
    WHERE r.id = v.id AND NOT EXISTS (
        SELECT 1 FROM portal_record o
        WHERE o.tenant_id = r.tenant_id AND o.kind_id = r.kind_id AND o.key = v.key
    )
"""


def fold_keys(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.tenant', '*', true)")
        last = 0
        while True:
            cursor.execute(_SELECT, [last, _AT_ONCE])
            rows = cursor.fetchall()
            if not rows:
                return
            last = rows[-1][0]
            _write(cursor, rows)


def _write(cursor, rows):
    """Give each record its new key, one record at most for each key."""
    keys = compared(pl.Series([row[3] for row in rows], dtype=pl.String), fold=False)
    changed = {}
    for (pk, tenant, kind, before), key in zip(rows, keys, strict=True):
        if key != before:
            changed.setdefault((tenant, kind, key), pk)
    if changed:
        cursor.execute(_UPDATE, [list(changed.values()), [place[2] for place in changed]])


class Migration(migrations.Migration):
    dependencies = [("imports", "0004_drafts_note_the_version_they_saved"), ("portal", "0002_room_for_changes")]

    operations = [migrations.RunPython(fold_keys, migrations.RunPython.noop)]
