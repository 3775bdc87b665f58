"""Making tenants, endpoints, accounts and people, by call and by command."""

from __future__ import annotations

import io
import stat
from pathlib import Path

import asyncssh
import pytest
from django.conf import LazySettings
from django.contrib.auth.hashers import check_password
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from portal import keys, provision, tenancy
from portal.models import Account, AccountKey, Drop, Endpoint, Membership, RecordKind, Tenant, User
from portal.records.catalog import catalog

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def drops(settings: LazySettings, tmp_path: Path) -> Path:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.DROPS_DIR = tmp_path / "var" / "drops"
    return settings.DROPS_DIR


@pytest.fixture
def oak() -> Tenant:
    return provision.tenant("Oak College", "oak", "America/Mexico_City")


def run(command: str, *arguments: str) -> str:
    out = io.StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


def key_line() -> str:
    return (
        asyncssh.generate_private_key("ssh-ed25519", comment="ada@laptop")
        .export_public_key()
        .decode()
    )


def test_an_endpoint_has_a_drop_and_a_folder_for_every_feed(oak: Tenant, drops: Path) -> None:
    endpoint = provision.endpoint(oak)
    feeds = {feed.folders[0]: feed.name for feed in catalog().feeds()}
    assert len(feeds) >= 12
    with tenancy.scope(oak.pk):
        assert dict(Drop.objects.values_list("path", "feed")) == feeds
    assert all((drops / str(endpoint.uid) / path).is_dir() for path in feeds)


def test_nobody_else_may_enter_the_folders(oak: Tenant, drops: Path) -> None:
    root = provision.folders(provision.endpoint(oak))
    for path in (drops, root, root / ".parts"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("slug", "zone", "words"),
    [
        ("oak", "UTC", "already exists"),
        ("a b", "UTC", "valid"),
        ("elm", "Mars/Base", "not an IANA"),
    ],
)
def test_a_tenant_that_cannot_be_is_refused_in_words(
    oak: Tenant, slug: str, zone: str, words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        provision.tenant("Elm", slug, zone)


def test_an_account_logs_in_with_what_it_was_given(oak: Tenant) -> None:
    endpoint, line = provision.endpoint(oak), key_line()
    with_password = provision.account(endpoint, "oak-sis", "secret")
    with_key = provision.account(endpoint, "oak-key", key_line=line)
    assert check_password("secret", with_password.password)
    assert with_key.password == ""
    with tenancy.scope(oak.pk):
        stored = AccountKey.objects.get()
    assert stored.line == " ".join(line.split()[:2])
    assert (stored.name, stored.fingerprint[:7]) == ("ada@laptop", "SHA256:")


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "../x", "a\n", "ä", "x" * 65])
def test_an_unfit_user_name_is_refused(oak: Tenant, name: str) -> None:
    with pytest.raises(ValidationError, match="cannot be a user name"):
        provision.account(provision.endpoint(oak), name, "secret")


def test_a_user_name_is_unique_across_tenants_whatever_its_case(oak: Tenant) -> None:
    provision.account(provision.endpoint(oak), "sis", "secret")
    elm = provision.tenant("Elm", "elm")
    with pytest.raises(ValidationError, match="SIS is taken"):
        provision.account(provision.endpoint(elm), "SIS", "secret")


def test_an_account_without_any_way_in_is_refused(oak: Tenant) -> None:
    with pytest.raises(ValidationError, match="password or a public key"):
        provision.account(provision.endpoint(oak), "sis")


@pytest.mark.parametrize("text", ["", "hello", "ssh-ed25519 AAAA", "\x00", "é", "A" * 99999])
def test_what_is_no_key_is_refused_in_words(text: str) -> None:
    with pytest.raises(keys.PublicKeyRefused, match="not a public key"):
        keys.parse(text)


def test_a_person_is_a_member_in_one_role_and_keeps_their_password(oak: Tenant) -> None:
    provision.user("Ada@Example.org", "correct horse battery", oak, "viewer")
    secret = "another long secret"
    person = provision.user("ada@example.org", secret, oak, "admin", change_role=True)
    assert person.check_password("correct horse battery")
    assert Membership.objects.get().role == "admin"


