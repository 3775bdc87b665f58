"""What a plan warns of although it is carried out: kept among the issues of the job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from imports.load import damaged, dependents
from imports.load.dependents import Dependents
from imports.load.measure import PlannedFile
from imports.load.reading import FileReading


def add(
    file: PlannedFile, reading: FileReading, headers: Mapping[str, str]
) -> Sequence[Dependents]:
    """Add the warnings; return what refers to the records that the plan removes.

    headers: field name to the header as the file spells it.
    """
    reading.warnings += damaged.of_plan(file, reading.summary, headers)
    return dependents.of_plan(file, reading.summary)
