"""How xdist's workers share the tests: a file at a time, the longest first.

A plugin (`-p` in pyproject.toml). Files keep a module's fixtures in one worker. Those that mostly
wait, for processes and browsers, come before those that compute. The fault tests are two chains
with a rig each, and the stories one with a product: so some workers wait while the others compute.
`tests/durations.json` has the seconds of each file by its name, which may be old;
`pytest -n 4 --renew-durations` writes it anew.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

DURATIONS = Path(__file__).with_name("durations.json")
CHAINS = {"tests/faults/": 2, "tests/stories/": 1}  # a folder and how many chains its files make
WAITING = (*CHAINS, "tests/portal/runtime/test_up.py", "tests/browser/")


def chains(paths: Iterable[str], seconds: dict[str, float]) -> dict[str, str]:
    """The chain of each file that is in one: the longest files first, each to the shorter chain."""
    shared = {}
    ordered = sorted({*paths}, key=lambda path: place(path, seconds))
    for folder, count in CHAINS.items():
        lengths = [0.0] * count
        for path in ordered:
            if path.startswith(folder):
                shortest = lengths.index(min(lengths))
                lengths[shortest] += seconds.get(path.rpartition("/")[2], 0.0)
                shared[path] = f"{folder}{shortest}"
    return shared


def place(path: str, seconds: dict[str, float]) -> tuple[int, float, str]:
    """The sort key of a file: first what waits, then what takes long."""
    waiting = next((n for n, start in enumerate(WAITING) if path.startswith(start)), len(WAITING))
    return waiting, -seconds.get(path.rpartition("/")[2], 0.0), path


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--renew-durations", action="store_true", help="Write tests/durations.json after the run."
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("renew_durations") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Renewal())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Only in a worker: who runs a folder expects its own order."""
    if hasattr(config, "workerinput"):
        seconds = json.loads(DURATIONS.read_text())
        items.sort(key=lambda item: place(item.nodeid.partition("::")[0], seconds))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand the files out in the order of the collection, to whoever is free."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - only where it is in use

    class Files(LoadScopeScheduling):  # type: ignore[misc]
        @cached_property
        def _chains(self) -> dict[str, str]:
            paths = (nodeid.partition("::")[0] for nodeid in self.collection)
            return chains(paths, json.loads(DURATIONS.read_text()))

        def _split_scope(self, nodeid: str) -> str:
            """What stays together in one worker."""
            path = nodeid.partition("::")[0]
            return self._chains.get(path, path)

    config.option.loadscopereorder = False
    return Files(config, log)


class Renewal:
    """Adds up what each file takes."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid.partition("::")[0]] += report.duration

    def pytest_sessionfinish(self) -> None:
        """Of files with the same name the longest counts."""
        longest: dict[str, float] = {}
        for path, seconds in self.seconds.items():
            name = path.rpartition("/")[2]
            longest[name] = max(longest.get(name, 0.0), round(seconds, 1))
        text = json.dumps(dict(sorted(longest.items())), indent=0)
        DURATIONS.write_text(text + "\n")
