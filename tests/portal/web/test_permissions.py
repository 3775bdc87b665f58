"""Who may open what: a row for every address, for every part, and for a foreign tenant.

The table is held against the URLconf: an address without a row fails, and so does a stale row.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from tests.browser import seed, seed_exports
from tests.cast import Cast, as_person, kept_on_stage

PEOPLE = ("nobody", "viewer", "manager", "admin", "operator", "outsider")
MEMBERS = {"viewer": 1, "manager": 2, "admin": 3, "operator": 3}

# Address -> method, least role, whether it names a thing of one tenant.
TABLE: dict[str, tuple[str, str, bool]] = {
    "healthz": ("get", "open", False),
    "readyz": ("get", "open", False),
    "metrics": ("get", "open", False),
    "login": ("get", "open", False),
    "logout": ("post", "person", False),
    "home": ("get", "person", False),
    "set-language": ("post", "person", False),
    "switch-tenant": ("post", "person", True),
    "jobs": ("get", "viewer", False),
    "jobs-csv": ("get", "viewer", False),
    "job": ("get", "viewer", True),
    "job-by-number": ("get", "viewer", True),
    "job-release": ("post", "manager", True),
    "job-discard": ("post", "manager", True),
    "job-plan-again": ("post", "manager", True),
    "job-retry": ("post", "manager", True),
    "job-correct": ("post", "manager", True),
    "job-again": ("post", "manager", True),
    "job-undo": ("get", "manager", True),
    "job-undo-confirm": ("post", "manager", True),
    "job-attachment": ("get", "manager", True),
    "job-original": ("get", "manager", True),
    "job-template": ("post", "admin", True),
    "templates": ("get", "viewer", False),
    "template-upload": ("post", "admin", False),
    "template": ("get", "viewer", True),
    "template-yaml": ("get", "manager", True),
    "template-version": ("post", "admin", True),
    "template-change": ("post", "admin", True),
    "template-enabled": ("post", "admin", True),
    "template-rollback": ("post", "admin", True),
    "template-clone": ("post", "admin", True),
    "template-delete": ("post", "admin", True),
    "template-replay": ("post", "manager", True),
    "lookups": ("get", "viewer", False),
    "lookup-create": ("post", "admin", False),
    "lookup": ("get", "viewer", True),
    "lookup-csv": ("get", "manager", True),
    "lookup-replace": ("post", "admin", True),
    "lookup-row": ("post", "admin", True),
    "lookup-row-remove": ("post", "admin", True),
    "lookup-delete": ("post", "admin", True),
    "arrivals": ("get", "viewer", False),
    "arrival": ("get", "viewer", True),
    "arrival-template": ("post", "admin", True),
    "sightings": ("get", "viewer", False),
    "sighting-template": ("post", "admin", True),
    "folders": ("get", "viewer", False),
    "folder": ("get", "viewer", True),
    "folder-limits": ("post", "admin", True),
    "import-new": ("get", "admin", False),
    "import-sample": ("get", "admin", False),
    "draft-choose": ("get", "admin", True),
    "draft-settings": ("get", "admin", True),
    "draft-file": ("get", "admin", True),
    "draft-fetched": ("get", "admin", True),
    "draft-upload": ("post", "admin", True),
    "draft-pick": ("post", "admin", True),
    "draft-sheet": ("post", "admin", True),
    "draft-map": ("get", "admin", True),
    "draft-field": ("get", "admin", True),
    "draft-columns": ("get", "admin", True),
    "draft-check": ("get", "admin", True),
    "draft-validate": ("post", "admin", True),
    "draft-finish": ("get", "admin", True),
    "draft-process": ("post", "admin", True),
    "draft-discard": ("post", "admin", True),
    "mail": ("get", "viewer", False),
    "records": ("get", "viewer", False),
    "record-type": ("get", "viewer", False),
    "record": ("get", "viewer", True),
    "accounts": ("get", "admin", False),
    "account-add": ("post", "admin", False),
    "accounts-template": ("post", "admin", False),
    "account": ("get", "admin", True),
    "account-password": ("post", "admin", True),
    "account-enabled": ("post", "admin", True),
    "account-addresses": ("post", "admin", True),
    "account-key-add": ("post", "admin", True),
    "account-key-remove": ("post", "admin", True),
    "events": ("get", "viewer", False),
    "event": ("get", "viewer", True),
    "tokens": ("get", "admin", False),
    "trail": ("get", "admin", False),
    "trail-csv": ("get", "admin", False),
    "token-add": ("post", "admin", False),
    "token-revoke": ("post", "admin", True),
    "api-events": ("get", "token", False),
    "api-schema": ("get", "open", False),
    "api-not-found": ("get", "nothing", False),
    "system": ("get", "operator", False),
    "exports": ("get", "viewer", False),
    "export-url": ("post", "admin", False),
    "export-new": ("get", "admin", False),
    "export-name-preview": ("get", "admin", False),
    "export-sample": ("get", "admin", False),
    "export": ("get", "viewer", True),
    "export-change": ("get", "admin", True),
    "export-run": ("post", "manager", True),
    "export-backfill": ("post", "manager", True),
    "export-started": ("post", "admin", True),
    "export-delete": ("post", "admin", True),
    "run": ("get", "viewer", True),
    "run-file": ("get", "manager", True),
    "deliveries": ("get", "viewer", False),
    "delivery-act": ("post", "manager", True),
    "servers": ("get", "viewer", False),
    "server-new": ("get", "admin", False),
    "server": ("get", "admin", True),
    "server-test": ("post", "admin", True),
    "server-pin": ("post", "admin", True),
    "server-delete": ("post", "admin", True),
}
# What the admin has removed before the operator comes.
GONE = ("account-key-remove", "draft-discard", "export-delete")
# Addresses of the exports by what they name.
EXPORT_ROWS = {
    **dict.fromkeys(("export", "export-change", "export-run", "export-backfill"), "export"),
    "export-started": "export",
    "export-delete": "stopped",
    "run": "run",
    "run-file": "sent",
    "delivery-act": "delivery",
    **dict.fromkeys(("server", "server-test", "server-pin", "server-delete"), "server"),
}


def names(patterns: list[Any]) -> set[str]:
    addresses: set[str] = set()
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            addresses |= names(pattern.url_patterns)
        elif isinstance(pattern, URLPattern):
            addresses.add(pattern.name or str(pattern.pattern))
    return addresses


def test_every_address_has_a_row_in_the_table_and_no_row_is_stale() -> None:
    assert names(get_resolver().url_patterns) == set(TABLE)


def arguments(name: str, cast: Cast, rows: dict[str, Any]) -> list[Any]:  # noqa: C901  a table
    jobs = {"job-release": "held", "job-discard": "held", "job-retry": "our_fault"}
    jobs["job-plan-again"] = "held"
    if name == "job-by-number":
        return [rows["complete"].pk]
    if name == "job" or name.startswith("job-"):
        return [rows[jobs.get(name, "incomplete")].uid]
    if name == "template" or (name.startswith("template-") and name != "template-upload"):
        return [rows["template"].uid, *([1] if name == "template-yaml" else [])]
    if name == "lookup" or (name.startswith("lookup-") and name != "lookup-create"):
        return [rows["lookup"].uid, *([1] if name == "lookup-csv" else [])]
    if name in ("arrival", "arrival-template"):
        return [rows["arrival"].uid]
    if name == "sighting-template":
        return [rows["sighting"].pk]
    if name in ("folder", "folder-limits"):
        return [rows["arrival"].drop_id]
    if name == "import-sample":
        return ["accounts"]
    if name.startswith("draft-"):
        return [rows["draft"].uid, *([0] if name == "draft-field" else [])]
    if name == "record-type":
        return ["accounts"]
    if name == "record":
        return ["accounts", rows["record"].pk]
    if name in EXPORT_ROWS:
        exports = rows["exports"]
        return [exports[EXPORT_ROWS[name]].uid, *(["resend"] if name == "delivery-act" else [])]
    if name == "account-key-remove":
        return [cast.account.pk, rows["key"].pk]
    if (name.startswith("account-") and name != "account-add") or name == "account":
        return [cast.account.pk]
    if name in ("event", "token-revoke"):
        return [rows[name.partition("-")[0]].pk]
    return []


@pytest.fixture(scope="module")
def kept(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Cast, dict[str, Any]]]:
    """The cast and rows of every kind, made once: two hundred tests ask for them."""
    with django_db_blocker.unblock(), kept_on_stage(tmp_path_factory.mktemp("stage")) as cast:
        rows = seed.everything(cast, jobs=3)
        rows["exports"] = seed_exports.everything(cast, runs=0)
        yield cast, rows


@pytest.fixture
def cast(kept: tuple[Cast, dict[str, Any]], db: None) -> Cast:
    """Each test has people of its own to change."""
    return copy.deepcopy(kept[0])


@pytest.fixture
def rows(kept: tuple[Cast, dict[str, Any]]) -> dict[str, Any]:
    return kept[1]


def asked(client: Client, method: str, url: str, cast: Cast) -> int:
    data = {"tenant": str(cast.home.uid)} if method == "post" else {}
    return int(getattr(client, method)(url, data).status_code)


def expected(person: str, role: str, of_a_tenant: bool) -> set[int]:
    if role == "open":
        return {200, 503, 302} if person == "nobody" else {200, 302, 503, 401, 403, 404}
    if role in ("token", "nothing"):  # no session counts there
        return {401 if role == "token" else 404}
    if person == "nobody":
        return {302}
    if role == "operator":
        return {200} if person == "operator" else {403}
    if person == "outsider":
        return {404} if of_a_tenant else {200, 302, 422}
    needed = MEMBERS.get(role, 0)
    return {200, 302, 422} if MEMBERS[person] >= needed else {403}


@pytest.mark.parametrize("name", sorted(TABLE))
def test_an_address_lets_in_whom_the_table_says_and_nobody_else(
    name: str, cast: Cast, rows: dict[str, Any]
) -> None:
    method, role, of_a_tenant = TABLE[name]
    url = reverse(name, args=arguments(name, cast, rows))
    for person in sorted(PEOPLE, key=lambda p: MEMBERS.get(p, 0)):
        if name in GONE and person == "operator":
            continue  # the admin has removed it
        client = as_person(cast, person)
        status = asked(client, method, url, cast)
        assert status in expected(person, role, of_a_tenant), f"{person}: {status}"
        if person == "nobody" and role != "open":
            assert (
                client.get(url, follow=False)
                .headers.get("Location", "/login/")
                .startswith("/login/")
            )


@pytest.mark.parametrize(
    "name", sorted(n for n, (method, role, _) in TABLE.items() if (method, role) != ("get", "open"))
)
def test_no_cache_keeps_what_a_person_was_shown(
    name: str, cast: Cast, rows: dict[str, Any]
) -> None:
    method, role, _ = TABLE[name]
    if role in ("token", "nothing"):
        return
    client = as_person(cast, "operator" if role == "operator" else "admin")
    answer = getattr(client, method)(reverse(name, args=arguments(name, cast, rows)))
    assert "no-store" in answer.headers["Cache-Control"]


class Unread:
    """A body of which nobody may read a byte."""

    def read(self, _size: int = -1) -> bytes:
        raise AssertionError("the body was read")

    readline = read


@pytest.mark.parametrize("name", sorted(n for n, row in TABLE.items() if row[0] == "post"))
@pytest.mark.parametrize("person", ["nobody", "viewer", "outsider"])
def test_whoever_may_not_come_in_is_refused_before_a_byte_is_read(
    name: str, person: str, cast: Cast, rows: dict[str, Any]
) -> None:
    _, role, _ = TABLE[name]
    least = MEMBERS.get(role, 0)
    if person != "nobody" and MEMBERS.get(person, 3) >= least:
        return
    client = as_person(cast, person)
    client.handler.enforce_csrf_checks = True
    answer = client.generic(
        "POST",
        reverse(name, args=arguments(name, cast, rows)),
        content_type="multipart/form-data; boundary=x",
        CONTENT_LENGTH=str(2 << 30),
        **{"wsgi.input": Unread()},  # type: ignore[arg-type]
    )
    assert answer.status_code in (302, 401, 403, 413)


@pytest.mark.parametrize("name", sorted(n for n, row in TABLE.items() if row[0] == "post"))
def test_what_changes_something_refuses_get_and_a_missing_token(
    name: str, cast: Cast, rows: dict[str, Any]
) -> None:
    url = reverse(name, args=arguments(name, cast, rows))
    assert as_person(cast, "operator").get(url).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(cast.operator)
    refused = strict.post(url)
    assert refused.status_code == 403
    assert "expired" in refused.content.decode()


def test_a_person_without_an_institution_is_told_so(cast: Cast) -> None:
    cast.viewer.memberships.all().delete()
    page = as_person(cast, "viewer").get(reverse("jobs"))
    assert page.status_code == 403
    assert "do not belong to an institution" in page.content.decode()
