"""GET /api/v1/readings: what was stored comes back, thinned or page by page."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from django.test import Client

from maintenance import store
from maintenance.choices import TokenScope
from maintenance.instants import to_us
from maintenance.models import ApiToken, MeasurementPoint, Site
from maintenance.queries import readings
from tests.factories import (
    NOW,
    SECRET,
    ApiTokenFactory,
    AssetFactory,
    MeasurementPointFactory,
    SiteFactory,
)

pytestmark = pytest.mark.django_db

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
MINUTES = 3000


@pytest.fixture
def site() -> Site:
    return SiteFactory.create()


@pytest.fixture
def token(site: Site) -> ApiToken:
    return ApiTokenFactory.create(site=site, scopes=[TokenScope.READ_READINGS.value])


@pytest.fixture
def point(site: Site) -> MeasurementPoint:
    """A point that spoke each minute for two days: a wave with one peak."""
    asset = AssetFactory.create(site=site, code="P-1")
    point = MeasurementPointFactory.create(asset=asset, code="vibration", unit="mm/s")
    at_us = to_us(START) + np.arange(MINUTES) * 60_000_000
    values = np.round(np.sin(np.arange(MINUTES) / 200), 3)
    values[1234] = 50.0
    store.append(np.full(MINUTES, point.pk), at_us, values, now=NOW)
    return point


@pytest.fixture
def other(point: MeasurementPoint) -> MeasurementPoint:
    other = MeasurementPointFactory.create(asset=point.asset, code="pressure", unit="bar")
    at_us = to_us(START) + np.arange(10) * 60_000_000
    store.append(np.full(10, other.pk), at_us, np.arange(10.0), now=NOW)
    return other


def get(**parameters: Any) -> Any:
    known = {"asset": "P-1", "from": START.isoformat()} | parameters
    sent = {name: value for name, value in known.items() if value is not None}
    return Client().get("/api/v1/readings", sent, headers={"authorization": f"Bearer {SECRET}"})


def test_a_range_comes_back_as_it_was_stored(token: ApiToken, point: MeasurementPoint) -> None:
    answer = get(to="2026-01-01T00:03:00Z").json()
    assert answer == {
        "asset": "P-1",
        "points": [
            {
                "point": "vibration",
                "unit": "mm/s",
                "at": ["2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"],
                "value": [0.0, 0.005, 0.01],
            }
        ],
        "next": None,
    }


def test_instants_are_counted_where_that_is_asked(token: ApiToken, point: MeasurementPoint) -> None:
    answer = get(to="2026-01-01T00:02:00Z", times="epoch_ms").json()
    assert answer["points"][0]["at"] == [1767225600000, 1767225660000]


def test_the_pages_together_are_the_whole(
    token: ApiToken, point: MeasurementPoint, other: MeasurementPoint
) -> None:
    start, pages, values = START.isoformat(), 0, []
    while start:
        answer = get(**{"from": start, "limit": 1000}).json()
        values += [value for one in answer["points"] for value in one["value"]]
        assert sum(len(one["value"]) for one in answer["points"]) <= 1000
        start, pages = answer["next"], pages + 1
    assert (pages, len(values)) == (4, MINUTES + 10)


def test_a_page_holds_all_that_was_told_of_its_last_instant(
    token: ApiToken, point: MeasurementPoint, other: MeasurementPoint
) -> None:
    answer = get(limit=1).json()
    assert [len(one["value"]) for one in answer["points"]] == [1, 1]
    assert answer["next"] == "2026-01-01T00:00:00.000001Z"


@pytest.mark.parametrize("method", ["min_max", "lttb"])
@pytest.mark.parametrize("most", [3, 10, 101, 1000])
def test_a_thinned_line_is_short_and_keeps_its_ends(
    token: ApiToken, point: MeasurementPoint, method: str, most: int
) -> None:
    [line] = get(max_points=most, method=method).json()["points"]
    assert len(line["at"]) == len(line["value"])
    assert most * 0.4 <= len(line["at"]) <= most
    assert line["at"] == sorted(set(line["at"]))
    assert line["at"][0] == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("method", ["min_max", "lttb"])
def test_a_thinned_line_keeps_its_peak(
    token: ApiToken, point: MeasurementPoint, method: str
) -> None:
    [line] = get(max_points=50, method=method).json()["points"]
    assert max(line["value"]) == 50.0


def test_points_come_in_the_order_they_are_named_in(
    token: ApiToken, point: MeasurementPoint, other: MeasurementPoint
) -> None:
    answer = get(point=["vibration", "pressure"], max_points=5).json()
    assert [one["point"] for one in answer["points"]] == ["vibration", "pressure"]


def test_a_token_for_some_points_reads_those_alone(
    token: ApiToken, point: MeasurementPoint, other: MeasurementPoint
) -> None:
    token.limited = True
    token.save()
    token.points.add(other)
    assert [one["point"] for one in get().json()["points"]] == ["pressure"]
    refused = get(point="vibration")
    assert (refused.status_code, refused.json()["code"]) == (403, "wrong_point")


@pytest.mark.parametrize(
    ("parameters", "status", "code"),
    [
        ({"asset": "P-9"}, 404, "no_asset"),
        ({"point": "nothing"}, 404, "no_point"),
        ({"from": "2026-01-01T00:00:00"}, 422, "wrong_parameter"),
        ({"from": "yesterday"}, 422, "wrong_parameter"),
        ({"from": None}, 422, "wrong_parameter"),
        ({"to": "2025-01-01T00:00:00Z"}, 422, "wrong_parameter"),
        ({"max_points": 1}, 422, "wrong_parameter"),
        ({"limit": 10**6}, 422, "wrong_parameter"),
        ({"method": "mean"}, 422, "wrong_parameter"),
    ],
)
def test_what_cannot_be_answered_is_refused_by_name(
    token: ApiToken, point: MeasurementPoint, parameters: dict[str, Any], status: int, code: str
) -> None:
    answer = get(**parameters)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_reading_wants_its_scope(site: Site, point: MeasurementPoint) -> None:
    ApiTokenFactory.create(site=site)
    assert get().json()["code"] == "wrong_scope"


def test_another_sites_asset_is_not_there(point: MeasurementPoint) -> None:
    ApiTokenFactory.create(scopes=[TokenScope.READ_READINGS.value])
    assert get().json()["code"] == "no_asset"


def test_ten_years_are_thinned_evenly() -> None:
    """So many buckets of so long a time: their product is more than 64 bits hold."""
    at_us = to_us(START) + np.arange(300_000) * (10 * 365 * 86_400_000_000 // 300_000)
    values = np.sin(np.arange(300_000.0))
    window_us = int(at_us[0]), int(at_us[-1]) + 1
    kept = readings.chosen(at_us, values, window_us, 100_000, "min_max")
    assert 90_000 < len(kept) <= 100_000
    assert np.diff(kept).max() < 20


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[int], int]]:
    """The points and the beginning of each stretch that was read."""
    told: list[tuple[list[int], int]] = []
    ordinary = store.read

    def read(point_ids: Sequence[int], start_us: int, end_us: int) -> Any:
        told.append((list(point_ids), start_us))
        return ordinary(point_ids, start_us, end_us)

    monkeypatch.setattr(store, "read", read)
    return told


def test_a_page_from_long_ago_begins_at_the_first_reading(
    token: ApiToken, point: MeasurementPoint, reads: list[tuple[list[int], int]]
) -> None:
    answer = get(**{"from": "1970-01-01T00:00:00Z", "limit": 10}).json()
    assert answer["points"][0]["at"][0] == "2026-01-01T00:00:00Z"
    assert len(answer["points"][0]["at"]) == 10
    assert reads == [([point.pk], to_us(START))]


@pytest.mark.parametrize("to", ["2025-01-01T00:00:00Z", None])
def test_a_page_of_what_has_no_readings_is_empty(
    token: ApiToken, point: MeasurementPoint, to: str | None
) -> None:
    silent = MeasurementPointFactory.create(asset=point.asset, code="silent")
    code = point.code if to else silent.code
    answer = get(**{"from": "2024-01-01T00:00:00Z", "to": to, "point": code}).json()
    assert (answer["points"][0]["at"], answer["next"]) == ([], None)


def test_points_are_thinned_one_after_another(
    token: ApiToken,
    point: MeasurementPoint,
    other: MeasurementPoint,
    reads: list[tuple[list[int], int]],
) -> None:
    assert len(get(max_points=10).json()["points"]) == 2
    assert sorted(ids for ids, _start in reads) == sorted([[point.pk], [other.pk]])
