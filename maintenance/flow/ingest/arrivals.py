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
    FEW,
    LONG_PAST_US,
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
# What one request reads of the store to tell wrong clocks: hours of some points each.
POINTS_AT_ONCE = 50
MOST_READS = 200

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
    known = _known_us(late, sampling_us, now_us)
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


def _known_us(
    suspect: Mapping[int, Ints], sampling_us: Mapping[int, int], now_us: int
) -> dict[int, Ints]:
    """The instants that were stored close by; where there are none, when the point began.

    None at all for points that need not be compared, or that one request cannot compare.
    """
    known = {point_id: np.empty(0, np.int64) for point_id in suspect}
    late = {point_id: at_us[now_us - at_us > BEHIND_US] for point_id, at_us in suspect.items()}
    late = {point_id: at_us for point_id, at_us in late.items() if 0 < len(at_us) <= FEW}
    last = store.last_at_us(late) if late else {}
    together: dict[tuple[int, int], list[int]] = defaultdict(list)
    for point_id in last:
        for window in _windows(late[point_id], SAMPLES_JOINED * sampling_us[point_id]):
            together[window].append(point_id)
    reads = [
        (window, points[first : first + POINTS_AT_ONCE])
        for window, points in together.items()
        for first in range(0, len(points), POINTS_AT_ONCE)
    ]
    near: dict[int, list[Ints]] = defaultdict(list)
    for (start_us, end_us), points in reads[:MOST_READS]:
        for point_id, (at_us, _values) in store.read(points, start_us, end_us).items():
            # A copy: what was read of a whole day is not held for the sake of an hour.
            near[point_id].append(at_us.copy())
    unread = {point_id for _window, points in reads[MOST_READS:] for point_id in points}
    for point_id in last.keys() - unread:
        found = np.unique(np.concatenate(near[point_id]))
        known[point_id] = found if len(found) else _began_us(point_id, late[point_id], last)
    return known


def _windows(at_us: Ints, reach_us: int) -> list[tuple[int, int]]:
    """Whole hours around instants, so that points share them; those that meet are one."""
    windows: list[tuple[int, int]] = []
    for one in at_us.tolist():
        start_us = max(0, (one - reach_us) // HOUR_US * HOUR_US)
        end_us = max(0, -((-one - reach_us - 1) // HOUR_US) * HOUR_US)
        if windows and start_us <= windows[-1][1]:
            windows[-1] = windows[-1][0], end_us
        else:
            windows.append((start_us, end_us))
    return windows


def _began_us(point_id: int, late: Ints, last: Mapping[int, int]) -> Ints:
    """When a point began; asked only if its last reading is long after what came late."""
    if last[point_id] - LONG_PAST_US <= int(late[-1]):
        return np.array([last[point_id]], np.int64)
    began_us = store.first_at_us([point_id])
    return np.array([last[point_id] if began_us is None else began_us], np.int64)


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
