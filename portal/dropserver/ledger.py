"""The gate to the database and the broker (`gate.py` describes its methods)."""

from __future__ import annotations

import asyncio
import socket
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from django.db import Error as DatabaseError
from django.db import close_old_connections, connection
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from portal import beats, bell, logs, tenancy
from portal.dropserver.gate import EndedUpload, Ending, Login, TryLater
from portal.dropserver.journal import Journal
from portal.dropserver.logins import Logins
from portal.dropserver.paths import Path
from portal.dropserver.rights import Ownership
from portal.models import Account, DropSession, Upload

log = logs.get(__name__)

Answer = TypeVar("Answer")

_THREADS = 6
_MOST_WAITING = 500  # logins and questions that wait for the database
_PATIENCE = 30.0  # seconds for questions that run when the server stops
_RING_INTERVAL = 1.0  # seconds, for one tenant
_SILENT_FOR = timedelta(seconds=90)  # after so long the server of a session is taken for lost


@dataclass(slots=True)
class _Row:
    """A row that the journal makes; its key is set once it is written."""

    pk: int | None = None


class Ledger:
    """Logins, records and the doorbell. Must be created on the server's event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._logins = Logins()
        self._journal = Journal()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="ledger")
        self._bell = ThreadPoolExecutor(1, thread_name_prefix="bell")
        self._waiting = 0
        self._rows: dict[uuid.UUID, _Row] = {}
        self._sessions: set[uuid.UUID] = set()
        self._unwritten: dict[tuple[int, str], Ownership] = {}
        self._rung: dict[int, float] = {}
        self._ringing: set[int] = set()

    async def by_password(self, username: str, password: str, ip: str) -> Login | None:
        """See `Gate`."""
        return await self._ask(lambda: self._logins.by_password(username, password, ip))

    async def by_key(self, username: str, key: str, ip: str) -> Login | None:
        """See `Gate`."""
        return await self._ask(lambda: self._logins.by_key(username, key, ip))

    async def ownership(self, login: Login, path: Path) -> Ownership:
        """See `Gate`: the newest complete upload of a path names the owner."""
        text = _text(login, path)
        if unwritten := self._unwritten.get((login.endpoint_id, text)):
            return unwritten
        return await self._ask(lambda: _ownership(login.endpoint_id, text))

    def session_started(self, login: Login, ip: str, client: str) -> uuid.UUID:
        """See `Gate`."""
        uid, row = uuid.uuid4(), _Row()
        self._rows[uid] = row
        self._sessions.add(uid)
        self._journal.add(partial(_start_session, row, uid, login, ip, client))
        log.info("drop_session_started", account=login.account_id, ip=ip, client=repr(client))
        return uid

    def session_ended(self, session: uuid.UUID, login: Login, reason: str) -> None:
        """See `Gate`."""
        row, ended = self._rows.pop(session), timezone.now()
        self._sessions.discard(session)
        self._journal.add(partial(_end_session, row, ended, reason))
        log.info("drop_session_ended", account=login.account_id, reason=repr(reason))

    def upload_opened(self, session: uuid.UUID, login: Login, path: Path) -> uuid.UUID:
        """See `Gate`."""
        uid, row, visit = uuid.uuid4(), _Row(), self._rows.get(session, _Row())
        self._rows[uid] = row
        self._journal.add(partial(_open_upload, row, visit, login, _text(login, path)))
        return uid

    def upload_ended(self, upload: uuid.UUID, login: Login, path: Path, ended: EndedUpload) -> None:
        """See `Gate`."""
        self._journal.add(partial(_end_upload, self._rows.pop(upload), ended, timezone.now()))
        if ended.ending is Ending.COMPLETE:
            self._remember_owner(login, path, ended.source)
        log.info(
            f"drop_upload_{ended.ending}",
            account=login.account_id,
            path=repr(path),
            size=ended.size,
        )

    def renamed(self, login: Login, old: Path, new: Path) -> None:
        """See `Gate`."""
        before, after = _text(login, old), _text(login, new)
        self._unwritten.pop((login.endpoint_id, before), None)
        self._journal.add(partial(_rename, login, before, after, timezone.now()))
        self._remember_owner(login, new)

    def removed(self, login: Login, path: Path) -> None:
        """See `Gate`: the row of the upload stays as history."""
        log.info("drop_file_removed", account=login.account_id, path=repr(path))

    def name_appeared(self, login: Login, path: Path) -> None:
        """See `Gate`: rings once the records are written, so that the collector sees them."""
        self._journal.add(lambda: self._call_on_loop(partial(self._ring_soon, login.tenant_id)))

    async def report_alive(self, every: float = 30) -> None:
        """Record which sessions are alive, and end those whose server died. Runs for ever."""
        name = f"drop@{socket.gethostname()}"
        while True:
            alive = list(self._sessions)
            self._journal.add(partial(beats.beat, name, sessions=len(alive)))
            self._journal.add(partial(_mark_alive, alive))
            await asyncio.sleep(every)

    def close(self) -> None:
        """Write what is left. Blocks for up to 12 seconds if the database does not answer."""
        self._journal.close()
        barrier = threading.Barrier(_THREADS)
        for _ in range(_THREADS):
            self._pool.submit(_leave_database, barrier)
        self._pool.shutdown()
        self._bell.shutdown(wait=False, cancel_futures=True)

    def flush(self) -> None:
        """Wait until everything that has happened is written. Blocks."""
        self._journal.flush()

    def _ring_soon(self, tenant: int) -> None:
        """Ring at most once a second for a tenant, but never leave out the last time."""
        if tenant in self._ringing:
            return
        self._ringing.add(tenant)
        since = self._loop.time() - self._rung.get(tenant, float("-inf"))
        self._loop.call_later(max(0.0, _RING_INTERVAL - since), self._ring, tenant)

    def _ring(self, tenant: int) -> None:
        self._rung[tenant] = self._loop.time()
        self._ringing.discard(tenant)
        self._bell.submit(bell.ring, bell.POLL, tenant)

    def _remember_owner(self, login: Login, path: Path, source: str = "") -> None:
        """Remember the owner of a file while its record waits in the journal."""
        key = (login.endpoint_id, _text(login, path))
        entry = Ownership(login.account_id, source)
        self._unwritten[key] = entry

        def forget() -> None:
            if self._unwritten.get(key) is entry:
                del self._unwritten[key]

        self._journal.add(lambda: self._call_on_loop(forget))

    def _call_on_loop(self, call: Callable[[], object]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call)

    async def _ask(self, question: Callable[[], Answer]) -> Answer:
        """Query the database in a thread. Raises TryLater."""
        if self._waiting >= _MOST_WAITING:
            raise TryLater("Too many logins are waiting; try again in a minute.")
        self._waiting += 1
        try:
            return await self._loop.run_in_executor(self._pool, lambda: _answer(question))
        finally:
            self._waiting -= 1


def _answer(question: Callable[[], Answer]) -> Answer:
    close_old_connections()
    try:
        with tenancy.everyone("a login is looked up by its name, before its tenant is known"):
            return question()
    except (DatabaseError, OSError) as error:
        log.error("drop_database_or_disk_away", error=repr(error))
        raise TryLater(
            "The portal's database or disk is not available. Try again in a minute."
        ) from None
    finally:
        close_old_connections()


def _leave_database(barrier: threading.Barrier) -> None:
    """Close this thread's connection; the barrier makes each thread do so once."""
    barrier.wait(_PATIENCE)
    connection.close()


