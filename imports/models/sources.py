"""The source of a job: the template, the folder or, without both, the feed that its file came by.

It decides what a mirror may remove: what its own source brought (`imports/load/owners.py`).
"""

from __future__ import annotations

from collections.abc import Collection

from imports.models.templates import ImportTemplate, TemplateVersion
from portal.models import Drop

_TEMPLATE, _DROP, _FEED = "template:", "drop:", "feed:"


def source_of(
    feed: str, template_version: TemplateVersion | None = None, drop_id: int | None = None
) -> str:
    """The source of a job, as its column has it."""
    if template_version is not None:
        return of_template(template_version.template_id)
    return f"{_DROP}{drop_id}" if drop_id is not None else f"{_FEED}{feed}"


def of_template(template_id: int) -> str:
    """The source of a template's jobs, whatever their version and folder."""
    return f"{_TEMPLATE}{template_id}"


def names(sources: Collection[str]) -> dict[str, str]:
    """The sources' names for people; "" stands for changes by hand and jobs that are gone."""
    templates = ImportTemplate.objects.filter(pk__in=_numbers(sources, _TEMPLATE))
    drops = Drop.objects.filter(pk__in=_numbers(sources, _DROP))
    named = {of_template(pk): name for pk, name in templates.values_list("pk", "name")}
    named |= {f"{_DROP}{pk}": path for pk, path in drops.values_list("pk", "path")}
    rest = {
        source: source.removeprefix(_FEED)
        if source.startswith(_FEED)
        else "changed by hand, or by a source that is gone"
        for source in sources
    }
    return rest | named


def _numbers(sources: Collection[str], prefix: str) -> list[int]:
    return [int(source.removeprefix(prefix)) for source in sources if source.startswith(prefix)]
