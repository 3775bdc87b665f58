"""Promise A11: the table of manifests, each through a real folder (reliability.md)."""

from __future__ import annotations

import pytest

from imports.manifest import parse
from imports.models import Arrival, ArrivalFile, ImportJob
from tests.imports.folder import CSV, Folders
from tests.imports.institution import Institution
from tests.imports.manifest.cases import CASES, Case

NAME = "Delivery.Done"
OTHER = "other.csv"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_a_manifest_ends_as_the_table_says(institution: Institution, case: Case) -> None:
    sender = Folders(institution)
    for name, content in case.files.items():
        sender.put(name, content)
    (sender.folder() / "archive").mkdir()
    sender.put(NAME, case.data)
    sender.deliver(OTHER, CSV, manifest="zzz.done")
    sender.go()

    results = {f"{name}.result.txt" for name in (*case.processed, OTHER)}
    state = {f"{NAME}.{case.state}", f"{NAME}.result.txt"} if case.state else set()
    kept = set(case.files) - set(case.processed)
    assert sender.names() == {*results, *state, *kept, "archive"}
    jobs = ImportJob.objects.values_list("file_name", flat=True)
    assert sorted(jobs) == sorted([*case.processed, OTHER])
    problems = ArrivalFile.objects.filter(arrival__name=NAME).exclude(problem="")
    assert dict(problems.values_list("index", "problem")) == dict(case.invalid)
    if case.invalid:
        marked = (sender.folder() / f"{NAME}.{case.state}").read_bytes()
        assert marked.count(b"INVALID=") + marked.count(b"I\0N\0V\0A\0L\0I\0D\0=") == len(
            case.invalid
        )
        assert len(parse(marked).references) == len(parse(case.data).references)
    assert not Arrival.objects.filter(settled_at=None).exists()
