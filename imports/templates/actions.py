"""What a person does with import templates: create, change, roll back, copy, move, try on a file.

The caller (page, API or wizard) checks who may. A new version names the version it was made from:
of two people who save at once the second is refused, and nothing of the first is lost.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction

from imports.jobs import making, pinned_lookups
from imports.mapping.definitions import BadSpec, Spec
from imports.mapping.differences import diff
from imports.mapping.parsing import as_json, parse
from imports.mapping.tables import missing
from imports.mapping.yaml_form import dump_yaml, load_yaml
from imports.models import ImportJob, ImportTemplate, TemplateVersion
from imports.templates.rules import (
    TemplateIdentity,
    identity_faults,
    lock_templates,
    saved_meanwhile,
    spec_faults,
)
from portal import audit, bell
from portal.changes import Actor
from portal.faults import Fault, Refused, refuse
from portal.models import Tenant
from portal.records.catalog import catalog


def create(
    tenant: Tenant,
    actor: Actor,
    identity: TemplateIdentity,
    feed: str,
    spec: Spec,
    note: str = "",
    *,
    audited_as: str = "template.create",
) -> ImportTemplate:
    """A new template with its version 1. feed: a name of the catalog. Raises Refused."""
    with transaction.atomic():
        lock_templates(tenant.pk)
        refuse([*identity_faults(tenant, identity, None), *spec_faults(tenant.pk, feed, spec)])
        template = ImportTemplate.objects.create(
            tenant=tenant,
            name=identity.name,
            feed=feed,
            account=identity.account,
            file_names=list(identity.file_names),
        )
        _add_version(template, actor, as_json(spec), 1, note)
        _audit(template, actor, audited_as, version=1)
        _poll_soon(tenant.pk)
    return template


def save(
    template: ImportTemplate,
    actor: Actor,
    spec: Spec,
    *,
    based_on: int,
    note: str = "",
    audited_as: str = "template.version",
) -> TemplateVersion:
    """A new version, made from the version `based_on`. Raises ChangedMeanwhile, Refused.

    Pages, YAML files and the wizard all save a version here.
    """
    with transaction.atomic():
        lock_templates(template.tenant_id)
        refuse(spec_faults(template.tenant_id, template.feed, spec))
        current = _locked(template, based_on, spec)
        version = _add_version(template, actor, as_json(spec), current + 1, note)
        _audit(template, actor, audited_as, version=version.number, note=note)
    return version


def roll_back(
    template: ImportTemplate, actor: Actor, number: int, *, based_on: int
) -> TemplateVersion:
    """The spec of an older version as the newest one. Raises ChangedMeanwhile, Refused."""
    old = template.versions.filter(number=number).first()
    if old is None:
        message = "There is no version %(number)s."
        raise Refused(Fault(("number",), "no_version", message, {"number": number}))
    with transaction.atomic():
        lock_templates(template.tenant_id)
        current = _locked(template, based_on)
        if number == current:
            message = "Version %(number)s is already the current version."
            raise Refused(Fault(("number",), "version_current", message, {"number": number}))
        refuse(list(missing(spec_of(old), pinned_lookups.columns(template.tenant_id))))
        note = f"Back to version {number}."
        version = _add_version(template, actor, old.spec, current + 1, note)
        _audit(template, actor, "template.rollback", version=version.number, to=number)
    return version


def change(template: ImportTemplate, actor: Actor, identity: TemplateIdentity) -> None:
    """Change the name, the account and the file names. Raises Refused."""
    with transaction.atomic():
        lock_templates(template.tenant_id)
        refuse(identity_faults(template.tenant, identity, template))
        template.name, template.account = identity.name, identity.account
        template.file_names = list(identity.file_names)
        template.save(update_fields=["name", "account", "file_names"])
        _audit(template, actor, "template.change", file_names=list(identity.file_names))
        _poll_soon(template.tenant_id)


def set_enabled(template: ImportTemplate, actor: Actor, enabled: bool) -> None:
    """Import files of its names automatically, or not.

    Raises Refused where another template has one of the names.
    """
    with transaction.atomic():
        lock_templates(template.tenant_id)
        if enabled:
            refuse(identity_faults(template.tenant, identity_of(template), template))
        template.enabled = enabled
        template.save(update_fields=["enabled"])
        _audit(template, actor, "template.enable" if enabled else "template.disable")
        _poll_soon(template.tenant_id)


def clone(template: ImportTemplate, actor: Actor, name: str) -> ImportTemplate:
    """A copy of the current version. It has no file names: one file is imported by one template.

    Raises Refused.
    """
    note = f"Copy of {template.name}, version {current_number(template)}."[:300]
    identity = TemplateIdentity(name=name, account=template.account)
    return create(template.tenant, actor, identity, template.feed, spec_of(template.current), note)


def delete(template: ImportTemplate, actor: Actor) -> None:
    """Delete a template that no file ran with. Raises Refused for one that has to be kept."""
    with transaction.atomic():
        ImportTemplate.objects.select_for_update().get(uid=template.uid)
        ran = ImportJob.objects.filter(
            tenant_id=template.tenant_id, template_version__template=template
        ).count()
        if ran:
            files = "One file was" if ran == 1 else f"{ran:,} files were"
            message = (
                "%(files)s processed with this template and still refer to it. Disable it instead."
            )
            raise Refused(Fault((), "template_used", message, {"files": files}))
        _audit(template, actor, "template.delete")
        template.delete()


def as_yaml(version: TemplateVersion) -> str:
    """The version as a file that `from_yaml` reads. Raises BadSpec for one stored long ago."""
    template = version.template
    return dump_yaml(spec_of(version), template.name, template.feed, template.file_names)


def from_yaml(tenant: Tenant, actor: Actor, text: str) -> ImportTemplate:
    """A new template from a file, without an account. Raises Refused, BadSpec with every fault."""
    exported = load_yaml(text)
    identity = TemplateIdentity(name=exported.name.strip(), file_names=exported.file_names)
    note = "Imported from a YAML file."
    return create(tenant, actor, identity, exported.feed, exported.spec, note)


def save_yaml(
    template: ImportTemplate, actor: Actor, text: str, *, based_on: int
) -> TemplateVersion:
    """A new version from a file; its name and file names stay. Raises as `from_yaml` and `save`."""
    exported = load_yaml(text)
    if exported.feed != template.feed:
        message = 'feed: found "%(feed)s", expected "%(expected)s", as this template has.'
        params = {"feed": exported.feed[:60], "expected": template.feed}
        raise Refused(Fault(("feed",), "another_feed", message, params))
    note = "Uploaded as a YAML file."
    return save(template, actor, exported.spec, based_on=based_on, note=note)


def replay(version: TemplateVersion, actor: Actor, past: ImportJob) -> ImportJob:
    """A dry run of a past file with a version: what would it do now? Raises Refused.

    Both jobs name the same stored file, and it is kept no longer than for the first one.
    """
    gone = Refused(Fault(("file",), "file_gone", "The file is no longer kept."))
    if past.tenant_id != version.tenant_id:
        raise gone
    with transaction.atomic():
        try:
            making.lock_past(past)
        except FileNotFoundError:
            raise gone from None
        job = making.for_person(
            past.tenant_id,
            actor.user,
            making.of_feed(catalog().feed(version.template.feed)),
            making.JobFile(past.file_name, past.file_size, past.sha256, past.content),
            f"Dry run of {past.file_name} with version {version.number}.",
            template_version=version,
            dry_run=True,
            kept_until=past.kept_until,
        )
        _audit(
            version.template, actor, "template.replay",
            version=version.number, file=past.file_name, job=str(job.uid),
        )  # fmt: skip
    return job


def spec_of(version: TemplateVersion | None) -> Spec:
    """The version's spec. Raises BadSpec; Refused without a version."""
    if version is None:
        raise Refused(Fault((), "no_version", "The template has no version."))
    return parse(version.spec)


