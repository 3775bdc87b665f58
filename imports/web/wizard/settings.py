"""The second step: what absent records, blank cells and unknown columns mean, and the limits."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from imports.drafts import guessing, keeping
from imports.mapping.definitions import MEASURES
from imports.models import ImportDraft
from imports.web.wizard import frame
from portal.models import Role
from portal.web.permissions import TenantRequest, require

_SELECT = {"class": "form-select"}
_TEXT = {"class": "form-control", "autocomplete": "off"}
_CHECK = {"class": "form-check-input"}
_PER = ("creates", "updates", "removes")
_MEASURES = {
    "creates": _("Records created"),
    "updates": _("Records updated"),
    "removes": _("Records removed"),
    "rejects": _("Rows rejected"),
    "size_change": _("Change in file size"),
    "key_churn": _("New and missing identifiers"),
}


class SettingsForm(forms.Form):
    """The settings of a spec as form fields; `written` makes the spec's words of them."""

    operation = forms.ChoiceField(
        label=_("What a row does"),
        required=False,
        choices=[
            ("", _("Default for this file type")),
            ("upsert", _("Create the record, or update it")),
            ("add_only", _("Only create; leave existing records unchanged")),
            ("update_only", _("Only update; a new record is an issue")),
            ("remove", _("Remove the record")),
        ],
        widget=forms.Select(attrs=_SELECT),
    )
    absent = forms.ChoiceField(
        label=_("Records that are not in the file"),
        required=False,
        choices=[("", _("Leave them unchanged")), ("remove", _("Remove them"))],
        help_text=_(
            "Removal is available only with “create or update”, and the limits below protect it."
        ),
        widget=forms.Select(attrs=_SELECT),
    )
    absent_scope = forms.ChoiceField(
        label=_("Remove only within"),
        required=False,
        help_text=_("Only records whose value in this field appears in the file, such as a term."),
        widget=forms.Select(attrs=_SELECT),
    )
    blank = forms.ChoiceField(
        label=_("A blank cell"),
        required=False,
        choices=[
            ("", _("Default for this file type")),
            ("keep", _("Keeps what is stored")),
            ("clear", _("Clears the field")),
            ("default", _("Takes the field's default")),
        ],
        widget=forms.Select(attrs=_SELECT),
    )
    unknown_columns = forms.ChoiceField(
        label=_("A column that a later file has and this file does not"),
        choices=[
            ("warn", _("Tell me")),
            ("ignore", _("Ignore it silently")),
            ("hold", _("Hold the file until somebody decides")),
        ],
        widget=forms.Select(attrs=_SELECT),
    )
    missing_columns = forms.ChoiceField(
        label=_("A column that is renamed or missing"),
        choices=[
            ("suggest", _("Refuse the file and suggest similar names")),
            ("hold", _("Hold the file until somebody decides")),
        ],
        widget=forms.Select(attrs=_SELECT),
    )
    limits_field = forms.ChoiceField(
        label=_("Limits for each value of"), required=False, widget=forms.Select(attrs=_SELECT)
    )
    mail = forms.BooleanField(
        label=_("Send me an e-mail when an import is done"),
        required=False,
        widget=forms.CheckboxInput(attrs=_CHECK),
    )
    keep_days = forms.IntegerField(
        label=_("Keep files for (days)"),
        required=False,
        min_value=1,
        max_value=3650,
        help_text=_("If blank, the portal's default applies."),
        widget=forms.NumberInput(attrs=_TEXT),
    )

    def __init__(self, data: Any, *, initial: dict[str, Any], fields: list[Any]) -> None:
        super().__init__(data, initial=initial)
        named = [(field.name, field.label or field.name) for field in fields]
        for name, none in (("absent_scope", _("The whole store")), ("limits_field", _("No field"))):
            self.fields[name].choices = [("", none), *named]  # type: ignore[attr-defined]
        for prefix, names in (("limit", MEASURES), ("per", _PER)):
            for name in names:
                field = forms.CharField(
                    label=_MEASURES[name],
                    required=False,
                    max_length=20,
                    widget=forms.TextInput(attrs={**_TEXT, "placeholder": _("10% or 500")}),
                )
                self.fields[f"{prefix}_{name}"] = field

    @property
    def limits(self) -> list[Any]:
        """The fields of the limits over all."""
        return [self[f"limit_{name}"] for name in MEASURES]

    @property
    def limits_per(self) -> list[Any]:
        """The fields of the limits per value."""
        return [self[f"per_{name}"] for name in _PER]

    def clean(self) -> dict[str, Any]:
        """Raises ValidationError where two answers do not go together."""
        given: dict[str, Any] = super().clean() or {}
        if given.get("absent") and given.get("operation") not in ("", "upsert"):
            self.add_error(
                "absent", _("This is available only with “Create the record, or update it”.")
            )
        if any(given.get(f"per_{name}") for name in _PER) and not given.get("limits_field"):
            self.add_error("limits_field", _("Choose the field that these limits apply to."))
        return given

    def written(self) -> dict[str, Any]:
        """The settings as a spec writes them; not checked."""
        given = self.cleaned_data
        per = {name: _limit(given[f"per_{name}"]) for name in _PER if given[f"per_{name}"]}
        named = given["limits_field"]
        return {
            "operation": "mirror" if given["absent"] else given["operation"] or None,
            "absent_scope": (given["absent"] and given["absent_scope"]) or None,
            "blank": given["blank"] or None,
            "unknown_columns": given["unknown_columns"],
            "missing_columns": given["missing_columns"],
            "limits": {
                name: _limit(given[f"limit_{name}"]) for name in MEASURES if given[f"limit_{name}"]
            },
            "limits_per": {"field": named, "limits": per} if named and per else None,
            "mail": given["mail"],
            "keep_days": given["keep_days"],
        }

    def told(self, faults: list[str]) -> bool:
        """Put the spec's faults at their fields. Returns whether there were any."""
        for fault in faults:
            path, _sign, words = fault.partition(": ")
            name = path.rpartition(".")[2]
            place = f"per_{name}" if "limits_per" in path else f"limit_{name}"
            self.add_error(place if place in self.fields else None, words)
        return bool(faults)


