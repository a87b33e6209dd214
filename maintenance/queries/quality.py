"""Which readings should not be believed, and by what measure."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from django.utils import formats
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from maintenance.choices import QualityKind
from maintenance.instants import to_us
from maintenance.models import MeasurementPoint, QualityInterval
from maintenance.queries.words import duration_words
from maintenance.store import Ints
from predictors.limits import Limits, Spans
from predictors.schema import Doubts


def intervals_of(
    points: Iterable[MeasurementPoint | int],
) -> Mapping[int, list[QualityInterval]]:
    """By point, in order of time."""
    found: dict[int, list[QualityInterval]] = defaultdict(list)
    for one in QualityInterval.objects.filter(point__in=list(points)).order_by("starts_at", "pk"):
        found[one.point_id].append(one)
    return found


def shown(
    points: Iterable[MeasurementPoint | int], *, start: dt.datetime, end: dt.datetime
) -> list[QualityInterval]:
    """The intervals of these points that reach into a window."""
    return list(
        QualityInterval.objects.filter(
            point__in=list(points), starts_at__lt=end, ends_at__gte=start
        ).order_by("starts_at", "pk")
    )


def doubts(points: Iterable[int]) -> Mapping[int, Doubts]:
    """What features of these points leave out, and from which origin on. A silence holds nothing.

    What a door told on arrival is known from then on; all else as soon as the readings show it.
    """
    rows: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    found = QualityInterval.objects.filter(point__in=list(points)).exclude(kind=QualityKind.STALE)
    for point, *span in found.order_by("starts_at", "pk").values_list(
        "point_id", "starts_at", "ends_at", "known_at"
    ):
        starts_us, ends_us, known_us = (to_us(at) for at in span)
        rows[point].append((starts_us, ends_us, known_us))
    return {
        point: Doubts(*(np.array(column, dtype=np.int64) for column in zip(*spans, strict=True)))
        for point, spans in rows.items()
    }


def within(at_us: Ints, spans: Spans) -> NDArray[np.bool_]:
    """Which instants lie in one of the spans, ends included."""
    inside = np.zeros(len(at_us), np.bool_)
    for since_us, until_us in spans:
        first, last = np.searchsorted(at_us, [since_us, until_us + 1])
        inside[first:last] = True
    return inside


def limits_of(point: MeasurementPoint) -> Limits:
    """What the point is judged by: what somebody set, else what was learnt."""
    learnt: Mapping[str, Any] = point.learnt_limits
    return Limits.from_dict(learnt).declared(
        sampling_seconds=point.sampling_seconds,
        stale_after_seconds=point.stale_after_seconds,
        flat_after_seconds=point.flat_after_seconds,
        low=point.plausible_min,
        high=point.plausible_max,
        spike=point.largest_step,
    )


def limits_shown(point: MeasurementPoint) -> list[tuple[str, str]]:
    """What the point is judged by, in words; what is not judged says so."""
    limits = limits_of(point)
    spans = (
        (_("Usual sampling"), limits.sampling_us),
        (_("Stale after"), limits.stale_after_us),
        (_("Flat line after"), limits.flat_after_us),
    )
    values = (
        (_("Lowest plausible value"), limits.low),
        (_("Highest plausible value"), limits.high),
        (_("Spike beyond"), limits.spike),
    )
    return [
        *((name, "—" if us is None else _lasting(us / 1e6)) for name, us in spans),
        *((name, "—" if value is None else _shown(value)) for name, value in values),
    ]


def reason(interval: QualityInterval) -> str:
    """Why readings were flagged, with the measure that was applied."""
    words = {name: _shown(value) for name, value in interval.details.items()}
    match QualityKind(interval.kind):
        case QualityKind.STALE:
            longest = _lasting(interval.details["limit_seconds"])
            return _("No reading; more than %(longest)s is unusual") % {"longest": longest}
        case QualityKind.FLAT:
            words["longest"] = _lasting(interval.details["limit_seconds"])
            return _("%(value)s all the time; more than %(longest)s is unusual") % words
        case QualityKind.OUT_OF_RANGE:
            if interval.details["low"] is None:
                words["low"] = f"\N{MINUS SIGN}{words['low']}"
            return _("Beyond the plausible range, %(low)s to %(high)s") % words
        case QualityKind.SPIKE:
            return _("Stands out from its neighbours by %(step)s; up to %(limit)s is usual") % words
        case QualityKind.CONFLICT:
            return _("Came again as %(value)s or another value; the first one stays") % words
        case QualityKind.UNIT_MISMATCH:
            return _("Makes sense if said in %(unit)s") % words
        case _:
            return _clock(float(interval.details["offset_seconds"]))


def _clock(offset_seconds: float) -> str:
    by = _lasting(abs(offset_seconds))
    if offset_seconds > 0:
        return _("Stamped %(by)s ahead of its arrival") % {"by": by}
    return _("Stamped %(by)s before it arrived") % {"by": by}


def _lasting(seconds: float) -> str:
    return duration_words(max(1, round(seconds / 60)))


def _shown(value: Any) -> str:
    if isinstance(value, int | float):
        return formats.number_format(f"{value:.4g}", use_l10n=True)
    return "\N{INFINITY}" if value is None else str(value)
