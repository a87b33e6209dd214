"""Where else a work order could go: the best lawful place of each day, with what it changes."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from maintenance.models import Assignment, Schedule, WorkOrder
from maintenance.queries.timeline import wall_clock
from maintenance.queries.words import technician_names
from scheduler import Assignment as Place
from scheduler import Problem, alternatives
from scheduler import Schedule as Answer

MINUTE = dt.timedelta(minutes=1)


@dataclass(frozen=True)
class BestPlace:
    """`cost_change` is of the whole schedule, in major units."""

    starts_at: dt.datetime
    clock: str
    technician_ids: tuple[str, ...]
    technicians: list[str]
    cost_change: float


def best_places(schedule: Schedule, work_order: WorkOrder, *, most: int = 4) -> list[BestPlace]:
    """Beside all other work where it stands; the cheapest first, never where it stands now."""
    problem, job_id = Problem.from_dict(schedule.problem), str(work_order.pk)
    if job_id not in problem.job_by_id:
        return []
    answer = _answer(schedule)
    now = answer.by_job.get(job_id)
    names, zone = technician_names(schedule.site), ZoneInfo(schedule.site.time_zone)
    found = []
    for move in alternatives(problem, answer, job_id=job_id):
        place = move.assignment
        if now is None or (place.start_minute, set(place.technician_ids)) != (
            now.start_minute,
            set(now.technician_ids),
        ):
            starts_at = schedule.starts_at + place.start_minute * MINUTE
            found.append(
                BestPlace(
                    starts_at=starts_at,
                    clock=wall_clock(starts_at, zone),
                    technician_ids=place.technician_ids,
                    technicians=[names[i] for i in place.technician_ids if i in names],
                    cost_change=move.cost_change / 100,
                )
            )
    return found[:most]


def _answer(schedule: Schedule) -> Answer:
    rows = schedule.assignments.prefetch_related("technicians")
    return Answer(tuple(_place(row, schedule) for row in rows))


def _place(row: Assignment, schedule: Schedule) -> Place:
    return Place(
        job_id=str(row.work_order_id),
        start_minute=(row.starts_at - schedule.starts_at) // MINUTE,
        end_minute=(row.ends_at - schedule.starts_at) // MINUTE,
        technician_ids=tuple(str(technician.pk) for technician in row.technicians.all()),
    )
