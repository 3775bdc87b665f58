"""The page of folders: what one file of each may do, seen by everybody and changed by the admin."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from imports.collect import folder_limits
from imports.load.ceilings import DEFAULTS
from portal.changes import fingerprint
from portal.models import AuditEntry, Drop, Endpoint, Membership, Role
from tests.imports.folder import CSV, Folders
from tests.imports.institution import counts
from tests.imports.web.desk import Desk

PATH = "Accounts/AccountImports"


@pytest.fixture
def sender(desk: Desk) -> Folders:
    return Folders(desk.institution, "accounts")


def drop(sender: Folders) -> Drop:
    return Drop.objects.get(pk=sender.drops["accounts"].pk)


def save(desk: Desk, folder: Drop, status: int = 200, seen: object = None, **limits: str) -> str:
    data = {f"limit_{name}": limit for name, limit in limits.items()}
    data["seen"] = fingerprint(folder.limits if seen is None else seen)
    return desk.post("folder-limits", folder.pk, status=status, **data)


def error_at(text: str, name: str) -> str:
    error = re.search(rf'id="id_limit_{name}_error">(.*?)</p>', text, re.DOTALL)
    return re.sub(r"<[^>]+>|\s+", " ", error.group(1)) if error else ""


def test_without_a_folder_it_says_who_makes_one(desk: Desk) -> None:
    assert "No folders yet" in desk.get("folders")


def test_it_lists_each_folder_with_its_limits_and_the_defaults(desk: Desk, sender: Folders) -> None:
    folder_limits.change(drop(sender), {"creates": 7})
    text = " ".join(desk.get("folders").split())
    assert PATH in text
    assert "Records created: 7<" in text
    assert f"Records removed: {DEFAULTS['removes']}" in text
    assert text.count("The defaults<") == 0, "this folder has a limit of its own"
    assert "No folders match this filter" in desk.get("folders", name="zzz")
    assert PATH in desk.get("folders", name="accountimp")


def test_folders_of_template_accounts_and_of_others_are_not_listed(
    desk: Desk, sender: Folders
) -> None:
    Drop.objects.create(
        tenant=desk.institution.tenant,
        endpoint=sender.endpoint,
        path="home/x",
        protocol=Drop.Protocol.TEMPLATE,
    )
    assert "home/x" not in desk.get("folders")


def test_the_admin_sets_limits_and_the_next_file_is_held_by_them(
    desk: Desk, sender: Folders
) -> None:
    text = desk.get("folder", drop(sender).pk)
    assert f'placeholder="{DEFAULTS["removes"]}"' in text
    text = save(desk, drop(sender), creates=" 0 ", removes="5 %")
    assert "Saved." in text
    assert drop(sender).limits == {"creates": 0, "removes": "5%"}
    assert re.search(r'name="limit_removes" value="5%"', text)
    entry = AuditEntry.objects.get(action="folder.limits")
    assert (entry.user, entry.subject) == (desk.user, PATH)
    sender.deliver("p.csv", CSV)
    (job,) = sender.go()
    job.refresh_from_db()
    assert job.state == "held"
    assert "p.csv" in desk.get("folder", drop(sender).pk), "Its page names the held file."


def test_a_blank_field_means_the_default(desk: Desk, sender: Folders) -> None:
    save(desk, drop(sender), creates="7")
    save(desk, drop(sender))
    assert drop(sender).limits == {}


@pytest.mark.parametrize("limit", ["many", "-3", "10,5%", "1,000", "9" * 20])
def test_a_wrong_limit_is_shown_at_its_field_and_nothing_is_saved(
    desk: Desk, sender: Folders, limit: str
) -> None:
    text = save(desk, drop(sender), status=422, creates="7", updates=limit)
    assert "expected a number of rows or a percentage such as" in error_at(text, "updates")
    assert error_at(text, "creates") == ""
    assert f'value="{limit}"' in text
    assert drop(sender).limits == {}


def test_the_second_of_two_who_change_them_sees_what_stands_and_keeps_what_they_entered(
    desk: Desk, sender: Folders
) -> None:
    folder_limits.change(drop(sender), {"removes": "6%"})
    text = save(desk, drop(sender), status=409, seen={}, creates="7")
    assert "Somebody else has changed this since you opened the page" in text
    assert "Your version differs in: Records removed, Records created." in text
    assert drop(sender).limits == {"removes": "6%"}
    assert re.search(r'name="limit_creates" value="7"', text)
    in_force = text[text.index("In force now") :]
    assert "6%" in in_force
    seen = re.search(r'name="seen" value="(\w+)"', text)
    assert seen
    desk.post("folder-limits", drop(sender).pk, seen=seen.group(1), limit_creates="7")
    assert drop(sender).limits == {"creates": 7}


def test_a_page_without_what_it_showed_saves_nothing(desk: Desk, sender: Folders) -> None:
    text = desk.post("folder-limits", drop(sender).pk, status=422, limit_creates="7")
    assert "The page is incomplete. Reload it." in text
    assert drop(sender).limits == {}


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MANAGER])
def test_who_is_no_admin_sees_the_limits_and_cannot_change_them(
    desk: Desk, sender: Folders, role: str
) -> None:
    Membership.objects.filter(user=desk.user).update(role=role)
    text = desk.get("folder", drop(sender).pk)
    assert "In force now" in text
    assert 'name="limit_creates"' not in text
    assert "A tenant admin can change the limits." in text
    save(desk, drop(sender), status=403, creates="7")
    assert drop(sender).limits == {}


def test_a_folder_of_somebody_else_and_a_templates_home_have_no_page(
    desk: Desk, sender: Folders
) -> None:
    home = Drop.objects.create(
        tenant=desk.institution.tenant,
        endpoint=Endpoint.objects.create(tenant=desk.institution.tenant, name="X"),
        path="home/x",
        protocol=Drop.Protocol.TEMPLATE,
    )
    for number in (home.pk, 10**8):
        assert desk.client.get(reverse("folder", args=[number])).status_code == 404
        assert desk.client.post(reverse("folder-limits", args=[number])).status_code == 404
    assert Client().get(reverse("folder", args=[drop(sender).pk])).status_code == 302


def test_a_held_job_leads_to_its_folders_limits_and_runs_again_with_them(
    desk: Desk, sender: Folders
) -> None:
    folder_limits.change(drop(sender), {"creates": 0})
    sender.deliver("p.csv", CSV)
    (job,) = sender.go()
    text = desk.get("job", job.uid)
    assert re.search(rf'<a href="/folders/{drop(sender).pk}/">\s*The limits of this folder', text)
    assert "Run again…" not in text
    save(desk, drop(sender), creates="5")
    text = desk.get("job", job.uid)
    assert "The limits of the folder were changed after this plan was made." in text
    assert "Run again…" in text
    assert "The file is read again in a moment." in desk.post("job-plan-again", job.uid)
    sender.institution.work()
    job.refresh_from_db()
    assert (job.state, counts(job)) == ("complete", {"read": 1, "created": 1})
    assert "job.plan" in desk.trail()


def test_a_job_held_by_its_template_leads_there_and_not_to_a_folder(desk: Desk) -> None:
    template = desk.template(settings={"limits": {"creates": 0}})
    job = desk.send(template)
    text = desk.get("job", job.uid)
    assert "Open the template" in text
    assert "The limits of this folder" not in text
    assert "Run again…" not in text
    desk.version(template, settings={"limits": {"creates": 2}})
    text = desk.get("job", job.uid)
    assert "The template was saved again after this plan was made." in text
    assert "Run again…" in text
    desk.post("job-plan-again", job.uid)
    desk.institution.work()
    job.refresh_from_db()
    assert (job.state, job.template_version.number) == ("complete", 2)
