"""A draft becomes jobs and a template: validate, process, save."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.db.models.functions import Now

from imports.drafts import files, guessing, keeping
from imports.jobs import actions, outcome, pinned_lookups
from imports.mapping.effective import unfit
from imports.mapping.spec import BadSpec, Spec, as_json, parse
from imports.models import ImportDraft, ImportJob, ImportTemplate, TemplateVersion
from imports.templates.rules import Face, Refused, alone, face_faults
from portal import audit, bell
from portal.models import Account, User
from portal.records.catalog import catalog

State = ImportJob.State
_PLANNED = ("created", "updated", "unchanged", "removed", "rejected")


class NotReady(Exception):
    """The draft cannot be run yet. reasons: what is missing, a sentence each."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons


def ready_spec(draft: ImportDraft) -> Spec:
    """The draft's spec, fit to run. Raises NotReady with everything that is missing."""
    if not draft.content:
        raise NotReady(["There is no file yet."])
    try:
        spec = parse(draft.spec)
    except BadSpec as bad:
        raise NotReady(bad.faults) from bad
    feed = catalog().feed(draft.feed)
    tables = pinned_lookups.columns(draft.tenant_id)
    reasons = unfit(spec, feed, catalog().record_type(feed.record_type), tables)
    if reasons:
        raise NotReady(reasons)
    return spec


def validate(draft: ImportDraft, user: User, version: int) -> ImportJob:
    """Run the whole file through the engine without writing. Raises NotReady, keeping.Stale."""
    with transaction.atomic():
        job = _job(draft, user, ready_spec(draft), dry_run=True)
        keeping.save(draft, user, version, dry_run=job, checked=version + 1, step="validate")
    return job


def process(
    draft: ImportDraft, user: User, version: int, address: str | None, *, agreed: bool
) -> ImportJob:
    """Carry out the plan that the validation showed. Raises NotReady, keeping.Stale.

    agreed: the person says yes to what would hold it. The engine plans again, and tells where the
    store has changed so that the plan is another one.
    """
    checked = draft.dry_run
    if checked is None or checked.state != State.PLANNED or not is_current(draft):
        raise NotReady(["The mapping has changed since the file was validated. Validate it first."])
    spec = ready_spec(draft)
    plan = None
    if agreed or not checked.hold_reasons:
        plan = {**actions.plan_counts(checked), "holds": checked.hold_reasons}
    with transaction.atomic():
        job = _job(draft, user, spec, released_plan=plan)
        keeping.save(draft, user, version, job=job, step="done", checked=version + 1)
        guessing.learn(draft.tenant_id, job.record_type, spec)
        audit.record(
            draft.tenant_id, "import.process", str(job.uid), user=user, address=address,
            file=job.file_name, feed=job.feed, agreed=bool(plan),
        )  # fmt: skip
    return job


def is_current(draft: ImportDraft) -> bool:
    """Whether the last validation is of the draft as it is now."""
    return draft.dry_run_id is not None and draft.checked == draft.version


def _job(draft: ImportDraft, user: User, spec: Spec, **more: Any) -> ImportJob:
    feed, wanted = catalog().feed(draft.feed), spec.settings
    per = wanted.limits_per
    days = wanted.keep_days or settings.KEEP_FILES_DAYS
    job = ImportJob.objects.create(
        tenant_id=draft.tenant_id,
        feed=feed.name,
        record_type=feed.record_type,
        rank=feed.rank,
        asked_by=ImportJob.AskedBy.PERSON,
        user=user,
        spec=as_json(spec),
        absent_scope=wanted.absent_scope or "",
        limits=dict(wanted.limits),
        limits_per=per and {"field": per.field, "limits": dict(per.limits)},
        file_name=draft.file_name,
        file_size=draft.file_size,
        sha256=draft.sha256,
        content=draft.content,
        kept_until=Now() + timedelta(days=days),
        **more,
    )
    outcome.moved(job, State.READY, "Requested on the page “New import”.", str(user))
    bell.ring_on_commit(bell.IMPORT, draft.tenant_id)
    return job


def save_template(
    draft: ImportDraft,
    user: User,
    version: int,
    address: str | None,
    *,
    name: str,
    file_names: list[str],
    account: Account | None,
) -> TemplateVersion:
    """Save the draft as an import template, or as the next version of the one it became.

    Raises NotReady, keeping.Stale, Refused for a name, or a file's name of the same account, that
    another template has.
    """
    values = {"name": name, "file_names": file_names, "account": account}
    face = Face(name=name, account=account, file_names=tuple(file_names))
    with transaction.atomic():
        alone(draft.tenant_id)
        spec = ready_spec(draft)
        if faults := face_faults(draft.tenant, face, draft.template):
            raise Refused(*faults)
        template = draft.template or ImportTemplate(tenant_id=draft.tenant_id, feed=draft.feed)
        for key, value in values.items():
            setattr(template, key, value)
        template.save()
        last = template.versions.aggregate(last=Max("number"))["last"] or 0
        made = TemplateVersion.objects.create(
            tenant_id=draft.tenant_id, template=template, number=last + 1, spec=as_json(spec),
            user=user, note="Saved in the wizard.",
        )  # fmt: skip
        template.current = made
        template.save(update_fields=["current"])
        current = is_current(draft)
        keeping.save(draft, user, version, template=template, checked=version + 1 if current else 0)
        guessing.learn(draft.tenant_id, catalog().feed(draft.feed).record_type, spec)
        audit.record(
            draft.tenant_id, "template.save", str(template.uid), user=user, address=address,
            name=name, number=made.number, file_names=", ".join(file_names)[:500],
        )  # fmt: skip
        bell.ring_on_commit(bell.POLL, draft.tenant_id)  # a file may wait for this very template
    return made


def discard(draft: ImportDraft, user: User, address: str | None) -> None:
    """Take the draft away; jobs and templates that came of it stay, and so do their files."""
    audit.record(
        draft.tenant_id, "import.draft.discard", str(draft.uid), user=user, address=address,
        file=draft.file_name,
    )  # fmt: skip
    draft.delete()
    files.release_all(draft)
