"""The peer: django-import-export with an ordinary model and resource. Run as a module.

    python -m bench.peer FILE ROWS

Loads the first ROWS rows of a clean file, as a first load, in the library's two ways: row by row
(its default) and with `use_bulk`. Prints a JSON object of seconds by way.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import django

django.setup()

import tablib  # noqa: E402 - needs Django set up
from django.db import connection  # noqa: E402
from import_export import fields, resources  # noqa: E402
from import_export.widgets import ForeignKeyWidget  # noqa: E402

from bench.enrollments import ACCOUNTS, HEADER, SECTIONS  # noqa: E402
from bench.models import Account, Enrollment, Section  # noqa: E402


class ByRow(resources.ModelResource):
    """The default way, with the model's own checks."""

    person = fields.Field("person", "person", ForeignKeyWidget(Account, "identifier"))
    section = fields.Field("section", "section", ForeignKeyWidget(Section, "identifier"))

    class Meta:
        model = Enrollment
        import_id_fields = ("person", "section")
        exclude = ("id",)
        clean_model_instances = True


class InBulk(ByRow):
    """The library's way for many rows."""

    class Meta:
        model = Enrollment
        import_id_fields = ("person", "section")
        exclude = ("id",)
        clean_model_instances = True
        use_bulk = True
        batch_size = 1000
        skip_diff = True


_FIELDS = (
    "person",
    "section",
    "status",
    "first_name",
    "last_name",
    "email",
    "credits",
    "grade_option",
    "registered",
    "begins",
    "changed",
    "grade",
)


def measure(path: Path, rows: int) -> dict[str, float]:
    """Seconds by way."""
    models_ = (Account, Section, Enrollment)
    with connection.schema_editor() as editor:
        for model in models_:
            editor.create_model(model)
    try:
        Account.objects.bulk_create(Account(identifier=f"{n:08d}") for n in range(ACCOUNTS))
        Section.objects.bulk_create(
            Section(identifier=f"2026FA-SEC{n:05d}-01") for n in range(SECTIONS)
        )
        return {way.__name__: _load(way, path, rows) for way in (ByRow, InBulk)}
    finally:
        with connection.schema_editor() as editor:
            for model in reversed(models_):
                editor.delete_model(model)


def _load(way: type[ByRow], path: Path, rows: int) -> float:
    Enrollment.objects.all().delete()
    began = time.perf_counter()
    data: Any = tablib.Dataset(headers=list(_FIELDS))
    for row in _rows(path, rows):
        data.append(row)
    result = way().import_data(data, use_transactions=True)
    seconds = time.perf_counter() - began
    wrong = [error for row in result.row_errors() for error in row[1]] + result.invalid_rows
    assert not wrong, wrong[0].error
    assert Enrollment.objects.count() == rows
    return seconds


def _rows(path: Path, rows: int) -> Iterator[Iterable[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in islice(csv.reader(file), rows):
            assert len(row) == len(HEADER)
            yield row


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]))))
