"""`manage.py set_limits`: how much one file of a folder may do before a person is asked."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from imports.collect import folder_limits
from imports.load.ceilings import DEFAULTS
from imports.mapping.definitions import MEASURES
from imports.mapping.limit_parsing import as_written
from portal import provision, tenancy
from portal.faults import Refused
from portal.models import Drop, Tenant


class Command(BaseCommand):
    """Show the limits of a folder with manifests, or change some of them."""

    help = (
        "Show how much one file of a folder with manifests may do before a person is asked, or "
        "change it. Limits that are not named stay as they are."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant", metavar="SLUG", help="the institution")
        parser.add_argument("folder", metavar="FOLDER", help="such as Accounts/AccountImports")
        parser.add_argument("--endpoint", metavar="UID", help="where several have that folder")
        for name in MEASURES:
            parser.add_argument(
                f"--{name.replace('_', '-')}",
                dest=name,
                metavar="LIMIT",
                help="a whole number, or a percentage such as 10%%",
            )
        parser.add_argument(
            "--clear",
            action="append",
            default=[],
            metavar="NAME",
            help="remove this limit, so that the default holds; may be repeated",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        tenant = _tenant(options["tenant"])
        cleared = _cleared(options["clear"])
        stated = {name: as_written(options[name]) for name in MEASURES if options[name] is not None}
        if both := cleared & stated.keys():
            names = ", ".join(sorted(both))
            raise CommandError(f"Expected either a new limit or --clear, found both for {names}.")
        with tenancy.scope(tenant.pk):
            drop = _folder(tenant, options["folder"], options["endpoint"])
            if cleared or stated:
                kept = {name: limit for name, limit in drop.limits.items() if name not in cleared}
                drop = _changed(drop, {**kept, **stated})
        self.stdout.write(f"{drop.path}: {_words(drop)}")


def _changed(drop: Drop, limits: dict[str, int | str]) -> Drop:
    try:
        return folder_limits.change(drop, limits)
    except Refused as refused:
        sentences = (f"{fault.where}: {fault}" for fault in refused.faults)
        raise CommandError(" ".join(sentences)) from None


def _words(drop: Drop) -> str:
    """What holds, defaults marked, and what nobody is asked about."""
    limits = {**DEFAULTS, **drop.limits}
    parts = [
        f"{name} {limits[name]}" + ("" if name in drop.limits else " (default)")
        for name in MEASURES
        if name in limits
    ]
    if unlimited := [name for name in MEASURES if name not in limits]:
        parts.append(f"no limit for {', '.join(unlimited)}")
    return "; ".join(parts)


def _cleared(names: list[str]) -> set[str]:
    cleared = {name.replace("-", "_") for name in names}
    if unknown := sorted(cleared - set(MEASURES)):
        limits = ", ".join(MEASURES)
        raise CommandError(f"There is no limit {unknown[0]!r}. Expected one of {limits}.")
    return cleared


def _tenant(slug: str) -> Tenant:
    try:
        return provision.named(slug)
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from None


def _folder(tenant: Tenant, text: str, endpoint: str | None) -> Drop:
    """The folder of that path. Raises CommandError where there is none, or more than one."""
    path = "/".join(name for name in text.split("/") if name)
    rows = folder_limits.folders(tenant)
    matches = [drop for drop in rows if drop.path == path]
    if endpoint is not None:
        matches = [drop for drop in matches if str(drop.endpoint.uid) == endpoint]
    if len(matches) == 1:
        return matches[0]
    if matches:
        uids = ", ".join(str(drop.endpoint.uid) for drop in matches)
        raise CommandError(
            f"Several endpoints have the folder {path}. Add --endpoint, one of {uids}."
        )
    paths = ", ".join(sorted({drop.path for drop in rows}))
    raise CommandError(
        f"{tenant.slug} has no folder {path!r} that takes files with manifests. There are: "
        f"{paths or 'none yet'}."
    )
