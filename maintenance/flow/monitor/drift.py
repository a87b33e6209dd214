"""Readings against those a model learnt from, and sensors against their own past.

A model learns from all seasons, and the last days are always of one: rows that lie at the edge
of what it learnt are told in its report, and are no news. A class has drifted once such a quantity
also stepped, in most of its units at once, away from where their own last weeks were heading. Those
weeks are the like to compare with: the same units, not repaired since, in nearly the same season,
of which the bend of time takes up the rest. A year before would be the same season too, but of
other lives, and not every plant has one. Once told, drift stands while the quantity is away from
what was learnt. What comes so slowly that no week shows it is not told here; the promises of the
forecasts are what it breaks.

What a whole class does is no fault of a sensor: its points are not named one by one.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db.models import Q

from maintenance import store
from maintenance.choices import AlertKind
from maintenance.flow.monitor.findings import Finding
from maintenance.instants import days_between, to_us
from maintenance.models import (
    Alert,
    Asset,
    AssetClass,
    DriftReport,
    Failure,
    FeatureRow,
    Forecast,
    Installation,
    MeasurementPoint,
    ModelVersion,
)
from maintenance.models.prognosis import AlertQuerySet
from predictors.drift import Profile, Shift, moved_quantities, persists
from predictors.drift import shift as shift_of
from predictors.drift import shifts as shifts_of
from predictors.recalibration import (
    NEWEST_AFTER,
    NIGHTS,
    Step,
    Usual,
    daily_means,
    find_step,
    stepped_together,
)
from predictors.schema import FeatureSet as Declaration
from predictors.schema import FeatureSpec, Floats

NIGHT = dt.timedelta(days=1)
RECENT = dt.timedelta(days=7)
ASKED_NIGHTS = 3
"""A finding must stand tonight and in one of the two nights before."""
REMEMBERED_NIGHTS = 21
"""So long a step that was told keeps its alert: by then the new level is the unit's own past."""
FADED = 0.5
MOST_SHIFTS = 20


@dataclass(frozen=True)
class Judged:
    """A champion's report, not yet written."""

    version: ModelVersion
    statistics: dict[str, Any]
    drifted: bool


@dataclass(frozen=True, eq=False)
class _Unit:
    """Points of one asset, and their daily means since its last repair."""

    points: tuple[MeasurementPoint, ...]
    levels: Floats

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(point.code for point in self.points)


def watch_class(
    asset_class: AssetClass, versions: Sequence[ModelVersion], *, as_of: dt.datetime
) -> tuple[list[Judged], list[Finding]]:
    watched = [version for version in versions if version.profile]
    units = _units(asset_class, as_of=as_of)
    common = _common(units)
    steps = _steps(asset_class, units, common)
    news = common | _told_quantities(asset_class)
    reports, moved = list[Judged](), dict[str, tuple[ModelVersion, Shift]]()
    for version in watched:
        report, quantities = _judge(version, steps, news, as_of=as_of)
        reports.append(report)
        for quantity, farthest in quantities.items():
            moved.setdefault(quantity, (version, farthest))
    findings = [_class_drift(asset_class, *one) for one in moved.values()]
    findings += [_point_drift(point, step, versions[0], as_of) for point, step in steps.items()]
    return reports, findings


def _judge(
    version: ModelVersion,
    steps: Mapping[MeasurementPoint, Step],
    news: frozenset[str],
    *,
    as_of: dt.datetime,
) -> tuple[Judged, dict[str, Shift]]:
    learnt = Profile.from_dict(version.profile)
    specs = Declaration.from_dict(version.feature_set.declaration).specs
    nights = [
        _shifts(version, specs, learnt, as_of=as_of - night * NIGHT)
        for night in reversed(range(ASKED_NIGHTS))
    ]
    found, units, rows = nights[-1]
    moved = [set(moved_quantities(one, units=many)) for one, many, _rows in nights]
    lasting = sorted(
        quantity for quantity in moved[-1] if persists([quantity in one for one in moved])
    )
    drifted = [quantity for quantity in lasting if quantity in news]
    risk = _risk_shift(version, learnt, as_of=as_of, units=units)
    statistics = {
        "units": units,
        "rows": rows,
        "max_psi": round(found[0].index, 4) if found else None,
        "features": [_plain(one) for one in found[:MOST_SHIFTS]],
        "risk_14_days": _plain(risk),
        "moved": lasting,
        "quantities": drifted,
        "points": [
            {"point": point.pk, "asset": point.asset.code, "code": point.code, **_figures(step)}
            for point, step in steps.items()
        ],
    }
    farthest = {one.quantity: one for one in reversed(found) if one.quantity in drifted}
    is_new = any(step.nights <= NEWEST_AFTER for step in steps.values())
    return Judged(version, statistics, drifted=bool(drifted) or is_new), farthest


