"""The partners' servers: secrets that never come out, keys pinned, connections tested."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings
from django.template.loader import render_to_string
from django.urls import reverse

from exports import secrets
from exports.models import Destination, Server
from exports.web.server import probe_context
from portal import tenancy
from portal.models import AuditEntry
from portal.transports.probing import Probe, ProbeStep
from tests.cast import Cast, as_person
from tests.exports.web.office import KEY, acts, get, make_export, post, server, words

PASSWORD = "a secret of the partner's"


def fields(**changes: str) -> dict[str, str]:
    return {
        "name": "District SIS",
        "host": "SFTP.District.example",
        "port": "22",
        "username": "causeway",
        "password": PASSWORD,
        **changes,
    }


def only(cast: Cast) -> Server:
    with tenancy.everyone("a test looks"):
        return Server.objects.get(tenant=cast.home)


def test_a_server_is_made_with_a_sealed_password_that_is_never_shown(cast: Cast) -> None:
    answer = post(cast, "server-new", **fields())
    row = only(cast)
    assert answer.redirect_chain == [(reverse("server", args=[row.uid]), 302)]
    assert row.host == "sftp.district.example"
    assert PASSWORD not in row.password
    assert secrets.password_of(row) == PASSWORD
    page = get(cast, "server", row.uid)
    assert "A password is set." in page
    assert PASSWORD not in page
    assert row.password not in page
    with tenancy.everyone("a test looks"):
        assert PASSWORD not in str([entry.detail for entry in AuditEntry.objects.all()])


def test_a_blank_password_keeps_the_one_that_is_set(cast: Cast) -> None:
    post(cast, "server-new", **fields())
    row = only(cast)
    post(cast, "server", row.uid, **fields(password="", username="other"))
    assert secrets.password_of(only(cast)) == PASSWORD
    assert only(cast).username == "other"
    assert acts(cast) == ["server.create", "server.change"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"host": "sftp://u:p@h.example/x"}, "Only the host"),
        ({"host": "no host"}, "is not a host name"),
        ({"port": "0"}, "greater than or equal to 1"),
        ({"port": "99999"}, "less than or equal to 65535"),
        ({"password": " x"}, "begins or ends with a space"),
        ({"password": ""}, "Enter a password or a private key"),
        ({"private_key": "-----BEGIN NONSENSE-----"}, "This private key cannot be used."),
        ({"username": ""}, "This field is required."),
    ],
)
def test_each_bad_input_is_named_and_no_server_is_made(
    cast: Cast, changes: dict[str, str], message: str
) -> None:
    answer = post(cast, "server-new", **fields(**changes))
    assert answer.status_code == 422
    assert message in words(answer)
    with tenancy.everyone("a test looks"):
        assert not Server.objects.exists()


def test_a_name_that_is_taken_is_told(cast: Cast) -> None:
    server(cast)
    answer = post(cast, "server-new", **fields(name="district sis"))
    assert answer.status_code == 422
    assert "Another server has this name." in words(answer)


def test_taking_the_only_secret_away_is_refused(cast: Cast) -> None:
    post(cast, "server-new", **fields())
    answer = post(cast, "server", only(cast).uid, **fields(password="", no_password="on"))
    assert answer.status_code == 422
    assert only(cast).password


def test_another_host_loses_the_pinned_key(cast: Cast) -> None:
    row = server(cast)
    answer = post(cast, "server", row.uid, **fields(host="elsewhere.example"))
    assert "its key must be pinned again" in words(answer)
    assert only(cast).host_key == ""


def test_a_key_is_pinned_and_unpinned_and_both_are_audited(cast: Cast) -> None:
    row = server(cast, host_key="")
    post(cast, "server-pin", row.uid, key=KEY + "=", kind="ssh-ed25519")
    assert (only(cast).host_key, only(cast).host_key_type) == (KEY, "ssh-ed25519")
    post(cast, "server-pin", row.uid, none="1")
    assert only(cast).host_key == ""
    assert acts(cast) == ["server.pin", "server.unpin"]


def test_what_is_no_fingerprint_is_told_at_its_field(cast: Cast) -> None:
    row = server(cast, host_key="")
    answer = post(cast, "server-pin", row.uid, key="MD5:aa:bb")
    assert answer.status_code == 422
    assert "looks like SHA256:" in words(answer)
    assert 'value="MD5:aa:bb"' in answer.content.decode()


def test_a_test_of_the_connection_says_which_step_did_not_work(
    cast: Cast, settings: LazySettings
) -> None:
    settings.EXPORT_ALLOWED_NETWORKS = []
    row = server(cast, host="127.0.0.1")
    answer = post(cast, "server-test", row.uid, path="/in")
    assert answer.status_code == 200
    assert "The connection does not work yet" in words(answer)
    assert "Finding the server" in words(answer)
    part = as_person(cast, "admin").post(
        reverse("server-test", args=[row.uid]), {"path": ""}, headers={"HX-Request": "true"}
    )
    assert part.content.decode().lstrip().startswith('<div class="box box-bad">')


def test_a_key_that_is_not_pinned_is_shown_to_compare_with_a_button() -> None:
    steps = [
        ProbeStep("connect", True, "The server answers."),
        ProbeStep("host_key", False, f"No host key is pinned. It shows ssh-ed25519 {KEY}."),
    ]
    probe = Probe(False, steps, "ssh-ed25519", KEY, needs_pin=True)
    row = Server(name="x", host="h.example", username="u")
    page = render_to_string("exports/_probe.html", {"probe": probe_context(probe), "server": row})
    assert "Compare the host key" in page
    assert f'name="key" value="{KEY}"' in page
    assert "Pin this key" in page


def test_a_changed_key_warns_before_it_can_be_pinned() -> None:
    probe = Probe(False, [ProbeStep("host_key", False, "Another key.")], "ssh-ed25519", KEY)
    row = Server(name="x", host="h.example", username="u")
    page = render_to_string("exports/_probe.html", {"probe": probe_context(probe), "server": row})
    assert "It is not the pinned key." in page
    assert "btn-danger" in page


def test_a_server_that_an_export_sends_to_cannot_be_deleted(cast: Cast) -> None:
    row, export = server(cast), make_export(cast)
    with tenancy.everyone("a test adds a destination"):
        Destination.objects.create(tenant=cast.home, export=export, server=row, path="")
    assert "An export uses this server" in words(post(cast, "server-delete", row.uid))
    assert only(cast) == row
    with tenancy.everyone("a test takes it away"):
        Destination.objects.all().delete()
    assert "The server was deleted." in words(post(cast, "server-delete", row.uid))


def test_an_address_makes_a_server_and_leads_on_to_a_new_export(cast: Cast) -> None:
    answer = post(cast, "export-url", url="sftp://ada:s3cret%20word@files.example:22/in")
    row = only(cast)
    assert answer.redirect_chain[0][0].startswith(reverse("export-new") + "?server=")
    assert "s3cret" not in answer.redirect_chain[0][0]
    assert secrets.password_of(row) == "s3cret word"
    assert 'value="/in"' in answer.content.decode()
    again = post(cast, "export-url", url="sftp://ada@files.example/other")
    assert 'value="/other"' in again.content.decode()
    assert only(cast) == row


def test_a_known_login_with_another_password_is_told(cast: Cast) -> None:
    post(cast, "export-url", url="sftp://ada:one@files.example/in")
    answer = post(cast, "export-url", url="sftp://ada:two@files.example/in")
    assert answer.status_code == 422
    assert "already has this login, with a different password" in words(answer)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sftp://ada:x@files.example/in ", "ends with a space; remove it"),
        (" sftp://ada:x@files.example/in", "begins with a space; remove it"),
        ("ftp://ada:x@files.example/in", "begins with ftp://"),
        ("sftp://files.example/in", "The user name is missing"),
        ("sftp://ada:x@files.example:99999/in", "expected a number from 1 to 65535"),
        ("", "This field is required."),
    ],
)
def test_what_is_wrong_with_an_address_is_told(cast: Cast, url: str, message: str) -> None:
    answer = post(cast, "export-url", url=url)
    assert answer.status_code == 422
    assert message in words(answer)


def test_the_portals_own_addresses_are_shown_or_how_to_set_them(
    cast: Cast, settings: LazySettings
) -> None:
    assert "EXPORT_PUBLIC_ADDRESSES" in get(cast, "servers", person="viewer")
    settings.EXPORT_PUBLIC_ADDRESSES = ["203.0.113.7", "203.0.113.8"]
    page = get(cast, "servers", person="viewer")
    assert "203.0.113.8" in page
    assert "EXPORT_PUBLIC_ADDRESSES" not in page


def test_a_viewer_sees_the_servers_but_not_their_pages(cast: Cast) -> None:
    row: Any = server(cast)
    assert "District SIS" in get(cast, "servers", person="viewer")
    assert as_person(cast, "viewer").get(reverse("server", args=[row.uid])).status_code == 403
    assert as_person(cast, "outsider").get(reverse("server", args=[row.uid])).status_code == 404
