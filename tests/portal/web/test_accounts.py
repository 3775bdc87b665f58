"""The tenant's logins: made, given passwords and keys, and disabled."""

from __future__ import annotations

import re
from typing import Any

import asyncssh
import pytest
from django.contrib.auth.hashers import check_password
from django.http import HttpResponse
from django.urls import reverse

from portal import tenancy
from portal.models import Account, AccountKey, AuditEntry, Drop
from tests.browser import seed
from tests.cast import Cast, as_person


def post(cast: Cast, address: str, /, *args: Any, **data: str) -> HttpResponse:
    return as_person(cast, "admin").post(reverse(address, args=args), data, follow=True)


def account(cast: Cast, username: str = "harbor-sis") -> Account:
    with tenancy.everyone("a test looks"):
        return Account.objects.get(username=username)


def shown_password(answer: HttpResponse) -> str:
    shown = re.search(r'id="new-password">([^<]+)<', answer.content.decode())
    assert shown
    return shown.group(1)


def acts(cast: Cast) -> list[str]:
    with tenancy.everyone("a test looks"):
        return list(AuditEntry.objects.order_by("id").values_list("action", flat=True))


def test_a_new_account_shows_its_password_this_once(cast: Cast) -> None:
    answer = post(cast, "account-add", username="new-sis", endpoint=str(cast.endpoint.pk))
    password = shown_password(answer)
    row = account(cast, "new-sis")
    assert check_password(password, row.password)
    assert row.tenant == cast.home
    page = as_person(cast, "admin").get(reverse("account", args=[row.pk])).content.decode()
    assert password not in page
    assert acts(cast) == ["account.add"]


@pytest.mark.parametrize("name", ["", "ab", "Upper", "a b", "../x", "-a1", "a" * 65, "x\ny1"])
def test_a_name_that_a_server_could_misread_is_refused(cast: Cast, name: str) -> None:
    answer = post(cast, "account-add", username=name, endpoint=str(cast.endpoint.pk))
    assert answer.status_code == 422
    assert acts(cast) == []


def test_a_name_taken_by_anybody_is_refused(cast: Cast) -> None:
    answer = post(cast, "account-add", username="harbor-sis", endpoint=str(cast.endpoint.pk))
    assert answer.status_code == 422
    assert "This name is taken" in answer.content.decode()


def template_account(cast: Cast, **parts: str) -> HttpResponse:
    data = {"base": "Pat", "district": "Harbor I.S.D.", "state": "TX", **parts}
    sent = {f"template-{name}": value for name, value in data.items()}
    return post(cast, "accounts-template", **{"template-endpoint": str(cast.endpoint.pk), **sent})


def test_a_template_account_shows_both_forms_of_its_name_and_its_password_once(cast: Cast) -> None:
    answer = template_account(cast)
    row = account(cast, "pat_admin_harborisd_tx")
    assert check_password(shown_password(answer), row.password)
    page = as_person(cast, "admin").get(reverse("account", args=[row.pk])).content.decode()
    for text in (answer.content.decode(), page):
        assert "pat_admin_harborisd_tx" in text
        assert "pat.admin.harborisd.tx" in text
    with tenancy.everyone("a test looks"):
        assert Drop.objects.get(path=row.home).protocol == Drop.Protocol.TEMPLATE
    assert acts(cast) == ["account.add"]


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("base", "pat_lee", "an underscore"),
        ("base", "pat.lee", "a dot"),
        ("base", "-pat", "cannot be a user name"),
        ("district", "<b>", "cannot be the district"),
        ("state", "Texas", "not a state abbreviation"),
        ("base", "", "required"),
    ],
)
def test_a_part_that_makes_no_login_name_is_told_at_its_field(
    cast: Cast, part: str, value: str, words: str
) -> None:
    answer = template_account(cast, **{part: value})
    assert answer.status_code == 422
    text = answer.content.decode()
    error = re.search(rf'id="id_template-{part}_error">(.*?)</p>', text, re.DOTALL)
    assert error
    assert words in error.group(1)
    assert acts(cast) == []


