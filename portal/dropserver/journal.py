"""What happened, written to the database in order by one thread, and later if need be.

The drop server works without the database: a running upload is finished and its facts wait here.
The queue is bounded by what the connected clients can do.
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
_PATIENCE = 1.0  # seconds between two attempts while the database does not answer


class Journal:
    """A queue of facts and the thread that writes them. A fact is a call that uses the ORM."""

    def __init__(self) -> None:
        self._facts: queue.Queue[Fact | None] = queue.Queue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    def add(self, fact: Fact) -> None:
        """Write the fact soon. Returns at once and never fails."""
        self._facts.put(fact)

    def close(self, patience: float = 10) -> None:
        """Write what is in the queue, for patience seconds at most, and end."""
        self._facts.put(None)
        self._thread.join(patience)
        self._stopping.set()
        self._thread.join(2 * _PATIENCE)

    def flush(self) -> None:
        """Wait until all facts that were added before are written or given up."""
        written = threading.Event()
        self._facts.put(written.set)
        written.wait()

    def _write(self) -> None:
        try:
            with tenancy.everyone("the drop server records what all tenants' clients did"):
                while (fact := self._facts.get()) is not None:
                    self._write_fact(fact)
        finally:
            connection.close()

    def _write_fact(self, fact: Fact) -> None:
        """Write a fact; wait for the database as long as necessary, but drop what it refuses."""
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
