"""Secrets at rest: AES-256-GCM with a key of their own, wrapped by a key from the environment.

The associated data ties a secret to its place (tenant, model, row, field), so that a ciphertext
copied into another row cannot be read. To rotate, put a new key first and `reseal` every secret.
VAULT_KEYS: `id:base64 of 32 bytes`, on lines or separated by commas; the first key seals, all open.
An id has letters, digits, "-" and "_".
Source: reliability.md, rule 28.
"""

from __future__ import annotations

import base64
import json
import os
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

_NONCE = 12
_KEY = 32
_KEY_ID = re.compile(r"[A-Za-z0-9_-]+")


class VaultError(Exception):
    """A secret cannot be opened: another location, another key, or changed bytes."""


@dataclass(frozen=True, slots=True)
class SecretLocation:
    """The row and field of a secret; part of the authenticated data."""

    tenant_id: int
    model: str
    row: str
    field: str

    def associated(self, key_id: str) -> bytes:
        return json.dumps([self.tenant_id, self.model, self.row, self.field, key_id]).encode()


def keys(text: str) -> dict[str, bytes]:
    """The key ring in order. Raises ImproperlyConfigured with what is wrong with which key."""
    ring: dict[str, bytes] = {}
    for place, part in enumerate(re.split(r"[\s,]+", text.strip(" \t\r\n,")), start=1):
        key_id, _, encoded = part.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except ValueError:
            key = b""
        if not _KEY_ID.fullmatch(key_id) or len(key) != _KEY:
            raise ImproperlyConfigured(f"VAULT_KEYS: key {place} is not id:base64 of 32 bytes.")
        if key_id in ring:
            raise ImproperlyConfigured(f"VAULT_KEYS: two keys have the id {key_id}.")
        ring[key_id] = key
    return ring


def seal(plain: str, location: SecretLocation) -> str:
    """Encrypt for this location. Returns `keyid.wrapped.sealed`, safe to store as text."""
    key_id, outer = next(iter(keys(settings.VAULT_KEYS).items()))
    inner = AESGCM.generate_key(bit_length=256)
    data = location.associated(key_id)
    wrapped = _encrypt(outer, inner, data)
    return ".".join((key_id, _text(wrapped), _text(_encrypt(inner, plain.encode(), data))))


def unseal(sealed: str, location: SecretLocation) -> str:
    """Decrypt. Raises VaultError if location, key or bytes do not match."""
    try:
        key_id, wrapped, body = sealed.split(".")
        outer = keys(settings.VAULT_KEYS)[key_id]
        data = location.associated(key_id)
        inner = _decrypt(outer, base64.b64decode(wrapped), data)
        return _decrypt(inner, base64.b64decode(body), data).decode()
    except (ValueError, KeyError, InvalidTag) as exc:
        raise VaultError("The secret cannot be decrypted in this place with these keys.") from exc


def reseal(sealed: str, location: SecretLocation) -> str:
    """The same secret under the first key of the ring, for rotation. Raises VaultError."""
    return seal(unseal(sealed, location), location)


def _encrypt(key: bytes, plain: bytes, data: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, data)


def _decrypt(key: bytes, sealed: bytes, data: bytes) -> bytes:
    return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], data)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
