"""What the wizard guesses is marked as a guess, and comes from nobody else's mappings."""

from __future__ import annotations

import html

import pytest
from django.conf import LazySettings

from imports.models import LearnedMapping
from portal import provision, tenancy
from tests.imports.conftest import institution as institution
from tests.imports.institution import Institution
from tests.imports.web.test_wizard import Admin, words
from tests.imports.web.test_wizard import admin as admin

CONTACTS = "Kennung,Vorname,Nachname,Mail,Kontakt\n" + "".join(
    f"m{n:04},Jon{n},Vale,jon{n}@elm.example,Rosa Vale {n}\n" for n in range(5)
)
NAMELESS = "Kennung,Vorname,Nachname,Feld 9\n" + "".join(
    f"m{n:04},Jon{n},Vale,jon{n}@elm.example\n" for n in range(5)
)


@pytest.fixture
def neighbour(institution: Institution) -> None:
    """Another institution has mapped the same names of columns otherwise, very often."""
    with tenancy.everyone("another institution"):
        other = provision.tenant("neighbour", "Neighbour", "UTC")
        for header, field in (("kontakt", "Email"), ("feld9", "FirstName"), ("mail", "LastName")):
            LearnedMapping.objects.create(
                tenant=other, record_type="accounts", header=header, field=field, count=99
            )


def mapping(admin: Admin) -> dict[str, list[str]]:
    fields = admin.draft().spec["fields"]
    return {name: source["columns"] for name, source in fields.items()}


EXPECTED = {
    "PersonIdentifier": ["Kennung"],
    "FirstName": ["Vorname"],
    "LastName": ["Nachname"],
    "Email": ["Mail"],
}


@pytest.mark.parametrize("shares", [False, True])
@pytest.mark.usefixtures("neighbour")
def test_another_institutions_mapping_changes_none_that_names_and_values_give(
    admin: Admin, settings: LazySettings, shares: bool
) -> None:
    settings.SHARE_LEARNED_MAPPINGS = shares
    admin.begin()
    admin.upload(CONTACTS)
    assert mapping(admin) == EXPECTED


@pytest.mark.usefixtures("neighbour")
def test_nothing_of_another_institution_is_seen_unless_the_operator_shares_it(
    admin: Admin, settings: LazySettings
) -> None:
    LearnedMapping.objects.filter(tenant=admin.institution.tenant).delete()
    header = "Kennung,Feld 9\nm1,Jon\nm2,Ada\n"
    admin.begin()
    admin.upload(header)
    assert "FirstName" not in mapping(admin)
    settings.SHARE_LEARNED_MAPPINGS = True
    admin.begin()
    admin.upload(header)
    assert mapping(admin)["FirstName"] == ["Feld 9"]
    page = words(admin.page("draft-map"))
    assert "a guess, 55 %. Another institution mapped a column of this name this way." in page


def test_a_mapping_of_ones_own_stands_below_the_values_too(admin: Admin) -> None:
    LearnedMapping.objects.create(
        tenant=admin.institution.tenant,
        record_type="accounts",
        header="kontakt",
        field="Email",
        count=50,
    )
    admin.begin()
    admin.upload(CONTACTS)
    assert mapping(admin) == EXPECTED


def test_a_guessed_meaning_is_marked_and_a_letter_is_left_to_a_person(admin: Admin) -> None:
    admin.begin("enrollments")
    rows = [("I", 6), ("Inscrito", 2), ("enrl", 2), ("Dropped", 1)]
    lines = [f"p{n}{value},S1,{value}\n" for value, count in rows for n in range(count)]
    admin.upload("PersonIdentifier,SectionIdentifier,Status\n" + "".join(lines))
    number = admin.number("Status")
    admin.send("draft-field", number, **{"column-0": "2", "do": "add", "kind": "map"})
    step = admin.draft().spec["fields"]["Status"]["steps"][0]["map"]
    assert step["values"] == {"Inscrito": "Enrolled", "enrl": "Enrolled", "Dropped": "Dropped"}
    page = html.unescape(words(admin.page("draft-field", number)))
    assert page.count("a guess: Often written like this.") == 2
    assert "perhaps Incomplete: Often written like this. So short a code may mean" in page
    assert "Guesses are marked as such: look at each before you save." in page
    assert "1 not mapped yet" in page
