"""A person of an institution at the pages, with the real engine behind them."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from imports.mapping.parsing import parse
from imports.models import ImportJob, ImportTemplate
from imports.templates import actions as acts
from imports.templates.rules import TemplateIdentity
from portal.changes import Actor
from portal.models import AuditEntry, Membership, Role
from tests.imports.institution import Institution

SPEC: dict[str, Any] = {
    "version": 1,
    "columns": ["Nr", "Vorname", "Nachname", "Mail"],
    "fields": {
        "PersonIdentifier": {"columns": ["Nr"], "steps": [{"trim": True}]},
        "FirstName": {"columns": ["Vorname"]},
        "LastName": {"columns": ["Nachname"]},
        "Email": {"columns": ["Mail"]},
    },
}
FILE = "Nr,Vorname,Nachname,Mail\n7,Ada,Lovelace,ada@example.edu\n8,Emmy,Noether,emmy@example.edu\n"


class Desk:
    """client: logged in as the institution's decider, who is its admin."""

    def __init__(self, institution: Institution) -> None:
        self.institution = institution
        self.user = institution.person()
        self.actor = Actor(self.user)
        Membership.objects.create(tenant=institution.tenant, user=self.user, role=Role.ADMIN)
        self.client = Client()
        self.client.force_login(self.user)

    def leave(self) -> None:
        """What the institution does not take with it."""
        self.client.logout()
        Membership.objects.filter(user=self.user).delete()

    def get(self, address: str, *args: Any, **query: Any) -> str:
        """The page's text; it must be there."""
        answer = self.client.get(reverse(address, args=args), query)
        assert answer.status_code == 200, answer.status_code
        return answer.content.decode()

    def post(self, address: str, *args: Any, status: int = 200, **data: Any) -> str:
        """The text of the page that follows."""
        answer = self.client.post(reverse(address, args=args), data, follow=True)
        assert answer.status_code == status, answer.status_code
        return answer.content.decode()

    def template(self, name: str = "People", **more: Any) -> ImportTemplate:
        identity = TemplateIdentity(name=name, file_names=("people.csv",))
        spec = parse({**SPEC, **more})
        return acts.create(self.institution.tenant, self.actor, identity, "accounts", spec)

    def version(self, template: ImportTemplate, **more: Any) -> None:
        acts.save(
            template, self.actor, parse({**SPEC, **more}), based_on=acts.current_number(template)
        )

    def send(self, template: ImportTemplate, content: str = FILE, **more: Any) -> ImportJob:
        template.refresh_from_db()
        return self.institution.send("accounts", content, template_version=template.current, **more)

    def newest(self) -> ImportJob:
        return ImportJob.objects.latest("id")

    def trail(self) -> list[str]:
        entries = AuditEntry.objects.filter(tenant=self.institution.tenant).order_by("id")
        return list(entries.values_list("action", flat=True))


def file(name: str, content: str | bytes) -> SimpleUploadedFile:
    data = content.encode() if isinstance(content, str) else content
    return SimpleUploadedFile(name, data)
