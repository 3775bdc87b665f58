"""What speaks against a template: its name, its file names, a spec that does not fit its feed."""

from __future__ import annotations

from dataclasses import dataclass

from imports.jobs import pinned_lookups
from imports.mapping.definitions import Spec
from imports.mapping.effective import unfit
from imports.models import ImportTemplate
from portal import locks
from portal.locks import Lock
from portal.models import Account, Tenant
from portal.records.catalog import catalog

MOST_NAMES = 100


class Refused(Exception):
    """Nothing was done. faults: each a sentence."""

    def __init__(self, *faults: str) -> None:
        super().__init__(" ".join(faults))
        self.faults = list(faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """What a template is known by. file_names: exact; account: whose files, None for web only."""

    name: str
    account: Account | None = None
    file_names: tuple[str, ...] = ()


def alone(tenant_id: int) -> None:
    """Until the end of the transaction nobody else changes this tenant's templates' names, or the
    look-up tables that templates need."""
    locks.hold_until_commit(Lock.CHANGE_TEMPLATES, tenant_id)


def spec_faults(tenant_id: int, feed: str, spec: Spec) -> list[str]:
    """What speaks against a spec for the feed of that name."""
    try:
        known = catalog().feed(feed)
    except KeyError:
        return [f'feed: found "{feed[:60]}", expected the name of a feed of this portal.']
    record_type = catalog().record_type(known.record_type)
    return unfit(spec, known, record_type, pinned_lookups.columns(tenant_id))


def face_faults(tenant: Tenant, face: Face, mine: ImportTemplate | None) -> list[str]:
    """What speaks against the name, the account and the file names."""
    others = ImportTemplate.objects.filter(tenant=tenant)
    if mine is not None:
        others = others.exclude(pk=mine.pk)
    faults = []
    if not face.name.strip() or len(face.name) > 200 or "\x00" in face.name:
        faults.append("name: expected 1 to 200 characters.")
    elif others.filter(name=face.name).exists():
        faults.append(f"There is a template named “{face.name}” already. Choose another name.")
    if len(face.file_names) > MOST_NAMES:
        faults.append(f"A template can have at most {MOST_NAMES} file names.")
    for name in face.file_names:
        faults += _name_faults(name)
    if face.account is not None:
        rivals = others.filter(account=face.account, enabled=True)
        faults += [
            f"The template “{rival.name}” already imports {name} from this account."
            for rival in rivals
            for name in face.file_names
            if name in rival.file_names
        ]
    return faults


def _name_faults(name: str) -> list[str]:
    if not name or name != name.strip() or len(name) > 255 or {"/", "\\", "\x00"} & set(name):
        return [
            f"{name[:80]!r} is not a valid file name. Use 1 to 255 characters, without "
            "/ or \\ and without spaces at either end."
        ]
    return []
