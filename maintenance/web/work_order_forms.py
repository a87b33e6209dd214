"""What readers type on the pages of work orders."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from maintenance.choices import (
    DismissReason,
    Permission,
    Priority,
    WorkOrderState,
    WorkOrderType,
)
from maintenance.models import Asset, AssetClass, JobPlan, Site, User
from maintenance.queries.work_orders import DEFAULT_SORT, DEFAULT_SORTS, SORTS, Wanted, tab_of
from maintenance.web.asked import whole


class AssetField(forms.ModelChoiceField[Asset]):
    def label_from_instance(self, asset: Asset) -> str:
        return " · ".join(filter(None, [asset.code, asset.name or asset.asset_class.name]))


class FilterForm(forms.Form):
    """The filters of the list; whatever makes no sense asks for nothing."""

    q = forms.CharField(required=False, max_length=120, label=_("Number, work or asset"))
    type = forms.ChoiceField(required=False, label=_("Type"))
    priority = forms.ChoiceField(required=False, label=_("Priority"))
    kind = forms.ChoiceField(required=False, label=_("Asset class"))

    def __init__(
        self,
        *args: Any,
        asset_classes: list[tuple[str, str]],
        first: WorkOrderState = WorkOrderState.PROPOSED,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._first = first
        self._offer("type", _("Any type"), WorkOrderType.choices)
        self._offer("priority", _("Any priority"), Priority.choices)
        self._offer("kind", _("Any asset class"), asset_classes)
        self.fields["q"].widget = forms.TextInput(attrs={"type": "search", "autocomplete": "off"})

    def _offer(self, name: str, everything: Any, choices: Any) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  Declared above.
        field.choices = [("", everything), *choices]

    def wanted(self) -> Wanted:
        self.is_valid()
        given = self.cleaned_data
        state, sort = (
            tab_of(self.data.get("state", ""), otherwise=self._first),
            self.data.get("sort", ""),
        )
        usual = DEFAULT_SORTS.get(state, DEFAULT_SORT)
        return Wanted(
            state=state,
            text=given.get("q", ""),
            type=given.get("type", ""),
            priority=given.get("priority", ""),
            asset_class=given.get("kind", ""),
            sort=sort if sort.removeprefix("-") in SORTS else usual,
        )


class DismissForm(forms.Form):
    reason = forms.ChoiceField(
        choices=DismissReason, label=_("Reason"), widget=forms.RadioSelect, initial=""
    )
    note = forms.CharField(
        required=False,
        max_length=240,
        label=_("Note"),
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def clean_reason(self) -> DismissReason:
        return DismissReason(self.cleaned_data["reason"])


class CancelForm(forms.Form):
    note = forms.CharField(
        max_length=240,
        label=_("Why will it not be done?"),
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": _("Say why it will not be done.")},
    )


class NewWorkOrderForm(forms.Form):
    """Work that somebody asks for: the plans on offer are those of the asset's class."""

    asset = AssetField(Asset.objects.none(), label=_("Asset"), empty_label=_("Choose an asset"))
    job_plan = forms.ModelChoiceField(
        JobPlan.objects.none(),
        label=_("Job plan"),
        empty_label=_("Choose a job plan"),
        help_text=_("What is done, for how long, by whom and with what."),
    )
    type = forms.TypedChoiceField(
        choices=[c for c in WorkOrderType.choices if c[0] != WorkOrderType.PREDICTIVE],
        coerce=WorkOrderType,
        initial=WorkOrderType.CORRECTIVE,
        label=_("Type"),
    )
    priority = forms.TypedChoiceField(
        choices=Priority,
        coerce=lambda v: Priority(int(v)),
        initial=Priority.NORMAL,
        label=_("Priority"),
    )
    title = forms.CharField(
        required=False,
        max_length=160,
        label=_("Title"),
        help_text=_("Left empty, it takes the name of the job plan."),
    )
    latest_at = forms.DateTimeField(
        required=False,
        label=_("Done by"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    note = forms.CharField(
        required=False,
        max_length=2000,
        label=_("Note"),
        widget=forms.Textarea(attrs={"rows": 4}),
    )

    def __init__(self, *args: Any, user: User, site: Site, now: dt.datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._now = now
        assets = Asset.objects.for_user(user, Permission.ASK_FOR_WORK).of_site(site)
        self._assets = assets.in_service(at=now).select_related("asset_class")
        self._choose_from("asset", self._assets)
        chosen = self._chosen_asset()
        plans = JobPlan.objects.for_user(user, Permission.ASK_FOR_WORK).of_site(site)
        of_class = chosen.asset_class if chosen else None
        self._choose_from("job_plan", plans.filter(asset_class=of_class))

    def _choose_from(self, name: str, rows: Any) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101  Declared above.
        field.queryset = rows

    def _chosen_asset(self) -> Asset | None:
        given = self.data.get("asset") if self.is_bound else self.initial.get("asset")
        number = whole(str(given or ""))
        return None if number is None else self._assets.filter(pk=number).first()

    def clean_latest_at(self) -> dt.datetime | None:
        latest: dt.datetime | None = self.cleaned_data["latest_at"]
        if latest is not None and latest <= self._now:
            raise forms.ValidationError(_("That is in the past."))
        return latest


def classes_of(site: Site, user: User) -> list[tuple[str, str]]:
    classes = AssetClass.objects.for_user(user, Permission.READ_ASSETS).of_site(site)
    return list(classes.values_list("code", "name"))