@pytest.mark.parametrize(
    ("email", "password", "role"),
    [
        ("nobody", "correct horse battery", "viewer"),
        ("ada@example.org", "short", "viewer"),
        ("ada@example.org", "correct horse battery", "king"),
    ],
)
def test_an_unfit_person_is_refused(oak: Tenant, email: str, password: str, role: str) -> None:
    with pytest.raises(ValidationError):
        provision.user(email, password, oak, role)
    assert not User.objects.exists()


def test_the_record_kinds_follow_the_catalog_and_keep_their_ids() -> None:
    provision.record_kinds()
    before = dict(RecordKind.objects.values_list("name", "id"))
    RecordKind.objects.filter(name="courses").update(label="old")
    provision.record_kinds()
    assert dict(RecordKind.objects.values_list("name", "id")) == before
    assert set(before) == {record_type.name for record_type in catalog().order()}
    assert RecordKind.objects.get(name="courses").label != "old"


def test_the_commands_make_a_sender_and_a_person_from_nothing() -> None:
    assert "oak-college" in run("create_tenant", "Oak College", "--time-zone", "UTC")
    password = run("create_account", "oak-college", "sis").split()[-1]
    with tenancy.everyone("a test looks"):
        assert check_password(password, Account.objects.get(username="sis").password)
    arguments = ("create_user", "ada@example.org", "--tenant", "oak-college", "--role", "admin")
    assert User.objects.count() == 0
    password = run(*arguments).split()[-1]
    assert User.objects.get().check_password(password)
    assert "keeps their password" in run(*arguments)
    run("create_user", "root@example.org", "--operator")
    assert User.objects.get(email="root@example.org").is_operator


def role_of(email: str) -> str:
    with tenancy.everyone("a test looks"):
        return Membership.objects.get(user__email=email).role


def test_a_member_keeps_their_role_unless_it_is_to_be_changed(oak: Tenant) -> None:
    for name in ("ada", "grace"):
        run("create_user", f"{name}@oak.example", "--tenant", "oak", "--role", "admin")
    for again in ((), ("--role", "viewer")):
        with pytest.raises(CommandError, match="already a member of oak"):
            run("create_user", "ada@oak.example", "--tenant", "oak", *again)
    assert role_of("ada@oak.example") == "admin"
    change = ("--tenant", "oak", "--role", "manager", "--change-role")
    run("create_user", "ada@oak.example", *change)
    assert role_of("ada@oak.example") == "manager"
    with pytest.raises(CommandError, match="the only admin of oak"):
        run("create_user", "grace@oak.example", *change)
    assert role_of("grace@oak.example") == "admin"


def test_an_operator_has_no_role_in_an_institution() -> None:
    with pytest.raises(CommandError, match="has no role in one"):
        run("create_user", "root@example.org", "--operator", "--role", "admin")


def test_an_account_may_have_a_key_from_a_file(oak: Tenant, tmp_path: Path) -> None:
    provision.endpoint(oak)
    (tmp_path / "id.pub").write_text(key_line())
    assert "the key in" in run("create_account", "oak", "sis", "--key", str(tmp_path / "id.pub"))


@pytest.mark.parametrize("format_name", ["openssh", "pkcs8-pem", "pkcs1-pem"])
def test_a_private_key_is_refused_because_it_is_the_senders_alone(
    oak: Tenant, tmp_path: Path, format_name: str
) -> None:
    provision.endpoint(oak)
    kind = "ssh-rsa" if format_name == "pkcs1-pem" else "ssh-ed25519"
    private = asyncssh.generate_private_key(kind).export_private_key(format_name)
    (tmp_path / "id").write_bytes(private)
    with pytest.raises(CommandError, match=r"private key.*delete the copy.*\.pub"):
        run("create_account", "oak", "sis", "--key", str(tmp_path / "id"))
    with tenancy.scope(oak.pk):
        assert not Account.objects.exists()


