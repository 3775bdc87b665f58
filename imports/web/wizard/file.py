"""The third step: the file and how it is read, with a preview of its first rows."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.conf import settings as configured
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from imports.drafts import keeping, likely, receiving, sampling
from imports.issues import FileRefused, headline
from imports.models import ImportDraft
from imports.scan.encoding import ENCODING_NAMES
from imports.web.wizard import frame
from portal.models import Role
from portal.web import live, uploads
from portal.web.permissions import TenantRequest, require

_IN_FOLDER = "lies-"  # before the number of a file in a folder
_SHOWN_ROWS = 8
_SHOWN_COLUMNS = 40
_ENCODINGS = list(ENCODING_NAMES.items())


def _select(label: Any, choices: list[tuple[str, Any]]) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label, choices=choices, widget=forms.Select(attrs={"class": "form-select"})
    )


def _count(label: Any, help_text: Any = "") -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        help_text=help_text,
        min_value=0,
        max_value=1000,
        widget=forms.NumberInput(attrs={"class": "form-control"}),
    )


class ReadingForm(forms.Form):
    """How the file is read; the values are the spec's."""

    encoding = _select(
        gettext_lazy("Encoding"), [("auto", gettext_lazy("Auto-detect")), *_ENCODINGS]
    )
    delimiter = _select(
        gettext_lazy("Column separator"),
        [
            ("auto", gettext_lazy("Auto-detect")),
            (",", gettext_lazy("Comma")),
            (";", gettext_lazy("Semicolon")),
            ("tab", gettext_lazy("Tab")),
            ("|", gettext_lazy("Vertical bar |")),
            ("space", gettext_lazy("Space")),
            (":", gettext_lazy("Colon")),
            ("^", "^"),
            ("~", "~"),
        ],
    )
    quote = _select(
        gettext_lazy("Quotes"),
        [
            ('"', gettext_lazy('Double "')),
            ("'", gettext_lazy("Single '")),
            ("none", gettext_lazy("None")),
        ],
    )
    skip_rows = _count(gettext_lazy("Lines to skip at the top"))
    header_row = _count(
        gettext_lazy("Header row"),
        gettext_lazy("Counted after the skipped lines; 0 if there is none."),
    )

    def reading(self, draft: ImportDraft) -> dict[str, Any]:
        """The reading as a spec writes it; the sheet stays as it is."""
        return {**self.cleaned_data, "sheet": keeping.part(draft, "reading").get("sheet")}