def current_number(template: ImportTemplate) -> int:
    """The number of the current version, 0 where there is none."""
    return template.current.number if template.current else 0


def identity_of(template: ImportTemplate) -> TemplateIdentity:
    """The template's name, account and file names."""
    names = tuple(template.file_names)
    return TemplateIdentity(name=template.name, account=template.account, file_names=names)


def _poll_soon(tenant_id: int) -> None:
    """Files in a folder may wait for a name that a template now has, or no longer has."""
    bell.ring_on_commit(bell.POLL, tenant_id)


def _locked(template: ImportTemplate, based_on: int, spec: Spec | None = None) -> int:
    """Lock the row and return its current number. Raises ChangedMeanwhile, Refused.

    spec: what is to be saved, to be compared with a version that somebody saved meanwhile.
    """
    rows = ImportTemplate.objects.filter(tenant_id=template.tenant_id, pk=template.pk)
    fresh = rows.select_for_update(no_key=True, of=("self",)).first()
    if fresh is None:
        raise Refused(Fault((), "deleted_meanwhile", "The template was deleted in the meantime."))
    current = current_number(fresh)
    if current != based_on:
        raise saved_meanwhile(fresh.current, _differing(fresh.current, spec))
    return current


def _differing(current: TemplateVersion | None, spec: Spec | None) -> list[str]:
    """The names of what differs between the current version and the spec."""
    if current is None or spec is None:
        return []
    try:
        return [difference.path for difference in diff(spec_of(current), spec)]
    except BadSpec:
        return []


def _add_version(
    template: ImportTemplate, actor: Actor, spec: dict[str, Any], number: int, note: str
) -> TemplateVersion:
    version = TemplateVersion.objects.create(
        tenant_id=template.tenant_id,
        template=template,
        number=number,
        spec=spec,
        note=note[:300],
        user=actor.user,
    )
    ImportTemplate.objects.filter(pk=template.pk).update(current=version)
    template.current = version
    return version


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
