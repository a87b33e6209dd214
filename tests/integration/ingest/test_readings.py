import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from maintenance import store
from maintenance.flow import ingest
from maintenance.models import MeasurementPoint, Site
from tests.factories import NOW, AssetFactory, MeasurementPointFactory, SiteFactory

pytestmark = pytest.mark.django_db

HOUR_US = 3_600_000_000
START_US = int(dt.datetime(2026, 3, 1, tzinfo=dt.UTC).timestamp()) * 1_000_000


@pytest.fixture
def site() -> Site:
    return SiteFactory.create()


@pytest.fixture
def point(site: Site) -> MeasurementPoint:
    asset = AssetFactory.create(site=site, code="P-1", external_id="EQ-1", source="cmms")
    return MeasurementPointFactory.create(asset=asset, code="vibration", external_id="TAG-7")


def take(site: Site, *rows: tuple[str, str, str, str]) -> ingest.Outcome:
    asset, points, at, values = (pa.array(list(c), pa.string()) for c in zip(*rows, strict=True))
    lines = ingest.ReadingLines(
        rows=range(1, len(rows) + 1),
        assets=asset,
        at=at,
        signals=[ingest.Signal(point=points, values=values)],
        raw=lambda i: ",".join(rows[i]),
    )
    return ingest.take_readings(site=site, lines=lines, now=NOW)


def stored(point: MeasurementPoint) -> list[float]:
    return store.read([point.pk], 0, 2**62)[point.pk][1].tolist()


def test_a_reading_finds_its_point_by_code_or_external_id(
    site: Site, point: MeasurementPoint
) -> None:
    outcome = take(
        site,
        ("P-1", "vibration", "2026-03-01T00:00:00Z", "1.5"),
        (" EQ-1", "TAG-7 ", "2026-03-01T01:00:00Z", "2.5"),
    )
    assert outcome == ingest.Outcome(received=2, new=2)
    assert stored(point) == [1.5, 2.5]


def test_bad_rows_are_refused_by_name_and_the_rest_is_kept(
    site: Site, point: MeasurementPoint
) -> None:
    outcome = take(
        site,
        ("P-1", "vibration", "2026-03-01T00:00:00Z", "1"),
        ("P-2", "vibration", "2026-03-01T00:00:00Z", "1"),
        ("P-1", "vibratoin", "2026-03-01T00:00:00Z", "1"),
        ("P-1", "vibration", "01/03/2026", "1"),
        ("P-1", "vibration", "2026-03-01T01:00:00Z", "high"),
        ("P-1", "vibration", "2026-03-01T01:00:00Z", ""),
        ("P-1", "vib\x00", "2026-03-01T01:00:00Z", "1"),
        ("", "vibration", "2026-03-01T01:00:00Z", "1"),
        ("P-1", "vibration", "2027-03-01T01:00:00Z", "1"),
        ("P-1", "vibration", "2026-03-01T02:00:00Z", "2"),
    )
    assert stored(point) == [1.0, 2.0]
    assert (outcome.received, outcome.new, outcome.refused) == (10, 2, 8)
    assert [(e.row, e.field, e.reason.split(";")[0]) for e in outcome.errors] == [
        (2, "asset", "'P-2' is unknown"),
        (3, "point", "'vibratoin' is unknown"),
        (4, "at", "'01/03/2026' is not a date and time as expected: 2026-01-31T23:59:00+01:00"),
        (5, "value", "'high' is not a number"),
        (6, "value", "is missing"),
        (7, "point", "contains a NUL character"),
        (8, "asset", "is missing"),
        (9, "at", "in the future: more than a day after now"),
    ]
    assert outcome.errors[1].reason.endswith("the nearest known: vibration")


def test_the_same_batch_twice_adds_nothing_and_says_so(site: Site, point: MeasurementPoint) -> None:
    row = ("P-1", "vibration", "2026-03-01T00:00:00Z", "1")
    assert take(site, row, row) == ingest.Outcome(received=2, new=1, duplicate=1)
    assert take(site, row) == ingest.Outcome(received=1, duplicate=1)


def test_the_first_value_of_an_instant_stays(site: Site, point: MeasurementPoint) -> None:
    take(site, ("P-1", "vibration", "2026-03-01T00:00:00Z", "1"))
    take(site, ("P-1", "vibration", "2026-03-01T00:00:00Z", "9"))
    assert stored(point) == [1.0]


def test_points_of_another_site_are_unknown(point: MeasurementPoint) -> None:
    elsewhere = SiteFactory.create()
    outcome = take(elsewhere, ("P-1", "vibration", "2026-03-01T00:00:00Z", "1"))
    assert outcome.refused == 1
    assert outcome.errors[0].field == "asset"


def test_a_wide_line_is_named_once_and_an_empty_cell_is_no_reading(
    site: Site, point: MeasurementPoint
) -> None:
    MeasurementPointFactory.create(asset=point.asset, code="pressure")
    lines = ingest.ReadingLines(
        rows=[2, 3, 4],
        assets=pa.array(["P-1", "P-1", "P-1"]),
        at=pa.array(["2026-03-01T00:00Z", "2026-03-01T01:00Z", "soon"]),
        signals=[
            ingest.Signal("vibration", pa.array(["1", "", "3"]), "VIB"),
            ingest.Signal("pressure", pa.array(["6", "x", "8"]), "PRES"),
        ],
        raw=str,
    )
    outcome = ingest.take_readings(site=site, lines=lines, now=NOW)
    assert (outcome.received, outcome.new, outcome.refused) == (5, 2, 3)
    assert [(e.row, e.field) for e in outcome.errors] == [(3, "PRES"), (4, "at")]


def test_series_of_arrays_are_checked_alike(site: Site, point: MeasurementPoint) -> None:
    at_us = START_US + np.arange(4) * HOUR_US
    at_us[3] = -1
    values = np.array([1.0, np.nan, 3.0, 4.0])
    series = [
        ingest.Series("P-1", "vibration", at_us, values),
        ingest.Series("P-9", "vibration", at_us[:1], values[:1]),
    ]
    outcome = ingest.take_series(site=site, series=series, now=NOW)
    assert (outcome.received, outcome.new, outcome.refused) == (5, 2, 3)
    assert [(e.row, e.field) for e in outcome.errors] == [(2, "value"), (4, "at"), (5, "asset")]
    assert stored(point) == [1.0, 3.0]


def test_no_series_is_no_reading(site: Site) -> None:
    assert ingest.take_series(site=site, series=[], now=NOW) == ingest.Outcome()
