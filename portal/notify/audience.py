"""Who gets which notices: the people of the tenant whose membership says so.

Seed 003: without a matching template "you will receive an email notification regardless of the
checkbox setting"; on completion only "if the … checkbox is checked".
"""

from __future__ import annotations

from collections.abc import Iterable

from portal.models import Membership, Notice, Role, User

Event = Notice.Event

# The switch on the membership, and the lowest role that has it on by default.
_SWITCHES: dict[str, tuple[str, Role | None]] = {
    Event.UNMATCHED: ("mail_unmatched", Role.ADMIN),
    Event.NOT_TAKEN: ("mail_not_taken", Role.MANAGER),
    Event.HELD: ("mail_held", Role.MANAGER),
    Event.DECIDED: ("mail_held", Role.MANAGER),
    Event.FAILED: ("mail_failed", Role.MANAGER),
    Event.EXPORT_FAILED: ("mail_failed", Role.MANAGER),
    Event.UNDONE: ("mail_failed", Role.MANAGER),
    Event.GIVEN_UP: ("mail_failed", Role.MANAGER),
    Event.REFUSED: ("mail_failed", Role.MANAGER),
    Event.FINISHED: ("mail_completed", None),
}


def wants(member: Membership, notice: Notice) -> bool:
    """Whether a member gets the notice. Admins always do for a file that no template names."""
    if notice.event not in _SWITCHES:
        return False
    if notice.user_id == member.user_id:
        return True
    if notice.event == Event.UNMATCHED and member.allows(Role.ADMIN):
        return True
    switch, _least = _SWITCHES[notice.event]
    asked: bool | None = getattr(member, switch)
    return by_role(member, switch) if asked is None else asked


def by_role(member: Membership, switch: str) -> bool:
    """Whether the member's role has the switch (a name such as "mail_held") on by default."""
    least = dict(_SWITCHES.values())[switch]
    return least is not None and member.allows(least)


def shares(tenant_id: int, notices: Iterable[Notice]) -> list[tuple[User, list[Notice]]]:
    """Each person who gets notices, with those notices.

    Operators get the portal's faults, and notices that must be sent but have no member for them.
    """
    members = Membership.objects.filter(tenant_id=tenant_id, user__is_active=True)
    members = members.select_related("user").order_by("user_id")
    notices_of = {member.user: [n for n in notices if wants(member, n)] for member in members}
    notified = {notice.pk for own in notices_of.values() for notice in own}
    left = [n for n in notices if n.event == Event.PORTAL_FAULT or _has_no_member(n, notified)]
    for operator in User.objects.filter(is_operator=True, is_active=True) if left else ():
        notices_of[operator] = sorted(
            [*notices_of.get(operator, []), *left], key=lambda notice: notice.pk
        )
    return [(user, own) for user, own in notices_of.items() if own]


def asked_for_completion(tenant_id: int) -> bool:
    """Whether anybody wants a notice of every import that ended well."""
    return Membership.objects.filter(tenant_id=tenant_id, mail_completed=True).exists()


def _has_no_member(notice: Notice, notified: set[int]) -> bool:
    return notice.event == Event.UNMATCHED and notice.pk not in notified
