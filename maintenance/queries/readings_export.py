"""Readings as tables for other programs, a stretch of time and some points at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from maintenance import store
from maintenance.instants import EPOCH, to_us
from maintenance.models import MeasurementPoint, Site

POINTS_AT_ONCE = 100
DAYS_AT_ONCE = 32
"""As long as the longest segment: each is unpacked once."""
DAY_US = 86_400_000_000
SCHEMA = pa.schema(
    [
        ("asset", pa.dictionary(pa.int32(), pa.string())),
        ("point", pa.dictionary(pa.int32(), pa.string())),
        ("unit", pa.dictionary(pa.int32(), pa.string())),
        ("at", pa.timestamp("us", "UTC")),
        ("value", pa.float64()),
    ]
)


def tables_by_day(
    site: Site, *, since: dt.datetime | None, until: dt.datetime
) -> Iterator[tuple[dt.date, pa.Table]]:
    """Readings of [since, until), or of all time until then, by UTC day, asset, point and time.

    A day comes in several tables where the site has many points.
    """
    points = list(
        MeasurementPoint.objects.of_site(site)
        .order_by("asset__code", "code")
        .values_list("pk", "asset__code", "code", "unit")
    )
    first_us = store.first_at_us([pk for pk, *_names in points])
    if first_us is None:
        return
    start_us = first_us if since is None else max(first_us, to_us(since))
    end_us = to_us(until)
    for span_us in range(start_us - start_us % DAY_US, end_us, DAYS_AT_ONCE * DAY_US):
        last_us = min(end_us, span_us + DAYS_AT_ONCE * DAY_US)
        for place in range(0, len(points), POINTS_AT_ONCE):
            some = points[place : place + POINTS_AT_ONCE]
            yield from _by_day(some, max(start_us, span_us), last_us)


def _by_day(
    points: list[tuple[int, str, str, str]], start_us: int, end_us: int
) -> Iterator[tuple[dt.date, pa.Table]]:
    read = store.read([pk for pk, *_names in points], start_us, end_us)
    at_us = np.concatenate([read[pk][0] for pk, *_names in points])
    values = np.concatenate([read[pk][1] for pk, *_names in points])
    which = np.repeat(np.arange(len(points)), [len(read[pk][0]) for pk, *_names in points])
    day = at_us // DAY_US
    for one in np.unique(day).tolist():
        inside = day == one
        columns = [
            pa.array(np.array(names, object)[which[inside]], pa.string()).dictionary_encode()
            for names in zip(*(names for _pk, *names in points), strict=True)
        ]
        columns += [
            pa.array(at_us[inside], pa.timestamp("us", "UTC")),
            pa.array(values[inside], pa.float64()),
        ]
        table = pa.Table.from_arrays(columns, schema=SCHEMA)
        yield (EPOCH + dt.timedelta(days=one)).date(), table