@require_http_methods(["GET", "POST"])
@require(Role.ADMIN)
def file(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """The file; htmx asks for the first rows under another reading, a POST saves the reading."""
    draft = frame.draft_of(request, uid)
    if request.method == "GET" and live.is_fragment(request):
        return _previewed(request, draft)
    if draft.fetched:
        draft = _use_fetched(request, draft)
    if not draft.content:
        return _page(request, draft, None)
    data = request.POST if request.method == "POST" else None
    form = ReadingForm(data, initial=keeping.part(draft, "reading"))
    return frame.answer(
        request,
        draft,
        lambda: _save(request, draft, form),
        lambda status: _page(request, draft, form, status),
    )


@require_GET
@require(Role.ADMIN)
def fetched(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Answer with nothing until the collector has copied the file, then lead to the file's page."""
    draft = frame.draft_of(request, uid)
    if draft.requested_id and not draft.fetched:
        return HttpResponse(status=204)
    response = HttpResponse(headers={"HX-Redirect": reverse("draft-file", args=[uid])})
    return response if live.is_fragment(request) else redirect("draft-file", uid)


def _use_fetched(request: TenantRequest, draft: ImportDraft) -> ImportDraft:
    """Use the collector's copy. That is nobody's decision, so the first request does it."""
    is_begun = draft.step != "settings"
    try:
        receiving.take_fetched(draft, request.user)
        if not is_begun:
            likely.choose_feed(draft, request.user)
    except FileRefused as refused:
        messages.error(request, _reasons(refused))
    except FileNotFoundError:
        messages.error(request, _("That file is no longer in its folder. Choose another one."))
    except keeping.DraftChanged:
        pass  # another request for this page was first
    return frame.draft_of(request, draft.uid)


def _reasons(refused: FileRefused) -> str:
    return headline(refused.issues)


def _page(
    request: TenantRequest, draft: ImportDraft, form: ReadingForm | None, status: int = 200
) -> HttpResponse:
    context = {
        "form": form,
        "arrived": receiving.arrived(request.tenant),
        "unmatched": receiving.unmatched(request.tenant),
        "in_folders": receiving.in_folders(request.tenant)[: receiving.PICKED],
        "most": filesizeformat(configured.MAX_UPLOAD_BYTES),
        "sheet": keeping.part(draft, "reading").get("sheet"),
        "sure": round((draft.sample.get("confidence") or 0) * 100),
    }
    if form is not None:
        context |= _preview(draft, form)
    return frame.page(request, "file", draft, "draft-file", context, status)


def _previewed(request: TenantRequest, draft: ImportDraft) -> HttpResponse:
    """The first rows under the form's reading, without saving it."""
    return render(
        request, "imports/wizard/_preview.html", _preview(draft, ReadingForm(request.GET))
    )


def _preview(draft: ImportDraft, form: ReadingForm) -> dict[str, Any]:
    if form.is_bound and not form.is_valid():
        words = " ".join(str(error) for errors in form.errors.values() for error in errors)
        return {"sample": sampling.Sample(refusal=words)}
    reading = form.reading(draft) if form.is_bound else keeping.part(draft, "reading")
    draft_spec = ImportDraft(spec=keeping.with_part(draft, reading=reading))
    sample = sampling.take(draft, sampling.reading_of(draft_spec))
    return {
        "sample": sample,
        "header": sample.header[:_SHOWN_COLUMNS],
        "rows": [(line, cells[:_SHOWN_COLUMNS]) for line, cells in sample.rows[:_SHOWN_ROWS]],
        "more_columns": max(0, len(sample.header) - _SHOWN_COLUMNS),
        "notes": draft.sample.get("notes") or [],
        "encoding": dict(_ENCODINGS).get(sample.encoding, sample.encoding),
    }


def _save(request: TenantRequest, draft: ImportDraft, form: ReadingForm) -> HttpResponse:
    """Save the reading. Raises frame.NotSaved, keeping.DraftChanged."""
    if not form.is_valid():
        raise frame.NotSaved
    receiving.change_reading(draft, request.user, frame.version(request), form.reading(draft))
    if refusal := sampling.take(draft, sampling.reading_of(draft)).refusal:
        messages.error(request, refusal)
        raise frame.NotSaved
    return redirect("draft-map" if "next" in request.POST else "draft-file", draft.uid)


@require_POST
@uploads.may_come_by_script
@require(Role.ADMIN)
def upload(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Use an uploaded file."""
    draft = frame.draft_of(request, uid)
    sent = request.FILES.get("file")
    if uploads.too_large(request):
        most = filesizeformat(configured.MAX_UPLOAD_BYTES)
        return _refused(
            request,
            draft,
            _("The file is larger than %(most)s, the maximum for uploads here. Send it by SFTP,"
              " or in parts.") % {"most": most},
        )  # fmt: skip
    if sent is None:
        return _refused(request, draft, _("Choose a file first."))
    return _taken(request, draft, lambda version: receiving.upload(
        draft, request.user, version, sent
    ))  # fmt: skip


@require_POST
@require(Role.ADMIN)
def pick(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Use a file that was sent before: of a job, an unmatched one, or one in a folder."""
    draft = frame.draft_of(request, uid)
    chosen = request.POST.get("job", "")
    for job in receiving.arrived(request.tenant):
        if str(job.uid) == chosen:
            return _taken(request, draft, partial(receiving.pick, draft, request.user, job=job))
    for row in receiving.unmatched(request.tenant):
        if str(row.arrival.uid) == chosen:
            return _taken(
                request, draft, partial(receiving.take_arrived, draft, request.user, row=row)
            )
    if (number := _number_of(chosen)) is not None:
        file = receiving.in_folders(request.tenant).filter(pk=number).first()
        if file is None:
            return _refused(request, draft, _("This file is no longer waiting in its folder."))
        ask = partial(receiving.request, draft, request.user, file=file, step="file")
        return _taken(request, draft, ask)
    return _refused(request, draft, _("Choose a file first."))


def _number_of(chosen: str) -> int | None:
    """The sighting's number in what was chosen; None where it is no file in a folder."""
    number = chosen.removeprefix(_IN_FOLDER)
    is_number = number.isascii() and number.isdigit() and len(number) < 19
    return int(number) if chosen.startswith(_IN_FOLDER) and is_number else None


@require_POST
@require(Role.ADMIN)
def sheet(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Read another sheet of a workbook."""
    draft = frame.draft_of(request, uid)
    name = request.POST.get("sheet", "")
    if name not in draft.sheets:
        return _refused(request, draft, _("Choose one of the workbook's sheets."))
    return _taken(
        request,
        draft,
        lambda version: receiving.choose_sheet(draft, request.user, version, name),
    )


def _taken(request: TenantRequest, draft: ImportDraft, take: Callable[[int], None]) -> HttpResponse:
    """Let the draft take a file. take: takes the draft's version that the page showed."""
    try:
        take(frame.version(request))
    except FileRefused as refused:
        fresh = frame.draft_of(request, draft.uid)
        return _refused(request, fresh, _reasons(refused))
    except FileNotFoundError:
        fresh = frame.draft_of(request, draft.uid)
        return _refused(request, fresh, _("That file is no longer kept. Choose another one."))
    except keeping.DraftChanged:
        frame.warn_changed(request, draft)
        return _refused(request, frame.draft_of(request, draft.uid), "", status=409)
    return redirect("draft-file", draft.uid)


def _refused(
    request: TenantRequest, draft: ImportDraft, words: str, status: int = 422
) -> HttpResponse:
    if words:
        messages.error(request, words)
    form = ReadingForm(initial=keeping.part(draft, "reading")) if draft.content else None
    return _page(request, draft, form, status)
