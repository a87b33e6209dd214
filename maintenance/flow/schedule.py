"""Open work becomes a schedule; the planner moves, pins and publishes it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Max, Q

from maintenance.choices import (
    LeftOutClass,
    ScheduleState,
    WorkOrderState,
)
from maintenance.instants import local_midnight
from maintenance.models import (
    Assignment,
    AuditEntry,
    Forecast,
    LeftOut,
    Schedule,
    ScheduleMove,
    Site,
    Technician,
    User,
    WorkOrder,
)
from maintenance.operations import Fence, Report, unfenced, unreported
from maintenance.queries.problem import Period, Posed, pose
from scheduler import Assignment as Place
from scheduler import LeftOut as Reason
from scheduler import (
    Pin,
    Problem,
    Result,
    Violation,
    Why,
    check_move,
    cost_unscheduled,
    explain,
    solve,
)
from scheduler import Schedule as Answer

SEED = 1
MOST_ATTEMPTS = 3
STALE_FORECAST = dt.timedelta(days=7)
BEYOND_WILL = frozenset({"outside_schedule", "unknown_technician"})
"""Rules that nobody can break by wanting to: there is no such day, or nobody of that name."""


class Refused(Exception):
    """The change breaks rules; `violations` are all of them."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__("; ".join(violation.message for violation in violations))
        self.violations = tuple(violations)


class Outdated(Exception):
    """Somebody else changed the schedule first; `revision` is where it stands now."""

    def __init__(self, revision: int) -> None:
        super().__init__(f"the schedule is at revision {revision}")
        self.revision = revision


class ChangedMeanwhile(Exception):
    """The draft was changed by hand each time it was optimised; it stands as people left it."""


class NotADraft(Exception):
    """Only a draft can be changed or published, and only the work that stands in it moved."""


def period_of(*, site: Site, now: dt.datetime) -> Period:
    """The days to schedule: from today, or from the newest forecast where that is history."""
    newest = Forecast.objects.filter(asset__site=site).aggregate(at=Max("as_of"))["at"]
    start = newest if newest is not None and now - newest > STALE_FORECAST else now
    zone = ZoneInfo(site.time_zone)
    return Period(site=site, starts_at=local_midnight(start, zone), days=site.schedule_days)


def optimise(
    *,
    site: Site,
    by: User | None,
    now: dt.datetime,
    seconds: float,
    fence: Fence = unfenced,
    report: Report = unreported,
) -> Schedule:
    """Solve the site's open work and keep the answer as its one draft.

    The solver does a set amount of work, so that the same work gives the same schedule; `seconds`
    cuts it short where that takes too long, and the result says so (`repeatable`). When somebody
    changes the draft by hand meanwhile, it is solved again with what they did. In a period that
    is history all of its days are free.
    """
    period = period_of(site=site, now=now)
    for _ in range(MOST_ATTEMPTS):
        seen = _standing(site)
        posed = pose(period, not_before=now if now < period.ends_at else period.starts_at)
        result = solve(
            posed.problem,
            time_limit_seconds=seconds,
            seed=SEED,
            workers=1,
            on_progress=lambda cost, _bound: report(1, 3, f"{cost / 100:,.2f}"),
        )
        report(2, 3, "")
        with transaction.atomic():
            _one_at_a_time(site)
            if _standing(site) == seen:
                schedule = _replace_draft(posed, result, by=by, now=now, fence=fence)
                report(3, 3, "")
                return schedule
    raise ChangedMeanwhile


def _standing(site: Site) -> tuple[int, int] | None:
    """Which draft stands and how often it was changed: what people did by hand must not be lost."""
    return Schedule.objects.filter(site=site).draft().values_list("pk", "revision").first()


def _replace_draft(
    posed: Posed, result: Result, *, by: User | None, now: dt.datetime, fence: Fence
) -> Schedule:
    Schedule.objects.filter(site=posed.period.site).draft().update(state=ScheduleState.SUPERSEDED)
    schedule = _keep(posed, result, by=by, now=now)
    told = {"cost_minor": schedule.cost_minor, "repeatable": result.repeatable}
    schedule.operation = fence({"schedule": schedule.number, **told})
    schedule.save(update_fields=["operation"])
    return schedule


