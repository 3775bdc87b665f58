"""Notices become one mail a person, and the mails go out, once, whatever the server does."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core import mail as outgoing
from django.core.mail.backends.locmem import EmailBackend
from django.db.models import F
from django.utils import timezone

from portal import tenancy
from portal.models import Mail, Membership, Notice, Role, Tenant, User
from portal.notify import outbox, sending, summary

pytestmark = pytest.mark.usefixtures("transactional_db")
Event = Notice.Event
# Told by one switch.
FAILED = {"failed", "undone", "export_failed", "given_up", "refused"}
LOCMEM = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture
def oak(settings: LazySettings) -> Iterator[Tenant]:
    settings.NOTIFY_QUIET_SECONDS = 0
    settings.PUBLIC_URL = "https://portal.example/"
    tenant = Tenant.objects.create(name="Oak College", slug="oak")
    with tenancy.scope(tenant.pk):
        yield tenant


def member(tenant: Tenant, name: str, role: str = Role.ADMIN, **switches: bool | None) -> User:
    user = User.objects.create_user(f"{name}@oak.example")
    Membership.objects.create(tenant=tenant, user=user, role=role, **switches)
    return user


def tell(tenant: Tenant, event: Event = Event.FAILED, key: str = "1", **more: object) -> None:
    values = {"title": f"file {key}.csv failed", "text": "Why.", "link": "/jobs/1/", **more}
    outbox.add(tenant.pk, event, key, **values)


def addresses() -> list[str]:
    return sorted(address for message in outgoing.outbox for address in message.to)


def sender_that(error: Exception, *, at_opening: bool = False) -> type[EmailBackend]:
    """A mail server that refuses: the only thing outside that a test has to play."""

    class Refusing(EmailBackend):
        def open(self) -> None:
            if at_opening:
                raise error

        def send_messages(self, messages: object) -> int:
            raise error

    return Refusing


def with_server(monkeypatch: pytest.MonkeyPatch, server: type[EmailBackend]) -> None:
    monkeypatch.setattr(sending, "get_connection", lambda: server())


def test_fifty_notices_become_one_mail_a_person(oak: Tenant) -> None:
    member(oak, "ada")
    member(oak, "max", Role.MANAGER)
    for number in range(50):
        tell(oak, key=str(number))
    assert "2 mails made, 2 sent" in sending.send(oak.pk)
    assert addresses() == ["ada@oak.example", "max@oak.example"]
    message = outgoing.outbox[0]
    assert message.subject == "[Oak College] failed: 50"
    assert "file 0.csv failed" in message.body
    assert "https://portal.example/jobs/1/" in message.body
    assert "… and 25 more." in message.body


def test_one_notice_is_the_subject(oak: Tenant) -> None:
    member(oak, "ada")
    tell(oak)
    sending.send(oak.pk)
    assert outgoing.outbox[0].subject == "[Oak College] file 1.csv failed"
    html, kind = outgoing.outbox[0].alternatives[0]
    assert kind == "text/html"
    assert '<a href="https://portal.example/jobs/1/">file 1.csv failed</a>' in html


def test_what_is_told_twice_is_one_notice_and_nothing_is_sent_twice(oak: Tenant) -> None:
    member(oak, "ada")
    tell(oak)
    tell(oak)
    assert Notice.objects.count() == 1
    for _ in range(3):
        sending.send(oak.pk)
    assert len(outgoing.outbox) == 1
    assert Mail.objects.get().state == "sent"


def test_a_tenant_that_is_not_quiet_waits_but_not_for_ever(
    oak: Tenant, settings: LazySettings
) -> None:
    settings.NOTIFY_QUIET_SECONDS, settings.NOTIFY_LONGEST_SECONDS = 60, 600
    member(oak, "ada")
    tell(oak, key="1")
    assert outbox.due() == set()
    assert summary.sum_up(oak.pk) == 0
    Notice.objects.update(created_at=F("created_at") - timedelta(seconds=61))
    assert outbox.due() == {oak.pk}
    tell(oak, key="2")
    assert outbox.due() == set()
    Notice.objects.filter(key="1").update(created_at=timezone.now() - timedelta(seconds=601))
    assert outbox.due() == {oak.pk}


@pytest.mark.parametrize(
    ("role", "switches", "expected"),
    [
        (Role.ADMIN, {}, {"unmatched", "not_taken", "held", "decided", *FAILED}),
        (Role.MANAGER, {}, {"not_taken", "held", "decided", *FAILED}),
        (Role.VIEWER, {}, set()),
        (Role.VIEWER, {"mail_failed": True}, FAILED),
        (Role.MANAGER, {"mail_held": False, "mail_not_taken": False}, FAILED),
        (Role.VIEWER, {"mail_not_taken": True}, {"not_taken"}),
        (
            Role.ADMIN,
            {
                "mail_unmatched": False,
                "mail_not_taken": False,
                "mail_failed": False,
                "mail_held": False,
            },
            {"unmatched"},
        ),
        (Role.VIEWER, {"mail_completed": True}, {"finished"}),
    ],
)
def test_people_are_told_what_they_asked_for_and_admins_always_of_unmatched_files(
    oak: Tenant, role: Role, switches: dict[str, bool], expected: set[str]
) -> None:
    member(oak, "ada", role, **switches)
    member(oak, "always", Role.ADMIN)
    for event in Event:
        tell(oak, event, key=event, title=f"<{event}>")
    sending.send(oak.pk)
    bodies = [m.body for m in outgoing.outbox if m.to == ["ada@oak.example"]]
    assert {event for event in Event if any(f"<{event}>" in body for body in bodies)} == expected


def test_who_saved_the_template_is_told_of_its_completion(oak: Tenant) -> None:
    viewer = member(oak, "ada", Role.VIEWER)
    member(oak, "max", Role.ADMIN)
    tell(oak, Event.FINISHED, user_id=viewer.pk)
    sending.send(oak.pk)
    assert addresses() == ["ada@oak.example"]


def test_operators_are_told_of_the_portals_faults_and_of_what_nobody_else_hears(
    oak: Tenant,
) -> None:
    User.objects.create_user("root@portal.example", is_operator=True)
    gone = member(oak, "gone")
    User.objects.filter(pk=gone.pk).update(is_active=False)
    tell(oak, Event.PORTAL_FAULT, key="1")
    tell(oak, Event.UNMATCHED, key="2")
    tell(oak, Event.FAILED, key="3")
    sending.send(oak.pk)
    assert addresses() == ["root@portal.example"]
    assert outgoing.outbox[0].subject == ("[Oak College] portal error: 1, no matching template: 1")


def test_nobody_of_another_tenant_is_told(oak: Tenant) -> None:
    with tenancy.everyone("a test makes a second tenant"):
        elm = Tenant.objects.create(name="Elm", slug="elm")
        member(elm, "elm")
    member(oak, "ada")
    tell(oak)
    sending.send(oak.pk)
    assert addresses() == ["ada@oak.example"]


def test_a_hostile_name_breaks_neither_header_nor_page(oak: Tenant) -> None:
    Tenant.objects.update(name="Oak\r\nBcc: all@evil.example")
    member(oak, "ada")
    tell(oak, title="a\r\nBcc: x@evil.example\u202e <script>", text="<img src=x>\n.\n")
    sending.send(oak.pk)
    message = outgoing.outbox[0]
    assert message.recipients() == ["ada@oak.example"]
    sent = message.message()
    assert sent["Bcc"] is None
    assert "\u202e" not in message.subject
    html = message.alternatives[0][0]
    assert "<script>" not in html
    assert "<img" not in html


def test_the_message_says_that_a_machine_wrote_it_and_keeps_its_id(oak: Tenant) -> None:
    member(oak, "ada")
    tell(oak)
    sending.send(oak.pk)
    sent = outgoing.outbox[0].message()
    assert sent["Message-ID"] == f"<{Mail.objects.get().uid}@portal.example>"
    assert sent["Auto-Submitted"] == "auto-generated"


def test_a_dead_server_is_tried_again_and_holds_up_everybody_only_once(
    oak: Tenant, settings: LazySettings
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        settings.EMAIL_PORT = free.getsockname()[1]
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_USE_TLS = "127.0.0.1", False
    member(oak, "ada")
    member(oak, "max")
    tell(oak)
    assert "2 mails made, 0 sent" in sending.send(oak.pk)
    assert set(Mail.objects.values_list("state", flat=True)) == {"ready"}
    assert not sending.unsent().exists()
    settings.EMAIL_BACKEND = LOCMEM
    assert "0 sent" in sending.send(oak.pk)
    Mail.objects.update(ready_at=timezone.now())
    assert "2 sent" in sending.send(oak.pk)
    assert len(outgoing.outbox) == 2


@pytest.mark.parametrize(
    ("error", "state", "others"),
    [
        (smtplib.SMTPServerDisconnected("gone"), "ready", "ready"),
        (TimeoutError("slow"), "ready", "ready"),
        (smtplib.SMTPDataError(451, b"later"), "ready", "ready"),
        (smtplib.SMTPRecipientsRefused({"a": (550, b"no such user")}), "failed", "failed"),
        (smtplib.SMTPRecipientsRefused({"a": (450, b"busy")}), "ready", "ready"),
        (ValueError("no header"), "failed", "failed"),
    ],
)
def test_what_a_server_says_of_a_mail_decides_whether_it_is_tried_again(
    oak: Tenant, monkeypatch: pytest.MonkeyPatch, error: Exception, state: str, others: str
) -> None:
    member(oak, "ada")
    member(oak, "max")
    tell(oak)
    with_server(monkeypatch, sender_that(error))
    assert "0 sent" in sending.send(oak.pk)
    first, second = Mail.objects.order_by("pk")
    assert (first.state, second.state) == (state, others)
    assert first.error
    assert not sending.unsent().exists()


def test_a_mail_that_never_goes_is_given_up(oak: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    member(oak, "ada")
    tell(oak)
    with_server(monkeypatch, sender_that(smtplib.SMTPDataError(451, b"later")))
    sending.send(oak.pk)
    Mail.objects.update(attempt=29, ready_at=timezone.now())
    sending.send(oak.pk)
    assert Mail.objects.get().state == "failed"


def test_a_mail_whose_sender_died_is_sent_by_the_next(oak: Tenant) -> None:
    member(oak, "ada")
    tell(oak)
    summary.sum_up(oak.pk)
    Mail.objects.update(state="sending", token=1, lease_until=timezone.now())
    sending.send(oak.pk)
    assert Mail.objects.get().state == "sent"


def test_mails_are_files_where_no_server_is_named(
    oak: Tenant, settings: LazySettings, tmp_path: Path
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")
    member(oak, "ada")
    tell(oak)
    sending.send(oak.pk)
    (written,) = (tmp_path / "mail").iterdir()
    assert "Subject: [Oak College] file 1.csv failed" in written.read_text()


def test_what_was_told_is_forgotten_after_some_days(oak: Tenant, settings: LazySettings) -> None:
    member(oak, "ada")
    tell(oak)
    sending.send(oak.pk)
    tell(oak, key="waiting")
    assert outbox.forget_old() == 0
    settings.KEEP_FILES_DAYS = 0
    assert outbox.forget_old() == 2
    assert Notice.objects.get().key == "waiting"
