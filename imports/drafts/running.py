"""A draft becomes jobs and a template: validate, process, save."""

from __future__ import annotations

import hashlib
from typing import Any

from django.db import transaction
from django.db.models import Max

from imports.drafts import files, guessing, keeping
from imports.jobs import actions, making
from imports.mapping.spec import Spec, as_json, parse
from imports.models import ImportDraft, ImportJob, ImportTemplate, TemplateVersion, sources
from imports.templates import actions as templates
from imports.templates.rules import TemplateIdentity, spec_faults
from portal import audit
from portal.changes import Actor, ChangedMeanwhile
from portal.faults import Fault, Refused
from portal.models import User
from portal.records.catalog import catalog

State = ImportJob.State
_NOTE = "Saved in the wizard."
_AUDITED_AS = "template.save"


class NotReady(Refused):
    """The draft cannot be run yet; each fault is something that is missing."""


def ready_spec(draft: ImportDraft) -> Spec:
    """The draft's spec, fit to run. Raises NotReady, BadSpec with every fault."""
    if not draft.content:
        raise NotReady(Fault(("file",), "no_file", "There is no file yet."))
    spec = parse(draft.spec)
    if faults := spec_faults(draft.tenant_id, draft.feed, spec):
        raise NotReady(*faults)
    return spec


def validate(draft: ImportDraft, user: User, version: int) -> ImportJob:
    """Run the whole file through the engine without writing.

    Raises NotReady, BadSpec, keeping.DraftChanged.
    """
    with transaction.atomic():
        job = _job(draft, user, ready_spec(draft), dry_run=True)
        keeping.save(draft, user, version, dry_run=job, checked=version + 1, step="validate")
    return job


def process(draft: ImportDraft, actor: Actor, version: int, *, agreed: bool) -> ImportJob:
    """Carry out the plan that the validation showed.

    agreed: the person accepts the reasons that would hold the job. The engine plans again, and
    says so where the store has changed and the plan differs. Raises NotReady, BadSpec,
    keeping.DraftChanged.
    """
    checked = draft.dry_run
    if checked is None or checked.state != State.PLANNED or not is_current(draft):
        message = "The mapping has changed since the file was validated. Validate it first."
        raise NotReady(Fault((), "not_validated", message))
    spec = ready_spec(draft)
    plan = None
    if agreed or not checked.hold_reasons:
        plan = actions.plan_shown(checked)
    with transaction.atomic():
        job = _job(draft, actor.user, spec, released_plan=plan)
        keeping.save(draft, actor.user, version, job=job, step="done", checked=version + 1)
        guessing.learn(draft.tenant_id, job.record_type, spec)
        audit.record(
            draft.tenant_id, "import.process", str(job.uid),
            user=actor.user, address=actor.address,
            file=job.file_name, feed=job.feed, agreed=bool(plan),
        )  # fmt: skip
    return job


def is_current(draft: ImportDraft) -> bool:
    """Whether the last validation is of the draft as it is now."""
    return draft.dry_run_id is not None and draft.checked == draft.version


def _job(draft: ImportDraft, user: User, spec: Spec, **more: Any) -> ImportJob:
    feed = catalog().feed(draft.feed)
    if draft.template_id is not None:
        more["source"] = sources.of_template(draft.template_id)
    return making.for_person(
        draft.tenant_id,
        user,
        making.of_feed(feed),
        making.JobFile(draft.file_name, draft.file_size, draft.sha256, draft.content),
        "Requested on the page “New import”.",
        spec=as_json(spec),
        kept_until=making.keep_until(spec.settings.keep_days),
        **more,
    )


def doubt(draft: ImportDraft) -> Fault | None:
    """Why a person must say that the draft is to be a template; None where it was tried out."""
    job = draft.dry_run
    if job is None or not is_current(draft) or job.state not in (State.PLANNED, State.FAILED):
        message = "The file was not validated as it is mapped now."
        return Fault((), "not_validated", message)
    if job.state == State.FAILED or (job.rows_read and job.rows_rejected == job.rows_read):
        message = "The validation failed: no row of the file can be imported as it is mapped now."
        return Fault((), "nothing_valid", message)
    return None


