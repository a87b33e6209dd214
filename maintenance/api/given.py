"""Readings that a machine asks for: of some points of an asset, thinned or page by page."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np
from django.http import HttpResponse

from maintenance.api.asked import asset_of
from maintenance.api.tokens import Problem, points_of
from maintenance.instants import from_us, to_us
from maintenance.models import ApiToken, MeasurementPoint
from maintenance.queries import readings
from maintenance.store import CorruptSegmentError, Ints

LONGEST_PAGE = 50_000
MOST_POINTS = 100_000
Times: TypeAlias = Literal["iso8601", "epoch_ms"]
_AHEAD = dt.timedelta(days=2)


class PointReadings(msgspec.Struct):
    """Readings of one point, in order of time."""

    point: str
    unit: str
    at: list[str] | list[int]
    value: list[float]


class Given(msgspec.Struct):
    """`next` is the `from` of the next page; null where there is none."""

    asset: str
    points: list[PointReadings]
    next: str | None


def give(
    token: ApiToken,
    *,
    asset: str,
    points: list[str],
    start: dt.datetime,
    end: dt.datetime | None,
    most: int | None,
    method: readings.Method,
    limit: int,
    times: Times,
    now: dt.datetime,
) -> HttpResponse:
    """Raises Problem."""
    end = end or now + _AHEAD
    if start >= end:
        raise Problem(422, "wrong_parameter", "from: it must be before to.")
    wanted = _points(token, asset, points)
    try:
        found, following = _found(wanted, to_us(start), to_us(end), most, method, limit)
    except CorruptSegmentError:
        words = "A part of the readings cannot be read. An administrator runs verify_store."
        raise Problem(503, "broken_readings", words) from None
    answer = Given(
        asset=asset,
        points=[
            PointReadings(
                point=point.code,
                unit=point.unit,
                at=_written(found[point.pk][0], times),
                value=found[point.pk][1].tolist(),
            )
            for point in wanted
        ],
        next=None if following is None else from_us(following).isoformat().replace("+00:00", "Z"),
    )
    return HttpResponse(msgspec.json.encode(answer), content_type="application/json")


def _found(
    wanted: list[MeasurementPoint],
    start_us: int,
    end_us: int,
    most: int | None,
    method: readings.Method,
    limit: int,
) -> tuple[readings.Series, int | None]:
    ids = [point.pk for point in wanted]
    if most is None:
        return readings.page(ids, start_us=start_us, end_us=end_us, most=limit)
    found = readings.thinned(ids, start_us=start_us, end_us=end_us, most=most, method=method)
    return found, None


def _points(token: ApiToken, asset: str, names: list[str]) -> list[MeasurementPoint]:
    """Those named, in that order; without names all that the token may read."""
    found = asset_of(token.site, asset)
    allowed = points_of(token)
    known: dict[str, MeasurementPoint] = {}
    for point in MeasurementPoint.objects.filter(asset=found).order_by("code"):
        known[point.code] = point
    if not names:
        return [p for p in known.values() if allowed is None or p.pk in allowed]
    for name in names:
        if name not in known:
            raise Problem(404, "no_point", f"The asset has no measurement point {name[:60]!r}.")
        if allowed is not None and known[name].pk not in allowed:
            words = f"The token may not read the measurement point {name[:60]!r}."
            raise Problem(403, "wrong_point", words)
    return [known[name] for name in dict.fromkeys(names)]


def _written(at_us: Ints, times: Times) -> Any:
    if times == "epoch_ms":
        return (at_us // 1_000).tolist()
    whole = not (at_us % 1_000_000).any()
    shown = np.datetime_as_string(at_us.astype("datetime64[us]"), unit="s" if whole else "us")
    return np.char.add(shown, "Z").tolist()
