"""The third step: the file and how it is read, with its first rows at once."""

from __future__ import annotations

import uuid
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
from imports.issues import FileRefused
from imports.models import ImportDraft
from imports.web.wizard import frame
from portal.models import Role
from portal.web import live, uploads
from portal.web.permissions import TenantRequest, require

_SELECT = {"class": "form-select"}
_NUMBER = {"class": "form-control"}
_LIES = "lies-"  # before the number of a file in a folder
_SHOWN_ROWS = 8
_SHOWN_COLUMNS = 40
_ENCODINGS = [
    ("utf-8", "UTF-8"),
    ("cp1252", "Windows-1252"),
    ("utf-16-le", "UTF-16 LE"),
    ("utf-16-be", "UTF-16 BE"),
]


class ReadingForm(forms.Form):
    """How the file is read, in the words of the spec."""

    encoding = forms.ChoiceField(
        label=gettext_lazy("Encoding"),
        choices=[("auto", gettext_lazy("Auto-detect")), *_ENCODINGS],
        widget=forms.Select(attrs=_SELECT),
    )
    delimiter = forms.ChoiceField(
        label=gettext_lazy("Column separator"),
        choices=[
            ("auto", gettext_lazy("Auto-detect")),
            (",", gettext_lazy("Comma")),
            (";", gettext_lazy("Semicolon")),
            ("tab", gettext_lazy("Tab")),
            ("|", gettext_lazy("Vertical bar |")),
        ],
        widget=forms.Select(attrs=_SELECT),
    )
    quote = forms.ChoiceField(
        label=gettext_lazy("Quotes"),
        choices=[
            ('"', gettext_lazy('Double "')),
            ("'", gettext_lazy("Single '")),
            ("none", gettext_lazy("None")),
        ],
        widget=forms.Select(attrs=_SELECT),
    )
    skip_rows = forms.IntegerField(
        label=gettext_lazy("Lines to skip at the top"),
        min_value=0,
        max_value=1000,
        widget=forms.NumberInput(attrs=_NUMBER),
    )
    header_row = forms.IntegerField(
        label=gettext_lazy("Header row"),
        help_text=gettext_lazy("Counted after the skipped lines; 0 if there is none."),
        min_value=0,
        max_value=1000,
        widget=forms.NumberInput(attrs=_NUMBER),
    )
    skip_last = forms.IntegerField(
        label=gettext_lazy("Rows to skip at the end"),
        min_value=0,
        max_value=1000,
        widget=forms.NumberInput(attrs=_NUMBER),
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
        return _tried(request, draft)
    if draft.fetched:
        draft = _brought(request, draft)
    form, status = None, 200
    if draft.content:
        data = request.POST if request.method == "POST" else None
        form = ReadingForm(data, initial=keeping.part(draft, "reading"))
    if request.method == "POST" and form is not None:
        status = _saved(request, draft, form)
        if status == 302:
            return redirect("draft-map" if "next" in request.POST else "draft-file", uid)
    return _shown(request, draft, form, status)


@require_GET
@require(Role.ADMIN)
def fetched(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Whether the collector has answered: nothing while it has not, then the file's page."""
    draft = frame.draft_of(request, uid)
    if draft.wanted_id and not draft.fetched:
        return HttpResponse(status=204)
    response = HttpResponse(headers={"HX-Redirect": reverse("draft-file", args=[uid])})
    return response if live.is_fragment(request) else redirect("draft-file", uid)


def _brought(request: TenantRequest, draft: ImportDraft) -> ImportDraft:
    """Read what the collector has brought; that is nobody's decision, so whoever looks does it."""
    is_begun = draft.step != "settings"
    try:
        receiving.take_fetched(draft, request.user)
        if not is_begun:
            likely.aim(draft, request.user)
    except FileRefused as refused:
        messages.error(request, " ".join(one.message for one in refused.issues[:3]))
    except FileNotFoundError:
        messages.error(request, _("That file is no longer in its folder. Choose another one."))
    except keeping.Stale:
        pass  # another look at this page was first
    return frame.draft_of(request, draft.uid)


def _shown(
    request: TenantRequest, draft: ImportDraft, form: ReadingForm | None, status: int = 200
) -> HttpResponse:
    context = {
        "form": form,
        "arrived": receiving.arrived(request.tenant),
        "unmatched": receiving.unmatched(request.tenant),
        "lying": receiving.lying(request.tenant)[: receiving.PICKED],
        "most": filesizeformat(configured.MAX_UPLOAD_BYTES),
        "sheet": keeping.part(draft, "reading").get("sheet"),
        "sure": round((draft.sample.get("confidence") or 0) * 100),
    }
    if form is not None:
        context |= _preview(draft, form)
    return frame.page(request, "file", draft, "draft-file", context, status)


def _tried(request: TenantRequest, draft: ImportDraft) -> HttpResponse:
    """The first rows as the form says now, without saving it."""
    return render(
        request, "imports/wizard/_preview.html", _preview(draft, ReadingForm(request.GET))
    )


def _preview(draft: ImportDraft, form: ReadingForm) -> dict[str, Any]:
    if form.is_bound and not form.is_valid():
        words = " ".join(str(error) for errors in form.errors.values() for error in errors)
        return {"sample": sampling.Sample(refusal=words)}
    reading = form.reading(draft) if form.is_bound else keeping.part(draft, "reading")
    parsed = sampling.reading_of(_with(draft, reading))
    sample = sampling.take(draft, parsed)
    return {
        "sample": sample,
        "header": sample.header[:_SHOWN_COLUMNS],
        "rows": [(line, cells[:_SHOWN_COLUMNS]) for line, cells in sample.rows[:_SHOWN_ROWS]],
        "more_columns": max(0, len(sample.header) - _SHOWN_COLUMNS),
        "notes": draft.sample.get("notes") or [],
        "encoding": dict(_ENCODINGS).get(sample.encoding, sample.encoding),
    }


def _with(draft: ImportDraft, reading: dict[str, Any]) -> ImportDraft:
    return ImportDraft(spec=keeping.with_part(draft, reading=reading))


def _saved(request: TenantRequest, draft: ImportDraft, form: ReadingForm) -> int:
    if not form.is_valid():
        return 422
    try:
        receiving.read_so(draft, request.user, frame.version(request), form.reading(draft))
    except keeping.Stale:
        frame.told_late(request, draft)
        return 409
    if refusal := sampling.take(draft, sampling.reading_of(draft)).refusal:
        messages.error(request, refusal)
        return 422
    return 302


@require_POST
@uploads.may_come_by_script
@require(Role.ADMIN)
def upload(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Take an uploaded file."""
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
    """Take a file that came before: of a job, one that no template names, or one that waits."""
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
        file = receiving.lying(request.tenant).filter(pk=number).first()
        if file is None:
            return _refused(request, draft, _("This file is no longer waiting in its folder."))
        want = partial(receiving.want, draft, request.user, file=file, step="file")
        return _taken(request, draft, want)
    return _refused(request, draft, _("Choose a file first."))


def _number_of(chosen: str) -> int | None:
    number = chosen.removeprefix(_LIES)
    known = chosen.startswith(_LIES) and number.isascii() and number.isdigit() and len(number) < 19
    return int(number) if known else None


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


def _taken(request: TenantRequest, draft: ImportDraft, take: Any) -> HttpResponse:
    try:
        take(frame.version(request))
    except FileRefused as refused:
        fresh = frame.draft_of(request, draft.uid)
        return _refused(request, fresh, " ".join(one.message for one in refused.issues[:3]))
    except FileNotFoundError:
        fresh = frame.draft_of(request, draft.uid)
        return _refused(request, fresh, _("That file is no longer kept. Choose another one."))
    except keeping.Stale:
        frame.told_late(request, draft)
        return _refused(request, frame.draft_of(request, draft.uid), "", status=409)
    return redirect("draft-file", draft.uid)


def _refused(
    request: TenantRequest, draft: ImportDraft, words: str, status: int = 422
) -> HttpResponse:
    if words:
        messages.error(request, words)
    form = ReadingForm(initial=keeping.part(draft, "reading")) if draft.content else None
    return _shown(request, draft, form, status)
