"""The common score of failed logins, for pages, API and drop server, kept in PostgreSQL.

An address that fails LOGIN_FAILURES times for a name, without a pause of LOGIN_BAN_SECONDS, is
banned for that name for LOGIN_BAN_SECONDS. One that has failed for so many names within that time
is banned for all names that it has not logged in with within 30 days; a login takes its name out of
that count: the people of a school behind one address do not ban each other. Failures for a name
from all addresses only slow down guessing: after five times as many, each costs a pause of 1 to 30
seconds, except for an address that has logged in with that name within 30 days. So nobody can lock
a tenant out by knowing a user name. Callers call `blocked` first and then `failed` or `succeeded`.
Source: issue 2, part 3 ("one score for failed logins with a ban that expires").
"""

from __future__ import annotations

import hashlib
import ipaddress
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection

NAME_FACTOR = 5
LONGEST_PAUSE = 30
KNOWN_FOR = timedelta(days=30)
_LONGEST_NAME = 200
_RESERVED = "|=#"

_BLOCKED = """
WITH stranger AS (SELECT NOT EXISTS (
    SELECT FROM portal_loginscore WHERE key = %(known)s
    AND last_at > clock_timestamp() - %(known_for)s) AS yes),
banned AS (
    SELECT banned_until FROM portal_loginscore, stranger
    WHERE banned_until > clock_timestamp() AND (key = %(pair)s OR (key = %(name)s AND yes))),
sprayed AS (
    SELECT last_at FROM portal_loginscore
    WHERE key LIKE %(of_address)s AND last_at > clock_timestamp() - %(window)s
    ORDER BY last_at DESC OFFSET %(most)s - 1 LIMIT 1)
SELECT greatest(
    (SELECT max(banned_until) FROM banned),
    (SELECT last_at + %(window)s FROM sprayed, stranger WHERE yes)) - clock_timestamp()
"""

# A running ban is not prolonged; after a pause as long as a ban the count begins again.
_FAILED = """
INSERT INTO portal_loginscore AS score (key, failures, last_at, banned_until)
SELECT key, 1, clock_timestamp(), CASE WHEN most <= 1 THEN clock_timestamp() + ban END
FROM (VALUES (%(pair)s, %(most)s, %(window)s), (%(name)s, %(most_name)s, interval '1 second'))
    AS fresh (key, most, ban)
ON CONFLICT (key) DO UPDATE SET
    failures = CASE WHEN score.last_at < clock_timestamp() - %(window)s
        THEN 1 ELSE least(score.failures + 1, 1000000) END,
    last_at = clock_timestamp(),
    banned_until = CASE
        WHEN score.last_at < clock_timestamp() - %(window)s THEN excluded.banned_until
        WHEN score.key = %(pair)s AND score.failures + 1 >= %(most)s
        THEN clock_timestamp() + %(window)s
        WHEN score.key = %(name)s AND score.failures + 1 >= %(most_name)s
        THEN clock_timestamp() + interval '1 second'
            * least(%(pause)s, power(2, least(score.failures + 1 - %(most_name)s, 10)))
    END
WHERE score.banned_until IS NULL OR score.banned_until <= clock_timestamp()
"""

# Most logins are repeated within an hour and then write nothing.
_SUCCEEDED = """
WITH forgiven AS (DELETE FROM portal_loginscore WHERE key = %(pair)s)
INSERT INTO portal_loginscore (key, failures, last_at)
SELECT %(known)s, 0, clock_timestamp() WHERE NOT EXISTS (
    SELECT FROM portal_loginscore WHERE key = %(known)s
    AND last_at > clock_timestamp() - interval '1 hour')
ON CONFLICT (key) DO UPDATE SET last_at = excluded.last_at
"""

_EXPIRE = """
DELETE FROM portal_loginscore
WHERE last_at < clock_timestamp() - CASE WHEN key LIKE '=%%' THEN %(known_for)s ELSE %(window)s END
AND (banned_until IS NULL OR banned_until <= clock_timestamp())
"""


def blocked(address: str, name: str) -> timedelta | None:
    """How long this address must still wait to try this name; None where it may try now."""
    with connection.cursor() as cursor:
        cursor.execute(_BLOCKED, _values(address, name))
        (wait,) = cursor.fetchone()
    return wait if wait and wait > timedelta(0) else None


def knows(address: str, name: str) -> bool:
    """Whether this address has logged in with this name within 30 days."""
    values = _values(address, name)
    since = "SELECT EXISTS (SELECT FROM portal_loginscore WHERE key = %(known)s"
    with connection.cursor() as cursor:
        cursor.execute(f"{since} AND last_at > clock_timestamp() - %(known_for)s)", values)
        (exists,) = cursor.fetchone()
    return bool(exists)


def failed(address: str, name: str) -> None:
    """Count a wrong password or key. name: what the client sent, whether or not it exists."""
    with connection.cursor() as cursor:
        cursor.execute(_FAILED, _values(address, name))


def succeeded(address: str, name: str) -> None:
    """Delete the failures of this address for this name, and remember that it has logged in."""
    with connection.cursor() as cursor:
        cursor.execute(_SUCCEEDED, _values(address, name))


def expire() -> int:
    """Delete scores that no longer matter. Returns how many; the sweep calls it."""
    with connection.cursor() as cursor:
        values: dict[str, Any] = {"window": _window(), "known_for": KNOWN_FOR}
        cursor.execute(_EXPIRE, values)
        return int(cursor.rowcount)


def _values(address: str, name: str) -> dict[str, Any]:
    place, person = _address(address), _name(name)
    return {
        "pair": f"{place}|{person}",
        "of_address": f"{place}|%",
        "name": person,
        "known": f"={place}|{person}",
        "known_for": KNOWN_FOR,
        "window": _window(),
        "most": settings.LOGIN_FAILURES,
        "most_name": settings.LOGIN_FAILURES * NAME_FACTOR,
        "pause": LONGEST_PAUSE,
    }


def _window() -> timedelta:
    return timedelta(seconds=settings.LOGIN_BAN_SECONDS)


def _address(address: str) -> str:
    """The address as a key: IPv4 unchanged, IPv6 as its /64, which belongs to one customer."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "?"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), 64), strict=False).network_address)


def _name(name: str) -> str:
    """The name as a key; a long or unprintable name is replaced by its hash."""
    folded = name.strip().lower()
    plain = folded.isprintable() and not any(mark in folded for mark in _RESERVED)
    if plain and 0 < len(folded) <= _LONGEST_NAME:
        return folded
    return "#" + hashlib.sha256(folded.encode("utf-8", "surrogatepass")).hexdigest()
