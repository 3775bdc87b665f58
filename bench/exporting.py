"""The writing half of the export benchmark: the rounds, the figures, the verdict."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench import events
from bench.ground import Ground, prepared

# Name, format, compression, and the bare statement that it is compared with.
_WRITES = (
    ("CSV", "csv", "", events.plain_csv),
    ("JSON", "json", "", events.plain_json),
    ("CSV, gzip", "csv", "gzip", events.plain_csv),
)
_JUDGED = ("CSV", "JSON")
_MOST_TIMES, _MOST_MEMORY = 2.0, 150.0


@dataclass(slots=True)
class ExportFigures:
    """What was measured: seconds by name, one a round; the highest memory; the files' sizes."""

    rows: int
    bare: dict[str, list[float]] = field(default_factory=dict)
    ours: dict[str, list[float]] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    size: dict[str, int] = field(default_factory=dict)
    read_back: dict[str, int] = field(default_factory=dict)

    def ratio(self, name: str) -> float:
        """Median of the rounds' ratios: what else the machine did is in both."""
        pairs = zip(self.ours[name], self.bare[name], strict=True)
        return median(ours / bare for ours, bare in pairs)


def run(directory: Path, rows: int, rounds: int, *, judged: bool) -> int:
    """Measure, print, and return 1 where a target is missed."""
    figures = ExportFigures(rows)
    with prepared(directory) as ground:
        print(f"Making {rows:,} events …", flush=True)
        tenant = _tenant(ground)
        events.make(ground, tenant, rows)
        for number in range(rounds):
            print(f"Round {number + 1} of {rounds}", flush=True)
            for name, fmt, compression, statement in _WRITES:
                _measure(ground, figures, name, (fmt, compression), statement(tenant))
    return _report(figures, judged=judged)


def _tenant(ground: Ground) -> int:
    with ground.connect() as connection:
        row = connection.execute(
            "INSERT INTO portal_tenant (uid, name, slug, time_zone, enabled, created_at) VALUES "
            "(gen_random_uuid(), 'Bench', 'bench', 'UTC', true, now()) RETURNING id"
        ).fetchone()
    assert row is not None
    return int(row[0])


def _measure(
    ground: Ground, figures: ExportFigures, name: str, form: tuple[str, str], statement: str
) -> None:
    bare = _bare(ground, statement)
    outcome = ground.child("-m", "bench.export_worker", *form)
    if (outcome["state"], outcome["rows"]) != ("written", figures.rows):
        raise AssertionError(f"{name}: {outcome}")
    figures.bare.setdefault(name, []).append(bare)
    figures.ours.setdefault(name, []).append(outcome["seconds"])
    figures.memory[name] = max(figures.memory.get(name, 0.0), outcome["memory"])
    figures.size[name] = outcome["size"]
    path = Path(outcome["path"])
    if not form[1]:
        figures.read_back[name] = _distinct(path, form[0])
    path.unlink()
    seconds, memory = outcome["seconds"], outcome["memory"]
    print(f"  {name:10} bare {bare:6.2f} s  ours {seconds:6.2f} s  {memory:4.0f} MB", flush=True)


def _bare(ground: Ground, statement: str) -> float:
    """COPY of the same rows, read by the same client and thrown away; nothing is written."""
    with ground.connect() as connection:
        began = time.perf_counter()
        copied = f"COPY ({statement}) TO STDOUT (FORMAT csv)"
        with connection.cursor() as cursor, cursor.copy(copied) as copy:  # type: ignore[arg-type]
            while copy.read():
                pass
        return time.perf_counter() - began


def _distinct(path: Path, fmt: str) -> int:
    """How many different events a reader of the format finds in the file."""
    with path.open(encoding="utf-8", newline="") as file:
        if fmt == "csv":
            return len({row["id"] for row in csv.DictReader(file)})
        # One event a line: the array need not be in memory at once.
        return len({json.loads(line.strip().rstrip(","))["id"] for line in file if line[0] == "{"})


def _report(figures: ExportFigures, *, judged: bool) -> int:
    print(f"\n{figures.rows:,} events × {len(events.COLUMNS)} columns; medians")
    failed = [name for name, met in _lines(figures) if not met]
    if not judged:
        failed = [name for name in failed if name.startswith("read back")]
    print(f"\nMissed: {', '.join(failed)}" if failed else "\nAll targets met.")
    return 1 if failed else 0


def _lines(figures: ExportFigures) -> Iterator[tuple[str, bool]]:
    """Print a line for each figure, and whether its target is met."""
    for name in figures.ours:
        ratio, seconds = figures.ratio(name), median(figures.ours[name])
        rate = figures.size[name] / seconds / 1e6
        shown = f"{seconds:8.2f} s   {ratio:5.2f} × bare COPY   {rate:6.0f} MB/s"
        most = f"≤ {_MOST_TIMES:.0f}" if name in _JUDGED else ""
        yield _line(name, shown, most, lambda r=ratio: r <= _MOST_TIMES)
    memory = max(figures.memory.values())
    yield _line("memory", f"{memory:8.0f} MB", f"≤ {_MOST_MEMORY:.0f}", lambda: memory <= 150)
    for name, count in figures.read_back.items():
        shown = f"{count:,} of {figures.rows:,} events"
        yield _line(f"read back, {name}", shown, "all", lambda n=count: n == figures.rows)


def _line(name: str, shown: str, target: str, met: Callable[[], Any]) -> tuple[str, bool]:
    fine = not target or bool(met())
    verdict = ("met" if fine else "MISSED") if target else ""
    print(f"{name:20} {shown:52} {target:6} {verdict}")
    return name, fine
