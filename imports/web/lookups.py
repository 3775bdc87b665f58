"""Look-up tables: the list, and one table with its rows, versions and templates."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from imports.jobs import pinned_lookups
from imports.models import LookupTable
from imports.templates.lookups import actions, queries
from imports.web.lookup_forms import ContentForm, NewForm, most_words, row_of
from portal import audit
from portal.changes import ChangedMeanwhile
from portal.faults import Refused
from portal.models import Role
from portal.people_csv import write_rows
from portal.web import address
from portal.web.acting import actor, based_on, changed_words, or_404
from portal.web.permissions import TenantRequest, require

_ROWS = 25  # a page
_EDITED_AS_TEXT = 500  # rows that the form for new content begins with


def _table(request: TenantRequest, uid: uuid.UUID) -> LookupTable:
    """The tenant's table. Raises Http404."""
    return or_404(queries.table(request.tenant, uid))


@require_GET
@require(Role.VIEWER)
def lookup_list(request: TenantRequest) -> HttpResponse:
    """The tables by name, with who uses them."""
    return _list(request, NewForm())


def _list(
    request: TenantRequest, form: NewForm, faults: list[str] | None = None, status: int = 200
) -> HttpResponse:
    using = queries.users(request.tenant.pk)
    context = {
        "section": "templates",
        "tab": "lookups",
        "tables": [(table, using.get(table.name, [])) for table in queries.tables(request.tenant)],
        "form": form,
        "faults": faults,
        "most": most_words(),
    }
    return render(request, "imports/lookups.html", context, status=status)


@require_POST
@require(Role.ADMIN)
def lookup_create(request: TenantRequest) -> HttpResponse:
    """A new table."""
    form = NewForm(request.POST, request.FILES)
    if not form.is_valid():
        return _list(request, form, status=422)
    try:
        table = actions.create(
            request.tenant, actor(request), form.cleaned_data["name"].strip(), form.table()
        )
    except Refused as refused:
        return _list(request, form, refused.sentences, status=422)
    messages.success(request, _("Table created. Template steps can now look up values in it."))
    return redirect("lookup", table.uid)


@require_GET
@require(Role.VIEWER)
def lookup_page(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """One table. `find` in the address: rows with that text only."""
    return _show(request, _table(request, uid))


def _show(
    request: TenantRequest,
    table: LookupTable,
    *,
    faults: list[str] | None = None,
    form: ContentForm | None = None,
    cells: tuple[str, ...] = (),
    status: int = 200,
) -> HttpResponse:
    """The page. faults: why a change was refused; form, cells: as they were sent."""
    version = or_404(table.current)
    content = pinned_lookups.content(version)
    find = request.GET.get("find", "").replace("\0", "")[:300]
    page = Paginator(queries.matching(content, find), _ROWS).get_page(request.GET.get("page"))
    typed = cells or ("",) * len(content.columns)
    context = {
        "section": "templates",
        "table": table,
        "version": version,
        "columns": content.columns,
        "page": page,
        "find": find,
        "inputs": list(zip(content.columns, typed, strict=True)),
        "form": form or _as_text(version.fold, content.columns, content.rows),
        "versions": queries.versions(table),
        "using": queries.users(table.tenant_id).get(table.name, []),
        "faults": faults,
        "most": most_words(),
    }
    return render(request, "imports/lookup.html", context, status=status)


def _as_text(fold: bool, columns: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> Any:
    """The form for new content, which begins with the present content where that is short."""
    initial: dict[str, Any] = {"fold": fold}
    if len(rows) <= _EDITED_AS_TEXT:
        written = io.BytesIO()
        write_rows(written, columns, rows, bom=False)
        initial["pasted"] = written.getvalue().decode()
    return ContentForm(initial=initial)


def _done(
    request: TenantRequest,
    table: LookupTable,
    act: Callable[[], object],
    words: str,
    **sent: Any,
) -> HttpResponse:
    """Do it and show the table, or show why not."""
    try:
        act()
    except ChangedMeanwhile as changed:
        fresh = _table(request, table.uid)
        return _show(request, fresh, faults=[changed_words(changed)], status=409, **sent)
    except Refused as refused:
        fresh = _table(request, table.uid)
        return _show(request, fresh, faults=refused.sentences, status=422, **sent)
    messages.success(request, words)
    return redirect("lookup", table.uid)


def _saved() -> str:
    return _("Saved. It applies to files that arrive from now on.")


@require_POST
@require(Role.ADMIN)
def lookup_replace(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Replace the table's content."""
    table, form = _table(request, uid), ContentForm(request.POST, request.FILES)
    if not form.is_valid():
        return _show(request, table, form=form, status=422)

    def act() -> object:
        return actions.replace(table, actor(request), form.table(), based_on=based_on(request))

    return _done(request, table, act, _saved(), form=form)


@require_POST
@require(Role.ADMIN)
def lookup_row(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Add a row, or change the one with its key."""
    table = _table(request, uid)
    cells = row_of(request.POST, table.current.columns if table.current else [])

    def act() -> object:
        return actions.set_row(table, actor(request), cells, based_on=based_on(request))

    return _done(request, table, act, _saved(), cells=cells)


@require_POST
@require(Role.ADMIN)
def lookup_row_remove(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Remove a row."""
    table, key = _table(request, uid), request.POST.get("key", "")

    def act() -> object:
        return actions.remove_row(table, actor(request), key, based_on=based_on(request))

    return _done(request, table, act, _saved())


@require_POST
@require(Role.ADMIN)
def lookup_delete(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Delete a table that nothing uses."""
    table = _table(request, uid)
    try:
        actions.delete(table, actor(request))
    except Refused as refused:
        return _show(request, table, faults=refused.sentences, status=422)
    messages.success(request, _("The look-up table was deleted."))
    return redirect("lookups")


@require_GET
@require(Role.MANAGER)
def lookup_csv(request: TenantRequest, uid: uuid.UUID, number: int) -> HttpResponse:
    """A version as a CSV file, which can be changed and uploaded again."""
    table = _table(request, uid)
    version = or_404(table.versions.filter(number=number).first())
    written = io.BytesIO()
    write_rows(written, version.columns, version.rows)
    audit.record(
        table.tenant_id, "lookup.download", str(table.uid),
        user=request.user, address=address.client(request) or None,
        name=table.name, version=number,
    )  # fmt: skip
    response = HttpResponse(written.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="lookup-v{number}.csv"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
