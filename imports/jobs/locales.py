"""How earlier files of a kind were proven to write their dates and numbers."""

from __future__ import annotations

from imports.models import ImportJob


def proven_before(job: ImportJob) -> dict[str, bool]:
    """How the last imported file of the same feed and template was proven to write its columns."""
    version = job.template_version
    jobs = ImportJob.objects.filter(
        tenant_id=job.tenant_id,
        feed=job.feed,
        template_version__template_id=None if version is None else version.template_id,
        state__in=(ImportJob.State.COMPLETE, ImportJob.State.INCOMPLETE),
        dialect__has_key="proven",
    )
    last = jobs.order_by("-pk").values_list("dialect", flat=True).first()
    return dict(last["proven"]) if last else {}
