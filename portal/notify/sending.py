"""The sending of mails: claimed, sent by Django's backend, tried again if the server is away.

Only one process sends at a time and only for some seconds, so that a slow mail server delays one
worker for a moment and never an import. After a crash a mail may be sent twice, with the same
Message-ID.
"""

from __future__ import annotations

import smtplib
import time
from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from portal import lifecycle, locks, logs, tenancy
from portal.locks import Lock
from portal.models import Mail
from portal.notify.summary import sum_up

log = logs.get(__name__)
State = Mail.State

_SECONDS = 20.0  # of one call of `send`
_WAITS = (1, 5, 15, 60)  # minutes
_MOST_ATTEMPTS = 30  # some 26 hours


def unsent() -> QuerySet[Mail]:
    """Mails in scope that may be sent now."""
    return Mail.objects.filter(
        Q(state=State.READY, ready_at__lte=Now()) | Q(state=State.SENDING, lease_until__lt=Now())
    )


def send(tenant_id: int) -> str:
    """Sum up what is due and send what waits. Must be called in the tenant's scope.

    Returns a sentence. Faults of the mail server are never raised.
    """
    count = sum_up(tenant_id)
    with locks.if_free(Lock.SEND_MAIL) as ours:
        sent = _send_all(tenant_id) if ours else 0
    return f"Tenant {tenant_id}: {count} mails made, {sent} sent."


def _send_all(tenant_id: int) -> int:
    if not unsent().filter(tenant_id=tenant_id).exists():
        return 0
    server, ends, sent = get_connection(), time.monotonic() + _SECONDS, 0
    try:
        server.open()
        while time.monotonic() < ends and (mail := _next(tenant_id)):
            sent += _sent(mail, server)
    except (smtplib.SMTPException, OSError) as error:
        _postpone_all(error)
    finally:
        _close(server)
    return sent


def _next(tenant_id: int) -> Mail | None:
    waiting = unsent().filter(tenant_id=tenant_id).order_by("pk")
    return lifecycle.claim(waiting, owner=lifecycle.owner(), state=State.SENDING)


def _sent(mail: Mail, server: BaseEmailBackend) -> bool:
    """Send one mail. If the connection is lost, put the mail back and raise the error."""
    try:
        server.send_messages([_message(mail)])
    except (smtplib.SMTPException, OSError) as error:
        _retry(mail, error)
        if _is_gone(error):
            raise
        return False
    except ValueError as error:  # BadHeaderError, UnicodeError: no server will ever accept it
        _give_up(mail, error)
        return False
    _move(mail, State.SENT, sent_at=Now(), error="")
    log.info("mail_sent", mail_id=mail.pk, tenant_id=mail.tenant_id)
    return True


def _is_gone(error: Exception) -> bool:
    """Whether the connection is lost, rather than this mail refused."""
    lost = (smtplib.SMTPServerDisconnected, smtplib.SMTPConnectError)
    return isinstance(error, lost) or not isinstance(error, smtplib.SMTPException)


def _message(mail: Mail) -> EmailMultiAlternatives:
    host = urlsplit(settings.PUBLIC_URL).hostname or "localhost"
    message = EmailMultiAlternatives(
        subject=mail.subject,
        body=mail.text,
        to=[mail.recipient],
        headers={"Message-ID": f"<{mail.uid}@{host}>", "Auto-Submitted": "auto-generated"},
    )
    message.attach_alternative(mail.html, "text/html")
    return message


def _retry(mail: Mail, error: Exception) -> None:
    if mail.attempt >= _MOST_ATTEMPTS or _is_refused(error):
        _give_up(mail, error)
        return
    minutes = _WAITS[min(mail.attempt, len(_WAITS)) - 1]
    log.warning("mail_not_sent", mail_id=mail.pk, attempt=mail.attempt, error=repr(error))
    _move(mail, State.READY, ready_at=Now() + timedelta(minutes=minutes), error=repr(error)[:300])


def _is_refused(error: Exception) -> bool:
    """Whether the server refuses mail for this address permanently."""
    if not isinstance(error, smtplib.SMTPRecipientsRefused):
        return False
    return all(code >= 500 for code, _ in error.recipients.values())


def _give_up(mail: Mail, error: Exception) -> None:
    log.error("mail_given_up", mail_id=mail.pk, tenant_id=mail.tenant_id, error=repr(error))
    _move(mail, State.FAILED, error=repr(error)[:300])


def _move(mail: Mail, state: str, **changes: object) -> None:
    lifecycle.advance(mail, to=state, allowed=[State.SENDING], **changes, **lifecycle.released())


def _postpone_all(error: Exception) -> None:
    """Postpone all mails: otherwise each would wait for the server in turn."""
    log.warning("mail_server_away", error=repr(error))
    with tenancy.everyone("a mail server that is away delays the mails of all tenants"):
        waiting = Mail.objects.filter(state=State.READY, ready_at__lte=Now())
        waiting.update(ready_at=Now() + timedelta(minutes=_WAITS[0]))


def _close(server: BaseEmailBackend) -> None:
    try:
        server.close()
    except (smtplib.SMTPException, OSError):
        pass  # it is gone already