def _shifts(
    version: ModelVersion,
    specs: Sequence[FeatureSpec],
    learnt: Profile,
    *,
    as_of: dt.datetime,
) -> tuple[tuple[Shift, ...], int, int]:
    """The rows of the last days by night; how many units and rows stand behind them."""
    stored = FeatureRow.objects.filter(
        feature_set=version.feature_set, as_of__gt=as_of - RECENT, as_of__lte=as_of
    )
    unpacked = [(row.asset_id, row.unpacked()) for row in stored.order_by("as_of", "asset")]
    whole = [(asset, values) for asset, values in unpacked if len(values) == len(specs)]
    if not whole:
        return (), 0, 0
    units = len({asset for asset, _values in whole})
    rows = np.stack([values for _asset, values in whole])
    return shifts_of(rows, specs, learnt, units=units), units, len(rows)


def _risk_shift(version: ModelVersion, learnt: Profile, *, as_of: dt.datetime, units: int) -> Shift:
    """Told, and no reason for an alert: risks fall where maintenance works."""
    risks = Forecast.objects.filter(
        model_version=version, as_of__gt=as_of - RECENT, as_of__lte=as_of
    ).values_list("risk_14_days", flat=True)
    values = np.array(list(risks), dtype=np.float64)
    return shift_of(values, learnt.risk_14_days, units=units, name="risk_14_days")


def _units(asset_class: AssetClass, *, as_of: dt.datetime) -> list[_Unit]:
    restarts = _restarts(asset_class, as_of=as_of)
    units = []
    for asset in Asset.objects.filter(asset_class=asset_class).in_service(at=as_of):
        points = asset.points.select_related("asset").order_by("code")
        levels = _levels(list(points), restarts.get(asset.pk), as_of=as_of)
        units.append(_Unit(tuple(points), levels))
    return units


def _alike(units: Sequence[_Unit]) -> Mapping[tuple[str, ...], list[_Unit]]:
    """Units with the same points can be laid beside each other."""
    alike = defaultdict(list)
    for unit in units:
        if unit.points:
            alike[unit.codes].append(unit)
    return alike


def _common(units: Sequence[_Unit]) -> frozenset[str]:
    """Quantities in which most units stepped."""
    return frozenset(
        codes[column]
        for codes, members in _alike(units).items()
        for column in stepped_together([unit.levels[-NIGHTS:] for unit in members])
    )


def _steps(
    asset_class: AssetClass, units: Sequence[_Unit], common: frozenset[str]
) -> dict[MeasurementPoint, Step]:
    """Points whose level stepped, and those told before whose step has not faded yet."""
    told = set(_told(asset_class).filter(point__isnull=False).values_list("point_id", flat=True))
    found: dict[MeasurementPoint, Step] = {}
    for members in _alike(units).values():
        usual = Usual.of([unit.levels[-NIGHTS:] for unit in members])
        for unit in members:
            step = _lasting_step(unit.levels, usual)
            if step and unit.points[step.column].code not in common:
                found[unit.points[step.column]] = step
            for column, point in enumerate(unit.points):
                if point.pk not in told or point in found or point.code in common:
                    continue
                if old := _remembered(unit.levels, column, usual):
                    found[point] = old
    return found


def _told(asset_class: AssetClass) -> AlertQuerySet:
    """Open alerts about the class or a point of it."""
    of_class = Q(key__startswith=_class_key(asset_class))
    of_point = Q(point__asset__asset_class=asset_class)
    site = Alert.objects.open().filter(site=asset_class.site_id, kind=AlertKind.DRIFT)
    return site.filter(of_class | of_point)


