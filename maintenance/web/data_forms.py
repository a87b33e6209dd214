"""What readers choose when they bring a file in."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from maintenance.sources import mappings

MOST_UPLOAD_BYTES = 512 * 1024 * 1024

TABLE_WORDS = {
    "sites": _("The plant itself"),
    "functional_locations": _("Functional locations"),
    "asset_classes": _("Asset classes"),
    "failure_modes": _("Failure modes and their costs"),
    "assets": _("Assets"),
    "components": _("Components"),
    "points": _("Measurement points"),
    "access_windows": _("Access windows"),
    "replacements": _("Component replacements"),
    "errors": _("Error events"),
    "failures": _("Failures"),
    "skills": _("Skills"),
    "technicians": _("Technicians"),
    "technician_skills": _("Skills of technicians"),
    "shifts": _("Shifts"),
    "absences": _("Absences"),
    "tool_types": _("Kinds of tools"),
    "tools": _("Tools"),
    "parts": _("Spare parts and stock"),
    "deliveries": _("Deliveries"),
    "job_plans": _("Job plans"),
    "job_plan_roles": _("Job plans: people"),
    "job_plan_tools": _("Job plans: tools"),
    "job_plan_parts": _("Job plans: parts"),
    "readings": _("Readings, one a row"),
    "readings_wide": _("Readings, one column a point"),
}


class UploadForm(forms.Form):
    table = forms.ChoiceField(
        label=_("What the file holds"), choices=list(TABLE_WORDS.items()), initial="readings"
    )
    mapping = forms.ChoiceField(
        label=_("How it is written"),
        help_text=_("templates: columns are called as in the template"),
        initial="templates",
    )
    file = forms.FileField(
        label=_("CSV file"),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.tsv,.txt,text/csv"}),
    )
    dry_run = forms.BooleanField(label=_("Check only, keep nothing"), required=False, initial=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["mapping"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  Declared above.
        field.choices = [(name, name) for name in mappings.shipped()]

    def clean_file(self) -> UploadedFile[Any]:
        file: UploadedFile[Any] = self.cleaned_data["file"]
        if file.size and file.size > MOST_UPLOAD_BYTES:
            most = MOST_UPLOAD_BYTES // (1024 * 1024)
            raise forms.ValidationError(_("The file is larger than %(most)d MB.") % {"most": most})
        return file

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        mapping, table = given.get("mapping"), given.get("table")
        if mapping and table:
            spec = mappings.load(mapping).of_table(table)
            if spec is None or not spec.file:
                words = _("The mapping %(mapping)s reads no such table from a file.")
                self.add_error("mapping", words % {"mapping": mapping})
        return given