def move(
    *,
    schedule: Schedule,
    work_order: WorkOrder,
    start_at: dt.datetime,
    technicians: Sequence[Technician],
    revision: int,
    anyway: bool = False,
    by: User,
    now: dt.datetime,
) -> Schedule:
    """Put a work order there, with those people. Refused when a rule breaks, unless `anyway`.

    A move by hand is a decision: the work order stays pinned to it.
    """
    with transaction.atomic():
        draft = _locked_draft(schedule, revision)
        problem, answer = _posed(draft), _answer(draft)
        job = problem.job_by_id.get(str(work_order.pk))
        if job is None or not WorkOrder.objects.to_schedule().contains(work_order):
            raise NotADraft
        start = _minute(draft, start_at)
        crew = tuple(str(technician.pk) for technician in technicians)
        wanted = check_move(problem, answer, job_id=job.id, start_minute=start, technician_ids=crew)
        beyond = any(violation.rule in BEYOND_WILL for violation in wanted.violations)
        if beyond or (wanted.violations and not anyway):
            raise Refused(wanted.violations)
        problem = _with_pin(problem, job.id, Pin(start_minute=start, technician_ids=crew))
        moved = answer.placing(wanted.assignment)
        return _change(draft, work_order, problem, moved, by=by, now=now)


def pin(
    *,
    schedule: Schedule,
    work_order: WorkOrder,
    pinned: bool,
    revision: int,
    by: User,
    now: dt.datetime,
) -> Schedule:
    """Keep a work order where it stands when the schedule is optimised again, or let it go."""
    with transaction.atomic():
        draft = _locked_draft(schedule, revision)
        problem, answer = _posed(draft), _answer(draft)
        place = answer.by_job.get(str(work_order.pk))
        if place is None:
            raise NotADraft
        wanted = Pin(place.start_minute, place.technician_ids) if pinned else None
        problem = _with_pin(problem, place.job_id, wanted)
        return _change(draft, work_order, problem, answer, by=by, now=now)


def remove(
    *,
    schedule: Schedule,
    work_order: WorkOrder,
    revision: int,
    by: User,
    now: dt.datetime,
) -> Schedule:
    """Back to the waiting list."""
    with transaction.atomic():
        draft = _locked_draft(schedule, revision)
        posed, job_id = _posed(draft), str(work_order.pk)
        if job_id not in posed.job_by_id:
            raise NotADraft
        problem = _with_pin(posed, job_id, None)
        return _change(draft, work_order, problem, _answer(draft).without(job_id), by=by, now=now)


def undo(*, schedule: Schedule, revision: int, by: User, now: dt.datetime) -> Schedule:
    """Take back the newest change by hand that is not taken back yet."""
    with transaction.atomic():
        draft = _locked_draft(schedule, revision)
        last = draft.moves.filter(undone=False).select_related("work_order").first()
        if last is None:
            return draft
        problem, answer = _restored(draft, last)
        last.undone = True
        last.save(update_fields=["undone"])
        changed = _change(draft, last.work_order, problem, answer, by=by, now=now)
        changed.moves.filter(revision=changed.revision).update(undone=True)
        return changed


def publish(
    *,
    schedule: Schedule,
    revision: int,
    anyway: bool = False,
    by: User | None,
    now: dt.datetime,
    fence: Fence = unfenced,
) -> Schedule:
    """Make the draft this week's answer; its proposals count as accepted.

    The schedule is checked once more, without the solver: what breaks a rule is refused unless
    the planner takes it `anyway` (a pin against a rule).
    """
    with transaction.atomic():
        draft = _locked_draft(schedule, revision)
        _hold_work(draft)
        _forget_closed(draft)
        broken = _answer(draft).violations(_posed(draft))
        if broken and not anyway:
            raise Refused(broken)
        Schedule.objects.filter(site=draft.site).published().update(state=ScheduleState.SUPERSEDED)
        draft.state = ScheduleState.PUBLISHED
        draft.published_at, draft.published_by = now, by
        draft.save()
        told = _tell_work_orders(draft, by=by, now=now)
        _audit(draft, "publish schedule", by=by, now=now, after=told)
        fence({"schedule": draft.number, **told})
        return draft


def start_draft(*, schedule: Schedule, by: User, now: dt.datetime) -> Schedule:
    """A draft that starts as a copy, so that a published schedule can be changed by hand."""
    with transaction.atomic():
        _one_at_a_time(schedule.site)
        existing = Schedule.objects.filter(site=schedule.site).draft().first()
        if existing is not None:
            return existing
        problem, answer = _posed(schedule), _answer(schedule)
        draft = Schedule.objects.get(pk=schedule.pk)
        draft.pk = None
        draft._state.adding = True
        draft.number = _next_number(schedule.site)
        draft.state = ScheduleState.DRAFT
        draft.revision, draft.recorded_at, draft.created_by = 1, now, by
        draft.published_at = draft.published_by = None
        draft.save()
        _write_places(draft, problem, answer)
        return draft


def violations(schedule: Schedule) -> tuple[Violation, ...]:
    """Every rule the kept schedule breaks, found without the solver."""
    return _answer(schedule).violations(_posed(schedule))


