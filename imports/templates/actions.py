"""What a person does with import templates: make, change, go back, copy, move, try on a past file.

Who may is checked by the caller (page or API). A new version names the one it was made from: of two
people who save at once, the second is told, and nothing of the first is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from imports.jobs import outcome, pinned_lookups
from imports.mapping.definitions import Spec
from imports.mapping.parsing import as_json, parse
from imports.mapping.tables import missing
from imports.mapping.yaml_form import dump_yaml, load_yaml
from imports.models import ImportJob, ImportTemplate, TemplateVersion
from imports.templates.rules import Face, Refused, alone, face_faults, spec_faults
from portal import audit, bell
from portal.models import Tenant, User
from portal.records.catalog import catalog


class ChangedMeanwhile(Refused):
    """Somebody has saved another version since. current: its number."""

    def __init__(self, version: TemplateVersion | None) -> None:
        number = version.number if version else 0
        who = f" by {version.user}" if version and version.user else ""
        super().__init__(
            f"Version {number} was saved{who} in the meantime, so your changes were not "
            "saved. Review that version, then save again."
        )
        self.current = number


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and from where."""

    user: User
    address: str | None = None


def create(
    tenant: Tenant, actor: Actor, face: Face, feed: str, spec: Spec, note: str = ""
) -> ImportTemplate:
    """A new template with its version 1. feed: a name of the catalog. Raises Refused."""
    with transaction.atomic():
        alone(tenant.pk)
        _refuse([*face_faults(tenant, face, None), *spec_faults(tenant.pk, feed, spec)])
        made = ImportTemplate.objects.create(
            tenant=tenant,
            name=face.name,
            feed=feed,
            account=face.account,
            file_names=list(face.file_names),
        )
        _add_version(made, actor, as_json(spec), 1, note)
        _audit(made, actor, "template.create", version=1)
        _look_again(tenant.pk)
    return made


def save(
    template: ImportTemplate, actor: Actor, spec: Spec, *, based_on: int, note: str = ""
) -> TemplateVersion:
    """A new version, made from the version `based_on`. Raises ChangedMeanwhile, Refused."""
    with transaction.atomic():
        alone(template.tenant_id)
        _refuse(spec_faults(template.tenant_id, template.feed, spec))
        current = _locked(template, based_on)
        made = _add_version(template, actor, as_json(spec), current + 1, note)
        _audit(template, actor, "template.version", version=made.number, note=note)
    return made


def roll_back(
    template: ImportTemplate, actor: Actor, number: int, *, based_on: int
) -> TemplateVersion:
    """The spec of an older version as the newest one. Raises ChangedMeanwhile, Refused."""
    old = template.versions.filter(number=number).first()
    if old is None:
        raise Refused(f"There is no version {number}.")
    with transaction.atomic():
        alone(template.tenant_id)
        current = _locked(template, based_on)
        if number == current:
            raise Refused(f"Version {number} is already the current version.")
        _refuse(list(missing(spec_of(old), pinned_lookups.columns(template.tenant_id))))
        note = f"Back to version {number}."
        made = _add_version(template, actor, old.spec, current + 1, note)
        _audit(template, actor, "template.rollback", version=made.number, to=number)
    return made


def change(template: ImportTemplate, actor: Actor, face: Face) -> None:
    """Change the name, the account and the file names. Raises Refused."""
    with transaction.atomic():
        alone(template.tenant_id)
        _refuse(face_faults(template.tenant, face, template))
        template.name, template.account = face.name, face.account
        template.file_names = list(face.file_names)
        template.save(update_fields=["name", "account", "file_names"])
        _audit(template, actor, "template.change", file_names=list(face.file_names))
        _look_again(template.tenant_id)


def set_enabled(template: ImportTemplate, actor: Actor, enabled: bool) -> None:
    """Let files of its names import themselves, or not. Raises Refused where another has a name."""
    with transaction.atomic():
        alone(template.tenant_id)
        if enabled:
            _refuse(face_faults(template.tenant, _face(template), template))
        template.enabled = enabled
        template.save(update_fields=["enabled"])
        _audit(template, actor, "template.enable" if enabled else "template.disable")
        _look_again(template.tenant_id)


def clone(template: ImportTemplate, actor: Actor, name: str) -> ImportTemplate:
    """A copy of the current version. It has no file names: one file is imported by one template.

    Raises Refused.
    """
    note = f"Copy of {template.name}, version {current_number(template)}."[:300]
    face = Face(name=name, account=template.account)
    return create(template.tenant, actor, face, template.feed, spec_of(template.current), note)


