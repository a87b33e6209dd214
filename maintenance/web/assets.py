"""One asset: how it stands, why, what its sensors say, and what is to be done."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from maintenance.access import SiteRequest, requires
from maintenance.choices import Permission
from maintenance.instants import days_between, to_us
from maintenance.models import Asset, Site, WorkOrder
from maintenance.queries import assets as queries
from maintenance.queries import quality, readings
from maintenance.queries.reasons import told
from maintenance.queries.words import RISK_BANDS
from maintenance.web.work_order_forms import DismissForm

TABLE_DAYS = (1, 3, 7, 14, 30, 60, 90)
HIGH_RISK = next(least for least, band in RISK_BANDS if band == "high")
JOINT = "joint"


class WindowForm(forms.Form):
    """Which readings a chart wants: the newest days, or between two instants (seconds)."""

    days = forms.IntegerField(min_value=1, max_value=366, required=False)
    start = forms.IntegerField(min_value=0, max_value=2**33, required=False)
    end = forms.IntegerField(min_value=0, max_value=2**33, required=False)
    width = forms.IntegerField(min_value=50, max_value=4000, required=False)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        start, end = given.get("start"), given.get("end")
        if (start is None) != (end is None):
            raise forms.ValidationError(_("start and end belong together."))
        if start is not None and end is not None and start >= end:
            raise forms.ValidationError(_("end must come after start."))
        return given

    def window(self, newest: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
        start, end = self.cleaned_data["start"], self.cleaned_data["end"]
        if start is not None and end is not None:
            return dt.datetime.fromtimestamp(start, dt.UTC), dt.datetime.fromtimestamp(end, dt.UTC)
        days = self.cleaned_data["days"] or 7
        return newest - dt.timedelta(days=days), newest + dt.timedelta(seconds=1)


@requires(Permission.READ_ASSETS)
@require_safe
def asset(request: SiteRequest, pk: int) -> HttpResponse:
    found = _asset(request, pk)
    timezone.activate(ZoneInfo(found.site.time_zone))
    prospect = queries.prospect(found)
    work = queries.open_work(request.user, found)
    context = {
        "asset": found,
        "now": timezone.now(),
        "trail": queries.trail(found.location),
        "prospect": prospect,
        "chart": _chart(prospect, work),
        "limit": HIGH_RISK,
        "table": _table(prospect),
        "explained": [(forecast, told(forecast)) for forecast in prospect.forecasts],
        "work": [_waiting(order) for order in work],
        "parts": queries.parts(found),
        "points": list(found.points.order_by("name")),
        "heard_at": queries.newest_reading_at(found),
        "history": queries.history(request.user, found),
        "may_plan": _may(request, Permission.PLAN, found.site),
        "may_ask": _may(request, Permission.ASK_FOR_WORK, found.site),
    }
    return render(request, "assets/detail.html", context)


@requires(Permission.READ_ASSETS)
@require_safe
def asset_readings(request: SiteRequest, pk: int) -> JsonResponse:
    """The readings of all points of the asset, thinned to the width of the chart."""
    found = _asset(request, pk)
    form = WindowForm(request.GET)
    if not form.is_valid():
        return JsonResponse({"errors": form.errors.get_json_data()}, status=400)
    newest = queries.newest_reading_at(found) or timezone.now()
    start, end = form.window(newest)
    points = list(found.points.values_list("pk", flat=True))
    drawn = readings.drawn(
        points,
        start_us=to_us(start),
        end_us=to_us(end),
        buckets=form.cleaned_data["width"] or 800,
    )
    return JsonResponse(
        {
            "points": {str(point): asdict(series) for point, series in drawn.items()},
            "marks": [
                {"at": mark.at.timestamp(), "kind": mark.tone, "label": ""}
                for mark in queries.marks(found, start=start, end=end)
            ],
            "doubts": [
                {
                    "point": one.point_id,
                    "from": one.starts_at.timestamp(),
                    "until": one.ends_at.timestamp(),
                    "words": f"{one.get_kind_display()}: {quality.reason(one)}",
                }
                for one in quality.shown(points, start=start, end=end)
            ],
            "start": start.timestamp(),
            "end": end.timestamp(),
        }
    )


def _asset(request: SiteRequest, pk: int) -> Asset:
    visible = Asset.objects.for_user(request.user)
    return get_object_or_404(visible.select_related("site", "asset_class", "location"), pk=pk)


def _may(request: SiteRequest, permission: Permission, site: Site) -> bool:
    return Site.objects.for_user(request.user, permission).contains(site)


def _waiting(order: WorkOrder) -> tuple[WorkOrder, DismissForm, str]:
    """A work order with the form of its dialog; ids of the page stay unique."""
    dialog_id = f"dismiss-{order.pk}"
    return order, DismissForm(auto_id=f"{dialog_id}-%s"), dialog_id


def _chart(prospect: queries.Prospect, work: list[WorkOrder]) -> dict[str, Any]:
    """What `risk-chart.js` draws: the joint curve first, then each failure mode."""
    joint = _curve(JOINT, _("All failure modes"), prospect.likely, prospect.low, prospect.high)
    single = [
        _curve(str(f.failure_mode_id), f.failure_mode.name, f.risk, f.risk_low, f.risk_high)
        for f in prospect.forecasts
    ]
    return {
        "curves": single if len(single) == 1 else [joint, *single],
        "limit": HIGH_RISK,
        "marks": _marks(prospect, work),
        "words": {"today": _("now"), "day": _("d")},
    }


def _curve(
    key: str, label: str, likely: list[float], low: list[float], high: list[float]
) -> dict[str, Any]:
    curve = {"likely": likely, "low": low, "high": high}
    return {"key": key, "label": label} | {
        name: [round(share, 5) for share in shares] for name, shares in curve.items()
    }


def _marks(prospect: queries.Prospect, work: list[WorkOrder]) -> list[dict[str, Any]]:
    as_of = prospect.as_of
    if as_of is None:
        return []
    places = [(order, place) for order in work for place in order.places[:1]]  # type: ignore[attr-defined]
    return [
        {
            "day": round(days_between(as_of, place.starts_at), 3),
            "label": _("work order %(number)s") % {"number": order.number},
        }
        for order, place in places
    ]


def _table(prospect: queries.Prospect) -> list[tuple[int, float, float, float]]:
    return [
        (day, prospect.likely[day], prospect.low[day], prospect.high[day])
        for day in TABLE_DAYS
        if day <= prospect.horizon_days
    ]
