"""The data quality of one measurement point: what was flagged, and by what measure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from maintenance import store
from maintenance.access import SiteRequest, requires
from maintenance.choices import Permission, QualityKind
from maintenance.flow import quality as flow
from maintenance.instants import from_us
from maintenance.models import MeasurementPoint, QualityInterval, Site
from maintenance.queries import quality as queries

ROWS_A_PAGE = 25
SHOWN = dt.timedelta(days=90)
# Of the drawn timeline, in its own units.
WIDTH = 1000.0
ROW_HEIGHT = 18
TONES = {
    QualityKind.STALE: ("high", "wifi-off"),
    QualityKind.FLAT: ("watch", "minus"),
    QualityKind.OUT_OF_RANGE: ("critical", "arrows-vertical"),
    QualityKind.SPIKE: ("watch", "activity"),
    QualityKind.CONFLICT: ("high", "arrows-split"),
    QualityKind.CLOCK_SKEW: ("high", "clock-exclamation"),
    QualityKind.UNIT_MISMATCH: ("critical", "ruler-2"),
}
UNSET = gettext_lazy("Empty: as learnt from its history.")


class ThresholdsForm(forms.ModelForm[MeasurementPoint]):
    class Meta:
        model = MeasurementPoint
        fields = flow.THRESHOLDS

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        low, high = given.get("plausible_min"), given.get("plausible_max")
        if low is not None and high is not None and low >= high:
            raise forms.ValidationError(_("The lowest plausible value must lie below the highest."))
        return given


@dataclass(frozen=True)
class Bar:
    """An interval on the timeline."""

    x: str
    width: str
    words: str


@dataclass(frozen=True)
class Lane:
    """The intervals of a kind over the days shown."""

    kind: str
    word: str
    tone: str
    y: int
    bars: list[Bar]


@requires(Permission.READ_ASSETS)
@require_safe
def point(request: SiteRequest, pk: int) -> HttpResponse:
    return _page(request, _point(request, pk))


@requires(Permission.IMPORT_DATA)
@require_POST
def edit(request: SiteRequest, pk: int) -> HttpResponse:
    """Change the thresholds; the next check judges the point's readings by them."""
    found = _point(request, pk)
    if not _may_edit(request, found):
        raise Http404
    # The form writes into its instance: the page shows the row as it stands.
    form = ThresholdsForm(request.POST, instance=_point(request, pk))
    if not form.is_valid():
        return _page(request, found, form, status=422)
    flow.set_thresholds(
        point=found,
        changes={name: form.cleaned_data[name] for name in flow.THRESHOLDS},
        by=request.user,
        now=timezone.now(),
    )
    messages.success(request, _("Kept. Its readings are judged anew by the next check."))
    return redirect("data_point", found.pk)


def _page(
    request: SiteRequest,
    found: MeasurementPoint,
    form: ThresholdsForm | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    timezone.activate(ZoneInfo(found.asset.site.time_zone))
    now = timezone.now()
    last_us = store.last_at_us([found.pk]).get(found.pk)
    newest = now if last_us is None else min(now, from_us(last_us))
    intervals = QualityInterval.objects.for_user(request.user).filter(point=found)
    page = Paginator(intervals.order_by("-starts_at", "-pk"), ROWS_A_PAGE).get_page(
        request.GET.get("page")
    )
    context = {
        "point": found,
        "now": now,
        "heard_at": None if last_us is None else newest,
        "lanes": _lanes(found, since=newest - SHOWN, until=newest),
        "height": len(QualityKind) * ROW_HEIGHT,
        "since": newest - SHOWN,
        "until": newest,
        "page": page,
        "rows": [(one, *TONES[QualityKind(one.kind)], queries.reason(one)) for one in page],
        "form": form or ThresholdsForm(instance=found),
        "limits": queries.limits_shown(found),
        "may_edit": _may_edit(request, found),
        "table_id": "intervals",
        "unset": UNSET,
    }
    return render(request, "data/point.html", context, status=status)


def _lanes(found: MeasurementPoint, *, since: dt.datetime, until: dt.datetime) -> list[Lane]:
    shown = queries.shown([found], start=since, end=until)
    return [
        Lane(
            kind=kind.value,
            word=str(kind.label),
            tone=TONES[kind][0],
            y=place * ROW_HEIGHT,
            bars=[_bar(one, since, until) for one in shown if one.kind == kind],
        )
        for place, kind in enumerate(QualityKind)
    ]


def _bar(interval: QualityInterval, since: dt.datetime, until: dt.datetime) -> Bar:
    """A moment is drawn as wide as it can be seen."""
    starts, ends = max(interval.starts_at, since), min(interval.ends_at, until)
    x = WIDTH * ((starts - since) / (until - since))
    width = max(3.0, WIDTH * ((ends - starts) / (until - since)))
    return Bar(f"{x:.1f}", f"{width:.1f}", queries.reason(interval))


def _point(request: SiteRequest, pk: int) -> MeasurementPoint:
    visible = MeasurementPoint.objects.for_user(request.user)
    return get_object_or_404(visible.select_related("asset__site"), pk=pk)


def _may_edit(request: SiteRequest, found: MeasurementPoint) -> bool:
    return Site.objects.for_user(request.user, Permission.IMPORT_DATA).contains(found.asset.site)