def _keep(posed: Posed, result: Result, *, by: User | None, now: dt.datetime) -> Schedule:
    document = posed.problem.to_dict()
    site = posed.period.site
    as_of = Forecast.objects.filter(asset__site=site).aggregate(at=Max("as_of"))["at"]
    schedule = Schedule.objects.create(
        site=site,
        number=_next_number(site),
        starts_at=posed.period.starts_at,
        ends_at=posed.period.ends_at,
        as_of=as_of or posed.period.starts_at,
        status=str(result.status),
        cost=asdict(result.cost),
        cost_minor=result.cost.total,
        cost_unscheduled_minor=cost_unscheduled(posed.problem).total,
        bound_minor=result.bound,
        seed=SEED,
        inputs_hash=_hash(document),
        problem=document,
        created_by=by,
        recorded_at=now,
    )
    _write_places(schedule, posed.problem, result.schedule)
    return schedule


def _write_places(schedule: Schedule, problem: Problem, answer: Answer) -> None:
    schedule.assignments.all().delete()
    schedule.left_out.all().delete()
    for place in answer.assignments:
        row = Assignment.objects.create(
            schedule=schedule,
            work_order_id=int(place.job_id),
            starts_at=_instant(schedule, place.start_minute),
            ends_at=_instant(schedule, place.end_minute),
            pinned=problem.job_by_id[place.job_id].pin is not None,
        )
        row.technicians.set([int(technician_id) for technician_id in place.technician_ids])
    LeftOut.objects.bulk_create(
        LeftOut(
            schedule=schedule,
            work_order_id=int(reason.job_id),
            reason_class=LeftOutClass(str(reason.why)),
            rules=_obstacles(reason),
            unlocks=[asdict(unlock) for unlock in reason.unlocks],
            cost_minor=problem.job_by_id[reason.job_id].leave_out_cost,
        )
        for reason in explain(problem, answer)
    )


def _obstacles(reason: Reason) -> list[dict[str, Any]]:
    """What stands in the way, with names and numbers: the rules that the best unlock sets aside."""
    if reason.why in {Why.economic, Why.possible}:
        return []
    if reason.unlocks:
        return [_plain(violation) for violation in reason.unlocks[0].broken]
    return [{"rule": rule, "parameters": dict(reason.parameters)} for rule in reason.rules]


def _locked_draft(schedule: Schedule, revision: int) -> Schedule:
    locked = Schedule.objects.select_for_update().get(pk=schedule.pk)
    if locked.state != ScheduleState.DRAFT:
        raise NotADraft
    if locked.revision != revision:
        raise Outdated(locked.revision)
    return locked


def _change(
    draft: Schedule,
    work_order: WorkOrder,
    problem: Problem,
    answer: Answer,
    *,
    by: User,
    now: dt.datetime,
) -> Schedule:
    before = _picture(_posed(draft), _answer(draft), str(work_order.pk))
    _keep_pin(draft, work_order, problem)
    cost = answer.cost(problem)
    draft.revision += 1
    draft.problem = problem.to_dict()
    draft.cost, draft.cost_minor = asdict(cost), cost.total
    draft.save()
    _write_places(draft, problem, answer)
    ScheduleMove.objects.create(
        schedule=draft,
        work_order=work_order,
        revision=draft.revision,
        before=before,
        after=_picture(problem, answer, str(work_order.pk)),
        by=by,
        recorded_at=now,
    )
    return draft


def _picture(problem: Problem, answer: Answer, job_id: str) -> dict[str, Any]:
    """Where a job stands and whether it is pinned, so that a change can be taken back."""
    place, job = answer.by_job.get(job_id), problem.job_by_id[job_id]
    return {
        "place": asdict(place) if place else None,
        "pin": asdict(job.pin) if job.pin else None,
    }


def _restored(draft: Schedule, last: ScheduleMove) -> tuple[Problem, Answer]:
    job_id = str(last.work_order_id)
    pinned, place = last.before["pin"], last.before["place"]
    pin_before = (
        Pin(pinned["start_minute"], _ids(pinned["technician_ids"])) if pinned is not None else None
    )
    answer = _answer(draft).without(job_id)
    if place is not None:
        crew = _ids(place["technician_ids"]) or ()
        answer = answer.placing(Place(job_id, place["start_minute"], place["end_minute"], crew))
    return _with_pin(_posed(draft), job_id, pin_before), answer


def _ids(listed: list[str] | None) -> tuple[str, ...] | None:
    return None if listed is None else tuple(listed)


