"""What must be true after every fault: each file had exactly one effect, and nothing is left over.

`hold(senders)` waits until all is settled and then checks everything; every fault test ends with
it.
"""

import re
from collections import Counter
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.models import Count

from imports.models import Arrival, ArrivalFile, ImportJob, JobEvent
from portal.dropserver.paths import PARTS_DIRECTORY
from portal.models import Record, RecordChange
from tests.faults.harness import RESUME_SECONDS, eventually
from tests.faults.sender import COLUMNS, Sender

_OF_THE_PORTAL = re.compile(r".+\.result\.(?:txt|json)")


def hold(*senders: Sender, seconds: float = RESUME_SECONDS) -> None:
    """Wait until these senders' files are done with, then check every promise."""
    for sender in senders:
        settled(sender, seconds)
        records_are_the_oracle(sender)
        for job in sender.jobs():
            has_one_effect(job)
        ends_once(sender)
        nothing_is_held(sender)
        folder_is_clean(sender)
    eventually(lambda: not staging_tables(), f"no staging table is left: {staging_tables()}", 20)
    eventually(lambda: not spooled(), f"no spool directory is left: {spooled()}", 20)
    strays = stray_files(*senders)
    assert not strays, f"files in storage that no row names: {strays}"


def settled(sender: Sender, seconds: float) -> None:
    """All jobs final, all arrivals shown in the folder."""

    def done() -> bool:
        waiting = ImportJob.objects.filter(tenant=sender.tenant).exclude(
            state__in=ImportJob.FINAL_STATES
        )
        unsettled = Arrival.objects.filter(tenant=sender.tenant, settled_at=None)
        taken = ImportJob.objects.filter(tenant=sender.tenant).count()
        return taken >= sender.sent and not waiting.exists() and not unsettled.exists()

    def what() -> str:
        jobs = Counter((job.state, job.stage) for job in sender.jobs())
        states = Counter(arrival.state for arrival in sender.arrivals())
        return f"all done: {jobs} {states}\n{sender.rig.worker.output()}"

    try:
        eventually(done, "", seconds)
    except AssertionError:
        raise AssertionError(what()) from None


def records_are_the_oracle(sender: Sender) -> None:
    """The store holds exactly the rows that were sent."""
    records = {
        data["PersonIdentifier"]: tuple(data[name] for name in COLUMNS)
        for data in Record.objects.filter(tenant=sender.tenant, active=True).values_list(
            "data", flat=True
        )
    }
    missing = sender.expected.keys() - records.keys()
    extra = records.keys() - sender.expected.keys()
    assert not missing and not extra, (len(missing), len(extra), sender.jobs())
    wrong = {key: row for key, row in records.items() if row != sender.expected[key]}
    jobs = [(job.file_name, job.state, job.attempt, job.rows_updated) for job in sender.jobs()]
    assert not wrong, (
        list(wrong.items())[:3],
        jobs,
        [
            line
            for line in sender.rig.worker.log.read_text().splitlines()
            if "errored" in line or "failed" in line
        ],
    )


def has_one_effect(job: ImportJob) -> None:
    """The rows that bear the job's mark are those that it says it wrote, each once."""
    read = job.rows_created + job.rows_updated + job.rows_unchanged + job.rows_removed
    assert job.is_final, job.state
    assert job.rows_read == read + job.rows_rejected or job.state == ImportJob.State.FAILED
    created = Record.objects.filter(created_job=job.pk).count()
    replaced = RecordChange.objects.filter(job_id=job.pk)
    assert replaced.values("record_id").distinct().count() == replaced.count()
    if job.state in (ImportJob.State.COMPLETE, ImportJob.State.INCOMPLETE):
        assert created == job.rows_created
        assert replaced.count() == job.rows_updated + job.rows_removed
    else:
        assert not created and not replaced.exists(), f"{job.state}, but it wrote"
        assert not Record.objects.filter(changed_job=job.pk).exists()


def ends_once(sender: Sender) -> None:
    """One end in each timeline; one job for each file that was taken."""
    assert len(sender.jobs()) == sender.sent
    ends = JobEvent.objects.filter(tenant=sender.tenant, state__in=ImportJob.FINAL_STATES)
    assert ends.count() == len(sender.jobs())
    assert ends.values("job").distinct().count() == len(sender.jobs())
    taken = ArrivalFile.objects.filter(tenant=sender.tenant, problem="", duplicate_of=None)
    assert taken.count() == len(sender.jobs())
    twice = taken.values("source", "sha256").annotate(n=Count("pk")).filter(n__gt=1)
    assert not twice.exists()


def nothing_is_held(sender: Sender) -> None:
    """No lease and no owner."""
    for model in (ImportJob, Arrival):
        held = model.objects.filter(tenant=sender.tenant)
        assert not held.filter(lease_until__isnull=False).exists()
        assert not held.exclude(owner="").exists()


def folder_is_clean(sender: Sender) -> None:
    """Nothing lies there but the results and what is said to stay."""
    root = sender.folder.parents[1]
    files = {path.name: path for path in root.rglob("*") if path.is_file()}
    own = {n for n, p in files.items() if PARTS_DIRECTORY not in p.parts}
    left = {name for name in own if not _OF_THE_PORTAL.fullmatch(name)}
    assert left == sender.left, f"left over {left - sender.left}, gone {sender.left - left}"
    parts = [n for n, p in files.items() if PARTS_DIRECTORY in p.parts and n.endswith(".part")]
    assert sender.parts_may_stay or not parts, parts


def staging_tables() -> list[str]:
    """All tables in the staging schema."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'staging'")
        return [row[0] for row in cursor.fetchall()]


def spooled() -> list[str]:
    """What lies in the spool directory."""
    spool = Path(settings.SPOOL_DIR)
    return [path.name for path in spool.iterdir()] if spool.is_dir() else []


def stray_files(*senders: Sender) -> list[str]:
    """Stored files of these senders that no row names."""
    root = Path(settings.MEDIA_ROOT)
    tenants = [sender.tenant.pk for sender in senders]
    records = [
        str(path.relative_to(root))
        for tenant in tenants
        for path in root.glob(f"*/{tenant}/**/*")
        if path.is_file()
    ]
    jobs = ImportJob.objects.filter(tenant__in=tenants)
    files = ArrivalFile.objects.filter(tenant__in=tenants)
    named = {
        *jobs.values_list("content", flat=True),
        *jobs.values_list("attachment", flat=True),
        *files.values_list("content", flat=True),
    }
    return sorted(set(records) - named)