def delete(template: ImportTemplate, actor: Actor) -> None:
    """Remove a template that no file ran with. Raises Refused where one did: disable it instead."""
    with transaction.atomic():
        ImportTemplate.objects.select_for_update().get(uid=template.uid)
        ran = ImportJob.objects.filter(
            tenant_id=template.tenant_id, template_version__template=template
        ).count()
        if ran:
            files = "One file was" if ran == 1 else f"{ran:,} files were"
            raise Refused(
                f"{files} processed with this template and still refer to it. Disable it instead."
            )
        _audit(template, actor, "template.delete")
        template.delete()


def as_yaml(version: TemplateVersion) -> str:
    """The version as a file that `from_yaml` takes. Raises BadSpec for one stored long ago."""
    template = version.template
    return dump_yaml(spec_of(version), template.name, template.feed, template.file_names)


def from_yaml(tenant: Tenant, actor: Actor, text: str) -> ImportTemplate:
    """A new template from a file, without an account. Raises Refused, BadSpec with every fault."""
    found = load_yaml(text)
    face = Face(name=found.name.strip(), file_names=found.file_names)
    return create(tenant, actor, face, found.feed, found.spec, "Imported from a YAML file.")


def save_yaml(
    template: ImportTemplate, actor: Actor, text: str, *, based_on: int
) -> TemplateVersion:
    """A new version from a file; its name and file names stay. Raises as `from_yaml` and `save`."""
    found = load_yaml(text)
    if found.feed != template.feed:
        raise Refused(
            f'feed: found "{found.feed[:60]}", expected "{template.feed}", as this template has.'
        )
    note = "Uploaded as a YAML file."
    return save(template, actor, found.spec, based_on=based_on, note=note)


def replay(version: TemplateVersion, actor: Actor, past: ImportJob) -> ImportJob:
    """A dry run of a past file with a version: what would it do now? Raises Refused.

    Both jobs name the same stored file, and it is kept no longer than for the first one.
    """
    if not past.content or past.tenant_id != version.tenant_id:
        raise Refused("The file is no longer kept.")
    with transaction.atomic():
        asked = ImportJob.objects.create(
            tenant_id=past.tenant_id,
            template_version=version,
            dry_run=True,
            asked_by=ImportJob.AskedBy.PERSON,
            user=actor.user,
            file_name=past.file_name,
            file_size=past.file_size,
            sha256=past.sha256,
            content=past.content,
            kept_until=past.kept_until,
            **of_feed(version.template.feed),
        )
        note = f"Dry run of {past.file_name} with version {version.number}."
        outcome.moved(asked, ImportJob.State.READY, note, str(actor.user))
        _audit(
            version.template, actor, "template.replay",
            version=version.number, file=past.file_name, job=str(asked.uid),
        )  # fmt: skip
        bell.ring_on_commit(bell.IMPORT, past.tenant_id)
    return asked


def of_feed(name: str) -> dict[str, Any]:
    """What a job has of its feed. Raises KeyError for a feed the catalog does not have."""
    feed = catalog().feed(name)
    return {"feed": feed.name, "record_type": feed.record_type, "rank": feed.rank}


def spec_of(version: TemplateVersion | None) -> Spec:
    """The version's spec. Raises BadSpec; Refused without a version."""
    if version is None:
        raise Refused("The template has no version.")
    return parse(version.spec)


def current_number(template: ImportTemplate) -> int:
    """The number of the current version, 0 where there is none."""
    return template.current.number if template.current else 0


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        raise Refused(*faults)


def _look_again(tenant_id: int) -> None:
    """Files may lie in a folder and wait for the very name that a template now has or has not."""
    bell.ring_on_commit(bell.POLL, tenant_id)


def _face(template: ImportTemplate) -> Face:
    return Face(name=template.name, account=template.account, file_names=tuple(template.file_names))


def _locked(template: ImportTemplate, based_on: int) -> int:
    """The current number, the row being locked. Raises ChangedMeanwhile, Refused."""
    rows = ImportTemplate.objects.filter(tenant_id=template.tenant_id, pk=template.pk)
    fresh = rows.select_for_update(no_key=True, of=("self",)).first()
    if fresh is None:
        raise Refused("The template was deleted in the meantime.")
    current = current_number(fresh)
    if current != based_on:
        raise ChangedMeanwhile(fresh.current)
    return current


def _add_version(
    template: ImportTemplate, actor: Actor, spec: dict[str, Any], number: int, note: str
) -> TemplateVersion:
    made = TemplateVersion.objects.create(
        tenant_id=template.tenant_id,
        template=template,
        number=number,
        spec=spec,
        note=note[:300],
        user=actor.user,
    )
    ImportTemplate.objects.filter(pk=template.pk).update(current=made)
    template.current = made
    return made


def _audit(template: ImportTemplate, actor: Actor, action: str, **detail: Any) -> None:
    audit.record(
        template.tenant_id,
        action,
        str(template.uid),
        user=actor.user,
        address=actor.address,
        name=template.name,
        **detail,
    )
