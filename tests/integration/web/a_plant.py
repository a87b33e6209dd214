"""A small plant for the tests of pages: rows with sensible defaults, written where they belong."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from maintenance import store
from maintenance.choices import ForecastState, Grade, ModelState, Role, WorkOrderType
from maintenance.instants import to_us
from maintenance.models import (
    Asset,
    AssetClass,
    Component,
    FailureMode,
    FeatureRow,
    FeatureSet,
    Forecast,
    FunctionalLocation,
    Installation,
    JobPlan,
    MeasurementPoint,
    Membership,
    ModelVersion,
    Site,
    User,
    WorkOrder,
)

NOW = dt.datetime(2026, 3, 2, 6, 0, tzinfo=dt.UTC)
AS_OF = NOW.replace(hour=0)
HORIZON_DAYS = 60


def a_site(code: str = "north", **fields: Any) -> Site:
    known = {"name": code.title(), "time_zone": "Europe/Madrid", "recorded_at": NOW}
    return Site.objects.create(code=code, **(known | fields))


def a_user(name: str = "ana", *, roles: Sequence[tuple[Site, Role]] = ()) -> User:
    user = User.objects.create_user(username=name, password="a long password")
    for site, role in roles:
        Membership.objects.create(user=user, site=site, role=role, recorded_at=NOW)
    return user


def a_class(site: Site, code: str = "pump", **fields: Any) -> AssetClass:
    return AssetClass.objects.create(
        site=site, code=code, name=code.title(), recorded_at=NOW, **fields
    )


def a_location(site: Site, code: str = "line-a", **fields: Any) -> FunctionalLocation:
    name = code.replace("-", " ").title()
    return FunctionalLocation.objects.create(
        site=site, code=code, **({"name": name, "recorded_at": NOW} | fields)
    )


def an_asset(asset_class: AssetClass, code: str = "P-1", **fields: Any) -> Asset:
    known = {"commissioned_at": NOW - dt.timedelta(days=700), "recorded_at": NOW}
    return Asset.objects.create(
        site=asset_class.site, asset_class=asset_class, code=code, **(known | fields)
    )


def a_mode(asset_class: AssetClass, code: str = "bearing", **fields: Any) -> FailureMode:
    known = {"name": f"{code.title()} wear", "component_code": code, "recorded_at": NOW}
    return FailureMode.objects.create(asset_class=asset_class, code=code, **(known | fields))


def a_component(asset: Asset, code: str = "bearing", *, installed_at: dt.datetime) -> Component:
    component = Component.objects.create(asset=asset, code=code, name=code.title(), recorded_at=NOW)
    Installation.objects.create(component=component, installed_at=installed_at, recorded_at=NOW)
    return component


def a_model(mode: FailureMode, **fields: Any) -> ModelVersion:
    """The model version of the mode that serves; made once."""
    champion = ModelVersion.objects.champions().filter(failure_mode=mode).first()
    if champion is not None:
        return champion
    feature_set, _ = FeatureSet.objects.get_or_create(
        asset_class=mode.asset_class,
        version=1,
        defaults={"code_hash": mode.asset_class.code, "declaration": {}, "recorded_at": NOW},
    )
    known = {
        "family": "hazard",
        "why": "better than age and constant, held out",
        "grade": Grade.A,
        "metrics": {"failures": 42, "assets": 12},
    }
    return ModelVersion.objects.create(
        failure_mode=mode,
        feature_set=feature_set,
        version=1,
        purpose="risk by day",
        state=ModelState.CHAMPION,
        trained_as_of=AS_OF,
        dataset_hash=hashlib.sha256(b"rows").hexdigest(),
        life={"shape": 2.0, "scale_days": 90.0},
        artefact="models/1",
        artefact_sha256=hashlib.sha256(b"artefact").hexdigest(),
        recorded_at=NOW,
        **(known | fields),
    )


def a_forecast(
    asset: Asset,
    mode: FailureMode,
    risk_14_days: float,
    *,
    as_of: dt.datetime = AS_OF,
    **fields: Any,
) -> Forecast:
    """A Weibull-shaped curve that reaches the given risk on day 14."""
    version = a_model(mode)
    row, _ = FeatureRow.objects.get_or_create(
        asset=asset,
        feature_set=version.feature_set,
        as_of=as_of,
        defaults={"values": b"", "recorded_at": NOW},
    )
    curve = a_curve(risk_14_days)
    known = {"state": ForecastState.VALUE, "grade": Grade.A, "reasons": []}
    return Forecast.objects.create(
        asset=asset,
        failure_mode=mode,
        model_version=version,
        feature_row=row,
        as_of=as_of,
        horizon_days=HORIZON_DAYS,
        risk=curve,
        risk_low=[0.8 * share for share in curve],
        risk_high=[min(1.0, 1.2 * share) for share in curve],
        risk_14_days=risk_14_days,
        recorded_at=NOW,
        **(known | fields),
    )


def a_curve(risk_14_days: float) -> list[float]:
    hazard = -math.log1p(-min(risk_14_days, 0.999)) / 14**1.6
    return [1 - math.exp(-hazard * day**1.6) for day in range(HORIZON_DAYS + 1)]


def a_job_plan(mode: FailureMode, **fields: Any) -> JobPlan:
    known = {
        "code": f"renew-{mode.code}",
        "name": f"Renew {mode.code}",
        "duration_p50_minutes": 150,
        "duration_p80_minutes": 200,
        "recorded_at": NOW,
    }
    return JobPlan.objects.create(
        asset_class=mode.asset_class, failure_mode=mode, **(known | fields)
    )


def a_work_order(asset: Asset, mode: FailureMode, **fields: Any) -> WorkOrder:
    plan = JobPlan.objects.filter(failure_mode=mode).first() or a_job_plan(mode)
    known = {
        "number": 1001 + WorkOrder.objects.filter(site=asset.site).count(),
        "type": WorkOrderType.PREDICTIVE,
        "title": plan.name,
        "recorded_at": NOW,
    }
    return WorkOrder.objects.create(
        site=asset.site, asset=asset, failure_mode=mode, job_plan=plan, **(known | fields)
    )


def a_point(asset: Asset, code: str = "vibration", **fields: Any) -> MeasurementPoint:
    known = {"name": code.title(), "unit": "mm/s", "recorded_at": NOW}
    return MeasurementPoint.objects.create(asset=asset, code=code, **(known | fields))


def readings(point: MeasurementPoint, at: Sequence[dt.datetime], values: Sequence[float]) -> None:
    at_us = np.array([to_us(instant) for instant in at], dtype=np.int64)
    ids = np.full(len(at), point.pk, dtype=np.int64)
    store.append(ids, at_us, np.array(values, dtype=np.float64), now=NOW)
