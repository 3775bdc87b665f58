"""What happened, written to the database in its order by one thread, later if it must be.

The drop server goes on without the database: an upload under way is finished and its facts wait
here. The queue is bounded by what the clients that are connected can do.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from django.db import InterfaceError, OperationalError, close_old_connections, connection

from portal import logs, tenancy

log = logs.get(__name__)

Fact = Callable[[], None]

_AT_ONCE = 100
_PATIENCE = 1.0  # seconds between two tries while the database is away


class Journal:
    """A queue of facts and the thread that writes them. A fact is a call that uses the ORM."""

    def __init__(self) -> None:
        self._facts: queue.Queue[Fact | None] = queue.Queue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    def add(self, fact: Fact) -> None:
        """Write it soon. Returns at once and never fails."""
        self._facts.put(fact)

    def close(self, patience: float = 10) -> None:
        """Write what is there, for patience seconds at most, and end."""
        self._facts.put(None)
        self._thread.join(patience)
        self._stopping.set()
        self._thread.join(2 * _PATIENCE)

    def flush(self) -> None:
        """Wait until all that was added before is written (or given up)."""
        written = threading.Event()
        self._facts.put(written.set)
        written.wait()

    def _write(self) -> None:
        try:
            with tenancy.everyone("the drop server records what all tenants' clients did"):
                while (fact := self._facts.get()) is not None:
                    self._insist(fact)
        finally:
            connection.close()

    def _insist(self, fact: Fact) -> None:
        """Write one fact; wait for the database as long as it takes, but drop what cannot be."""
        while True:
            try:
                close_old_connections()
                fact()
                return
            except (OperationalError, InterfaceError) as error:
                log.error("drop_journal_waits", waiting=self._facts.qsize(), error=repr(error))
                connection.close()
            except Exception:
                log.exception("drop_journal_lost_a_fact")
                return
            if self._stopping.wait(_PATIENCE):
                log.error("drop_journal_gave_up", lost=self._facts.qsize() + 1)
                return
