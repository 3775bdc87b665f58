"""One run of the import benchmark: the rounds, the figures, the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench import enrollments, limit
from bench.enrollments import Files
from bench.exactness import Exactness, compare
from bench.ground import Ground, prepared

_PEER_ROWS = 5_000
_LOADS = ("first load", "identical", "2 % changed")


@dataclass(slots=True)
class ImportFigures:
    """What was measured: seconds by name, one a round; the highest memory; the faults."""

    rows: int
    seconds: dict[str, list[float]] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    exact: dict[str, Exactness] = field(default_factory=dict)
    peer: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, seconds: float) -> None:
        self.seconds.setdefault(name, []).append(seconds)

    def of(self, name: str) -> float:
        """The median."""
        return median(self.seconds[name])

    def ratio(self, name: str) -> float:
        """Median of the rounds' ratios to the limit: what else the machine did is in both."""
        pairs = zip(self.seconds[name], self.seconds["limit"], strict=True)
        return median(ours / theirs for ours, theirs in pairs)

    def times_peer(self, way: str) -> float:
        """How many times as fast as the peer, per row, the first load is."""
        return self.peer[way] / self.of("first load")


def run(directory: Path, rows: int, rounds: int, *, judged: bool) -> int:
    """Measure, print, and return 1 where a target is missed."""
    print(f"Writing {rows:,} rows …", flush=True)
    files = enrollments.write(directory, rows)
    size = files.first.stat().st_size / 1e6
    print(f"{size:.0f} MB, {files.bad:,} bad rows, {files.changes:,} changed rows", flush=True)
    figures = ImportFigures(rows)
    with prepared(directory) as ground:
        _load_references(ground, directory, files)
        for number in range(rounds):
            print(f"Round {number + 1} of {rounds}", flush=True)
            _round(ground, files, figures)
        _measure_peer(ground, files, figures)
    return _report(figures, judged=judged)


def _load_references(ground: Ground, directory: Path, files: Files) -> None:
    _load(ground, "accounts", files.accounts)
    for feed, text in enrollments.references().items():
        path = directory / f"{feed}.csv"
        path.write_text(text)
        _load(ground, feed, path)
    ground.run("DROP TABLE IF EXISTS bench_base")
    ground.run("CREATE TABLE bench_base AS SELECT * FROM portal_record")


def _load(ground: Ground, feed: str, path: Path) -> dict[str, Any]:
    outcome = ground.child("-m", "bench.worker", feed, str(path))
    if outcome["state"] not in ("complete", "incomplete"):
        raise AssertionError(f"{path.name} ended {outcome['state']}: {outcome['reason']}")
    return outcome


def _round(ground: Ground, files: Files, figures: ImportFigures) -> None:
    limit.reset(ground)
    figures.add("limit", limit.seconds(ground, files.clean))
    print(f"  limit        {figures.seconds['limit'][-1]:6.2f} s", flush=True)
    limit.drop(ground)
    ground.run(
        "TRUNCATE portal_record, portal_recordchange",
        "INSERT INTO portal_record SELECT * FROM bench_base",
    )
    for name, path in zip(_LOADS, (files.first, files.first, files.changed), strict=True):
        ground.settle()
        outcome = _load(ground, "enrollments", path)
        figures.add(name, outcome["seconds"])
        figures.memory[name] = max(figures.memory.get(name, 0.0), outcome["memory"])
        figures.exact[name] = compare(files.truth_of(path), Path(outcome["attachment"]))
        _check_counts(name, outcome, files)
        print(f"  {name:12} {outcome['seconds']:6.2f} s  {outcome['memory']:4.0f} MB", flush=True)


def _check_counts(name: str, outcome: dict[str, Any], files: Files) -> None:
    good = files.rows - files.bad
    expected = {
        "first load": (good, 0, 0),
        "identical": (0, 0, good),
        "2 % changed": (0, files.changes, good - files.changes),
    }[name]
    counted = (outcome["created"], outcome["updated"], outcome["unchanged"])
    if counted != expected or outcome["rejected"] != files.bad:
        raise AssertionError(f"{name}: (created, updated, unchanged) {counted}, not {expected}")


def _measure_peer(ground: Ground, files: Files, figures: ImportFigures) -> None:
    ground.settle()
    sample = min(_PEER_ROWS, files.rows)
    seconds_by_way = ground.child(
        "-m",
        "bench.peer",
        str(files.clean),
        str(sample),
        DATABASE_ROLE="",
        DJANGO_SETTINGS_MODULE="bench.peer_settings",
    )
    figures.peer = {way: seconds / sample * files.rows for way, seconds in seconds_by_way.items()}


def _report(figures: ImportFigures, *, judged: bool) -> int:
    print(f"\n{figures.rows:,} rows × {len(enrollments.HEADER)} columns; medians")
    print(f"limit (COPY + upsert of clean rows)    {figures.of('limit'):8.2f} s")
    for way, seconds in figures.peer.items():
        print(f"django-import-export, {way:16} {seconds:8.0f} s (scaled)")
    failed = [name for name, met in _lines(figures) if not met]
    if not judged:
        failed = [name for name in failed if name.startswith("faults")]
    print(f"\nMissed: {', '.join(failed)}" if failed else "\nAll targets met.")
    return 1 if failed else 0


def _lines(figures: ImportFigures) -> Iterator[tuple[str, bool]]:
    """Print a line for each target, and whether it is met."""
    for name, most in zip(_LOADS, (1.7, 0.3, 0.5), strict=True):
        ratio = figures.ratio(name)
        shown = f"{figures.of(name):8.2f} s   {ratio:5.2f} × limit"
        yield _line(name, shown, f"≤ {most}", lambda r=ratio, m=most: r <= m)
    memory = max(figures.memory.values())
    yield _line("memory", f"{memory:8.0f} MB", "< 350", lambda: memory < 350)
    times = figures.times_peer("ByRow")
    in_bulk = figures.times_peer("InBulk")
    shown = f"{times:8.0f} × faster (in bulk: {in_bulk:.0f} ×)"
    yield _line("peer", shown, "≥ 30", lambda: times >= 30)
    for name, exact in figures.exact.items():
        shown = f"{exact.right:,} of {exact.truth:,} exactly, {len(exact.extra):,} extra"
        yield _line(f"faults, {name}", shown, "all", lambda e=exact: e.is_exact)
        for fault in (*exact.missing[:3], *exact.extra[:3]):
            print(f"    {fault}")


def _line(name: str, shown: str, target: str, met: Callable[[], bool]) -> tuple[str, bool]:
    fine = met()
    print(f"{name:20} {shown:48} {target:6} {'met' if fine else 'MISSED'}")
    return name, fine
