"""Readings go to the store, and what only their arrival shows is kept beside them.

The store keeps neither when a reading arrived nor a value that it did not take: whether a clock is
wrong, and what came again otherwise, can be told here and nowhere later.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from django.db import transaction

from maintenance import store
from maintenance.choices import QualityKind
from maintenance.instants import from_us, to_us
from maintenance.models import MeasurementPoint, QualityInterval
from maintenance.store import Floats, Ints, Rows
from maintenance.store.arrays import runs_of
from predictors.quality import (
    AHEAD_US,
    BEHIND_US,
    Kind,
    Stretch,
    clock_faults,
    gathered,
)
from predictors.schema import DAY_US

# A batch larger than this is history that somebody brings in: long past by intent.
LIVE_READINGS = 2_000
HOUR_US = 3_600_000_000
JOINED = dt.timedelta(hours=1)
USUAL_SAMPLING_US = HOUR_US
SAMPLES_JOINED = 3

Told = tuple[int, Stretch]


def append(point_ids: Ints, at_us: Ints, values: Floats, *, now: dt.datetime) -> store.Appended:
    """Store a batch as `store.append` does; remember wrong clocks and conflicts by point."""
    clocks = _clocks(point_ids, at_us, now=now)
    appended = store.append(point_ids, at_us, values, now=now)
    _keep([*clocks, *_conflicts(appended.differing, now=now)], now=now)
    _check_again(point_ids, at_us, now=now)
    return appended


def _clocks(point_ids: Ints, at_us: Ints, *, now: dt.datetime) -> list[Told]:
    """Stretches stamped by a wrong clock; asked before the batch is stored among the others."""
    now_us = to_us(now)
    suspect = at_us > now_us + AHEAD_US
    if len(at_us) <= LIVE_READINGS:
        suspect |= now_us - at_us > BEHIND_US
    return list(_judged(_by_point(point_ids[suspect], at_us[suspect]), now_us))


def _judged(late: Mapping[int, Ints], now_us: int) -> Iterator[Told]:
    if not late:
        return
    sampling_us = _sampling_us(late)
    behind_us = _behind_us(late)
    known = _known_us(late, sampling_us)
    for point_id, at_us in late.items():
        wrong = clock_faults(
            at_us,
            arrived_us=now_us,
            known_us=known[point_id],
            sampling_us=sampling_us[point_id],
            behind_us=behind_us.get(point_id),
        )
        if wrong.any():
            details = {"offset_seconds": (int(at_us[wrong][-1]) - now_us) / 1e6}
            within_us = max(HOUR_US, SAMPLES_JOINED * sampling_us[point_id])
            for stretch in gathered(
                Kind.CLOCK_SKEW,
                at_us[wrong],
                within_us=within_us,
                known_us=now_us,
                details=details,
            ):
                yield point_id, stretch


def _conflicts(differing: Rows, *, now: dt.datetime) -> Iterator[Told]:
    """`details` name one of the values that were not taken."""
    begins, ends = runs_of(differing.point_ids)
    for first, end in zip(begins.tolist(), ends.tolist(), strict=True):
        for stretch in gathered(
            Kind.CONFLICT,
            np.unique(differing.at_us[first:end]),
            within_us=HOUR_US,
            known_us=to_us(now),
            details={"value": float(differing.values[first])},
        ):
            yield int(differing.point_ids[first]), stretch


def _by_point(point_ids: Ints, at_us: Ints) -> dict[int, Ints]:
    order = np.lexsort((at_us, point_ids))
    ids, instants = point_ids[order], at_us[order]
    begins, ends = runs_of(ids)
    return {
        int(ids[first]): instants[first:end]
        for first, end in zip(begins.tolist(), ends.tolist(), strict=True)
    }


def _sampling_us(point_ids: Mapping[int, Ints]) -> dict[int, int]:
    """As learnt, else as declared, else an hour."""
    points = MeasurementPoint.objects.filter(pk__in=list(point_ids))
    return {
        pk: int(learnt or (declared or 0) * 1_000_000 or USUAL_SAMPLING_US)
        for pk, learnt, declared in points.values_list(
            "pk", "learnt_limits__sampling_us", "sampling_seconds"
        )
    }


def _behind_us(point_ids: Mapping[int, Ints]) -> dict[int, int]:
    """How late the clock of a point was when it was last found behind."""
    found = QualityInterval.objects.filter(
        point__in=list(point_ids), kind=QualityKind.CLOCK_SKEW, details__offset_seconds__lt=0
    ).order_by("recorded_at", "ends_at")
    return {
        point: round(-details["offset_seconds"] * 1e6)
        for point, details in found.values_list("point_id", "details")
    }


def _known_us(late: Mapping[int, Ints], sampling_us: Mapping[int, int]) -> dict[int, Ints]:
    """The instants that were stored close by; where there are none, when the point began."""
    heard = set(store.last_at_us(late))
    together: dict[int, list[int]] = defaultdict(list)
    for point_id in heard:
        together[int(late[point_id][0]) // DAY_US].append(point_id)
    known = {point_id: np.empty(0, np.int64) for point_id in late}
    for points in together.values():
        reach_us = SAMPLES_JOINED * max(sampling_us[point] for point in points)
        first_us = min(int(late[point][0]) for point in points) - reach_us
        last_us = max(int(late[point][-1]) for point in points) + reach_us
        read = store.read(points, max(0, first_us), last_us)
        began_us = store.first_at_us(points)
        for point in points:
            known[point] = read[point][0] if len(read[point][0]) else np.array([began_us], np.int64)
    return known


def _check_again(point_ids: Ints, at_us: Ints, *, now: dt.datetime) -> None:
    """Readings earlier than what was checked already are checked next time after all."""
    if not len(at_us) or int(at_us.min()) > to_us(now) - DAY_US:
        return
    since = from_us(int(at_us.min()))
    MeasurementPoint.objects.filter(
        pk__in=np.unique(point_ids).tolist(), quality_checked_until__gt=since
    ).update(quality_checked_until=since)


def _keep(told: Sequence[Told], *, now: dt.datetime) -> None:
    """As intervals of their own, or as more of those that they touch."""
    if not told:
        return
    new: list[QualityInterval] = []
    grown: list[QualityInterval] = []
    with transaction.atomic():
        near = _near(told)
        for point_id, stretch in told:
            starts_at, ends_at = from_us(stretch.start_us), from_us(stretch.end_us)
            of_point = near[point_id, stretch.kind.value]
            touched = next((one for one in of_point if _touches(one, starts_at, ends_at)), None)
            if touched is None:
                made = _interval(point_id, stretch, now=now)
                new.append(made)
                of_point.append(made)
            elif starts_at < touched.starts_at or ends_at > touched.ends_at:
                touched.starts_at = min(touched.starts_at, starts_at)
                touched.ends_at = max(touched.ends_at, ends_at)
                touched.readings += stretch.readings
                touched.details = dict(stretch.details)
                grown.append(touched)
        # Another writer may have told the same meanwhile.
        QualityInterval.objects.bulk_create(new, ignore_conflicts=True)
        QualityInterval.objects.bulk_update(
            [one for one in grown if one.pk], ["starts_at", "ends_at", "readings", "details"]
        )


def _near(told: Sequence[Told]) -> dict[tuple[int, str], list[QualityInterval]]:
    found: dict[tuple[int, str], list[QualityInterval]] = defaultdict(list)
    earliest = from_us(min(stretch.start_us for _point, stretch in told)) - JOINED
    latest = from_us(max(stretch.end_us for _point, stretch in told)) + JOINED
    for one in QualityInterval.objects.select_for_update().filter(
        point__in={point_id for point_id, _stretch in told},
        kind__in={stretch.kind.value for _point, stretch in told},
        starts_at__lte=latest,
        ends_at__gte=earliest,
    ):
        found[one.point_id, one.kind].append(one)
    return found


def _touches(one: QualityInterval, starts_at: dt.datetime, ends_at: dt.datetime) -> bool:
    return one.starts_at <= ends_at + JOINED and starts_at - JOINED <= one.ends_at


def _interval(point_id: int, stretch: Stretch, *, now: dt.datetime) -> QualityInterval:
    return QualityInterval(
        point_id=point_id,
        kind=stretch.kind.value,
        starts_at=from_us(stretch.start_us),
        ends_at=from_us(stretch.end_us),
        readings=stretch.readings,
        details=dict(stretch.details),
        known_at=from_us(stretch.known_us),
        recorded_at=now,
    )
