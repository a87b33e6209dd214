"""A forecast that a machine asks for: of which asset or features, and the answer as JSON."""

from __future__ import annotations

import datetime as dt
from typing import Any

import structlog

from maintenance.api.schemas import AskForecast
from maintenance.api.tokens import Problem
from maintenance.flow import forecast
from maintenance.flow.forecast import ForecastNow, UnknownFeatures
from maintenance.models import Asset, AssetClass, FailureMode, Site
from predictors.errors import ArtefactError
from predictors.schema import Floats

MOST_NAMES = 10

log = structlog.get_logger(__name__)


def answer(site: Site, body: AskForecast, *, now: dt.datetime) -> list[dict[str, Any]]:
    """Raises Problem: 404 and 422 name what is wrong, 409 without a model, 503 a broken one."""
    try:
        found = _made(site, body, now=now)
    except UnknownFeatures as error:
        names = ", ".join(error.names[:MOST_NAMES])
        raise Problem(422, "unknown_features", f"No serving model reads: {names}.") from None
    except ArtefactError:
        log.exception("artefact_refused")
        raise Problem(
            503, "broken_model", "The files of the serving model are not whole."
        ) from None
    if not found:
        raise Problem(409, "no_model", "No model serves this class of assets yet.")
    return [_plain(one) for one in found]


def asset_of(site: Site, code: str) -> Asset:
    found = Asset.objects.of_site(site).select_related("asset_class").filter(code=code).first()
    if found is None:
        raise Problem(404, "no_asset", "The site has no asset of that code.")
    return found


def mode_of(asset_class: AssetClass, code: str | None) -> FailureMode | None:
    """The failure mode that is asked for; None when all are."""
    if code is None:
        return None
    found = FailureMode.objects.filter(asset_class=asset_class, code=code).first()
    if found is None:
        raise Problem(404, "no_failure_mode", "The class of assets has no such failure mode.")
    return found


def _made(site: Site, body: AskForecast, *, now: dt.datetime) -> list[ForecastNow]:
    if (body.asset is None) == (body.asset_class is None):
        raise Problem(422, "wrong_parameter", "Give either asset or asset_class with features.")
    if (body.asset is None) != (body.features is not None):
        raise Problem(422, "wrong_parameter", "Features belong to an asset_class, not to an asset.")
    if body.asset is not None:
        asset = asset_of(site, body.asset)
        if now < asset.commissioned_at:
            raise Problem(422, "not_in_service", "The asset is not in service yet.")
        mode = mode_of(asset.asset_class, body.failure_mode)
        return forecast.now_for(asset=asset, now=now, failure_mode=mode, reasons=body.reasons)
    asset_class = AssetClass.objects.of_site(site).filter(code=body.asset_class).first()
    if asset_class is None:
        raise Problem(404, "no_asset_class", "The site has no class of assets of that code.")
    return forecast.of_features(
        asset_class=asset_class,
        features=body.features or {},
        now=now,
        failure_mode=mode_of(asset_class, body.failure_mode),
        reasons=body.reasons,
    )


def _plain(made: ForecastNow) -> dict[str, Any]:
    curve, life, version = made.answer.curve, made.answer.remaining_life, made.version
    return {
        "failure_mode": version.failure_mode.code,
        "as_of": made.as_of,
        "state": str(made.answer.state),
        "grade": version.grade,
        "horizon_days": curve.horizon_days,
        "risk": _rounded(curve.risk),
        "risk_low": _rounded(curve.low),
        "risk_high": _rounded(curve.high),
        "rul_p10_days": life.p10_days,
        "rul_p50_days": life.p50_days,
        "rul_p90_days": life.p90_days,
        "reasons": [
            {
                "feature": reason.feature,
                "value": reason.value,
                "usual": reason.usual,
                "contribution": reason.contribution,
            }
            for reason in made.answer.reasons[: forecast.MOST_REASONS]
        ],
        "model": version,
        "features": dict(made.features),
    }


def _rounded(curve: Floats) -> list[float]:
    return [round(share, 6) for share in curve.tolist()]
