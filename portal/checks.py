"""Start-up checks: a configuration that is valid but unsafe is refused, with a hint.

Ids are stable (`causeway.E…` refuses, `causeway.W…` warns). Source: reliability.md, rule 30.
"""

from __future__ import annotations

import ipaddress
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.db.utils import DatabaseError

from portal import rls, vault

_SHORTEST_KEY = 32


def secret_key(**_kwargs: Any) -> list[CheckMessage]:
    """The signing key must be set, long, and not from an example."""
    try:
        key = settings.SECRET_KEY
    except ImproperlyConfigured:  # Django's own error for an empty key, without a hint
        key = ""
    if len(key) >= _SHORTEST_KEY and "change-me" not in key and "insecure" not in key:
        return []
    hint = (
        "Set SECRET_KEY or SECRET_KEY_FILE to 50 random characters; bin/up creates "
        "them automatically."
    )
    return [Error("SECRET_KEY is missing, short or an example's.", hint=hint, id="causeway.E001")]


def vault_keys(**_kwargs: Any) -> list[CheckMessage]:
    """The key ring that encrypts secrets must have at least one valid key."""
    try:
        vault.keys(settings.VAULT_KEYS)
    except ImproperlyConfigured as exc:
        hint = "Set VAULT_KEYS or VAULT_KEYS_FILE to k1:<base64 of 32 random bytes>."
        return [Error(str(exc), hint=hint, id="causeway.E002")]
    return []


def debug(**_kwargs: Any) -> list[CheckMessage]:
    """Debug pages show settings and data to anyone."""
    if not settings.DEBUG:
        return []
    return [Error("DEBUG is on.", hint="Unset DEBUG.", id="causeway.E003")]


def lease(**_kwargs: Any) -> list[CheckMessage]:
    """If one missed heartbeat ended a lease, two workers could run one job."""
    if settings.LEASE_SECONDS > 2 * settings.HEARTBEAT_SECONDS > 0:
        return []
    return [
        Error(
            f"LEASE_SECONDS ({settings.LEASE_SECONDS}) is not more than twice "
            f"HEARTBEAT_SECONDS ({settings.HEARTBEAT_SECONDS}), or that is not positive.",
            hint="Keep the defaults 60 and 15.",
            id="causeway.E004",
        )
    ]


def directories(**_kwargs: Any) -> list[CheckMessage]:
    """Nobody else on the machine may write into the directories that hold senders' files."""
    messages: list[CheckMessage] = []
    for path in (settings.DROPS_DIR, settings.SPOOL_DIR, settings.MEDIA_ROOT):
        if path.exists() and stat.S_IMODE(Path(path).stat().st_mode) & 0o002:
            messages.append(
                Error(f"{path} is writable by anyone.", hint="chmod o-w", id="causeway.E005")
            )
    return messages


def plain_http(**_kwargs: Any) -> list[CheckMessage]:
    """Pages for other machines need TLS."""
    local = {"localhost", "127.0.0.1", "[::1]"}
    if settings.HTTPS or set(settings.ALLOWED_HOSTS) <= local:
        return []
    hint = "Put a TLS proxy in front and set HTTPS=yes and BEHIND_PROXY=yes."
    return [Warning("Pages are served without HTTPS.", hint=hint, id="causeway.W001")]


def proxy(**_kwargs: Any) -> list[CheckMessage]:
    """HTTPS=yes without a proxy that reports HTTPS redirects for ever."""
    if settings.BEHIND_PROXY or not settings.HTTPS:
        return []
    hint = "Set BEHIND_PROXY=yes where a TLS proxy sends X-Forwarded-Proto and X-Forwarded-For."
    return [Warning("HTTPS is on without a proxy.", hint=hint, id="causeway.W002")]


def database(databases: Sequence[str] | None = None, **_kwargs: Any) -> list[CheckMessage]:
    """The role must be bound by row-level security, and every tenant table must have it."""
    if not settings.DATABASE_ROLE or not databases:
        return []
    try:
        return _role() + _policies()
    except DatabaseError as exc:
        hint = "Is PostgreSQL running, is DATABASE_URL right, and was `manage.py migrate` run?"
        return [Error(f"The database refuses: {exc}", hint=hint, id="causeway.E010")]


def _role() -> list[CheckMessage]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
        (unbound,) = cursor.fetchone()
    if not unbound:
        return []
    hint = "Leave DATABASE_ROLE at causeway_app, or name another role without these rights."
    message = "The database role is a superuser or bypasses row-level security."
    return [Error(message, hint=hint, id="causeway.E011")]


def _policies() -> list[CheckMessage]:
    tables = rls.unprotected(connection)
    if not tables:
        return []
    message = f"Without row-level security, or missing: {', '.join(tables)}."
    return [Error(message, hint="Run `manage.py migrate`.", id="causeway.E012")]


def export_networks(**_kwargs: Any) -> list[CheckMessage]:
    """A text that is not a network would allow or forbid something unintended."""
    messages: list[CheckMessage] = []
    for text in settings.EXPORT_ALLOWED_NETWORKS:
        try:
            ipaddress.ip_network(text)
        except ValueError as exc:
            hint = "Write networks as 10.20.0.0/16, separated by commas."
            message = f"EXPORT_ALLOWED_NETWORKS: {exc}."
            messages.append(Error(message, hint=hint, id="causeway.E006"))
    return messages


ALL = (secret_key, vault_keys, debug, lease, directories, plain_http, proxy, export_networks)
