"""One import as a worker's child runs it: claim, run, report. Run as a module.

    python -m bench.worker FEED FILE

Prints a JSON object: seconds from the claim to the end, peak memory in MB, the job's outcome.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import django

django.setup()

from django.core.files.base import File  # noqa: E402 - needs Django set up
from django.core.files.storage import default_storage  # noqa: E402

from bench.memory import peak_memory  # noqa: E402
from imports import tasks  # noqa: E402, F401 - a worker has it loaded
from imports.jobs import pipeline, queue  # noqa: E402
from imports.models import ImportJob  # noqa: E402
from portal import tenancy  # noqa: E402
from portal.models import RecordKind, Tenant  # noqa: E402
from portal.records.catalog import catalog  # noqa: E402


def load(feed_name: str, path: Path) -> dict[str, object]:
    """Send a file to the bench's tenant and run its job."""
    with tenancy.everyone("the benchmark makes its tenant"):
        tenant, _ = Tenant.objects.get_or_create(slug="bench", defaults={"name": "Bench"})
    feed = catalog().feed(feed_name)
    kind = catalog().record_type(feed.record_type)
    RecordKind.objects.get_or_create(
        name=kind.name, defaults={"label": kind.label, "pack": kind.pack}
    )
    with tenancy.scope(tenant.pk):
        waiting = _job(tenant, feed_name, path)
        began = time.perf_counter()
        job = queue.next_job(tenant.pk)
        assert job is not None and job.pk == waiting.pk
        pipeline.run(job)
        seconds = time.perf_counter() - began
        job.refresh_from_db()
        return _outcome(job, seconds)


def _job(tenant: Tenant, feed_name: str, path: Path) -> ImportJob:
    with path.open("rb") as file:
        content = default_storage.save(f"bench/{path.name}", File(file))
    return ImportJob.objects.create(
        tenant=tenant,
        feed=feed_name,
        record_type=catalog().feed(feed_name).record_type,
        file_name=path.name,
        file_size=path.stat().st_size,
        content=content,
    )


def _outcome(job: ImportJob, seconds: float) -> dict[str, object]:
    default_storage.delete(job.content)
    return {
        "seconds": seconds,
        "memory": peak_memory(),
        "state": job.state,
        "reason": job.reason,
        "created": job.rows_created,
        "updated": job.rows_updated,
        "unchanged": job.rows_unchanged,
        "rejected": job.rows_rejected,
        "attachment": default_storage.path(job.attachment) if job.attachment else "",
    }


if __name__ == "__main__":
    print(json.dumps(load(sys.argv[1], Path(sys.argv[2]))))
