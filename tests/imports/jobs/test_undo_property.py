"""Random sequences of imports and undos end as a plain model of them in Python says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imports.jobs import actions
from imports.models import ImportJob
from portal.models import Record, RecordChange
from tests.imports.institution import Institution
from tests.sizes import scaled

HEADER = "Action,Username,FirstName,LastName,CampusEmail\n"
USERS = ["u1", "u2", "u3", "u4"]
ROW = st.one_of(st.none(), st.sampled_from(["", "Ada", "Emmy", "Alan"]))
FILE = st.fixed_dictionaries({user: ROW for user in USERS})
# A number undoes the newest job but so many of those that may be undone.
STEPS = st.lists(st.one_of(FILE, st.integers(0, 2), st.integers(0, 2)), min_size=4, max_size=10)


@dataclass(frozen=True)
class Version:
    """A state of a record; by: the jobs that brought the record into this very state."""

    name: str
    active: bool
    by: frozenset[int]


@dataclass
class Model:
    """Records, and what each job replaced (None where there was no record)."""

    records: dict[str, Version] = field(default_factory=dict)
    replaced: list[dict[str, Version | None]] = field(default_factory=list)
    undoes: dict[int, int] = field(default_factory=dict)

    def load(self, rows: dict[str, str | None]) -> None:
        """A name is given, "" removes, None is no row."""
        job, replaced = len(self.replaced), {}
        for user, name in rows.items():
            old = self.records.get(user)
            if name is None or (name == "" and (old is None or not old.active)):
                continue
            if old is not None and old.active and old.name == name:
                continue
            new = name or (old.name if old else "")
            replaced[user] = old
            self.records[user] = Version(new, bool(name), frozenset({job}))
        self.replaced.append(replaced)

    def holds(self, undo: int) -> bool:
        return not any(self.holds(later) for later, of in self.undoes.items() if of == undo)

    def can_undo(self, job: int) -> bool:
        return all(not self.holds(undo) for undo, of in self.undoes.items() if of == job)

    def undo(self, job: int) -> None:
        undo, replaced = len(self.replaced), {}
        for user, before in self.replaced[job].items():
            now = self.records[user]
            if job not in now.by:
                continue
            replaced[user] = now
            if before is None:
                self.records[user] = Version(now.name, False, frozenset({undo}))
            else:
                self.records[user] = Version(before.name, before.active, before.by | {undo})
        self.replaced.append(replaced)
        self.undoes[undo] = job

    def shown(self) -> dict[str, tuple[str, bool]]:
        return {user: (record.name, record.active) for user, record in self.records.items()}


def file(rows: dict[str, str | None]) -> str:
    lines = (
        f"{'update' if name else 'delete'},{user},{name or 'x'},B,{user}@b.org\n"
        for user, name in rows.items()
        if name is not None
    )
    return HEADER + "".join(lines)


def stored() -> dict[str, tuple[str, bool]]:
    rows = Record.objects.values_list("key", "data", "active")
    return {key: (data["FirstName"], active) for key, data, active in rows}


def start_anew() -> None:
    RecordChange.objects.all().delete()
    Record.objects.all().delete()
    ImportJob.objects.all().delete()


@settings(
    max_examples=scaled(8, 25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS)
def test_imports_and_undos_end_as_the_model_says(
    institution: Institution, steps: list[dict[str, str | None] | int]
) -> None:
    start_anew()
    model, jobs = Model(), list[ImportJob]()
    for step in steps:
        if isinstance(step, dict):
            model.load(step)
            jobs.append(institution.send("engage_users", file(step)))
        elif jobs:
            undo(institution, model, jobs, step)
        assert stored() == model.shown()


def undo(institution: Institution, model: Model, jobs: list[ImportJob], step: int) -> None:
    """Undo one of the jobs that the model lets go, and see all others refused."""
    applied = [n for n, job in enumerate(jobs) if job.state in ("complete", "incomplete")]
    may = [number for number in applied if model.can_undo(number)]
    assert all(refused(institution, job) for n, job in enumerate(jobs) if n not in may)
    if not may:
        return
    number = may[-1 - step % len(may)]
    model.undo(number)
    done: Any = institution.undo(jobs[number])
    jobs.append(done)
    replaced = model.replaced[-1]
    assert done.rows_updated + done.rows_removed == len(replaced)
    assert done.rows_unchanged == len(model.replaced[number]) - len(replaced)


def refused(institution: Institution, job: ImportJob) -> bool:
    try:
        actions.undo(job, institution.person())
    except actions.NotPossible:
        return True
    return False
