"""How many queries each page with a list makes: a table that every change is held against.

`BUDGETS=write bin/test tests/test_query_budgets.py` writes the table anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests import crowd
from tests.cast import Cast, as_person, kept_on_stage
from tests.portal.web import test_permissions as addresses

pytestmark = pytest.mark.django_db  # or the database is not made

TABLE = Path(__file__).with_name("query_budgets.json")
WRITE = os.environ.get("BUDGETS") == "write"

# Name of the address: the row of `crowd` that it shows, and the attribute that names it.
PAGES: dict[str, tuple[str, str] | None] = {
    **dict.fromkeys(("accounts", "arrivals", "deliveries", "events", "export-new", "exports")),
    **dict.fromkeys(("import-new", "jobs", "jobs-csv", "lookups", "mail", "record-type")),
    **dict.fromkeys(("records", "servers", "sightings", "system", "templates", "tokens")),
    **dict.fromkeys(("folders", "trail", "trail-csv", "api-events")),
    "account": ("account", "pk"),
    "arrival": ("arrival", "uid"),
    **dict.fromkeys(("draft-choose", "draft-settings", "draft-file"), ("draft", "uid")),
    **dict.fromkeys(("draft-map", "draft-columns", "draft-check"), ("draft", "uid")),
    "draft-finish": ("draft", "uid"),
    "event": ("event", "pk"),
    "folder": ("folder", "pk"),
    **dict.fromkeys(("export", "export-change"), ("export", "uid")),
    **dict.fromkeys(("job", "job-undo"), ("job", "uid")),
    "lookup": ("lookup", "uid"),
    "record": ("record", "pk"),
    "run": ("run", "uid"),
    "server": ("server", "uid"),
    "template": ("template", "uid"),
}
BEFORE: dict[str, list[Any]] = {"record-type": ["accounts"], "record": ["accounts"]}
# They show no rows, or one row's file.
WITHOUT_A_LIST = {
    *("api-not-found", "api-schema", "healthz", "home", "login", "metrics", "readyz"),
    *("draft-fetched", "draft-field", "export-name-preview", "export-sample", "import-sample"),
    *("job-attachment", "job-by-number", "job-original", "lookup-csv", "run-file", "server-new"),
    "template-yaml",
}


def pages_to_get() -> set[str]:
    return {name for name, (method, *_rest) in addresses.TABLE.items() if method == "get"}


def queries(cast: Cast, rows: dict[str, Any]) -> dict[str, int]:
    """The number of queries of each page, asked for by whoever may see most of it."""
    return {name: _queries(cast, rows, name) for name in sorted(PAGES)}


def _queries(cast: Cast, rows: dict[str, Any], name: str) -> int:
    arguments = list(BEFORE.get(name, []))
    if subject := PAGES[name]:
        row, attribute = subject
        arguments.append(getattr(rows[row], attribute))
    url = reverse(name, args=arguments)
    client = _client(cast, rows, name)
    _content(client, url)  # what is done once a process or a session is not counted
    with CaptureQueriesContext(connection) as captured:
        _content(client, url)
    return len(captured)


def _client(cast: Cast, rows: dict[str, Any], name: str) -> Client:
    """A browser of whoever may see the page; a program with a token for the API."""
    if name.startswith("api-"):
        return Client(headers={"Authorization": f"Bearer {rows['secret']}"})
    return as_person(cast, "operator" if name == "system" else "admin")


def _content(client: Client, url: str) -> bytes:
    answer = client.get(url)
    assert answer.status_code == 200, f"{url}: {answer.status_code}"
    return b"".join(answer) if answer.streaming else bytes(answer.content)


@pytest.fixture(scope="module")
def counts(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[dict[str, int], dict[str, int]]]:
    """The queries of each page with three rows of everything, and with nine."""
    with django_db_blocker.unblock(), kept_on_stage(tmp_path_factory.mktemp("stage")) as cast:
        rows = crowd.add(cast, range(3))
        few = queries(cast, rows)
        crowd.add(cast, range(3, 9))
        crowd.add_below(cast, rows, range(3, 9))
        yield few, queries(cast, rows)


def test_every_page_has_a_budget_or_shows_no_list() -> None:
    assert set(PAGES) | WITHOUT_A_LIST == pages_to_get()
    assert not set(PAGES) & WITHOUT_A_LIST


def test_a_page_makes_as_many_queries_as_the_table_says(
    counts: tuple[dict[str, int], dict[str, int]],
) -> None:
    few, _many = counts
    if WRITE:
        TABLE.write_text(json.dumps(few, indent=2) + "\n")
    differing = dict(set(few.items()) ^ set(json.loads(TABLE.read_text()).items()))
    assert not differing, (
        f"{sorted(differing)} make other numbers of queries than {TABLE.name} says. Where it is "
        "meant, also where they are fewer, write the table anew: BUDGETS=write."
    )


def test_more_rows_make_no_more_queries(counts: tuple[dict[str, int], dict[str, int]]) -> None:
    few, many = counts
    assert {name: (few[name], many[name]) for name in few if few[name] != many[name]} == {}
