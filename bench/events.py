"""The events of the export benchmark, made in the database: a night's course completions."""

from __future__ import annotations

from datetime import UTC, date, datetime

from bench.ground import Ground

DAY = date(2026, 3, 3)
START = datetime(2026, 3, 3, tzinfo=UTC)
END = datetime(2026, 3, 4, tzinfo=UTC)
TYPE = "courseCompletion"
COLUMNS = (
    *("id", "source", "timestamp", "type", "user", "companyId", "event", "notifiableId", "title"),
    *("userDetail.id", "userDetail.firstName", "userDetail.lastName"),
    *("userDetail.externalCustomerId", "userDetail.sfContactId", "userDetail.sfAccountId"),
    *("userDetail.client", "userDetail.ref1", "userDetail.ref2", "userDetail.ref3"),
)

_MAKE = """
INSERT INTO portal_event (tenant_id, uid, type, at, subject, payload, source)
SELECT {tenant}, md5(n::text)::uuid::text, 'courseCompletion',
  '{start}'::timestamptz + n * interval '86.4 seconds' * 1000 / {rows}, '',
  jsonb_build_object(
    'source', 'course_completed', 'type', 'status_change', 'user', 'user' || n || '@example.edu',
    'companyId', md5('c' || n % 50)::uuid, 'notifiableId', md5('n' || n % 900)::uuid,
    'title', CASE n % 7 WHEN 0 THEN 'Safety, "advanced"' WHEN 1 THEN '=1+2' WHEN 2 THEN 'Química'
             ELSE 'Laboratory safety ' || n % 900 END,
    'userDetail', jsonb_build_object(
      'id', md5('u' || n % 20000)::uuid, 'firstName', 'Ana ' || n % 800, 'lastName', 'Núñez',
      'externalCustomerId', lpad((n % 20000)::text, 8, '0'), 'sfContactId', NULL,
      'sfAccountId', NULL, 'client', md5('k' || n % 9)::uuid, 'ref1', 'line one' || chr(10) || n,
      'ref2', '', 'ref3', 'x')),
  'api'
FROM generate_series(0, {rows} - 1) AS n
"""


def make(ground: Ground, tenant: int, rows: int) -> None:
    """Fill the tenant's night with events."""
    ground.run(_MAKE.format(tenant=tenant, rows=rows, start=START.isoformat()))  # type: ignore[arg-type]
    ground.settle()


def plain_csv(tenant: int) -> str:
    """SELECT of the same columns, as anybody would write it for COPY."""
    return _select(tenant, ", ".join(_plain(path) for path in COLUMNS))


def plain_json(tenant: int) -> str:
    """SELECT of one object a row with the same members."""
    named = ["'id', uid", "'timestamp', at", "'event', type"]
    return _select(tenant, f"jsonb_build_object({', '.join(named)}) || payload")


def _select(tenant: int, columns: str) -> str:
    return (
        f"SELECT {columns} FROM portal_event WHERE tenant_id = {tenant} AND type = '{TYPE}' "
        f"AND at >= '{START.isoformat()}' AND at < '{END.isoformat()}'"
    )


def _plain(path: str) -> str:
    own = {"id": "uid", "timestamp": "at", "event": "type"}
    if path in own:
        return own[path]
    outer, _, inner = path.partition(".")
    return f"payload -> '{outer}' ->> '{inner}'" if inner else f"payload ->> '{outer}'"
