"""Celery's application. Facts and due times are in PostgreSQL, never in Celery."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("causeway")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["portal", "imports", "exports"])


def tick(name: str, task: str, seconds: float, queue: str | None = None) -> None:
    """Let beat send the task every so many seconds.

    One that no worker took by the next tick is dropped: the next one does its work.
    """
    options = {"expires": seconds, **({"queue": queue} if queue else {})}
    entry = {"task": task, "schedule": seconds, "options": options}
    app.conf.beat_schedule = {**(app.conf.beat_schedule or {}), name: entry}
