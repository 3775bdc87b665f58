"""Who may log in to the drop server, according to the database. Blocks; runs in a thread.

A name that does not exist costs the same queries and the same hash as a name that does
(reliability.md, A29). A ban is an answer to guessed passwords, so it does not apply to keys.
"""

from __future__ import annotations

import hmac
import math
import secrets
import threading
import time
from hashlib import sha256

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.db.models.functions import Lower

from portal import logs
from portal.dropserver import networks
from portal.dropserver.folders import folders
from portal.dropserver.gate import AccountLimits, Banned, Login
from portal.dropserver.paths import canonical
from portal.dropserver.usernames import account_name
from portal.models import Account, AccountKey
from portal.people import scores

log = logs.get(__name__)

_REMEMBERED_FOR = 300.0  # seconds
_HASHES_AT_A_TIME = 2  # an argon2 hash needs 100 MiB; as many for familiar ones


class Logins:
    """Checks names with passwords and keys. Thread-safe."""

    def __init__(self) -> None:
        self._dummy = make_password(secrets.token_urlsafe(24))
        self._hashing = threading.Semaphore(_HASHES_AT_A_TIME)
        self._hashing_familiar = threading.Semaphore(_HASHES_AT_A_TIME)
        self._secret = secrets.token_bytes(32)
        self._remembered: dict[int, tuple[bytes, float]] = {}

    def by_password(self, username: str, password: str, ip: str) -> Login | None:
        """See `Gate.by_password`. Raises Banned, DatabaseError, OSError."""
        counted = account_name(username)  # otherwise its two forms would allow twice the guesses
        if wait := scores.blocked(ip, counted):
            log.warning("drop_login_blocked", ip=ip, name=repr(username), wait=wait.total_seconds())
            minutes = max(1, math.ceil(wait.total_seconds() / 60))
            raise Banned(
                "Too many logins have failed here. Passwords are looked at again in about "
                f"{minutes} min; a key can log in now."
            )
        account, familiar = _account(username), scores.knows(ip, counted)
        if (
            self._matches(account, password, familiar=familiar)
            and account is not None
            and _is_allowed_from(account, ip)
        ):
            scores.succeeded(ip, counted)
            return _login(account, "password")
        scores.failed(ip, counted)
        log.warning("drop_login_failed", ip=ip, name=repr(username))
        return None

    def by_key(self, username: str, key: str, ip: str) -> Login | None:
        """See `Gate.by_key`. Raises DatabaseError, OSError."""
        account = _account(username)
        lines = AccountKey.objects.filter(account=account.pk if account else 0)
        allowed = [" ".join(line.split()[:2]) for line in lines.values_list("line", flat=True)]
        if account is None or key not in allowed or not _is_allowed_from(account, ip):
            return None
        return _login(account, "publickey")

    def _matches(self, account: Account | None, password: str, *, familiar: bool) -> bool:
        """Compare with the stored hash, or with a hash whose password nobody knows.

        familiar: the address has logged in with the name lately: it does not wait behind guesses.
        """
        encoded = account.password if account and account.password else self._dummy
        digest = hmac.digest(self._secret, f"{encoded}\0{password}".encode(), sha256)
        if account and self._is_remembered(account.pk, digest):
            return True
        with self._hashing_familiar if familiar else self._hashing:
            if account and self._is_remembered(account.pk, digest):
                return True
            matches = check_password(password, encoded) and encoded is not self._dummy
        if account and matches:
            self._remembered[account.pk] = (digest, time.monotonic() + _REMEMBERED_FOR)
        return matches

    def _is_remembered(self, account_id: int, digest: bytes) -> bool:
        """Whether this password was right a moment ago: 200 sessions at once need that."""
        remembered, until = self._remembered.get(account_id, (b"", 0.0))
        return time.monotonic() < until and hmac.compare_digest(remembered, digest)


def _account(username: str) -> Account | None:
    """The enabled account of a name, compared without case, in either form of the name."""
    name = username.lower() if username.isprintable() else ""  # PostgreSQL takes no NUL
    accounts = (
        Account.objects.annotate(folded=Lower("username"))
        .filter(folded__in=[name, account_name(name)])
        .filter(enabled=True, endpoint__enabled=True, tenant__enabled=True)
        .select_related("endpoint")
    )
    return max(accounts, key=lambda account: account.username.lower() == name, default=None)


def _is_allowed_from(account: Account, ip: str) -> bool:
    """Whether the account may log in from the address; what cannot be read admits nobody."""
    if not account.is_limited:
        return True
    allowed, unreadable = networks.readable(account.allowed_networks)
    if unreadable:
        log.error("drop_network_unreadable", account=account.pk, networks=repr(unreadable)[:300])
    if networks.contain(allowed, ip):
        return True
    log.warning("drop_login_refused", account=account.pk, ip=ip, limit="allowed_networks")
    return False


def _login(account: Account, method: str) -> Login:
    endpoint, home = account.endpoint, canonical(account.home)
    return Login(
        account_id=account.pk,
        tenant_id=account.tenant_id,
        endpoint_id=endpoint.pk,
        username=account.username,
        root=str(folders(endpoint).joinpath(*home)),  # makes a missing folder again
        method=method,
        limits=AccountLimits(
            sessions=settings.SFTP_MAX_SESSIONS_PER_ACCOUNT,
            open_files=settings.SFTP_MAX_OPEN_FILES_PER_ACCOUNT,
            upload_bytes=settings.SFTP_MAX_UPLOAD_BYTES,
        ),
        home=home,
    )
