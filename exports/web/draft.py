"""The export form with its rows, as it was sent or filled from a stored export."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from exports import forms, queries, samples
from exports.define import Definition
from exports.models import Export, Server
from exports.web import rows
from exports.web.server_forms import UrlForm
from portal.models import Tenant
from portal.web.acting import whole_number

_MULTIPLE = ("types", "days")
_MOST_PLACES = 20


@dataclass(slots=True)
class Draft:
    """own: whether the columns are chosen, and not the usual ones. message: what a button did."""

    tenant: Tenant
    form: forms.ExportForm
    columns: list[rows.ColumnRow]
    places: list[rows.PlaceRow]
    own: bool
    version: int = 0
    url: UrlForm = field(default_factory=UrlForm)
    columns_fault: str = ""
    message: str = ""
    source: dict[str, Any] = field(default_factory=dict)

    @property
    def servers(self) -> dict[str, Server]:
        """The tenant's servers by uid."""
        return {str(server.uid): server for server in queries.servers(self.tenant)}

    def show(self) -> None:
        """Fill in what is shown beside the rows."""
        if not self.own:
            self.columns = rows.usual_columns(self.source)
        rows.show_samples(self.columns, self.samples())

    def samples(self) -> samples.Samples:
        return samples.newest(self.tenant, self.source)

    def definition(self) -> Definition | None:
        """What was filled in; None where something is wrong, which is shown beside its field."""
        valid = self.form.is_valid()
        fmt = self.form.cleaned_data.get("format", "csv")
        if self.own:
            self.columns_fault = rows.check_columns(self.columns, self.source, fmt)
        places = rows.check_places(self.places, self.servers)
        faults = [row.fault for row in self.columns] + [row.fault for row in self.places]
        if not valid or any(faults) or self.columns_fault:
            return None
        return Definition(
            **self.form.own_values(),
            columns=[row.stored() for row in self.columns] if self.own else [],
            destinations=places,
        )

    def press(self, do: str) -> None:
        """Apply a button other than saving to the rows."""
        if do == "columns-own" or (do == "columns-usual" and self.own):
            self.own = do == "columns-own"
            self.columns = rows.usual_columns(self.source)
        elif do == "column-add":
            self.columns.append(rows.ColumnRow(focus="name"))
        elif do == "place-add" and len(self.places) < _MOST_PLACES:
            self.places.append(rows.PlaceRow(focus="server"))
        self.columns, at = rows.moved(self.columns, do, "column")
        if at >= 0:
            self.columns[at].focus = do.split("-")[1]
        self.places, at = rows.moved(self.places, do, "place")
        if at >= 0:
            self.places[at].focus = "remove"


def new(tenant: Tenant, server: str, path: str) -> Draft:
    """The form of a new export. server, path: of its first destination; empty without one."""
    form = forms.ExportForm(types(tenant), initial=forms.beginning(tenant.time_zone))
    places = [rows.PlaceRow(server, path[:500])] if server else []
    return Draft(tenant, form, [], places, own=False, source={"events": []})


def from_export(export: Export) -> Draft:
    """The form of a stored export."""
    choices = types(export.tenant)
    places = [
        rows.PlaceRow(str(destination.server.uid), destination.path)
        for destination in export.destinations.all()
    ]
    return Draft(
        export.tenant,
        forms.ExportForm(choices, initial=forms.initial(export, choices)),
        rows.stored_columns(export.columns),
        places,
        own=bool(export.columns),
        version=export.version,
        source=dict(export.source),
    )


def from_request(tenant: Tenant, data: QueryDict, *, saving: bool) -> Draft:
    """The form as it was sent. saving: whether its faults are shown."""
    choices = types(tenant)
    bound = forms.ExportForm(choices, data)
    bound.is_valid()
    source = bound.source()
    if not saving:
        raw: dict[str, Any] = {name: data.get(name, "") for name in bound.fields}
        raw |= {name: data.getlist(name) for name in _MULTIPLE}
    return Draft(
        tenant,
        bound if saving else forms.ExportForm(choices, initial=raw),
        rows.sent_columns(data),
        rows.sent_places(data),
        own=data.get("columns") == "own",
        version=whole_number(data.get("version", "")) or 0,
        url=UrlForm(data) if data.get("do") == "url" else UrlForm(),
        source=source,
    )


def types(tenant: Tenant) -> list[str]:
    """The event types to choose from: those of the dictionary, then others of stored events."""
    return list(dict.fromkeys([*queries.KNOWN_TYPES, *queries.seen_types(tenant)]))
