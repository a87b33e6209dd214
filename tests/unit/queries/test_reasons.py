"""The reasons of a forecast in words."""

from typing import Any

import pytest

from maintenance.models import Asset, Forecast
from maintenance.queries.reasons import told

pytestmark = pytest.mark.django_db


def forecast(*reasons: dict[str, Any]) -> Forecast:
    return Forecast(asset=Asset(pk=1), reasons=list(reasons))


def reason(feature: str, statistic: str, contribution: float, **more: Any) -> dict[str, Any]:
    facts = {"quantity": "pressure", "window_days": None, "value": 10.0, "usual": None}
    return {
        "feature": feature,
        "statistic": statistic,
        "contribution": contribution,
        **facts,
        **more,
    }


@pytest.mark.parametrize(
    ("given", "head", "detail"),
    [
        (
            reason("pressure.mean.7d", "mean", 1, window_days=7.0, usual=10.2),
            "pressure, mean of 7 days",
            "10, as usual",
        ),
        (
            reason("pressure.mean.6h", "mean", 1, window_days=0.25, value=None),
            "pressure, mean of 6 hours",
            "not measured",
        ),
        (
            reason("error.E7.1d", "count", 1, quantity="E7", window_days=1.0, usual=0.0),
            "Error code E7, 1 day",
            "10, usually 0",
        ),
        (reason("asset.age", "age", 1, value=400.5), "Age of the asset", "400 days"),
        (reason("bearing.age", "age", 1), "Time since the last renewal", "10 days"),
        (reason("static.power", "value", 1, quantity="power"), "power", "10"),
    ],
)
def test_a_reason_names_what_was_seen_and_what_is_usual(
    given: dict[str, Any], head: str, detail: str
) -> None:
    (only,) = told(forecast(given))
    assert (only.head, only.detail) == (head, detail)


def test_the_strongest_reasons_come_with_their_share_raising_first() -> None:
    found = told(
        forecast(
            reason("base", "base", -3),
            reason("a", "last", -2),
            reason("b", "last", 1),
            reason("c", "last", 0),
            reason("d", "last", 0.5),
        ),
        most=2,
    )
    assert [(r.contribution, r.share, r.raises) for r in found] == [(1, 0.5, True), (-2, -1, False)]


def test_a_forecast_without_reasons_tells_none() -> None:
    assert told(forecast(reason("base", "base", -3))) == []
