"""Which events of an import people are told of, and in which words."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models.functions import Now

from imports.jobs import actions
from imports.jobs.instructions import settings_of
from imports.models import ImportTemplate, TemplateVersion
from portal.models import Membership, Notice, Role, User
from tests.imports.collect.test_template_files import PLAIN
from tests.imports.institution import CAMPUS, Institution

BAD = (
    "PersonIdentifier,FirstName,LastName,Email\n0001,Ada,Lovelace,ada@example.edu\n,No,Key,x@y.z\n"
)


def notices() -> list[tuple[str, str]]:
    return list(Notice.objects.order_by("pk").values_list("event", "title"))


def version(institution: Institution, **settings: Any) -> TemplateVersion:
    template = ImportTemplate.objects.create(
        tenant=institution.tenant, name="People", feed="accounts"
    )
    return TemplateVersion.objects.create(
        tenant=institution.tenant, template=template, number=1, spec={**PLAIN, "settings": settings}
    )


def test_completion_is_told_only_if_the_template_says_so(institution: Institution) -> None:
    institution.send("accounts", CAMPUS["accounts"])
    silent = version(institution, mail=False)
    institution.send("accounts", CAMPUS["accounts"], template_version=silent)
    assert notices() == []
    TemplateVersion.objects.update(spec={**PLAIN, "settings": {"mail": True}})
    silent.refresh_from_db()
    institution.send("accounts", CAMPUS["accounts"], template_version=silent, file_name="u.csv")
    assert notices() == [("finished", "u.csv is complete")]


@pytest.mark.parametrize("spec", [None, [], {"settings": None}, {"settings": []}, "x"])
def test_a_spec_that_cannot_be_read_says_nothing_of_mail(
    institution: Institution, spec: object
) -> None:
    saved = version(institution)
    if spec is not None:
        TemplateVersion.objects.update(spec=spec)
    saved.refresh_from_db()
    assert settings_of(saved) == {}


def test_who_asked_for_it_is_told_of_every_completion(institution: Institution) -> None:
    user = User.objects.create_user("all@test.example")
    try:
        Membership.objects.create(
            tenant=institution.tenant, user=user, role=Role.VIEWER, mail_completed=True
        )
        institution.send("accounts", BAD, file_name="u.csv")
        assert notices() == [("finished", "u.csv is incomplete: some rows were rejected")]
    finally:
        user.delete()


def test_a_file_that_fails_is_told_with_the_reason(institution: Institution) -> None:
    institution.send("accounts", "nonsense\n1\n", file_name="u.csv")
    assert notices() == [("failed", "u.csv failed")]
    assert "PersonIdentifier" in Notice.objects.get().text


def test_a_dry_run_is_told_to_nobody(institution: Institution) -> None:
    institution.send("accounts", CAMPUS["accounts"], dry_run=True)
    assert notices() == []


@pytest.mark.parametrize("mailed", [False, True])
def test_a_hold_and_who_decided_are_told(institution: Institution, mailed: bool) -> None:
    """A mail that comes after the decision does not ask for one."""
    user = User.objects.create_user("max@test.example", name="Max")
    job = institution.send("accounts", CAMPUS["accounts"], limits={"creates": 1}, file_name="u.csv")
    assert job.state == "held"
    held = ("held", "u.csv is held: nothing is imported until somebody decides")
    assert notices() == [held]
    if mailed:
        Notice.objects.update(summed_at=Now())
    actions.discard(job, user)
    assert notices() == [*[held] * mailed, ("decided", "u.csv was discarded by Max")]
