"""Health: alive (the process answers) and ready (database and broker answer)."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import redis
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.db.utils import Error as AnyDatabaseError
from django.http import HttpRequest, JsonResponse

from portal import __version__


@login_not_required
def healthz(_request: HttpRequest) -> JsonResponse:
    """Answer 200 with the version. No dependency is queried."""
    return JsonResponse({"status": "ok", "version": __version__})


@login_not_required
def readyz(_request: HttpRequest) -> JsonResponse:
    """Answer 200 if the database and the broker answer, else 503 with what does not."""
    parts = {"database": _database(), "broker": _broker()}
    ready = all(parts.values())
    return JsonResponse(
        {"status": "ok" if ready else "not ready", **parts}, status=200 if ready else 503
    )


def _database() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except AnyDatabaseError:
        return False
    return True


def _url() -> str:
    """The broker's URL as redis-py writes it; kombu writes sockets in another way."""
    parts = urlsplit(settings.REDIS_URL)
    if parts.scheme != "redis+socket":
        return str(settings.REDIS_URL)
    (number,) = parse_qs(parts.query).get("virtual_host", ["0"])[:1]
    return f"unix://{parts.netloc}{parts.path}?db={number}"


def _broker() -> bool:
    try:
        with redis.Redis.from_url(_url(), socket_timeout=2, socket_connect_timeout=2) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError):
        return False
