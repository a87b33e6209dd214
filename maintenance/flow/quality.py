"""Readings that came since the last check are judged; what should not be believed becomes rows.

Run again it changes nothing; an interval that goes on is extended. A run does a bounded number of
readings, the points that were checked longest ago first: after a large import the nights that
follow take up the rest.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import F, Q

from maintenance import store
from maintenance.choices import QualityKind
from maintenance.instants import from_us, to_us
from maintenance.models import AuditEntry, Downtime, MeasurementPoint, QualityInterval, Site, User
from maintenance.operations import Fence, unfenced
from maintenance.queries import quality as queries
from maintenance.store import Floats, Ints
from predictors.limits import Limits, Spans, learn
from predictors.quality import Kind, Stretch, check

MOST_READINGS = 50_000_000
POINTS_AT_ONCE = 50
# About as many readings of one point are held at a time; a week is, whatever its sampling.
HELD_READINGS = 20_000_000
LEAST_SPAN = dt.timedelta(days=7)
# How far back the first check goes, and what limits are learnt from.
HISTORY = dt.timedelta(days=730)
LESSON = dt.timedelta(days=90)
LEARN_EVERY = dt.timedelta(days=14)
LEAST_CONTEXT = dt.timedelta(days=1)
MOST_CONTEXT = dt.timedelta(days=60)
# What arrived wrong is told by the door; it cannot be seen in what is stored.
TOLD_ON_ARRIVAL = (QualityKind.CONFLICT, QualityKind.CLOCK_SKEW)
THRESHOLDS = (
    "plausible_min",
    "plausible_max",
    "stale_after_seconds",
    "flat_after_seconds",
    "largest_step",
)


@dataclass(frozen=True)
class _Judged:
    """What is to be written of a point."""

    point: MeasurementPoint
    at_us: Ints
    stretches: Sequence[Stretch]
    known: Sequence[QualityInterval]
    since_us: int


def check_readings(
    *, site: Site, as_of: dt.datetime, now: dt.datetime, fence: Fence = unfenced
) -> dict[str, Any]:
    """Check every point of the site up to an instant; how many intervals are new or go on."""
    told: dict[str, Any] = {"points": 0, "readings": 0, "new": 0, "extended": 0, "left": 0}
    due = list(
        MeasurementPoint.objects.of_site(site)
        .filter(Q(quality_checked_until=None) | Q(quality_checked_until__lt=as_of))
        .order_by(F("quality_checked_until").asc(nulls_first=True), "pk")
    )
    for start in range(0, len(due), POINTS_AT_ONCE):
        if told["readings"] >= MOST_READINGS:
            break
        points = due[start : start + POINTS_AT_ONCE]
        standing = _standing(points, as_of=as_of)
        last = store.last_at_us(point.pk for point in points)
        for point in points:
            spans, last_us = standing[point.asset_id], last.get(point.pk)
            _check_point(point, spans, last_us, as_of=as_of, now=now, told=told)
    told["left"] = len(due) - told["points"]
    with transaction.atomic():
        fence(told)
    return told


def set_thresholds(
    *, point: MeasurementPoint, changes: Mapping[str, float | None], by: User, now: dt.datetime
) -> None:
    """Change what a point is judged by: its readings are judged anew by the next check."""
    with transaction.atomic():
        held = MeasurementPoint.objects.select_for_update().get(pk=point.pk)
        before = {name: getattr(held, name) for name in THRESHOLDS}
        for name in THRESHOLDS:
            setattr(held, name, changes.get(name, before[name]))
        after = {name: getattr(held, name) for name in THRESHOLDS}
        if after == before:
            return
        held.quality_checked_until = None
        held.save(update_fields=[*THRESHOLDS, "quality_checked_until"])
        QualityInterval.objects.filter(point=held).exclude(kind__in=TOLD_ON_ARRIVAL).delete()
        AuditEntry.objects.create(
            site=held.asset.site,
            at=now,
            by=by,
            action="thresholds changed",
            subject=str(held)[:160],
            before=before,
            after=after,
        )


def _check_point(
    point: MeasurementPoint,
    standing: Spans,
    last_us: int | None,
    *,
    as_of: dt.datetime,
    now: dt.datetime,
    told: dict[str, Any],
) -> None:
    """A long history in stretches, as if night by night; what a run cannot do is left."""
    span = _span(point, last_us, as_of=as_of)
    while told["readings"] < MOST_READINGS:
        since_us = _since_us(point, as_of)
        until = min(as_of, from_us(since_us) + span)
        judged = _judged(point, standing, last_us, since_us, until=until, span=span, as_of=as_of)
        told["readings"] += len(judged.at_us)
        with transaction.atomic():
            if not _still_holds(judged, until=until):
                return
            new, extended = _write(judged, now=now)
        told["new"] += new
        told["extended"] += extended
        del judged  # its readings go before the next are read
        if until == as_of:
            told["points"] += 1
            return


def _still_holds(judged: _Judged, *, until: dt.datetime) -> bool:
    """Mark the point as checked, unless it was judged by what no longer holds."""
    point = judged.point
    unchanged = {name: getattr(point, name) for name in (*THRESHOLDS, "quality_checked_until")}
    same = MeasurementPoint.objects.filter(pk=point.pk, **unchanged)
    if not same.update(quality_checked_until=until, learnt_limits=point.learnt_limits):
        return False
    point.quality_checked_until = until
    return True


def _span(point: MeasurementPoint, last_us: int | None, *, as_of: dt.datetime) -> dt.timedelta:
    """How much time holds as many readings as may be held, by the point's densest sampling."""
    whole = max(LESSON, as_of - from_us(_since_us(point, as_of)))
    if last_us is None:
        return whole
    day_us = round(LEAST_CONTEXT.total_seconds() * 1e6)
    lately = 0
    if not point.learnt_limits or to_us(as_of - LEAST_SPAN) > _since_us(point, as_of):
        lately = len(_read(point, last_us - day_us, last_us + 1, without=())[0])
    declared = queries.limits_of(point).sampling_us or day_us
    sampling_us = max(1, min(declared, day_us // max(1, lately)))
    held_us = min(HELD_READINGS * sampling_us, round(whole.total_seconds() * 1e6))
    return max(LEAST_SPAN, dt.timedelta(microseconds=held_us))


def _judged(
    point: MeasurementPoint,
    standing: Spans,
    last_us: int | None,
    since_us: int,
    *,
    until: dt.datetime,
    span: dt.timedelta,
    as_of: dt.datetime,
) -> _Judged:
    if last_us is None:
        return _Judged(point, np.empty(0, np.int64), [], [], 0)
    known = queries.intervals_of([point])[point.pk]
    wrong_us = [
        (to_us(one.starts_at), to_us(one.ends_at))
        for one in known
        if one.kind == QualityKind.CLOCK_SKEW
    ]
    limits = _limits(point, standing, known, as_of=as_of, lesson=min(LESSON, span))
    context_us = min(_context_us(limits), round(span.total_seconds() * 1e6))
    start_us = min(since_us, last_us, _silent_from_us(known, since_us)) - context_us
    at_us, values = _read(point, start_us, to_us(until) + 1, without=wrong_us)
    found = check(
        at_us,
        values,
        limits,
        unit=point.unit,
        as_of_us=to_us(until),
        standing=standing,
        ongoing_unit=_ongoing_unit(known, at_us),
    )
    return _Judged(point, at_us, found, known, since_us)


def _since_us(point: MeasurementPoint, as_of: dt.datetime) -> int:
    return to_us(max(point.quality_checked_until or as_of - HISTORY, as_of - HISTORY))


def _silent_from_us(known: Iterable[QualityInterval], since_us: int) -> int:
    """The last reading before a silence that had not ended at the last check."""
    return min(
        (
            to_us(one.starts_at)
            for one in known
            if one.kind == QualityKind.STALE and to_us(one.ends_at) >= since_us
        ),
        default=since_us,
    )


def _read(
    point: MeasurementPoint, start_us: int, end_us: int, *, without: Spans
) -> tuple[Ints, Floats]:
    at_us, values = store.read([point.pk], max(0, start_us), end_us)[point.pk]
    keep = ~queries.within(at_us, without)
    return (at_us, values) if keep.all() else (at_us[keep], values[keep])


def _limits(
    point: MeasurementPoint,
    standing: Spans,
    known: Iterable[QualityInterval],
    *,
    as_of: dt.datetime,
    lesson: dt.timedelta,
) -> Limits:
    """What is declared, else what was learnt; it is learnt again every other week."""
    learnt_at = point.learnt_limits.get("learnt_at")
    if learnt_at is None or as_of - dt.datetime.fromisoformat(learnt_at) >= LEARN_EVERY:
        flagged = [(to_us(one.starts_at), to_us(one.ends_at)) for one in known if one.readings > 0]
        at_us, values = _read(point, to_us(as_of - lesson), to_us(as_of) + 1, without=flagged)
        learnt = learn(at_us, values, standing=standing)
        if learnt != Limits():
            point.learnt_limits = {**learnt.to_dict(), "learnt_at": as_of.isoformat()}
    return queries.limits_of(point)


def _context_us(limits: Limits) -> int:
    """Enough readings before the first one of interest to see what began there."""
    lengths = (limits.stale_after_us, limits.flat_after_us, limits.rest_after_us)
    wanted = max([0, *(2 * length for length in lengths if length)])
    least, most = (round(each.total_seconds() * 1e6) for each in (LEAST_CONTEXT, MOST_CONTEXT))
    return min(most, max(least, wanted))


def _ongoing_unit(known: Iterable[QualityInterval], at_us: Ints) -> str:
    """The unit of an interval that reaches into these readings from before."""
    if not len(at_us):
        return ""
    first = from_us(int(at_us[0]))
    found = (
        str(one.details.get("unit", ""))
        for one in known
        if one.kind == QualityKind.UNIT_MISMATCH and one.starts_at < first <= one.ends_at
    )
    return next(found, "")


def _standing(
    points: Iterable[MeasurementPoint], *, as_of: dt.datetime
) -> dict[int, list[tuple[int, int]]]:
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    stops = Downtime.objects.filter(
        asset__in={point.asset_id for point in points}, starts_at__lt=as_of
    )
    for asset, since, until in stops.values_list("asset", "starts_at", "ends_at"):
        found[asset].append((to_us(since), to_us(until or as_of)))
    return found


def _write(judged: _Judged, *, now: dt.datetime) -> tuple[int, int]:
    """How many intervals are new, and how many go on."""
    _forget_filled_silences(judged)
    new = extended = 0
    for stretch in judged.stretches:
        touched = [one for one in judged.known if _touches(one, stretch)]
        if touched:
            extended += _extend(touched, stretch, judged.at_us)
        elif max(stretch.end_us, stretch.known_us) > judged.since_us:
            _interval(judged.point, stretch, now).save(force_insert=True)
            new += 1
    return new, extended


def _forget_filled_silences(judged: _Judged) -> None:
    """Readings that came late after all end a silence."""
    if not len(judged.at_us):
        return
    silences = [one for one in judged.stretches if one.kind is Kind.STALE]
    for one in judged.known:
        seen = one.kind == QualityKind.STALE and to_us(one.starts_at) >= judged.at_us[0]
        if seen and not any(_touches(one, stretch) for stretch in silences):
            one.delete()


def _touches(interval: QualityInterval, stretch: Stretch) -> bool:
    if interval.kind != stretch.kind.value or interval.pk is None:
        return False
    starts_us, ends_us = to_us(interval.starts_at), to_us(interval.ends_at)
    if interval.kind == QualityKind.STALE:
        return starts_us == stretch.start_us
    return starts_us <= stretch.end_us and stretch.start_us <= ends_us


def _extend(touched: Sequence[QualityInterval], stretch: Stretch, at_us: Ints) -> int:
    """One interval holds all of them and the stretch; whether anything changed."""
    kept, *others = touched
    starts_us = min(stretch.start_us, to_us(kept.starts_at))
    ends_us = max(to_us(one.ends_at) for one in touched)
    if kept.kind == QualityKind.STALE:
        ends_us = stretch.end_us
    grown_us = max(ends_us, stretch.end_us)
    if not others and (starts_us, grown_us) == (to_us(kept.starts_at), to_us(kept.ends_at)):
        return 0
    later = np.count_nonzero((at_us > ends_us) & (at_us <= grown_us))
    earlier = np.count_nonzero((at_us >= starts_us) & (at_us < to_us(kept.starts_at)))
    if stretch.readings:
        kept.readings = sum(one.readings for one in touched) + int(later + earlier)
    for other in others:
        other.delete()
    kept.starts_at, kept.ends_at = from_us(starts_us), from_us(grown_us)
    kept.known_at = min(one.known_at for one in touched)
    kept.save()
    return 1


def _interval(point: MeasurementPoint, stretch: Stretch, now: dt.datetime) -> QualityInterval:
    return QualityInterval(
        point=point,
        kind=stretch.kind.value,
        starts_at=from_us(stretch.start_us),
        ends_at=from_us(stretch.end_us),
        readings=stretch.readings,
        details=dict(stretch.details),
        known_at=from_us(stretch.known_us),
        recorded_at=now,
    )
