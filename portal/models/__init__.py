"""Tenants, people, places, sessions, audit and the record store."""

from portal.models.audit import AuditEntry
from portal.models.beats import Beat
from portal.models.events import Event
from portal.models.notices import Mail, Notice
from portal.models.people import RANK, Membership, Role, User
from portal.models.places import Account, AccountKey, Drop, Endpoint
from portal.models.records import Record, RecordChange, RecordKind
from portal.models.sessions import DropSession, LoginScore, Upload
from portal.models.tenants import Tenant, TenantOwned
from portal.models.tokens import ApiToken

__all__ = [
    "RANK",
    "Account",
    "AccountKey",
    "ApiToken",
    "AuditEntry",
    "Beat",
    "Drop",
    "DropSession",
    "Endpoint",
    "Event",
    "LoginScore",
    "Mail",
    "Membership",
    "Notice",
    "Record",
    "RecordChange",
    "RecordKind",
    "Role",
    "Tenant",
    "TenantOwned",
    "Upload",
    "User",
]
