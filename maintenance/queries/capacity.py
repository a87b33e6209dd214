"""When people work: shifts of the site's local weeks, less absences."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from maintenance.models import Absence, Shift, Site, Technician

Span = tuple[dt.datetime, dt.datetime]


@dataclass(frozen=True)
class WorkingTime:
    """The stretches in which somebody can be given work, and those lost to absence."""

    present: tuple[Span, ...]
    absent: tuple[Span, ...]

    @property
    def hours(self) -> float:
        return sum((end - start) / dt.timedelta(hours=1) for start, end in self.present)


def working_times(
    technicians: Sequence[Technician], *, start: dt.datetime, end: dt.datetime
) -> dict[int, WorkingTime]:
    """By technician id, within [start, end) and until the end of somebody's last day."""
    ids = [technician.pk for technician in technicians]
    shifts = defaultdict(list)
    for shift in Shift.objects.filter(technician__in=ids):
        shifts[shift.technician_id].append(shift)
    absences = defaultdict(list)
    for absence in Absence.objects.filter(
        technician__in=ids, starts_at__lt=end, ends_at__gt=start
    ).order_by("starts_at"):
        absences[absence.technician_id].append((absence.starts_at, absence.ends_at))
    return {
        technician.pk: _working_time(
            technician, shifts[technician.pk], absences[technician.pk], (start, end)
        )
        for technician in technicians
    }


def crew_hours(site: Site, *, start: dt.datetime, end: dt.datetime) -> float:
    everybody = Technician.objects.of_site(site).select_related("site")
    times = working_times(list(everybody), start=start, end=end)
    return sum(time.hours for time in times.values())


def _working_time(
    technician: Technician, shifts: list[Shift], absences: list[Span], within: Span
) -> WorkingTime:
    zone = ZoneInfo(technician.site.time_zone)
    in_team = _in_team(technician, within, zone)
    worked = list(_clipped(_spans(shifts, in_team, zone), in_team)) if in_team else []
    absent = [_overlap(span, absence) for span in worked for absence in absences]
    present = worked
    for absence in absences:
        present = [rest for span in present for rest in _without(span, absence)]
    return WorkingTime(
        present=tuple(_merged(present)),
        absent=tuple(_merged([span for span in absent if span is not None])),
    )


def _in_team(technician: Technician, within: Span, zone: ZoneInfo) -> Span | None:
    """The part of a stretch before somebody left: their last day counts whole."""
    if technician.left_on is None:
        return within
    day_after = technician.left_on + dt.timedelta(days=1)
    return _overlap(within, (within[0], dt.datetime.combine(day_after, dt.time(), tzinfo=zone)))


def _spans(shifts: list[Shift], within: Span, zone: ZoneInfo) -> Iterator[Span]:
    first = within[0].astimezone(zone).date() - dt.timedelta(days=1)
    days = (within[1] - within[0]).days + 3
    for offset in range(days):
        date = first + dt.timedelta(days=offset)
        for shift in shifts:
            if shift.weekday == date.weekday():
                yield _span(shift, date, zone)


def _span(shift: Shift, date: dt.date, zone: ZoneInfo) -> Span:
    over_midnight = shift.ends <= shift.starts
    last = date + dt.timedelta(days=1) if over_midnight else date
    start = dt.datetime.combine(date, shift.starts, tzinfo=zone)
    end = dt.datetime.combine(last, shift.ends, tzinfo=zone)
    return start.astimezone(dt.UTC), end.astimezone(dt.UTC)


def _clipped(spans: Iterator[Span], within: Span) -> Iterator[Span]:
    for span in spans:
        inside = _overlap(span, within)
        if inside is not None:
            yield inside


def _overlap(one: Span, other: Span) -> Span | None:
    start, end = max(one[0], other[0]), min(one[1], other[1])
    return (start, end) if start < end else None


def _without(span: Span, gap: Span) -> Iterator[Span]:
    if _overlap(span, gap) is None:
        yield span
        return
    if span[0] < gap[0]:
        yield span[0], gap[0]
    if gap[1] < span[1]:
        yield gap[1], span[1]


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
