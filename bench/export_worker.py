"""One export run as a worker's child runs it: claim, write, report. Run as a module.

    python -m bench.export_worker FORMAT COMPRESSION

Prints a JSON object: seconds from the claim to the end, peak memory in MB, the run's outcome.
"""

from __future__ import annotations

import json
import sys
import time

import django

django.setup()

from django.core.files.storage import default_storage  # noqa: E402 - needs Django set up

from bench import events  # noqa: E402
from bench.memory import peak_memory  # noqa: E402
from exports import (  # noqa: E402
    pipeline,
    queue,
    tasks,  # noqa: F401 - a worker has it loaded
)
from exports.models import Export, ExportRun  # noqa: E402
from exports.schedule import frozen  # noqa: E402
from portal import tenancy  # noqa: E402
from portal.models import Tenant  # noqa: E402


def write(fmt: str, compression: str) -> dict[str, object]:
    """Make a run of the night's events and write it."""
    with tenancy.everyone("the benchmark looks up its tenant"):
        tenant = Tenant.objects.get(slug="bench")
    with tenancy.scope(tenant.pk):
        waiting = _run(tenant, fmt, compression)
        began = time.perf_counter()
        run = queue.claim(tenant.pk)
        assert run is not None and run.pk == waiting.pk
        pipeline.run(run)
        seconds = time.perf_counter() - began
        run.refresh_from_db()
        return {
            "seconds": seconds,
            "memory": peak_memory(),
            "state": run.state,
            "reason": run.reason,
            "rows": run.rows,
            "size": run.size,
            "path": default_storage.path(run.content),
        }


def _run(tenant: Tenant, fmt: str, compression: str) -> ExportRun:
    export = Export.objects.create(
        tenant=tenant,
        name=f"Bench {time.time_ns()}",
        source={"events": [events.TYPE]},
        format=fmt,
        compression=compression,
        name_pattern="{event}-{id}_{time}-{random}",
        at="02:00",
        time_zone="UTC",
    )
    return ExportRun.objects.create(
        tenant=tenant,
        export=export,
        kind=ExportRun.Kind.BACKFILL,
        local_date=events.DAY,
        window_start=events.START,
        window_end=events.END,
        definition=frozen(export, events.START),
    )


if __name__ == "__main__":
    print(json.dumps(write(sys.argv[1], sys.argv[2])))
