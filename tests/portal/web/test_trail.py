"""The audit trail's page: every act in words, filters, slices, and the file."""

from __future__ import annotations

import base64
import csv
import io
import re

import pytest
from django.test import Client
from django.urls import reverse

from portal import audit, tenancy
from portal.models import AuditEntry
from tests.cast import PASSWORD, Cast, as_person


def note(cast: Cast, action: str = "job.release", subject: str = "", **detail: object) -> None:
    with tenancy.scope(cast.home.pk):
        audit.record(cast.home.pk, action, subject, user=cast.admin, address="192.0.2.7", **detail)


def page(cast: Cast, **values: str) -> str:
    answer = as_person(cast, "admin").get(reverse("trail"), values)
    assert answer.status_code == 200
    return answer.content.decode()


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def acts(text: str) -> list[str]:
    return re.findall(r'<td role="cell" class="full"><strong>([^<]+)</strong>', text)


def test_an_empty_trail_says_what_will_stand_there(cast: Cast) -> None:
    assert "No actions yet" in page(cast)


def test_an_act_stands_there_with_who_did_it_to_what_and_from_where(cast: Cast) -> None:
    note(cast, "job.release", "a-number", file="accounts.csv", agreed=True)
    text = page(cast)
    assert acts(text) == ["Held import approved"]
    for words in ("accounts.csv", "a-number", cast.admin.email, "192.0.2.7"):
        assert words in text


def test_what_was_noted_of_foreign_names_is_shown_as_text(cast: Cast) -> None:
    note(cast, file="<script>x</script>\u202egnp.csv")
    text = page(cast)
    assert "<script>x" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ({"action": "job.undo"}, 1),
        ({"who": "ADMIN"}, 3),
        ({"who": "nobody"}, 0),
        ({"what": "Terms"}, 1),
        ({"what": "number-2"}, 1),
        ({"since": "2999-01-01"}, 0),
        ({"until": "2999-01-01"}, 3),
        ({"until": "nonsense"}, 3),
    ],
)
def test_filters_narrow_the_trail(cast: Cast, values: dict[str, str], count: int) -> None:
    note(cast, "job.undo", "number-1", file="accounts.csv")
    note(cast, "job.discard", "number-2", file="terms.csv")
    note(cast, "token.add", "Key")
    assert len(acts(page(cast, **values))) == count


def test_the_newest_come_first_in_slices_that_lead_there_and_back(cast: Cast) -> None:
    for number in range(60):
        note(cast, subject=f"n{number:02}")
    first = page(cast)
    subjects = re.findall(r"<bdi>(n\d+)</bdi>", first)
    assert (subjects[0], len(subjects)) == ("n59", 50)
    older = re.search(r'rel="next" href="\?after=([^"&]+)"', first)
    assert older
    text = page(cast, after=older[1])
    assert re.findall(r"<bdi>(n\d+)</bdi>", text)[-1] == "n00"
    newer = re.search(r'rel="prev" href="\?before=([^"&]+)"', text)
    assert newer
    assert re.findall(r"<bdi>(n\d+)</bdi>", page(cast, before=newer[1])) == subjects
    for made_up in ("bad", b64(b'["2026-01-01T00:00:00+00:00", Infinity]')):
        assert re.findall(r"<bdi>(n\d+)</bdi>", page(cast, after=made_up)) == subjects


def test_the_file_holds_the_filtered_trail_harmless_and_is_noted_itself(cast: Cast) -> None:
    note(cast, "job.undo", "=1+1", file="accounts.csv", names=["a", "b"])
    note(cast, "token.add")
    answer = as_person(cast, "admin").get(reverse("trail-csv"), {"action": "job.undo"})
    text = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["action"] == "job.undo"
    assert row["who"] == cast.admin.email
    assert row["subject"] == "'=1+1"
    assert row["detail"] == "file: accounts.csv; names: a, b"
    assert acts(page(cast))[0] == "Audit trail downloaded"


def test_the_trail_of_another_institution_is_not_seen(cast: Cast) -> None:
    note(cast)
    answer = as_person(cast, "outsider").get(reverse("trail"))
    assert acts(answer.content.decode()) == []


def test_a_login_is_written_down_with_its_address(cast: Cast) -> None:
    client = Client()
    sent = {"username": cast.viewer.email, "password": "wrong"}
    assert client.post(reverse("login"), sent).status_code == 200
    assert client.post(reverse("login"), {**sent, "password": PASSWORD}).status_code == 302
    with tenancy.everyone("a test looks"):
        entry = AuditEntry.objects.get(action="person.login")
    assert (entry.tenant, entry.user, entry.address) == (cast.home, cast.viewer, "127.0.0.1")


def test_an_operators_login_stands_in_the_trail_of_what_they_see(cast: Cast) -> None:
    client = Client()
    client.post(reverse("login"), {"username": cast.operator.email, "password": PASSWORD})
    client.post(reverse("switch-tenant"), {"tenant": str(cast.home.uid)})
    with tenancy.everyone("a test looks"):
        rows = AuditEntry.objects.filter(user=cast.operator).order_by("pk")
        assert [row.action for row in rows] == ["person.login", "person.enter"]
        assert rows[1].tenant == cast.home


def test_what_was_noted_in_parts_is_shown_as_words(cast: Cast) -> None:
    note(cast, plan={"created": 5, "removed": 0, "holds": [{"code": "creates"}]}, limits={})
    text = page(cast)
    for words in ("created 5", "removed 0", "holds code creates"):
        assert words in text
    assert not re.search(r"<dt>limits</dt>", text), "It is empty."


def test_an_act_without_words_is_a_fault(cast: Cast) -> None:
    with tenancy.scope(cast.home.pk), pytest.raises(ValueError, match="is not among"):
        audit.record(cast.home.pk, "nothing.known")
