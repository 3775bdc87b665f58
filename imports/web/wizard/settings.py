"""The second step: what absent records, blank cells and unknown columns mean, and the limits."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from imports.drafts import guessing, keeping
from imports.models import ImportDraft
from imports.web import limits
from imports.web.wizard import frame
from portal.models import Role
from portal.web.permissions import TenantRequest, require

_TEXT = {"class": "form-control", "autocomplete": "off"}
_CHECK = {"class": "form-check-input"}
_PER = ("creates", "updates", "removes")


def _select(
    label: Any,
    choices: Sequence[tuple[str, Any]] = (),
    *,
    required: bool = False,
    help_text: Any = "",
) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label,
        choices=list(choices),
        required=required,
        help_text=help_text,
        widget=forms.Select(attrs={"class": "form-select"}),
    )


class SettingsForm(limits.LimitsForm):
    """The settings of a spec as form fields; `written` is what the spec has for them."""

    operation = _select(
        _("What a row does"),
        [
            ("", _("Default for this file type")),
            ("upsert", _("Create the record, or update it")),
            ("add_only", _("Only create; leave existing records unchanged")),
            ("update_only", _("Only update; a new record is an issue")),
            ("remove", _("Remove the record")),
        ],
    )
    absent = _select(
        _("Records that are not in the file"),
        [("", _("Leave them unchanged")), ("remove", _("Remove them"))],
        help_text=_(
            "Removal is available only with “create or update”, and the limits below protect it."
        ),
    )
    absent_scope = _select(
        _("Remove only within"),
        help_text=_(
            "Without a field, records that other templates or folders brought are kept. With one,"
            " such as the term, all records whose value appears in the file can be removed; you are"
            " asked before records of other sources are."
        ),
    )
    blank = _select(
        _("A blank cell"),
        [
            ("", _("Default for this file type")),
            ("keep", _("Keeps what is stored")),
            ("clear", _("Clears the field")),
            ("default", _("Takes the field's default")),
        ],
    )
    unknown_columns = _select(
        _("A column that a later file has and this file does not"),
        [
            ("warn", _("Tell me")),
            ("ignore", _("Ignore it silently")),
            ("hold", _("Hold the file until somebody decides")),
        ],
        required=True,
    )
    missing_columns = _select(
        _("A column that is renamed or missing"),
        [
            ("suggest", _("Refuse the file and suggest similar names")),
            ("hold", _("Hold the file until somebody decides")),
        ],
        required=True,
    )
    limits_field = _select(_("Limits for each value of"))
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
        for name, none in (
            ("absent_scope", _("All that this source brought")),
            ("limits_field", _("No field")),
        ):
            self.fields[name].choices = [("", none), *named]  # type: ignore[attr-defined]
        self.add_limits("per", _PER)

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
        per, named = self.written_limits("per"), given["limits_field"]
        return {
            "operation": "mirror" if given["absent"] else given["operation"] or None,
            "absent_scope": (given["absent"] and given["absent_scope"]) or None,
            "blank": given["blank"] or None,
            "unknown_columns": given["unknown_columns"],
            "missing_columns": given["missing_columns"],
            "limits": self.written_limits(),
            "limits_per": {"field": named, "limits": per} if named and per else None,
            "mail": given["mail"],
            "keep_days": given["keep_days"],
        }


def _initial(settings: dict[str, Any]) -> dict[str, Any]:
    per = settings.get("limits_per") or {}
    mirror = settings.get("operation") == "mirror"
    return {
        **settings,
        "operation": "" if mirror else settings.get("operation") or "",
        "absent": "remove" if mirror else "",
        "limits_field": per.get("field", ""),
        **limits.initial(settings.get("limits") or {}),
        **limits.initial(per.get("limits") or {}, "per"),
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

    def show(status: int) -> HttpResponse:
        context = {"form": form, "limits_hint": limits.hint()}
        return frame.page(request, "settings", draft, "draft-settings", context, status)

    return frame.answer(request, draft, lambda: _save(request, draft, form), show)


def _save(request: TenantRequest, draft: ImportDraft, form: SettingsForm) -> HttpResponse:
    """Save what was sent. Raises frame.NotSaved, keeping.DraftChanged."""
    if not form.is_valid():
        raise frame.NotSaved
    written = form.written()
    empty: dict[str, Any] = {"version": 1, "columns": [], "fields": {}}
    form.add_faults(keeping.faults({**empty, "settings": written}))
    if form.errors:
        raise frame.NotSaved
    spec = keeping.with_part(draft, settings=written)
    keeping.save(draft, request.user, frame.version(request), spec=spec, step="file")
    return redirect("draft-file", draft.uid)
