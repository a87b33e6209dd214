"""What the models read and say is watched: drift, forecasts that prove worse, sensors gone silent.

`watch` looks back from an instant at what is stored and writes reports and alerts; it can be run
again, or over history. Each question about the last nights is asked of the data anew, so that an
answer does not depend on how often the watch was run.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from maintenance import store
from maintenance.choices import AlertKind, Outcome
from maintenance.instants import days_between, from_us, to_us
from maintenance.models import (
    Alert,
    Asset,
    AssetClass,
    AuditEntry,
    Downtime,
    DriftReport,
    Failure,
    FeatureRow,
    Forecast,
    Installation,
    Label,
    MeasurementPoint,
    ModelVersion,
    Site,
    User,
)
from maintenance.operations import Fence, unfenced
from predictors.drift import Profile, Promise, Shift, kept_promise, moved_quantities, persists
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
WITHIN_DAYS = 14
LATE_NEWS = dt.timedelta(days=2)
JUDGED = dt.timedelta(days=180)
LEAST_SILENCE = dt.timedelta(days=1)
USUAL_SAMPLING = dt.timedelta(days=1)
MISSED_SAMPLES = 4


class Refused(Exception):
    """The alert cannot be changed this way; the message says why, in the user's language."""


@dataclass(frozen=True)
class Finding:
    """Something that should stand as an alert."""

    kind: AlertKind
    key: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    model_version: ModelVersion | None = None
    point: MeasurementPoint | None = None


@dataclass(frozen=True)
class _Judged:
    """A champion's report, not yet written."""

    version: ModelVersion
    statistics: dict[str, Any]
    drifted: bool


def watch(
    *, site: Site, as_of: dt.datetime, now: dt.datetime, fence: Fence = unfenced
) -> dict[str, Any]:
    """Report on every serving model that has a profile; open, refresh and close alerts.

    An alert whose cause is gone closes by itself. `without_profile` names the models that cannot
    be watched for drift since nothing says what they learnt from.
    """
    champions = list(
        ModelVersion.objects.champions()
        .filter(failure_mode__asset_class__site=site)
        .select_related("failure_mode__asset_class", "feature_set")
    )
    by_class: dict[AssetClass, list[ModelVersion]] = defaultdict(list)
    for version in champions:
        by_class[version.failure_mode.asset_class].append(version)
    reports, findings = list[_Judged](), list[Finding]()
    for asset_class, versions in by_class.items():
        judged, found = _watch_class(asset_class, versions, as_of=as_of)
        reports += judged
        findings += found
    findings += _worse_forecasts(champions, as_of=as_of)
    findings += _silent_points(site, as_of=as_of)
    with transaction.atomic():
        for report in reports:
            _write(report, as_of=as_of, now=now)
        result = {
            "reports": len(reports),
            "drifted": sum(report.drifted for report in reports),
            "without_profile": [str(version) for version in champions if not version.profile],
            **_settle(site, findings, now=now),
        }
        fence(result)
    return result


def acknowledge(*, alert: Alert, note: str, by: User, now: dt.datetime) -> None:
    """Somebody takes the alert on: it is theirs, with what they mean to do."""
    with transaction.atomic():
        alert = _open(alert)
        before = _state(alert)
        alert.owner, alert.acknowledged_at, alert.note = by, now, note[:240]
        alert.save()
        _audit(alert, "alert acknowledged", before, by=by, now=now)


def silence(*, alert: Alert, until: dt.datetime, by: User, now: dt.datetime) -> None:
    """Hide an open alert for a while; it goes on being watched and comes back by itself."""
    if until <= now:
        raise Refused(_("Silence it until an instant that lies ahead."))
    with transaction.atomic():
        alert = _open(alert)
        before = _state(alert)
        alert.silenced_until = until
        alert.owner = alert.owner or by
        alert.save()
        _audit(alert, "alert silenced", before, by=by, now=now)


def close(*, alert: Alert, by: User, now: dt.datetime) -> None:
    """Close by hand. If its cause is still there at the next watch, a new alert opens."""
    with transaction.atomic():
        alert = _open(alert)
        before = _state(alert)
        alert.closed_at = now
        alert.owner = alert.owner or by
        alert.save()
        _audit(alert, "alert closed", before, by=by, now=now)


