"""`manage.py set_limits`: the limits of a folder at the command line."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from imports.mapping.definitions import MEASURES
from portal.models import AuditEntry, Drop
from tests.imports.folder import CSV, Folders
from tests.imports.institution import Institution

PATH = "Accounts/AccountImports"


@pytest.fixture
def sender(institution: Institution) -> Folders:
    return Folders(institution, "accounts", "courses")


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("set_limits", *arguments, stdout=out)
    return out.getvalue().strip()


@pytest.mark.usefixtures("sender")
def test_without_options_it_shows_what_holds() -> None:
    assert run("test-college", PATH) == (
        f"{PATH}: removes 10% (default); same_field 50% (default); reused_keys 0 (default); "
        "lost_zeros 0 (default); no limit for creates, updates, rejects, size_change, key_churn"
    )
    assert not AuditEntry.objects.exists()


def test_it_changes_what_is_named_and_nothing_else(sender: Folders) -> None:
    run("test-college", PATH, "--creates", "0", "--size-change", "50 %")
    words = run("test-college", f"/{PATH}/", "--removes", "5%", "--clear", "size-change")
    assert words.startswith(f"{PATH}: creates 0; removes 5%; same_field 50% (default)")
    drop = Drop.objects.get(path=PATH)
    assert drop.limits == {"creates": 0, "removes": "5%"}
    assert Drop.objects.get(feed="courses").limits == {}
    entry = AuditEntry.objects.filter(action="folder.limits").latest("id")
    assert (entry.user, entry.detail["new"]) == (None, drop.limits)
    sender.deliver("p.csv", CSV)
    (job,) = sender.go()
    job.refresh_from_db()
    assert job.state == "held"


@pytest.mark.usefixtures("sender")
def test_every_limit_has_an_option() -> None:
    for name in MEASURES:
        assert f"{name} 3" in run("test-college", PATH, f"--{name.replace('_', '-')}", "3")


@pytest.mark.usefixtures("sender")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere", PATH), "No institution has the slug nowhere. There are: test-college."),
        (("test-college", "accounts/accountimports"), "has no folder .* There are: .*" + PATH),
        (("test-college", PATH, "--creates", "many"), "creates: found .many., expected a number"),
        (("test-college", PATH, "--creates", "9" * 5000), "creates: found .9"),
        (("test-college", PATH, "--creates", ""), "creates: found .., expected a number"),
        (("test-college", PATH, "--clear", "deletes"), "no limit 'deletes'. Expected one of creat"),
        (("test-college", PATH, "--clear", "creates", "--creates", "1"), "both for creates"),
        (("test-college", PATH, "--endpoint", "x"), "has no folder"),
    ],
)
def test_what_it_cannot_do_it_says_in_words(arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        run(*arguments)
    assert not AuditEntry.objects.exists()


def test_a_folder_that_two_endpoints_have_is_named_with_its_endpoint(sender: Folders) -> None:
    other = Folders(sender.institution, "accounts")
    with pytest.raises(CommandError, match="Add --endpoint, one of ") as error:
        run("test-college", PATH, "--creates", "1")
    assert str(other.endpoint.uid) in str(error.value)
    run("test-college", PATH, "--creates", "1", "--endpoint", str(other.endpoint.uid))
    assert Drop.objects.get(endpoint=other.endpoint).limits == {"creates": 1}
    assert Drop.objects.get(endpoint=sender.endpoint, path=PATH).limits == {}