def _told_quantities(asset_class: AssetClass) -> frozenset[str]:
    told = _told(asset_class).filter(point=None)
    return frozenset(told.values_list("parameters__quantity", flat=True))


def _levels(
    points: Sequence[MeasurementPoint], restart: dt.datetime | None, *, as_of: dt.datetime
) -> Floats:
    """Daily means since the unit's last repair, with two nights more than the oldest question."""
    nights = NIGHTS + ASKED_NIGHTS - 1
    if restart is not None:
        nights = min(nights, int(days_between(restart, as_of)))
    end_us = to_us(as_of)
    start_us = to_us(as_of - nights * NIGHT) + 1
    read = store.read([point.pk for point in points], start_us, end_us + 1)
    means = [daily_means(*read[point.pk], end_us=end_us, nights=nights) for point in points]
    return np.column_stack(means) if means else np.empty((nights, 0))


def _lasting_step(levels: Floats, usual: Usual | None) -> Step | None:
    step = _sure(levels, usual)
    if step is None:
        return None
    before = [_sure(levels[:-night], usual) for night in range(1, ASKED_NIGHTS)]
    return step if any(_same(step, one) for one in before) else None


def _sure(levels: Floats, usual: Usual | None) -> Step | None:
    step = find_step(levels[-NIGHTS:], usual=usual)
    return step if step is not None and step.is_sure else None


def _same(one: Step, other: Step | None) -> bool:
    return other is not None and one.column == other.column and one.size * other.size > 0


def _remembered(levels: Floats, column: int, usual: Usual | None) -> Step | None:
    step = find_step(levels[-NIGHTS:], usual=usual, only=column, most_after=REMEMBERED_NIGHTS)
    return step if step is not None and step.is_sure_by(FADED) else None


def _restarts(asset_class: AssetClass, *, as_of: dt.datetime) -> dict[int, dt.datetime]:
    """When each asset was last repaired or failed: from there on it is another unit."""
    installed = Installation.objects.filter(
        component__asset__asset_class=asset_class, installed_at__lte=as_of
    ).values_list("component__asset_id", "installed_at")
    failed = Failure.objects.filter(
        asset__asset_class=asset_class, occurred_at__lte=as_of
    ).values_list("asset_id", "occurred_at")
    newest: dict[int, dt.datetime] = {}
    for asset_id, at in [*installed, *failed]:
        newest[asset_id] = max(at, newest.get(asset_id, at))
    return newest


def _class_drift(asset_class: AssetClass, version: ModelVersion, farthest: Shift) -> Finding:
    return Finding(
        kind=AlertKind.DRIFT,
        key=f"{_class_key(asset_class)}{farthest.quantity}"[:120],
        parameters={
            "asset_class": asset_class.name,
            "quantity": farthest.quantity,
            "psi": round(farthest.index, 3),
            "distance": round(farthest.distance, 3),
        },
        model_version=version,
    )


def _class_key(asset_class: AssetClass) -> str:
    return f"class:{asset_class.pk}:"


def _point_drift(
    point: MeasurementPoint, step: Step, version: ModelVersion, as_of: dt.datetime
) -> Finding:
    since = as_of - step.nights * NIGHT
    return Finding(
        kind=AlertKind.DRIFT,
        key=f"point:{point.pk}",
        parameters={
            "asset": point.asset.code,
            "name": point.name,
            "unit": point.unit,
            "since": since.isoformat(),
            **_figures(step),
        },
        model_version=version,
        point=point,
    )


def _figures(step: Step) -> dict[str, float]:
    return {"size": float(f"{step.size:.4g}"), "t": round(step.t, 1)}


def _plain(one: Shift) -> dict[str, Any]:
    return {
        "name": one.name,
        "quantity": one.quantity,
        "rows": one.rows,
        "psi": round(one.index, 4),
        "limit": round(one.limit, 4),
        "distance": round(one.distance, 4),
        "moved": one.moved,
    }


def write(report: Judged, *, as_of: dt.datetime, now: dt.datetime) -> None:
    DriftReport.objects.update_or_create(
        model_version=report.version,
        as_of=as_of,
        defaults={
            "statistics": report.statistics,
            "drifted": report.drifted,
            "recorded_at": now,
        },
    )
