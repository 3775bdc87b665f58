"""What the tests of the export pages share: people at the pages, and a filled-in form."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.html import strip_tags

from exports.models import Export, Server
from portal import tenancy
from portal.models import AuditEntry
from tests.cast import Cast, as_person

KEY = "SHA256:" + "A" * 43


def get(cast: Cast, address: str, /, *args: Any, person: str = "admin", **data: str) -> str:
    """The page as its HTML."""
    answer = as_person(cast, person).get(reverse(address, args=args), data)
    assert answer.status_code == 200, answer.status_code
    return str(answer.content.decode())


def post(
    cast: Cast, address: str, /, *args: Any, person: str = "admin", **data: Any
) -> HttpResponse:
    """What comes of a form, redirections followed."""
    return as_person(cast, person).post(reverse(address, args=args), data, follow=True)


def words(page: HttpResponse | str) -> str:
    """The page's text in one line."""
    text = page if isinstance(page, str) else page.content.decode()
    return " ".join(strip_tags(text).replace("&#x27;", "'").split())


def form(**changes: Any) -> dict[str, Any]:
    """An export's form, filled in rightly."""
    return {
        "name": "Completed courses",
        "kind": "events",
        "types": ["courseCompletion"],
        "more_types": "",
        "record_type": "",
        "changed": "",
        "format": "csv",
        "compression": "",
        "trigger": "",
        "keep_days": "30",
        "name_pattern": "{event}-{id}_{time}-{random}",
        "at": "02:00",
        "time_zone": "America/Chicago",
        "days": ["1", "2", "3", "4", "5", "6", "7"],
        "empty": "skip",
        "columns": "usual",
        "version": "0",
        "do": "save",
        **changes,
    }


def server(cast: Cast, name: str = "District SIS", **more: Any) -> Server:
    """A server of the cast's home."""
    values = {"host": "sftp.district.example", "username": "causeway", "host_key": KEY, **more}
    with tenancy.everyone("a test makes a server"):
        return Server.objects.create(tenant=cast.home, name=name, **values)


def export(cast: Cast, name: str = "Completed courses") -> Export:
    """The export of that name, fresh."""
    with tenancy.everyone("a test looks"):
        return Export.objects.get(tenant=cast.home, name=name)


def make_export(cast: Cast, **changes: Any) -> Export:
    """An export made through the form."""
    answer = post(cast, "export-new", **form(**changes))
    assert answer.status_code == 200, words(answer)
    return export(cast, changes.get("name", "Completed courses"))


def acts(cast: Cast) -> list[str]:
    """The audit trail's actions, oldest first."""
    with tenancy.everyone("a test looks"):
        return list(AuditEntry.objects.order_by("id").values_list("action", flat=True))
