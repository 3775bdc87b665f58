"""A worker that no longer hears its bell ends itself, so that it is started anew.

After a broker's fault Celery's consumer may stay connected to nothing, alive and deaf
(reliability.md, C7 and A13). Beat sends every worker something each SWEEP_SECONDS; a worker that is
idle and has heard nothing for DEAF_SECONDS stops, and its supervisor starts another one.
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
_heard = time.monotonic()


def hear(**_kwargs: Any) -> None:
    """Note that a message has come."""
    global _heard
    _heard = time.monotonic()


def watch(**_kwargs: Any) -> None:
    """Begin to listen for silence; a deaf or late start counts too."""
    hear()
    threading.Thread(target=_listen, name="watchdog", daemon=True).start()


def _listen() -> None:
    while not _deaf():
        time.sleep(settings.DEAF_SECONDS / 10)
    log.error("worker_deaf", seconds=settings.DEAF_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    os._exit(1)


def _deaf() -> bool:
    # A worker whose processes are all at work takes no message, and is not deaf.
    return not state.active_requests and time.monotonic() - _heard > settings.DEAF_SECONDS


task_received.connect(hear)
worker_ready.connect(watch)
