"""Readings against those a model learnt from, and sensors against their own past."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

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
from predictors.drift import Profile, Shift, moved_quantities, persists
from predictors.drift import shift as shift_of
from predictors.drift import shifts as shifts_of
from predictors.recalibration import NEWEST_AFTER, NIGHTS, Step, daily_means, find_step
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


def watch_class(
    asset_class: AssetClass, versions: Sequence[ModelVersion], *, as_of: dt.datetime
) -> tuple[list[Judged], list[Finding]]:
    watched = [version for version in versions if version.profile]
    steps = _steps(asset_class, as_of=as_of)
    reports, moved = list[Judged](), dict[str, tuple[ModelVersion, Shift]]()
    for version in watched:
        report, quantities = _judge(version, steps, as_of=as_of)
        reports.append(report)
        for quantity, farthest in quantities.items():
            moved.setdefault(quantity, (version, farthest))
    findings = [_class_drift(asset_class, *one) for one in moved.values()]
    findings += [_point_drift(point, step, versions[0], as_of) for point, step in steps.items()]
    return reports, findings


def _judge(
    version: ModelVersion, steps: Mapping[MeasurementPoint, Step], *, as_of: dt.datetime
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
    risk = _risk_shift(version, learnt, as_of=as_of, units=units)
    statistics = {
        "units": units,
        "rows": rows,
        "max_psi": round(found[0].index, 4) if found else None,
        "features": [_plain(one) for one in found[:MOST_SHIFTS]],
        "risk_14_days": _plain(risk),
        "quantities": lasting,
        "points": [
            {"point": point.pk, "asset": point.asset.code, "code": point.code, **_figures(step)}
            for point, step in steps.items()
        ],
    }
    farthest = {one.quantity: one for one in reversed(found) if one.quantity in lasting}
    news = any(step.nights <= NEWEST_AFTER for step in steps.values())
    return Judged(version, statistics, drifted=bool(lasting) or news), farthest


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


def _steps(asset_class: AssetClass, *, as_of: dt.datetime) -> dict[MeasurementPoint, Step]:
    """Points whose level stepped, and those told before whose step has not faded yet."""
    told = set(
        Alert.objects.open()
        .filter(kind=AlertKind.DRIFT, point__asset__asset_class=asset_class)
        .values_list("point_id", flat=True)
    )
    restarts = _restarts(asset_class, as_of=as_of)
    found: dict[MeasurementPoint, Step] = {}
    for asset in Asset.objects.filter(asset_class=asset_class).in_service(at=as_of):
        points = list(asset.points.select_related("asset"))
        levels = _levels(points, restarts.get(asset.pk), as_of=as_of)
        if step := _lasting_step(levels):
            found[points[step.column]] = step
        for column, point in enumerate(points):
            if point.pk in told and point not in found and (old := _remembered(levels, column)):
                found[point] = old
    return found


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


def _lasting_step(levels: Floats) -> Step | None:
    step = _sure(levels)
    if step is None:
        return None
    before = [_sure(levels[:-night]) for night in range(1, ASKED_NIGHTS)]
    return step if any(_same(step, one) for one in before) else None


def _sure(levels: Floats) -> Step | None:
    step = find_step(levels[-NIGHTS:])
    return step if step is not None and step.is_sure else None


def _same(one: Step, other: Step | None) -> bool:
    return other is not None and one.column == other.column and one.size * other.size > 0


def _remembered(levels: Floats, column: int) -> Step | None:
    step = find_step(levels[-NIGHTS:], only=column, most_after=REMEMBERED_NIGHTS)
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
        key=f"class:{asset_class.pk}:{farthest.quantity}"[:120],
        parameters={
            "asset_class": asset_class.name,
            "quantity": farthest.quantity,
            "psi": round(farthest.index, 3),
            "distance": round(farthest.distance, 3),
        },
        model_version=version,
    )


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
