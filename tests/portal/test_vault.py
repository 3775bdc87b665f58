"""Secrets at rest: readable at their place with their key, and nowhere else."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from portal import vault
from portal.vault import SecretLocation, VaultError

OLD = "old:" + base64.b64encode(b"a" * 32).decode()
NEW = "new-1:" + base64.b64encode(b"b" * 32).decode()
HERE = SecretLocation(tenant_id=1, model="portal.Destination", row="7", field="password")


@pytest.fixture(autouse=True)
def ring(settings: LazySettings) -> None:
    settings.VAULT_KEYS = OLD


def test_what_was_sealed_can_be_opened_at_its_place() -> None:
    assert vault.unseal(vault.seal("pässwörd", HERE), HERE) == "pässwörd"


@given(st.text())
def test_any_text_survives(plain: str) -> None:
    assert vault.unseal(vault.seal(plain, HERE), HERE) == plain


def test_the_plain_text_is_not_in_the_sealed_one_and_no_two_are_alike() -> None:
    first, second = vault.seal("hunter2hunter2", HERE), vault.seal("hunter2hunter2", HERE)
    assert first != second
    assert "hunter2" not in first


@pytest.mark.parametrize(
    "elsewhere",
    [{"tenant_id": 2}, {"model": "portal.Other"}, {"row": "8"}, {"field": "passphrase"}],
)
def test_a_secret_that_was_moved_cannot_be_opened(elsewhere: dict[str, object]) -> None:
    sealed = vault.seal("secret", HERE)
    with pytest.raises(VaultError):
        vault.unseal(sealed, replace(HERE, **elsewhere))


def test_two_places_never_look_the_same() -> None:
    first, other = SecretLocation(1, "m|1", "x", "f"), SecretLocation(1, "m", "1|x", "f")
    with pytest.raises(VaultError):
        vault.unseal(vault.seal("secret", first), other)


def test_the_inner_key_of_one_secret_does_not_open_another() -> None:
    key_id, wrapped, _ = vault.seal("one", HERE).split(".")
    _, _, body = vault.seal("two", HERE).split(".")
    with pytest.raises(VaultError):
        vault.unseal(".".join((key_id, wrapped, body)), HERE)


@pytest.mark.parametrize(
    "sealed", ["", "x", "old.x.y", "old..", "old.=.=", "gone.AAAA.AAAA", "é.é.é"]
)
def test_changed_bytes_are_refused(sealed: str) -> None:
    with pytest.raises(VaultError):
        vault.unseal(sealed, HERE)


def test_each_changed_character_is_noticed() -> None:
    sealed = vault.seal("secret", HERE)
    for index in range(4, len(sealed)):
        if sealed[index] not in ".=":
            changed = sealed[:index] + ("A" if sealed[index] != "A" else "B") + sealed[index + 1 :]
            if _bytes(changed) != _bytes(sealed):
                with pytest.raises(VaultError):
                    vault.unseal(changed, HERE)


def test_keys_rotate(settings: LazySettings) -> None:
    sealed = vault.seal("secret", HERE)
    settings.VAULT_KEYS = f"{NEW}\n{OLD}"
    assert vault.unseal(sealed, HERE) == "secret"
    resealed = vault.reseal(sealed, HERE)
    assert resealed.startswith("new-1.")
    settings.VAULT_KEYS = NEW
    assert vault.unseal(resealed, HERE) == "secret"
    with pytest.raises(VaultError):
        vault.unseal(sealed, HERE)


@pytest.mark.parametrize("ring", [f"{NEW},{OLD}", f" {NEW}\r\n{OLD}\n", f"{NEW}, {OLD},"])
def test_keys_are_separated_by_commas_or_lines(ring: str) -> None:
    assert list(vault.keys(ring)) == ["new-1", "old"]


@pytest.mark.parametrize(
    "ring",
    ["", "k1", "k1:", "k1:AAAA", "k1:é", ":" + OLD[4:], "k.1:" + OLD[4:], f"{OLD},{OLD}"],
)
def test_a_ring_that_would_lose_secrets_is_refused(ring: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="VAULT_KEYS"):
        vault.keys(ring)


def test_a_key_without_an_id_is_not_printed() -> None:
    with pytest.raises(ImproperlyConfigured) as raised:
        vault.keys(OLD[4:])
    assert OLD[4:] not in str(raised.value)


def _bytes(sealed: str) -> list[bytes]:
    return [base64.b64decode(part) for part in sealed.split(".")[1:]]
