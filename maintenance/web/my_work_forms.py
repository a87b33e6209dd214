"""What a technician says when closing a work order: four questions, most of them answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from maintenance.choices import AsFound
from maintenance.flow import execute
from maintenance.models import Component, FailureMode, SparePart, WorkOrder
from maintenance.queries.my_work import PlannedPart, other_parts, planned_parts

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

MOST_OF_A_PART = 999
HINTS: dict[str, StrOrPromise] = {
    AsFound.CONFIRMED: _("It had failed, or was about to"),
    AsFound.EARLY_SIGNS: _("Worn, but it would have lasted"),
    AsFound.NOTHING_FOUND: _("In good order: a false alarm"),
    AsFound.OTHER_FAULT: _("Something else was wrong"),
}


class PhotosInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class PhotosField(forms.FileField):
    """Any number of files; `execute` says which it takes."""

    def clean(
        self,
        data: Any,
        initial: Any = None,  # noqa: ARG002  Forms pass it.
    ) -> list[UploadedFile[Any]]:
        files = data if isinstance(data, list | tuple) else [data]
        return [file for file in files if file]


class FailureModeField(forms.ModelChoiceField[FailureMode]):
    def label_from_instance(self, mode: FailureMode) -> str:
        return mode.name


class OtherPartField(forms.ModelChoiceField[SparePart]):
    def label_from_instance(self, part: SparePart) -> str:
        return f"{part.name} · {part.code} ({part.stock})"


def _instant(label: StrOrPromise) -> forms.DateTimeField:
    picker = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(required=False, label=label, widget=picker)


class CloseForm(forms.Form):
    """What needs no answer is answered already, from the job plan."""

    as_found = forms.ChoiceField(
        choices=AsFound,
        label=_("What did you find?"),
        widget=forms.RadioSelect,
        error_messages={"required": _("Say what you found.")},
    )
    failure_mode = FailureModeField(
        FailureMode.objects.none(),
        required=False,
        label=_("Which fault?"),
        empty_label=_("Not in this list"),
    )
    renewed = forms.TypedChoiceField(
        choices=[("yes", _("Yes")), ("no", _("No"))],
        required=False,
        coerce=lambda answer: answer == "yes",
        widget=forms.RadioSelect,
    )
    other_part = OtherPartField(
        SparePart.objects.none(),
        required=False,
        label=_("Another part"),
        empty_label=_("None"),
    )
    other_quantity = forms.IntegerField(
        required=False, min_value=1, max_value=MOST_OF_A_PART, initial=1, label=_("How many")
    )
    note = forms.CharField(
        required=False,
        max_length=4000,
        label=_("Note"),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    photos = PhotosField(
        required=False,
        label=_("Photos"),
        widget=PhotosInput(attrs={"accept": ",".join(execute.PHOTO_TYPES)}),
    )
    started_at = _instant(_("Work began at"))
    finished_at = _instant(_("Work ended at"))

    def __init__(self, *args: Any, work_order: WorkOrder, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._work_order = work_order
        self.mode = execute.mode_of(work_order)
        self.planned = planned_parts(work_order)
        self.fields["renewed"].initial = "yes" if self.mode else "no"
        self._ask_of_parts()
        if work_order.spells.exists():
            del self.fields["started_at"]
        modes = FailureMode.objects.filter(asset_class=work_order.asset.asset_class_id)
        others = modes.exclude(pk=self.mode.pk) if self.mode else modes
        self._choose_from("failure_mode", others)
        self._choose_from("other_part", other_parts(work_order))

    def _ask_of_parts(self) -> None:
        for planned in self.planned:
            self.fields[_part_name(planned)] = forms.IntegerField(
                required=False,
                min_value=0,
                max_value=MOST_OF_A_PART,
                initial=planned.likely,
                label=planned.part.name,
            )

    def _choose_from(self, name: str, rows: Any) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101  Declared above.
        field.queryset = rows

    @property
    def component(self) -> str:
        """What the work renews, as the asset calls it; empty where it is about none."""
        if self.mode is None:
            return ""
        code = self.mode.component_code
        named = Component.objects.filter(asset=self._work_order.asset_id, code=code).first()
        return named.name if named else code

    def findings(self) -> Iterator[tuple[Any, StrOrPromise]]:
        """Each possible finding with what it means."""
        for choice in self["as_found"]:
            yield choice, HINTS[choice.data["value"]]

    def part_rows(self) -> list[tuple[forms.BoundField, PlannedPart]]:
        return [(self[_part_name(planned)], planned) for planned in self.planned]

    def told(self) -> dict[str, Any]:
        """What `execute.finish` wants to know."""
        given = self.cleaned_data
        return {
            "as_found": AsFound(given["as_found"]),
            "failure_mode": given["failure_mode"],
            "renewed": bool(given["renewed"]),
            "parts": dict(self._parts()),
            "note": given["note"],
            "photos": given["photos"],
            "started_at": given.get("started_at"),
            "finished_at": given["finished_at"],
        }

    def _parts(self) -> Iterator[tuple[SparePart, int]]:
        for planned in self.planned:
            yield planned.part, self.cleaned_data[_part_name(planned)] or 0
        other: SparePart | None = self.cleaned_data["other_part"]
        if other is not None:
            yield other, self.cleaned_data["other_quantity"] or 1

    def refuse(self, refusal: execute.Refusal) -> None:
        """Put a refusal where it belongs; what is about no field shown stands above the form."""
        field = refusal.field if refusal.field in self.fields else None
        self.add_error(field, refusal.reason)


def _part_name(planned: PlannedPart) -> str:
    return f"part_{planned.part.pk}"