# Drift


def _watch_class(
    asset_class: AssetClass, versions: Sequence[ModelVersion], *, as_of: dt.datetime
) -> tuple[list[_Judged], list[Finding]]:
    watched = [version for version in versions if version.profile]
    steps = _steps(asset_class, as_of=as_of)
    reports, moved = list[_Judged](), dict[str, tuple[ModelVersion, Shift]]()
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
) -> tuple[_Judged, dict[str, Shift]]:
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
    return _Judged(version, statistics, drifted=bool(lasting) or news), farthest


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


def _write(report: _Judged, *, as_of: dt.datetime, now: dt.datetime) -> None:
    DriftReport.objects.update_or_create(
        model_version=report.version,
        as_of=as_of,
        defaults={
            "statistics": report.statistics,
            "drifted": report.drifted,
            "recorded_at": now,
        },
    )


# Forecasts against what came


def _worse_forecasts(champions: Iterable[ModelVersion], *, as_of: dt.datetime) -> Iterator[Finding]:
    for version in champions:
        told = _promise(version, as_of=as_of)
        if told is not None and told.is_broken:
            yield Finding(
                kind=AlertKind.PERFORMANCE,
                key=f"mode:{version.failure_mode_id}",
                parameters={
                    "failure_mode": version.failure_mode.name,
                    "asset_class": version.failure_mode.asset_class.name,
                    "forecasts": told.forecasts,
                    "failures": told.failures,
                    "expected_failures": round(told.expected_failures, 1),
                    "brier": round(told.brier, 4),
                    "expected_brier": round(told.expected_brier, 4),
                },
                model_version=version,
            )


def _promise(version: ModelVersion, *, as_of: dt.datetime) -> Promise | None:
    """The version's forecasts that are old enough to be judged, one a unit and fortnight.

    All forecasts of that age take part, also those whose life goes on: to wait for labels alone
    would judge by the lives that ended.
    """
    old_enough = as_of - WITHIN_DAYS * NIGHT - LATE_NEWS
    served = Forecast.objects.filter(
        model_version=version, as_of__lte=old_enough, as_of__gt=as_of - JUDGED
    ).order_by("asset", "-as_of")
    chosen = list(_apart(served.values_list("pk", "asset_id", "as_of", "risk_14_days")))
    labels = {
        forecast: (outcome, observed_days)
        for forecast, outcome, observed_days in Label.objects.filter(
            forecast__model_version=version, matured_at__lte=as_of
        ).values_list("forecast_id", "outcome", "observed_days")
    }
    seen = [labels.get(pk, ("", WITHIN_DAYS + 1.0)) for pk, _risk in chosen]
    return kept_promise(
        np.array([risk for _pk, risk in chosen], dtype=np.float64),
        observed_days=np.array([days for _outcome, days in seen], dtype=np.float64),
        failed=np.array([outcome == Outcome.FAILED for outcome, _days in seen], dtype=np.bool_),
        within_days=WITHIN_DAYS,
    )


def _apart(
    rows: Iterable[tuple[int, int, dt.datetime, float]],
) -> Iterator[tuple[int, float]]:
    """Of each asset the newest forecast, then the newest that ends before that one, and so on."""
    taken: dict[int, dt.datetime] = {}
    for pk, asset_id, at, risk in rows:
        if asset_id not in taken or at <= taken[asset_id] - WITHIN_DAYS * NIGHT:
            taken[asset_id] = at
            yield pk, risk


# Silence


def _silent_points(site: Site, *, as_of: dt.datetime) -> list[Finding]:
    """One alert for a point, for an asset of which every point is silent, or for the whole site.

    An asset that stands still says nothing: that is no fault of its sensors.
    """
    points = _speaking(site, as_of=as_of)
    last = store.last_at_us(point.pk for point in points)
    spoke = {point: from_us(last[point.pk]) for point in points if point.pk in last}
    silent = {point: at for point, at in spoke.items() if as_of - at > _patience(point)}
    if len(silent) > 1 and len(silent) == len(spoke):
        return [
            Finding(AlertKind.SILENT_POINT, "site", _silence(max(silent.values()), len(silent)))
        ]
    by_asset: dict[Asset, list[MeasurementPoint]] = defaultdict(list)
    for point in spoke:
        by_asset[point.asset].append(point)
    findings: list[Finding] = []
    for asset, members in by_asset.items():
        findings += _silent_of(asset, [p for p in members if p in silent], len(members), silent)
    return findings


