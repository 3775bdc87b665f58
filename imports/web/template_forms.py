"""The forms of the template pages."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from imports.mapping.yaml_form import MOST_BYTES
from imports.models import ImportJob, ImportTemplate, TemplateVersion
from imports.templates import queries
from imports.templates.rules import TemplateIdentity, offered_accounts
from portal.models import Account, Tenant
from portal.web.tags import moment_text

_TEXT = {"class": "form-control", "autocomplete": "off", "spellcheck": "false"}
_SELECT = {"class": "form-select"}


class IdentityForm(forms.Form):
    """A template's name, whose files it is for, and the files' names."""

    name = forms.CharField(label=_("Name"), max_length=200, widget=forms.TextInput(attrs=_TEXT))
    account = forms.ModelChoiceField(
        label=_("Account"),
        queryset=Account.objects.none(),
        required=False,
        empty_label=_("None: uploads in the browser only"),
        widget=forms.Select(attrs=_SELECT),
    )
    file_names = forms.CharField(
        label=_("File names"),
        required=False,
        strip=False,
        max_length=30_000,
        help_text=_(
            "One per line, exactly as they are sent, including uppercase letters and the extension."
        ),
        widget=forms.Textarea(attrs={**_TEXT, "rows": 3, "class": "form-control font-monospace"}),
    )

    def __init__(self, tenant: Tenant, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast("forms.ModelChoiceField[Account]", self.fields["account"])
        field.queryset = offered_accounts(tenant)

    @classmethod
    def of(cls, template: ImportTemplate) -> IdentityForm:
        """The form with what is stored."""
        names = "\n".join(template.file_names)
        initial = {"name": template.name, "account": template.account, "file_names": names}
        return cls(template.tenant, initial=initial)

    def identity(self) -> TemplateIdentity:
        """What was filled in; the form must be valid."""
        data = self.cleaned_data
        lines = [line.strip() for line in data["file_names"].splitlines()]
        return TemplateIdentity(
            name=data["name"],
            account=data["account"],
            file_names=tuple(dict.fromkeys(line for line in lines if line)),
        )


class YamlForm(forms.Form):
    """A template as a YAML file."""

    file = forms.FileField(
        label=_("YAML file"),
        widget=forms.ClearableFileInput(
            attrs={"class": "form-control", "accept": ".yaml,.yml,text/yaml"}
        ),
    )

    def text(self) -> str:
        """The file's text, one byte more than is allowed at most; the form must be valid.

        Raises UnicodeDecodeError.
        """
        return bytes(self.cleaned_data["file"].read(MOST_BYTES + 1)).decode("utf-8-sig")


class CloneForm(forms.Form):
    """The name of a copy."""

    name = forms.CharField(
        label=_("Name of the copy"), max_length=200, widget=forms.TextInput(attrs=_TEXT)
    )


class _FileField(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: Any) -> str:
        rows = _("%(n)s rows") % {"n": f"{obj.rows_read:,}"}
        return f"{obj.file_name[:80]} · {moment_text(obj.created_at)} · {rows}"


class _VersionField(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: Any) -> str:
        return str(obj.number)


class ReplayForm(forms.Form):
    """A past file, and the version to try it with."""

    file = _FileField(
        label=_("Past file"),
        queryset=ImportJob.objects.none(),
        to_field_name="uid",
        empty_label=None,
        widget=forms.Select(attrs=_SELECT),
    )
    version = _VersionField(
        label=_("Version"),
        queryset=TemplateVersion.objects.none(),
        to_field_name="number",
        empty_label=None,
        widget=forms.Select(attrs=_SELECT),
    )

    def __init__(self, template: ImportTemplate, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        files = queries.past_files(template)
        if not self.is_bound:
            newest = files.values_list("pk", flat=True)[: queries.MOST_FILES]
            files = files.filter(pk__in=list(newest))
        cast("forms.ModelChoiceField[ImportJob]", self.fields["file"]).queryset = files
        versions = queries.versions(template)
        cast("forms.ModelChoiceField[TemplateVersion]", self.fields["version"]).queryset = versions
