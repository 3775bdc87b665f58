"""The cast of the page tests: two institutions, their people, an outsider and the operator.

Rows are made across tenants; each test then acts as one of these people through the pages.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import LazySettings
from django.conf import settings as django_settings
from django.core.cache import cache
from django.db import transaction
from django.db.models import Model
from django.test import Client, override_settings

from portal import provision, tenancy
from portal.models import Account, Drop, Endpoint, Membership, Role, Tenant, User

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True, slots=True)
class Cast:
    """home: the tenant of admin, manager and viewer. abroad: the outsider's, who is admin there."""

    home: Tenant
    abroad: Tenant
    admin: User
    manager: User
    viewer: User
    outsider: User
    operator: User
    endpoint: Endpoint
    account: Account

    def person(self, name: str) -> User:
        """One of the five by the name of their part."""
        user = getattr(self, name)
        assert isinstance(user, User)
        return user


def make() -> Cast:
    """Make the cast. Needs the database and a DROPS_DIR of the test's own."""
    with tenancy.everyone("a test makes its cast"):
        home = provision.tenant("Harbor State University", "harbor", "America/Chicago")
        abroad = provision.tenant("Outer College", "outer", "America/New_York")
        endpoint = provision.endpoint(home)
        return Cast(
            home=home,
            abroad=abroad,
            admin=provision.user("admin@harbor.example", PASSWORD, home, Role.ADMIN),
            manager=provision.user("manager@harbor.example", PASSWORD, home, Role.MANAGER),
            viewer=provision.user("viewer@harbor.example", PASSWORD, home, Role.VIEWER),
            outsider=provision.user("admin@outer.example", PASSWORD, abroad, Role.ADMIN),
            operator=provision.operator("operator@portal.example", PASSWORD),
            endpoint=endpoint,
            account=provision.account(endpoint, "harbor-sis", PASSWORD),
        )


def stage(tmp_path: Path) -> dict[str, Any]:
    """Settings with folders and files of the test's own and hashes that cost nothing."""
    static = tmp_path / "static"
    static.mkdir(exist_ok=True)
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    return {
        "DROPS_DIR": tmp_path / "drops",
        "MEDIA_ROOT": tmp_path / "files",
        "STATIC_ROOT": static,
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
        "STORAGES": {**django_settings.STORAGES, "staticfiles": plain},
    }


@contextmanager
def kept_on_stage(tmp_path: Path) -> Iterator[Cast]:
    """A cast for many tests, in a transaction that is undone: what each does is undone before."""
    with override_settings(**stage(tmp_path)), transaction.atomic():
        cache.clear()
        yield make()
        transaction.set_rollback(True)


@dataclass(frozen=True, slots=True)
class Prepared:
    """The cast as it was made once, its rows in the order in which they are stored, its folders."""

    cast: Cast
    rows: list[list[Model]]
    drops: Path

    def on_stage(self, settings: LazySettings, tmp_path: Path) -> Cast:
        """The cast of one test, on a stage of its own: six statements instead of seventy."""
        for name, value in stage(tmp_path).items():
            setattr(settings, name, value)
        cache.clear()
        shutil.copytree(self.drops, settings.DROPS_DIR)
        with tenancy.everyone("a test puts its cast back"):
            for rows in copy.deepcopy(self.rows):
                type(rows[0])._base_manager.bulk_create(rows)
        return copy.deepcopy(self.cast)


def prepare(tmp_path: Path) -> Prepared:
    """Make the cast and undo it."""
    with kept_on_stage(tmp_path) as cast, tenancy.everyone("what was made is kept"):
        models = (Tenant, User, Membership, Endpoint, Drop, Account)
        rows: list[list[Model]] = [list(model._base_manager.all()) for model in models]
        return Prepared(cast, rows, tmp_path / "drops")


def as_person(cast: Cast, name: str) -> Client:
    """A browser of that person, logged in; "nobody" is not."""
    client = Client()
    if name != "nobody":
        client.force_login(cast.person(name))
    return client