def _speaking(site: Site, *, as_of: dt.datetime) -> list[MeasurementPoint]:
    standing = Downtime.objects.filter(asset__site=site, starts_at__lte=as_of).filter(
        Q(ends_at=None) | Q(ends_at__gt=as_of - LEAST_SILENCE)
    )
    running = Asset.objects.filter(site=site).in_service(at=as_of)
    running = running.exclude(pk__in=standing.values("asset"))
    points = MeasurementPoint.objects.filter(asset__in=running)
    return list(points.select_related("asset").order_by("asset", "code"))


def _patience(point: MeasurementPoint) -> dt.timedelta:
    sampling = USUAL_SAMPLING
    if point.sampling_seconds:
        sampling = dt.timedelta(seconds=point.sampling_seconds)
    return max(LEAST_SILENCE, MISSED_SAMPLES * sampling)


def _silent_of(
    asset: Asset,
    silent: Sequence[MeasurementPoint],
    points: int,
    since: Mapping[MeasurementPoint, dt.datetime],
) -> Iterator[Finding]:
    if len(silent) > 1 and len(silent) == points:
        newest = max(since[point] for point in silent)
        yield Finding(
            kind=AlertKind.SILENT_POINT,
            key=f"asset:{asset.pk}",
            parameters={"asset": asset.code, **_silence(newest, points)},
            point=silent[0],
        )
        return
    for point in silent:
        yield Finding(
            kind=AlertKind.SILENT_POINT,
            key=f"point:{point.pk}",
            parameters={"asset": asset.code, "name": point.name, **_silence(since[point], 1)},
            point=point,
        )


def _silence(since: dt.datetime, points: int) -> dict[str, Any]:
    return {"since": since.isoformat(), "points": points}


# Alerts


def _settle(site: Site, findings: Sequence[Finding], *, now: dt.datetime) -> dict[str, int]:
    """What is found stands as an open alert; what is not found any more is closed."""
    standing = {
        (alert.kind, alert.key): alert
        for alert in Alert.objects.select_for_update().filter(site=site).open()
    }
    opened = 0
    for finding in findings:
        alert = standing.pop((finding.kind.value, finding.key), None)
        opened += alert is None
        _tell(site, finding, alert, now=now)
    gone = [alert.pk for alert in standing.values()]
    Alert.objects.filter(pk__in=gone).update(closed_at=now)
    return {"alerts": opened, "closed": len(gone)}


def _tell(site: Site, finding: Finding, alert: Alert | None, *, now: dt.datetime) -> None:
    if alert is None:
        alert = Alert(site=site, kind=finding.kind, key=finding.key, opened_at=now, recorded_at=now)
    alert.parameters = dict(finding.parameters)
    alert.model_version, alert.point = finding.model_version, finding.point
    alert.last_seen_at = now
    alert.save()


def _open(alert: Alert) -> Alert:
    """The alert as it stands now, held until the change is written."""
    held = Alert.objects.select_for_update().get(pk=alert.pk)
    if held.closed_at is not None:
        raise Refused(_("This alert is closed already."))
    return held


def _state(alert: Alert) -> dict[str, Any]:
    return {
        "owner": alert.owner.username if alert.owner else None,
        "note": alert.note,
        "silenced_until": alert.silenced_until.isoformat() if alert.silenced_until else None,
        "closed_at": alert.closed_at.isoformat() if alert.closed_at else None,
    }


def _audit(
    alert: Alert, action: str, before: dict[str, Any], *, by: User, now: dt.datetime
) -> None:
    AuditEntry.objects.create(
        site=alert.site,
        at=now,
        by=by,
        action=action,
        subject=f"{alert.kind} {alert.key}"[:160],
        before=before,
        after=_state(alert),
    )
