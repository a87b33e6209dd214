"""What the next two weeks ask of people and stores: proposals, load, parts that run short."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass

from django.db.models import Prefetch, Q

from maintenance.choices import ScheduleState
from maintenance.models import (
    Assignment,
    Delivery,
    JobPlanPart,
    Schedule,
    Site,
    SparePart,
    WorkOrder,
)
from maintenance.models.access import AnyUser
from maintenance.queries import capacity

SOON = dt.timedelta(days=7)


@dataclass(frozen=True)
class Proposals:
    waiting: int
    due_soon: int


@dataclass(frozen=True)
class Load:
    """Hours that a schedule gives to people, beside the hours they work in its days."""

    schedule: Schedule
    given_hours: float
    crew_hours: float

    @property
    def share(self) -> float:
        return self.given_hours / self.crew_hours if self.crew_hours else 0.0


@dataclass(frozen=True)
class Shortage:
    """A spare part of which open work needs more than there is or will be in time."""

    part: SparePart
    needed: int
    available: int
    next_delivery_at: dt.datetime | None


def proposals(user: AnyUser, site: Site, *, now: dt.datetime) -> Proposals:
    proposed = WorkOrder.objects.for_user(user).of_site(site).proposed()
    due = proposed.filter(Q(best_at__lt=now + SOON) | Q(latest_at__lt=now + SOON))
    return Proposals(waiting=proposed.count(), due_soon=due.count())


def load(user: AnyUser, site: Site) -> Load | None:
    """Of the draft being worked on, else of what is published; None without a schedule."""
    current = Schedule.objects.for_user(user).of_site(site).defer("problem")
    states = [ScheduleState.DRAFT, ScheduleState.PUBLISHED]
    schedule = current.filter(state__in=states).order_by("state").first()
    if schedule is None:
        return None
    given = Assignment.objects.filter(schedule=schedule).values_list(
        "starts_at", "ends_at", "technicians"
    )
    return Load(
        schedule=schedule,
        given_hours=sum((end - start) / dt.timedelta(hours=1) for start, end, who in given if who),
        crew_hours=capacity.crew_hours(site, start=schedule.starts_at, end=schedule.ends_at),
    )


def shortages(user: AnyUser, site: Site, *, now: dt.datetime) -> list[Shortage]:
    """Where open work needs more than stock and the deliveries of the schedule's days give."""
    until = now + dt.timedelta(days=site.schedule_days)
    coming = Delivery.objects.filter(received_at=None).order_by("expected_at")
    parts = SparePart.objects.for_user(user).of_site(site)
    needed = _needed(user, site)
    found = [
        _shortage(part, needed[part.pk], until)
        for part in parts.filter(pk__in=needed).prefetch_related(
            Prefetch("deliveries", coming, to_attr="coming")
        )
    ]
    return [shortage for shortage in found if shortage.needed > shortage.available]


def _needed(user: AnyUser, site: Site) -> Counter[int]:
    """By part, what the job plans of all open work orders ask for."""
    plans = Counter(
        WorkOrder.objects.for_user(user).of_site(site).open().values_list("job_plan_id", flat=True)
    )
    needed: Counter[int] = Counter()
    for need in JobPlanPart.objects.filter(job_plan__in=plans):
        needed[need.part_id] += need.quantity * plans[need.job_plan_id]
    return needed


def _shortage(part: SparePart, needed: int, until: dt.datetime) -> Shortage:
    coming: list[Delivery] = part.coming  # type: ignore[attr-defined]
    in_time = sum(delivery.quantity for delivery in coming if delivery.expected_at <= until)
    return Shortage(
        part=part,
        needed=needed,
        available=part.stock + in_time,
        next_delivery_at=coming[0].expected_at if coming else None,
    )
