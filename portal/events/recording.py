"""Storing events: each id once in a tenant, whatever comes twice or at the same time.

Events are inserted in the order of their ids, so that two transactions with the same events wait
for each other and cannot deadlock. The portal's own events are stored in the same way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from portal.events.rules import Incoming
from portal.models import Event

MOST_AT_ONCE = 10_000
_COLUMNS = "(tenant_id, uid, type, at, subject, payload, source)"
_GIVEN = (
    "unnest(%(uids)s::text[], %(types)s::text[], %(times)s::timestamptz[], %(subjects)s::text[], "
    "%(payloads)s::jsonb[]) AS given (uid, type, at, subject, payload)"
)
_INSERT = f"""
INSERT INTO portal_event {_COLUMNS}
SELECT %(tenant)s, uid, type, at, subject, payload, %(source)s FROM {_GIVEN} ORDER BY uid
ON CONFLICT (tenant_id, uid) DO NOTHING RETURNING uid
"""  # noqa: S608
# In a statement of its own: what another transaction has just committed is visible only now.
_CONFLICTS = f"""
SELECT given.uid FROM {_GIVEN} JOIN portal_event event
ON event.tenant_id = %(tenant)s AND event.uid = given.uid
WHERE (event.type, event.at, event.subject, event.payload)
IS DISTINCT FROM (given.type, given.at, given.subject, given.payload)
"""  # noqa: S608
_ANNOUNCE = f"""
INSERT INTO portal_event {_COLUMNS}
VALUES (%s, %s, %s, now(), %s, %s::jsonb, 'portal') ON CONFLICT (tenant_id, uid) DO NOTHING
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Recorded:
    """How many events were stored. conflicts: ids that are stored already with other content."""

    accepted: int
    duplicates: int
    conflicts: frozenset[str]


def record_many(
    tenant_id: int, events: Sequence[Incoming], source: str = Event.Source.API
) -> Recorded:
    """Store events, at most MOST_AT_ONCE, in the tenant's scope. Their ids must differ.

    An id that is stored already is left as it is: a duplicate where all else is the same too, else
    a conflict. Raises ValueError for more events, or an id twice.
    """
    if len(events) > MOST_AT_ONCE or len({event.uid for event in events}) < len(events):
        raise ValueError(f"At most {MOST_AT_ONCE} events with different ids.")
    if not events:
        return Recorded(0, 0, frozenset())
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, {**_values(tenant_id, events), "source": source})
        stored = {row[0] for row in cursor.fetchall()}
        rest = [event for event in events if event.uid not in stored]
        conflicts: frozenset[str] = frozenset()
        if rest:
            cursor.execute(_CONFLICTS, _values(tenant_id, rest))
            conflicts = frozenset(row[0] for row in cursor.fetchall())
    return Recorded(len(stored), len(rest) - len(conflicts), conflicts)


def announce(tenant_id: int, uid: str, kind: str, subject: str, payload: Mapping[str, Any]) -> None:
    """Store an event of the portal's own at the present time, in the transaction that causes it."""
    written = json.dumps(payload, ensure_ascii=False)
    with connection.cursor() as cursor:
        cursor.execute(_ANNOUNCE, [tenant_id, uid, kind, subject[:300], written])


def _values(tenant_id: int, events: Sequence[Incoming]) -> dict[str, Any]:
    return {
        "tenant": tenant_id,
        "uids": [event.uid for event in events],
        "types": [event.type for event in events],
        "times": [event.at for event in events],
        "subjects": [event.subject for event in events],
        "payloads": [event.payload for event in events],
    }