def test_puttys_private_key_is_named_as_one() -> None:
    with pytest.raises(keys.PublicKeyRefused, match="private key"):
        keys.parse("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: x\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create_tenant", "Oak", "--slug", "oak"), "already exists"),
        (("create_tenant", "!!"), "cannot be blank"),
        (("create_tenant", "Elm", "--time-zone", "x"), "not an IANA time zone"),
        (("create_account", "elm", "sis"), "No institution has the slug elm. There are: oak"),
        (("create_account", "oak", "a b"), "cannot be a user name"),
        (("create_account", "oak", "sis", "--key", "/missing"), "cannot be read"),
        (("create_account", "oak", "sis", "--key", "/dev/null"), "not a public key"),
        (("create_user", "a@example.org"), "either --tenant"),
        (("create_user", "a@example.org", "--tenant", "elm"), "There are: oak"),
        (("create_user", "nobody", "--tenant", "oak"), "valid email"),
    ],
)
def test_a_command_refuses_in_words(oak: Tenant, arguments: tuple[str, ...], words: str) -> None:
    provision.endpoint(oak)
    with pytest.raises(CommandError, match=words):
        run(*arguments)


def test_a_tenant_whose_folders_cannot_be_made_is_not_made(drops: Path) -> None:
    drops.parent.mkdir()
    drops.write_text("a file in the way")
    with pytest.raises(CommandError, match="folders cannot be created"):
        run("create_tenant", "Oak")
    assert not Tenant.objects.exists()
    with tenancy.everyone("a test looks"):
        assert not Endpoint.objects.exists()


def test_a_template_account_has_a_home_with_a_drop_and_a_folder(oak: Tenant, drops: Path) -> None:
    endpoint = provision.endpoint(oak)
    account = provision.template_account(endpoint, "Pat", "Harbor ISD", "TX", "secret")
    assert (account.username, account.home) == (
        "pat_admin_harborisd_tx",
        "homes/pat_admin_harborisd_tx",
    )
    with tenancy.scope(oak.pk):
        assert Drop.objects.get(path=account.home).protocol == Drop.Protocol.TEMPLATE
    assert (drops / str(endpoint.uid) / account.home).is_dir()


@pytest.mark.parametrize("taken", ["pat_admin_harbor_tx", "PAT.admin.harbor.tx"])
def test_no_two_accounts_share_a_name_in_either_form(oak: Tenant, taken: str) -> None:
    endpoint = provision.endpoint(oak)
    provision.account(endpoint, taken, "secret")
    with pytest.raises(ValidationError, match="is taken"):
        provision.template_account(endpoint, "pat", "harbor", "tx", "secret")
    with tenancy.scope(oak.pk):
        assert not Drop.objects.filter(protocol=Drop.Protocol.TEMPLATE).exists()


def test_a_plain_account_may_not_take_the_other_form_of_a_template_account(oak: Tenant) -> None:
    endpoint = provision.endpoint(oak)
    provision.template_account(endpoint, "pat", "harbor", "tx", "secret")
    with pytest.raises(ValidationError, match="is taken"):
        provision.account(endpoint, "Pat.admin.harbor.tx", "secret")


def test_a_template_account_whose_base_name_breaks_the_form_is_refused(oak: Tenant) -> None:
    with pytest.raises(ValidationError, match="will need to be removed or changed"):
        provision.template_account(provision.endpoint(oak), "pat_doe", "harbor", "tx", "secret")


def test_the_command_makes_a_template_account(oak: Tenant) -> None:
    provision.endpoint(oak)
    output = run("create_account", "oak", "pat", "--template", "Harbor", "TX")
    assert "pat_admin_harbor_tx logs in with the password" in output
    assert "pat.admin.harbor.tx is accepted as the same login" in output
    assert "FTPS" not in output
    with pytest.raises(CommandError, match="two letters"):
        run("create_account", "oak", "pat", "--template", "Harbor", "Texas")
