"""A file whose columns are another feed's: where it belongs, instead of how to rename them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imports.check.columns import ColumnMapping, fields_of, fold, positions
from imports.issues import Code, FileRefused, Issue
from imports.mapping.recognising import clearly_for, likely_feeds
from imports.mapping.renaming import ColumnsMissing
from imports.mapping.resolving import HoldNeeded
from imports.models import ImportJob, ImportTemplate
from portal.models import Drop
from portal.records.catalog import catalog
from portal.records.definitions import Feed

_NAMED = 10
_COMPARED = 200  # columns of the file


def advised(job: ImportJob, refusal: FileRefused) -> Sequence[Issue]:
    """The refusal's issues, or the one that says where the file belongs.

    A file that its template knows by at least half of its columns is no other feed's.
    """
    if not isinstance(refusal, ColumnsMissing) or isinstance(refusal, HoldNeeded):
        return refusal.issues
    feeds = [] if _is_templates(job, refusal.header) else better_feeds(job, refusal.header)
    if not feeds:
        return refusal.issues
    missing = [issue.column or "" for issue in refusal.issues]
    return (Issue(Code.OTHER_FEED, _sentence(job, feeds, missing)),)


def better_feeds(job: ImportJob, header: Sequence[str]) -> list[Feed]:
    """The feeds that a file with that header is clearly for, rather than for the job's."""
    types = catalog().record_type
    pairs = [(feed, types(feed.record_type)) for feed in catalog().feeds()]
    return clearly_for(likely_feeds(header[:_COMPARED], [], pairs, job.file_name), job.feed)


def doubts(job: ImportJob, mapping: ColumnMapping) -> Iterator[str]:
    """Why a person must look at a file that can be read, though its columns are another feed's.

    They are where another feed finds every column that it needs, and more columns than this one.
    """
    if not mapping.ignored or job.template_version_id or job.spec:
        return
    folded = [fold(name) for name in mapping.header[:_COMPARED]]
    own = len(mapping.columns) + (mapping.operation_column is not None)
    for feed in catalog().feeds():
        if feed.record_type != job.record_type and not feed.keep_unknown:
            taken = positions(folded, fields_of(feed, catalog().record_type(feed.record_type)))
            if len(taken) > own and _needed(feed) <= taken.keys():
                yield (
                    f"The columns are those of {feed.label}: {_quoted(sorted(taken))}."
                    f" The file was sent as {catalog().feed(job.feed).label}."
                )
                return


def _needed(feed: Feed) -> set[str]:
    fields = fields_of(feed, catalog().record_type(feed.record_type))
    return {field.name for field in fields if field.required or field.header_required}


def _is_templates(job: ImportJob, header: Sequence[str]) -> bool:
    spec = job.template_version.spec if job.template_version else job.spec
    columns = {fold(name) for name in (spec or {}).get("columns", ())}
    return bool(columns) and 2 * len(columns & set(map(fold, header))) >= len(columns)


def _sentence(job: ImportJob, feeds: Sequence[Feed], missing: Sequence[str]) -> str:
    own = catalog().feed(job.feed).label
    labels = " or ".join(feed.label for feed in feeds)
    lacks = f"For {own} it lacks {_quoted(missing)}."
    return f"The file looks like {labels}, not like {own}. {_place(job, feeds)} {lacks}"


def _place(job: ImportJob, feeds: Sequence[Feed]) -> str:
    """Where the sender puts such a file: a folder, or under a template's file name."""
    names = [feed.name for feed in feeds]
    file = job.arrival_file
    if file is None:
        return "Import it as that."
    drop = file.arrival.drop
    if drop.protocol == Drop.Protocol.MANIFEST:
        folders = Drop.objects.filter(endpoint=drop.endpoint, feed__in=names, enabled=True)
        paths = list(folders.order_by("path").values_list("path", flat=True)[:_NAMED])
        if paths:
            which = f"the folder {paths[0]}" if len(paths) == 1 else f"one of {_quoted(paths)}"
            return f"Send it again into {which}, with its manifest."
        return "This account has no folder for that: ask the portal's operator."
    templates = ImportTemplate.objects.filter(
        account=file.arrival.account, feed__in=names, enabled=True
    )
    file_names = [name for template in templates[:_NAMED] for name in template.file_names]
    if file_names:
        return f"Send it again under a name that is for that: {_quoted(file_names)}."
    return "No import template of this account is for that."


def _quoted(names: Sequence[str]) -> str:
    named = ", ".join(f'"{name[:100]}"' for name in names[:_NAMED])
    return f"{named} and {len(names) - _NAMED} more" if len(names) > _NAMED else named
