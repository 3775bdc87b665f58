"""The two forms of a template account's name (seed 003)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.dropserver.usernames import NameRefused, account_name, ftps_form, sftp_form


def test_both_forms_are_one_account():
    name = sftp_form("Pat-Doe", "Harbor", "TX")
    assert name == "pat-doe_admin_harbor_tx"
    assert ftps_form(name) == "pat-doe.admin.harbor.tx"
    assert account_name("pat-doe.admin.harbor.tx") == name
    assert account_name(name) == name


@pytest.mark.parametrize("base", ["pat_doe", "pat.doe"])
def test_a_base_name_with_a_sign_of_the_form_is_refused_in_the_seeds_words(base):
    with pytest.raises(NameRefused, match="will need to be removed or changed"):
        sftp_form(base, "harbor", "tx")


@pytest.mark.parametrize("district", ["St. Paul ISD", "St_Paul ISD"])
def test_a_districts_name_loses_what_no_login_may_hold(district):
    assert sftp_form("pat", district, "mn") == "pat_admin_stpaulisd_mn"


@pytest.mark.parametrize(
    ("base", "district", "state"),
    [
        ("", "harbor", "tx"),
        ("-x", "harbor", "tx"),
        ("pat doe", "harbor", "tx"),
        ("päť", "harbor", "tx"),
        ("pat\n", "harbor", "tx"),
        ("../x", "harbor", "tx"),
        ("pat", "", "tx"),
        ("pat", "..", "tx"),
        ("pat", "Peña", "tx"),
        ("pat", "harbor", "texas"),
        ("pat", "harbor", "t1"),
        ("x" * 60, "harbor", "tx"),
    ],
)
def test_what_makes_no_login_name_is_refused_in_words(base, district, state):
    with pytest.raises(NameRefused, match=r"\.$"):
        sftp_form(base, district, state)


@pytest.mark.parametrize(
    "name", ["harbor-sis", "a.b", "a.b.c.d", "a.admin.b", "", "x.admin.y.texas"]
)
def test_any_other_name_stays_as_it_is(name):
    assert account_name(name) == name
    assert ftps_form(name) == name


def test_names_are_split_from_the_right():
    assert account_name("pat.admin.admin.harbor.tx") == "pat.admin.admin.harbor.tx"


@given(
    st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True),
    st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True),
)
def test_every_name_that_is_made_comes_back_from_its_other_form(base, district):
    name = sftp_form(base, district, "tx")
    assert account_name(ftps_form(name)) == name
