"""Why a forecast says what it says, in words: what each measurement adds to the risk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import formats
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from maintenance.models import Forecast, MeasurementPoint
from predictors.schema import FeatureSpec

BASE = "base"
MOST = 6
# Relative differences below this are told as "as usual".
USUAL_SHARE = 0.05

STATISTIC_WORDS: Mapping[str, Promise] = {
    "last": _("%(what)s, last value"),
    "silence": _("%(what)s: time without readings"),
    "mean": _("%(what)s, mean of %(window)s"),
    "std": _("%(what)s, spread over %(window)s"),
    "min": _("%(what)s, lowest in %(window)s"),
    "max": _("%(what)s, highest in %(window)s"),
    "slope": _("%(what)s, trend over %(window)s"),
    "count": _("%(what)s, readings in %(window)s"),
    "deviation": _("%(what)s, against its own start, %(window)s"),
    "value": _("%(what)s"),
}


@dataclass(frozen=True)
class Told:
    """One reason: `share` is its contribution beside the largest, -1..1."""

    head: str
    detail: str
    contribution: float
    share: float

    @property
    def raises(self) -> bool:
        return self.contribution > 0


@dataclass(frozen=True)
class _Point:
    name: str
    unit: str


def told(forecast: Forecast, *, most: int = MOST) -> list[Told]:
    """The strongest reasons first, those that raise the risk before those that lower it."""
    given = [r for r in forecast.reasons if r["feature"] != BASE and r["contribution"]]
    strongest = sorted(given, key=lambda r: -abs(r["contribution"]))[:most]
    if not strongest:
        return []
    points = _points(forecast)
    largest = abs(strongest[0]["contribution"])
    found = [_told(reason, points, largest) for reason in strongest]
    return sorted(found, key=lambda reason: -reason.contribution)


def feature_head(spec: FeatureSpec, names: Mapping[str, str]) -> str:
    """What a feature measures; `names` calls quantities as the points of the class do."""
    told = {
        "feature": spec.name,
        "quantity": spec.quantity,
        "statistic": spec.statistic,
        "window_days": spec.window_days,
    }
    return _head(told, _Point(names.get(spec.quantity, spec.quantity), ""))


def _points(forecast: Forecast) -> dict[str, _Point]:
    rows = MeasurementPoint.objects.filter(asset=forecast.asset_id)
    return {point.code: _Point(point.name, point.unit) for point in rows}


def _told(reason: Mapping[str, Any], points: Mapping[str, _Point], largest: float) -> Told:
    point = points.get(reason["quantity"], _Point(reason["quantity"], ""))
    return Told(
        head=_head(reason, point),
        detail=_detail(reason, _unit(reason, point)),
        contribution=reason["contribution"],
        share=reason["contribution"] / largest,
    )


def _head(reason: Mapping[str, Any], point: _Point) -> str:
    feature, window = str(reason["feature"]), _window(reason["window_days"])
    if feature.startswith("error."):
        what = gettext("Error code %(code)s") % {"code": reason["quantity"]}
        return f"{what}, {window}" if window else what
    if reason["statistic"] == "age":
        if feature == "asset.age":
            return gettext("Age of the asset")
        return gettext("Time since the last renewal")
    template = STATISTIC_WORDS.get(reason["statistic"], STATISTIC_WORDS["value"])
    return str(template) % {"what": point.name, "window": window}


def _window(days: float | None) -> str:
    if not days:
        return ""
    if days < 1:
        hours = round(days * 24)
        return ngettext("%(n)s hour", "%(n)s hours", hours) % {"n": hours}
    return ngettext("%(n)s day", "%(n)s days", round(days)) % {"n": _figure(days)}


def _unit(reason: Mapping[str, Any], point: _Point) -> str:
    feature, statistic = str(reason["feature"]), reason["statistic"]
    if statistic in ("age", "silence", "since"):
        return gettext("days")
    if statistic == "slope":
        return gettext("%(unit)s a day") % {"unit": point.unit}
    counted = statistic == "count" or feature.startswith(("error.", "static."))
    return "" if counted else point.unit


def _detail(reason: Mapping[str, Any], unit: str) -> str:
    value, usual = reason["value"], reason["usual"]
    if value is None:
        return gettext("not measured")
    figure = f"{_figure(value)} {unit}".strip()
    if usual is None:
        return figure
    if abs(value - usual) <= USUAL_SHARE * max(abs(usual), 1e-12):
        return gettext("%(figure)s, as usual") % {"figure": figure}
    return gettext("%(figure)s, usually %(usual)s") % {"figure": figure, "usual": _figure(usual)}


def _figure(value: float) -> str:
    size = abs(value)
    places = 0 if size >= 100 or value == int(value) else 1 if size >= 10 else 2
    return formats.number_format(round(value, places), decimal_pos=places, use_l10n=True)