def _limit(text: str) -> int | str:
    """As the spec writes it: a whole number, or the text."""
    text = text.replace(" ", "")
    return int(text) if text.isascii() and text.isdigit() else text


def _initial(settings: dict[str, Any]) -> dict[str, Any]:
    per = settings.get("limits_per") or {}
    mirror = settings.get("operation") == "mirror"
    return {
        **settings,
        "operation": "" if mirror else settings.get("operation") or "",
        "absent": "remove" if mirror else "",
        "limits_field": per.get("field", ""),
        **{f"limit_{name}": limit for name, limit in (settings.get("limits") or {}).items()},
        **{f"per_{name}": limit for name, limit in (per.get("limits") or {}).items()},
    }


@require_http_methods(["GET", "POST"])
@require(Role.ADMIN)
def settings(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """See and change the settings."""
    draft = frame.draft_of(request, uid)
    form = SettingsForm(
        request.POST if request.method == "POST" else None,
        initial=_initial(keeping.part(draft, "settings")),
        fields=guessing.targets(draft),
    )
    status = _saved(request, draft, form) if request.method == "POST" else 200
    if status == 302:
        return redirect("draft-file", uid)
    return frame.page(request, "settings", draft, "draft-settings", {"form": form}, status)


def _saved(request: TenantRequest, draft: ImportDraft, form: SettingsForm) -> int:
    """Save what was sent; the status of the answer."""
    if not form.is_valid():
        return 422
    written = form.written()
    empty: dict[str, Any] = {"version": 1, "columns": [], "fields": {}}
    if form.told(keeping.faults({**empty, "settings": written})):
        return 422
    try:
        spec = keeping.with_part(draft, settings=written)
        keeping.save(draft, request.user, frame.version(request), spec=spec, step="file")
    except keeping.Stale:
        frame.told_late(request, draft)
        return 409
    return 302
