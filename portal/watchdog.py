"""A worker that receives no more messages ends itself, so that it is restarted.

After a fault of the broker Celery's consumer may run on without a connection (reliability.md, C7
and A13). Beat sends a message to every worker each SWEEP_SECONDS; a worker that is idle and has
received nothing for DEAF_SECONDS stops, and its supervisor starts another one.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

from celery.signals import task_received, worker_ready
from celery.worker import state
from django.conf import settings

from portal import logs

log = logs.get(__name__)
_GRACE = 30.0  # seconds from the request to stop until the process is ended
_last_message = time.monotonic()


def note_message(**_kwargs: Any) -> None:
    """Record that a message has come."""
    global _last_message
    _last_message = time.monotonic()


def watch(**_kwargs: Any) -> None:
    """Start the watchdog; the start counts as a message."""
    note_message()
    threading.Thread(target=_wait_for_silence, name="watchdog", daemon=True).start()


def _wait_for_silence() -> None:
    while not _is_deaf():
        time.sleep(settings.DEAF_SECONDS / 10)
    log.error("worker_deaf", seconds=settings.DEAF_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    os._exit(1)


def _is_deaf() -> bool:
    # A worker whose processes are all busy receives no messages, and is not deaf.
    return not state.active_requests and time.monotonic() - _last_message > settings.DEAF_SECONDS


task_received.connect(note_message)
worker_ready.connect(watch)
