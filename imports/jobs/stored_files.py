"""Deleting stored files that several rows may name.

A file is stored once: the job of a delivery, a job that a person made of a past file, a draft and
the delivery's own row may all name it. It goes when none of them does.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.core.files.storage import default_storage

from imports.models import ArrivalFile, ImportDraft, ImportJob


def delete_unnamed(names: Iterable[str]) -> None:
    """Delete the files of these storage names that no row in scope names any more.

    The caller has taken the names out of its own rows before.
    """
    idle = {*filter(None, names)}
    if idle:
        for name in sorted(idle - _named(idle)):
            default_storage.delete(name)


def _named(names: set[str]) -> set[str]:
    """Which of these files a job, a draft or a delivery names."""
    uses = (
        (ImportJob, "content"),
        (ImportJob, "attachment"),
        (ArrivalFile, "content"),
        (ImportDraft, "content"),
        (ImportDraft, "table"),
        (ImportDraft, "fetched__content"),
    )
    named: set[str] = set()
    for model, column in uses:
        rows = model.objects.filter(**{f"{column}__in": sorted(names)})
        named |= {*rows.values_list(column, flat=True)}
    return named
