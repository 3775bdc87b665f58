"""The cast of the page tests: two institutions, their people, an outsider and the operator.

Rows are made across tenants; each test then acts as one of these people through the pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.conf import LazySettings
from django.core.cache import cache
from django.test import Client

from portal import provision, tenancy
from portal.models import Account, Endpoint, Role, Tenant, User

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
        found = getattr(self, name)
        assert isinstance(found, User)
        return found


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


def on_stage(settings: LazySettings, tmp_path: Path) -> Cast:
    """The cast, with folders and files of the test's own and hashes that cost nothing."""
    settings.DROPS_DIR = tmp_path / "drops"
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STATIC_ROOT.mkdir(exist_ok=True)
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    cache.clear()
    return make()


def as_person(cast: Cast, name: str) -> Client:
    """A browser of that person, logged in; "nobody" is not."""
    client = Client()
    if name != "nobody":
        client.force_login(cast.person(name))
    return client