def _keep_pin(draft: Schedule, work_order: WorkOrder, problem: Problem) -> None:
    pinned = problem.job_by_id[str(work_order.pk)].pin
    locked = WorkOrder.objects.select_for_update().get(pk=work_order.pk)
    locked.pinned_start_at = _instant(draft, pinned.start_minute) if pinned else None
    locked.save(update_fields=["pinned_start_at"])
    crew = pinned.technician_ids or () if pinned else ()
    locked.pinned_technicians.set([int(technician_id) for technician_id in crew])


def _with_pin(problem: Problem, job_id: str, wanted: Pin | None) -> Problem:
    jobs = tuple(replace(job, pin=wanted) if job.id == job_id else job for job in problem.jobs)
    return replace(problem, jobs=jobs)


def _tell_work_orders(schedule: Schedule, *, by: User | None, now: dt.datetime) -> dict[str, int]:
    assigned = list(
        schedule.assignments.select_related("work_order").prefetch_related("technicians")
    )
    for assignment in assigned:
        work_order = assignment.work_order
        if work_order.state != WorkOrderState.SCHEDULED:
            work_order.decided_at, work_order.decided_by = now, by
        work_order.state = WorkOrderState.SCHEDULED
        work_order.save(update_fields=["state", "decided_at", "decided_by"])
        work_order.assigned_to.set(assignment.technicians.all())
    dropped = WorkOrder.objects.filter(site=schedule.site, state=WorkOrderState.SCHEDULED).exclude(
        pk__in=[assignment.work_order_id for assignment in assigned]
    )
    count = 0
    for work_order in dropped:
        count += 1
        work_order.assigned_to.clear()
        work_order.state = WorkOrderState.ACCEPTED
        work_order.save(update_fields=["state"])
    return {"scheduled": len(assigned), "back_to_waiting": count}


def _hold_work(draft: Schedule) -> None:
    """Nobody dismisses work between the look at it and the note that it is scheduled."""
    held = WorkOrder.objects.filter(pk__in=draft.assignments.values("work_order"))
    list(held.select_for_update().order_by("pk").values_list("pk"))


def _forget_closed(draft: Schedule) -> None:
    """Work that was dismissed since the draft was made is neither done nor missing."""
    of_draft = WorkOrder.objects.filter(
        Q(assignments__schedule=draft) | Q(left_out__schedule=draft)
    )
    closed = of_draft.exclude(pk__in=WorkOrder.objects.to_schedule().values("pk")).distinct()
    gone = {str(pk) for pk in closed.values_list("pk", flat=True)}
    if not gone:
        return
    posed, answer = _posed(draft), _answer(draft)
    problem = replace(posed, jobs=tuple(job for job in posed.jobs if job.id not in gone))
    for job_id in gone:
        answer = answer.without(job_id)
    cost = answer.cost(problem)
    draft.problem = problem.to_dict()
    draft.cost, draft.cost_minor = asdict(cost), cost.total
    draft.cost_unscheduled_minor, draft.bound_minor = cost_unscheduled(problem).total, None
    draft.save()
    _write_places(draft, problem, answer)


def _audit(
    schedule: Schedule, action: str, *, by: User | None, now: dt.datetime, after: dict[str, Any]
) -> None:
    AuditEntry.objects.create(
        site=schedule.site,
        at=now,
        by=by,
        action=action,
        subject=f"schedule {schedule.number}",
        after=after,
    )


def _posed(schedule: Schedule) -> Problem:
    return Problem.from_dict(schedule.problem)


def _answer(schedule: Schedule) -> Answer:
    rows = schedule.assignments.prefetch_related("technicians").order_by("work_order__number")
    return Answer(
        tuple(
            Place(
                job_id=str(row.work_order_id),
                start_minute=_minute(schedule, row.starts_at),
                end_minute=_minute(schedule, row.ends_at),
                technician_ids=tuple(str(technician.pk) for technician in row.technicians.all()),
            )
            for row in rows
        )
    )


def _minute(schedule: Schedule, at: dt.datetime) -> int:
    return (at - schedule.starts_at) // dt.timedelta(minutes=1)


def _instant(schedule: Schedule, minute: int) -> dt.datetime:
    return schedule.starts_at + dt.timedelta(minutes=minute)


def _plain(violation: Violation) -> dict[str, Any]:
    return {"rule": violation.rule, "parameters": dict(violation.parameters)}


def _hash(document: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _one_at_a_time(site: Site) -> None:
    """Two that make a draft at once would take the same number: the second waits."""
    Site.objects.select_for_update(no_key=True).get(pk=site.pk)


def _next_number(site: Site) -> int:
    highest = Schedule.objects.filter(site=site).aggregate(highest=Max("number"))["highest"]
    return (highest or 0) + 1
