"""The cast of the page tests: two institutions, their people, an outsider and the operator.

`everyone` in the name of a test's fixture is never meant here: rows are made across tenants, and
each test then acts as one of these people through the pages.
"""

from __future__ import annotations

from dataclasses import dataclass

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