def _text(login: Login, path: Path) -> str:
    """A path of the account as it is stored: relative to the endpoint's directory."""
    return "/".join((*login.home, *path))


def _complete(endpoint_id: int, path: str) -> QuerySet[Upload]:
    """The complete uploads of a path, the newest first."""
    rows = Upload.objects.filter(endpoint_id=endpoint_id, path=path, state=Upload.State.COMPLETE)
    return rows.order_by("-started_at", "-pk")


def _ownership(endpoint_id: int, path: str) -> Ownership:
    newest = _complete(endpoint_id, path).values_list("account_id", "source").first()
    return Ownership(*newest) if newest else Ownership()


def _start_session(row: _Row, uid: uuid.UUID, login: Login, ip: str, client: str) -> None:
    session = DropSession.objects.create(
        uid=uid,
        tenant_id=login.tenant_id,
        account_id=login.account_id,
        address=ip,
        client=client,
        method=login.method,
    )
    row.pk = session.pk
    Account.objects.filter(pk=login.account_id).update(last_login_at=Now())


def _open_upload(row: _Row, session: _Row, login: Login, path: str) -> None:
    upload = Upload.objects.create(
        tenant_id=login.tenant_id,
        session_id=session.pk,
        account_id=login.account_id,
        endpoint_id=login.endpoint_id,
        path=path,
    )
    row.pk = upload.pk


def _end_session(row: _Row, ended: datetime, reason: str) -> None:
    DropSession.objects.filter(pk=row.pk or 0).update(ended_at=ended, end_reason=reason)


def _end_upload(row: _Row, ended: EndedUpload, moment: datetime) -> None:
    upload = Upload.objects.filter(pk=row.pk or 0)
    if ended.ending is Ending.COMPLETE and not ended.continues:
        for path, endpoint_id in upload.values_list("path", "endpoint_id"):
            _mark_replaced(endpoint_id, path, moment)
    upload.update(state=ended.ending.value, size=ended.size, source=ended.source, ended_at=moment)


def _rename(login: Login, old: str, new: str, moment: datetime) -> None:
    if newest := _complete(login.endpoint_id, old).first():
        _mark_replaced(login.endpoint_id, new, moment)
        Upload.objects.filter(pk=newest.pk).update(path=new)


def _mark_replaced(endpoint_id: int, path: str, moment: datetime) -> None:
    """Note that an upload has taken this path: the collector tells what was lost by that."""
    _complete(endpoint_id, path).filter(replaced_at=None).update(replaced_at=moment)


def _mark_alive(alive: list[uuid.UUID]) -> None:
    """Update the living sessions; end those of a lost server, with their open files partial."""
    DropSession.objects.filter(uid__in=alive).update(seen_at=Now())
    DropSession.objects.filter(ended_at=None, seen_at__lt=Now() - _SILENT_FOR).update(
        ended_at=Now(), end_reason="the drop server was lost"
    )
    Upload.objects.filter(state=Upload.State.OPEN, session__ended_at__lt=Now()).update(
        state=Upload.State.PARTIAL, ended_at=Now()
    )