def identity_digest(draft: ImportDraft) -> str:
    """The name, account and file names of the draft's template, to be compared only."""
    if draft.template is None:
        return ""
    template = ImportTemplate.objects.get(pk=draft.template.pk)
    facts = (template.name, template.account_id, sorted(template.file_names))
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def save_template(
    draft: ImportDraft,
    actor: Actor,
    version: int,
    identity: TemplateIdentity,
    *,
    based_on: int,
    identity_seen: str,
) -> TemplateVersion:
    """Save the draft as an import template, or as the next version of the one it became.

    based_on: the template's version that the person saw, identity_seen: the digest of its name,
    account and file names; for a new template they do not count.
    Raises NotReady, BadSpec, keeping.DraftChanged, ChangedMeanwhile, Refused.
    """
    with transaction.atomic():
        spec = ready_spec(draft)
        _refuse_stale_identity(draft, identity, based_on, identity_seen)
        saved = _saved_version(draft, actor, identity, spec, based_on)
        keeping.save(
            draft,
            actor.user,
            version,
            template=saved.template,
            template_version=saved.number,
            checked=version + 1 if is_current(draft) else 0,
        )
        # What the draft imported already is the template's from now on.
        if draft.job_id is not None:
            jobs = ImportJob.objects.filter(pk=draft.job_id)
            jobs.update(source=sources.of_template(saved.template_id))
        guessing.learn(draft.tenant_id, catalog().feed(draft.feed).record_type, spec)
    return saved


def _refuse_stale_identity(
    draft: ImportDraft, identity: TemplateIdentity, based_on: int, identity_seen: str
) -> None:
    """Raises ChangedMeanwhile where an old page would rename or rebind the template unasked."""
    if draft.template is None or identity_seen == identity_digest(draft):
        return
    template = ImportTemplate.objects.select_for_update(of=("self",)).get(pk=draft.template.pk)
    if templates.identity_of(template) != identity and based_on == templates.current_number(
        template
    ):
        message = (
            "The template's name, account or file names were changed meanwhile: it is “%(name)s”"
            " now. Yours were not saved; save again to put them in place."
        )
        fault = Fault((), "renamed_meanwhile", message, {"name": template.name})
        raise ChangedMeanwhile(fault, number=based_on)


def _saved_version(
    draft: ImportDraft, actor: Actor, identity: TemplateIdentity, spec: Spec, based_on: int
) -> TemplateVersion:
    template = draft.template
    if template is None:
        template = templates.create(
            draft.tenant, actor, identity, draft.feed, spec, _NOTE, audited_as=_AUDITED_AS
        )
        return template.versions.get()
    version = templates.save(
        template, actor, spec, based_on=based_on, note=_NOTE, audited_as=_AUDITED_AS
    )
    if templates.identity_of(template) != identity:
        templates.change(template, actor, identity)
    return version


def template_version(draft: ImportDraft) -> int:
    """The version of its template that the draft last saved; 0 where there is none.

    Drafts of an older portal have no note of it. A draft's template is its own, so that the newest
    version that the wizard saved is the draft's.
    """
    if draft.template is None or draft.template_version:
        return draft.template_version
    saved = draft.template.versions.filter(note=_NOTE).aggregate(newest=Max("number"))
    return saved["newest"] or 0


def discard(draft: ImportDraft, actor: Actor) -> None:
    """Delete the draft; its jobs and templates stay, and so do their files."""
    audit.record(
        draft.tenant_id, "import.draft.discard", str(draft.uid),
        user=actor.user, address=actor.address,
        file=draft.file_name,
    )  # fmt: skip
    draft.delete()
    files.release_all(draft)