def test_a_login_name_that_is_too_long_as_a_whole_is_told(cast: Cast) -> None:
    answer = template_account(cast, base="p" * 40, district="h" * 40)
    assert "Shorten the user name or the district" in answer.content.decode()


def test_a_template_account_that_exists_is_not_made_again(cast: Cast) -> None:
    template_account(cast)
    answer = template_account(cast, base="PAT")
    assert answer.status_code == 422
    assert "This name is taken" in answer.content.decode()
    assert acts(cast) == ["account.add"]


def test_an_ordinary_account_has_one_name_only(cast: Cast) -> None:
    page = as_person(cast, "admin").get(reverse("account", args=[cast.account.pk]))
    assert "FTPS" not in page.content.decode()


def test_an_endpoint_of_another_tenant_is_refused(cast: Cast) -> None:
    answer = as_person(cast, "outsider").post(
        reverse("account-add"), {"username": "sly-one", "endpoint": str(cast.endpoint.pk)}
    )
    assert answer.status_code == 422


def test_a_new_password_replaces_the_old_one(cast: Cast) -> None:
    password = shown_password(post(cast, "account-password", cast.account.pk))
    assert check_password(password, account(cast).password)
    post(cast, "account-password", cast.account.pk, none="1")
    assert account(cast).password == ""
    assert acts(cast) == ["account.password", "account.password"]


def test_a_key_is_added_once_known_by_its_fingerprint_and_removed(cast: Cast) -> None:
    answer = post(cast, "account-key-add", cast.account.pk, name="nightly", line=seed.KEY)
    fingerprint = asyncssh.import_public_key(seed.KEY).get_fingerprint()
    assert fingerprint in answer.content.decode()
    again = post(cast, "account-key-add", cast.account.pk, line=seed.KEY)
    assert "already in the list" in again.content.decode()
    with tenancy.everyone("a test looks"):
        key = AccountKey.objects.get()
    post(cast, "account-key-remove", cast.account.pk, key.pk)
    with tenancy.everyone("a test looks"):
        assert not AccountKey.objects.exists()
    assert acts(cast) == ["account.key.add", "account.key.remove"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nonsense", "not a public key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nabc", "private key"),
        ("", "required"),
    ],
)
def test_what_is_no_public_key_is_refused_with_words(cast: Cast, line: str, words: str) -> None:
    answer = post(cast, "account-key-add", cast.account.pk, line=line)
    assert answer.status_code == 422
    assert words in answer.content.decode()


@pytest.mark.parametrize("line", ["PuTTY-User-Key-File-3: ssh-rsa\nxyz", "RSA PRIVATE KEY\nxyz"])
def test_a_private_key_is_not_sent_back_with_the_page(cast: Cast, line: str) -> None:
    page = post(cast, "account-key-add", cast.account.pk, line=line).content.decode()
    assert "This is a private key" in page
    assert "xyz" not in page


def test_a_template_accounts_other_form_is_shown_and_no_ftps_is_promised(cast: Cast) -> None:
    template_account(cast)
    with tenancy.everyone("a test looks"):
        added = Account.objects.exclude(home="").get()
    page = as_person(cast, "admin").get(reverse("account", args=[added.pk])).content.decode()
    assert added.username.replace("_", ".") in page
    assert "FTPS" not in page


def test_an_account_is_disabled_and_enabled(cast: Cast) -> None:
    post(cast, "account-enabled", cast.account.pk, to="disabled")
    assert not account(cast).enabled
    post(cast, "account-enabled", cast.account.pk, to="enabled")
    assert account(cast).enabled
    assert acts(cast) == ["account.disable", "account.enable"]


def test_sessions_show_uploads_that_were_cut_off(cast: Cast) -> None:
    seed.everything(cast, jobs=0)
    for url in (reverse("accounts"), reverse("account", args=[cast.account.pk])):
        text = as_person(cast, "admin").get(url).content.decode()
        assert "1 interrupted" in text
        assert "198.51.100.7" in text
        assert "<img src=x" not in text
