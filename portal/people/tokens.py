"""API tokens: creation, look-up and revocation. A token is `cwy_<prefix>_<secret>`, shown once."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Q
from django.db.models.functions import Now

from portal import tenancy
from portal.models import ApiToken, Tenant, User

_FORM = re.compile(r"cwy_([a-z0-9]{8})_[A-Za-z0-9_-]{43}")
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
# The last use is stored at most this often.
_USE_NOTED = timedelta(minutes=1)


def make(
    tenant: Tenant,
    name: str,
    scopes: Iterable[str],
    *,
    user: User | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """A new token's row and, only here, the token itself. Must be called in the tenant's scope."""
    prefix = "".join(secrets.choice(_LETTERS) for _place in range(8))
    token = f"cwy_{prefix}_{secrets.token_urlsafe(32)}"
    row = ApiToken.objects.create(
        tenant=tenant,
        name=name,
        prefix=prefix,
        hash=_hash(token),
        scopes=sorted(scopes),
        created_by=user,
        expires_at=expires_at,
    )
    return row, token


def revoke(row: ApiToken) -> bool:
    """Revoke a token. Returns False if it was revoked before."""
    live = ApiToken.objects.filter(pk=row.pk, revoked_at=None)
    return bool(live.update(revoked_at=Now()))


def claimed_prefix(token: str) -> str:
    """The prefix in a token, for counting failed logins; "" if the text is not a token."""
    match = _FORM.fullmatch(token)
    return match[1] if match else ""


def find(token: str) -> ApiToken | None:
    """The live token of an enabled tenant, or None. Stores when it was used."""
    if not claimed_prefix(token):
        return None
    with tenancy.everyone("a token names its tenant"):
        live = Q(expires_at=None) | Q(expires_at__gt=Now())
        rows = ApiToken.objects.select_related("tenant").filter(live, revoked_at=None)
        row = rows.filter(hash=_hash(token), tenant__enabled=True).first()
        if row is not None:
            stale = Q(last_used_at=None) | Q(last_used_at__lt=Now() - _USE_NOTED)
            ApiToken.objects.filter(stale, pk=row.pk).update(last_used_at=Now())
    return row


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
