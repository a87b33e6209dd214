"""The hard rules, checked on a finished schedule.

One function a rule, each opening with the rule as a planner would say it. Nothing here is shared
with the solver: an answer is judged by different code than the code that found it. The order of
the rules does not matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from scheduler.assignment import Assignment, Parameter, Violation
from scheduler.problem import Interval, Job, Part, Problem, Role, Technician, ToolType

MESSAGES: dict[str, str] = {
    "unknown_job": "{job} is not in the problem",
    "scheduled_twice": "{job} stands {times} times in the schedule",
    "wrong_duration": "{job} takes {needed} minutes, the schedule gives it {given}",
    "unknown_technician": "{technician} is not in the problem",
    "technician_twice": "{technician} stands twice in the crew of {job}",
    "outside_schedule": "{job} does not lie within the schedule",
    "frozen_period": "{job} starts in the frozen period, which ends at minute {until}",
    "too_early": "{job} may not start before minute {earliest}",
    "too_late": "{job} must end by minute {latest}",
    "pin_moved": "{job} is pinned to minute {pinned}",
    "pin_crew_changed": "{job} is pinned to {technician}",
    "crew_incomplete": "{job} lacks {missing} technician(s) with {skill} level {level}",
    "crew_too_large": "{technician} has no role in {job}",
    "skill_missing": "{technician} does not have {skill}, which {job} needs",
    "level_too_low": "{technician} has {skill} level {has}, {job} needs level {level}",
    "certificate_expired": "the certificate of {technician} for {skill} ends at minute {until}",
    "off_shift": "{technician} is not on shift for the whole of {job}",
    "absent": "{technician} is absent during {job}",
    "technician_busy": "{technician} is on {other} at that time",
    "asset_busy": "{asset} is already stopped by {other} at that time",
    "outside_window": "{asset} may not be stopped for the whole of {job}",
    "tool_short": "{needed} {tool} needed at once, there are {available}",
    "tool_unavailable": "{needed} {tool} needed, {available} there ({reason})",
    "part_short": "{needed} {part} needed by then, {available} there",
    "predecessor_left_out": "{other} must be finished before {job} and is left out",
    "predecessor_not_finished": "{other} must be finished before {job} starts",
}
"""Every rule code with its sentence in English."""


def broken(rule: str, job: Job, **parameters: Parameter) -> Violation:
    filled: dict[str, Parameter] = {"job": job.label, **parameters}
    return Violation(rule, job.id, MESSAGES[rule].format(**filled), filled)


@dataclass(frozen=True)
class Board:
    """The schedule as the rules read it: known jobs, each once, with their crews seated."""

    problem: Problem
    assignments: tuple[Assignment, ...]

    @cached_property
    def placed(self) -> dict[str, Assignment]:
        known = self.problem.job_by_id
        first: dict[str, Assignment] = {}
        for assignment in self.assignments:
            if assignment.job_id in known:
                first.setdefault(assignment.job_id, assignment)
        return first

    @cached_property
    def jobs(self) -> tuple[tuple[Job, Assignment], ...]:
        return tuple((self.problem.job_by_id[i], a) for i, a in self.placed.items())

    @cached_property
    def crews(self) -> dict[str, tuple[tuple[Role | None, Technician | None], ...]]:
        return {job.id: tuple(seat_crew(self.problem, job, a)) for job, a in self.jobs}

    def technicians(self, assignment: Assignment) -> list[Technician]:
        known = self.problem.technician_by_id
        ids = dict.fromkeys(assignment.technician_ids)
        return [known[technician_id] for technician_id in ids if technician_id in known]

    def by_technician(self) -> dict[str, list[tuple[Job, Assignment]]]:
        work: dict[str, list[tuple[Job, Assignment]]] = {}
        for job, assignment in self.jobs:
            for technician in self.technicians(assignment):
                work.setdefault(technician.id, []).append((job, assignment))
        return work

    def by_asset(self) -> dict[str, list[tuple[Job, Assignment]]]:
        work: dict[str, list[tuple[Job, Assignment]]] = {}
        for job, assignment in self.jobs:
            work.setdefault(job.asset_id, []).append((job, assignment))
        return work


def seat_crew(
    problem: Problem, job: Job, assignment: Assignment
) -> Iterator[tuple[Role | None, Technician | None]]:
    """Pair seats and people so that as many as possible fit; the rest pair as they come.

    A seat without a person and a person without a seat are paired with None.
    """
    ids = dict.fromkeys(assignment.technician_ids)
    known = problem.technician_by_id
    people = [known[technician_id] for technician_id in ids if technician_id in known]
    seats = list(job.seats)
    taken = _match(seats, people, assignment.end_minute)
    spare = [i for i in range(len(people)) if i not in taken.values()]
    for index, seat in enumerate(seats):
        if index in taken:
            yield seat, people[taken[index]]
        else:
            yield seat, people[spare.pop(0)] if spare else None
    for index in spare:
        yield None, people[index]


def _match(seats: Sequence[Role], people: Sequence[Technician], end: int) -> dict[int, int]:
    """Largest matching of seats to people who may fill them (augmenting paths)."""
    seat_of: dict[int, int] = {}

    def find(seat: int, tried: set[int]) -> bool:
        for index, person in enumerate(people):
            if index in tried or not _may_fill(seats[seat], person, end):
                continue
            tried.add(index)
            if index not in seat_of or find(seat_of[index], tried):
                seat_of[index] = seat
                return True
        return False

    for seat in range(len(seats)):
        find(seat, set())
    return {seat: person for person, seat in seat_of.items()}


def _may_fill(role: Role, person: Technician, end: int) -> bool:
    if role.skill not in person.skills or person.skills[role.skill] < role.level:
        return False
    until = person.certificates.get(role.skill)
    return until is None or until >= end


def jobs_are_known_and_stand_once(board: Board) -> Iterator[Violation]:
    """A job of the problem stands in the schedule at most once."""
    for job_id, times in Counter(a.job_id for a in board.assignments).items():
        job = board.problem.job_by_id.get(job_id)
        if job is None:
            message = MESSAGES["unknown_job"].format(job=job_id)
            yield Violation("unknown_job", job_id, message, {"job": job_id})
        elif times > 1:
            yield broken("scheduled_twice", job, times=times)


def jobs_take_their_time(board: Board) -> Iterator[Violation]:
    """A job is given exactly the minutes that it takes."""
    for job, assignment in board.jobs:
        given = assignment.end_minute - assignment.start_minute
        if given != job.duration_minutes:
            yield broken("wrong_duration", job, needed=job.duration_minutes, given=given)


def jobs_lie_within_the_schedule(board: Board) -> Iterator[Violation]:
    """A job starts and ends within the schedule."""
    for job, assignment in board.jobs:
        if assignment.start_minute < 0 or assignment.end_minute > board.problem.end_minute:
            yield broken("outside_schedule", job)


def the_frozen_period_is_left_alone(board: Board) -> Iterator[Violation]:
    """Nothing new starts in the frozen period; what is pinned there stays."""
    until = board.problem.frozen_until_minute
    for job, assignment in board.jobs:
        if job.pin is None and assignment.start_minute < until:
            yield broken("frozen_period", job, until=until)


def jobs_keep_their_dates(board: Board) -> Iterator[Violation]:
    """A job starts no earlier and ends no later than its dates allow."""
    for job, assignment in board.jobs:
        earliest, latest = job.earliest_start_minute, job.latest_end_minute
        if earliest is not None and assignment.start_minute < earliest:
            yield broken("too_early", job, earliest=earliest)
        if latest is not None and assignment.end_minute > latest:
            yield broken("too_late", job, latest=latest)


def pins_are_kept(board: Board) -> Iterator[Violation]:
    """A pinned job starts when it is pinned, with the people it is pinned to."""
    for job in board.problem.jobs:
        if job.pin is None:
            continue
        assignment = board.placed.get(job.id)
        if assignment is None or assignment.start_minute != job.pin.start_minute:
            yield broken("pin_moved", job, pinned=job.pin.start_minute)
        pinned = job.pin.technician_ids or ()
        given = assignment.technician_ids if assignment is not None else pinned
        for technician_id in pinned:
            if technician_id not in given:
                technician = board.problem.technician_by_id[technician_id]
                yield broken("pin_crew_changed", job, technician=technician.label)


def crews_name_people_once(board: Board) -> Iterator[Violation]:
    """A crew names people of the problem, each once."""
    known = board.problem.technician_by_id
    for job, assignment in board.jobs:
        for technician_id, times in Counter(assignment.technician_ids).items():
            if technician_id not in known:
                yield broken("unknown_technician", job, technician=technician_id)
            elif times > 1:
                yield broken("technician_twice", job, technician=known[technician_id].label)


def crews_are_complete(board: Board) -> Iterator[Violation]:
    """Every role has all its people, and nobody comes along without a role."""
    for job, _ in board.jobs:
        missing: Counter[tuple[str, int]] = Counter()
        for seat, person in board.crews[job.id]:
            if person is None and seat is not None:
                missing[seat.skill, seat.level] += 1
            elif person is not None and seat is None:
                yield broken("crew_too_large", job, technician=person.label)
        for (skill, level), count in missing.items():
            yield broken("crew_incomplete", job, missing=count, skill=skill, level=level)


def people_have_the_skill_and_level(board: Board) -> Iterator[Violation]:
    """Whoever fills a role has its skill at its level."""
    for job, _ in board.jobs:
        for seat, person in board.crews[job.id]:
            if seat is None or person is None:
                continue
            has = person.skills.get(seat.skill)
            who: dict[str, Parameter] = {"technician": person.label, "skill": seat.skill}
            if has is None:
                yield broken("skill_missing", job, **who)
            elif has < seat.level:
                yield broken("level_too_low", job, has=has, level=seat.level, **who)


def certificates_are_valid(board: Board) -> Iterator[Violation]:
    """A skill that needs a certificate is used only while the certificate is valid."""
    for job, assignment in board.jobs:
        for seat, person in board.crews[job.id]:
            if seat is None or person is None:
                continue
            until = person.certificates.get(seat.skill)
            if until is not None and until < assignment.end_minute:
                name = person.label
                yield broken(
                    "certificate_expired", job, technician=name, skill=seat.skill, until=until
                )


def people_are_on_shift(board: Board) -> Iterator[Violation]:
    """Everybody in the crew is at work for the whole job: on shift or overtime, not absent."""
    for job, assignment in board.jobs:
        start, end = assignment.start_minute, assignment.end_minute
        for person in board.technicians(assignment):
            if _covers([*person.shifts, *person.overtime], start, end):
                continue
            away = any(absence.overlap(start, end) for absence in person.absences)
            yield broken("absent" if away else "off_shift", job, technician=person.label)


def _covers(intervals: Sequence[Interval], start: int, end: int) -> bool:
    """Whether intervals that touch or overlap cover the whole of [start, end)."""
    reached = start
    for interval in sorted(intervals, key=lambda i: i.start_minute):
        if interval.start_minute > reached:
            break
        reached = max(reached, interval.end_minute)
    return reached >= end


def people_do_one_job_at_a_time(board: Board) -> Iterator[Violation]:
    """Nobody is on two jobs at once."""
    known = board.problem.technician_by_id
    for technician_id, work in board.by_technician().items():
        for job, other in _overlapping(work):
            name = known[technician_id].label
            yield broken("technician_busy", job, technician=name, other=other.label)


def assets_are_stopped_by_one_job_at_a_time(board: Board) -> Iterator[Violation]:
    """An asset is not stopped by two jobs at once."""
    for asset_id, work in board.by_asset().items():
        for job, other in _overlapping(work):
            name = board.problem.asset_by_id[asset_id].label
            yield broken("asset_busy", job, asset=name, other=other.label)


def _overlapping(work: list[tuple[Job, Assignment]]) -> Iterator[tuple[Job, Job]]:
    """Each pair that overlaps, seen from both sides."""
    for job, assignment in work:
        for other, beside in work:
            if job.id != other.id and assignment.overlaps(beside):
                yield job, other


def assets_are_stopped_within_a_window(board: Board) -> Iterator[Violation]:
    """A job lies within one window of its asset; without windows any time will do."""
    for job, assignment in board.jobs:
        asset = board.problem.asset_by_id[job.asset_id]
        start, end = assignment.start_minute, assignment.end_minute
        fits = [w for w in asset.windows if w.start_minute <= start and end <= w.end_minute]
        if asset.windows and not fits:
            yield broken("outside_window", job, asset=asset.label)


def tools_are_there(board: Board) -> Iterator[Violation]:
    """At no moment are more tools of a type in use than there are, less those away."""
    for tool in board.problem.tools:
        users = [
            (job, assignment, need.count)
            for job, assignment in board.jobs
            for need in job.tools
            if need.tool_id == tool.id
        ]
        for job, assignment, _ in users:
            yield from _short_of_tools(tool, job, assignment, users)


def _short_of_tools(
    tool: ToolType, job: Job, assignment: Assignment, users: list[tuple[Job, Assignment, int]]
) -> Iterator[Violation]:
    """The first moment of the job at which too many are in use."""
    changes = {assignment.start_minute}
    changes |= {a.start_minute for _, a, _ in users} | {o.start_minute for o in tool.outages}
    for minute in sorted(changes):
        if not assignment.start_minute <= minute < assignment.end_minute:
            continue
        needed = sum(n for _, a, n in users if a.start_minute <= minute < a.end_minute)
        away = [o for o in tool.outages if o.start_minute <= minute < o.end_minute]
        available = max(0, tool.count - sum(outage.count for outage in away))
        if needed <= available:
            continue
        numbers: dict[str, Parameter] = {"needed": needed, "available": available}
        if needed <= tool.count:
            reason = away[0].reason
            yield broken("tool_unavailable", job, tool=tool.label, reason=reason, **numbers)
        else:
            yield broken("tool_short", job, tool=tool.label, **numbers)
        return


def parts_are_there(board: Board) -> Iterator[Violation]:
    """When a job starts, its parts and those of all earlier starts are in stock or delivered."""
    for part in board.problem.parts:
        users = [
            (job, assignment.start_minute, need.quantity)
            for job, assignment in board.jobs
            for need in job.parts
            if need.part_id == part.id
        ]
        for job, start, _ in users:
            needed = sum(quantity for _, at, quantity in users if at <= start)
            available = _supply(part, start)
            if needed <= available:
                continue
            later = [d.minute for d in part.deliveries if d.minute > start]
            numbers: dict[str, Parameter] = {"needed": needed, "available": available}
            if later:
                numbers["next_delivery"] = min(later)
            yield broken("part_short", job, part=part.label, **numbers)


def _supply(part: Part, minute: int) -> int:
    return part.stock + sum(d.quantity for d in part.deliveries if d.minute <= minute)


def predecessors_are_finished(board: Board) -> Iterator[Violation]:
    """What must come before is in the schedule and finished when the job starts."""
    for job, assignment in board.jobs:
        for predecessor_id in job.predecessors:
            label = board.problem.job_by_id[predecessor_id].label
            before = board.placed.get(predecessor_id)
            if before is None:
                yield broken("predecessor_left_out", job, other=label)
            elif before.end_minute > assignment.start_minute:
                yield broken("predecessor_not_finished", job, other=label)


RULES: tuple[Callable[[Board], Iterator[Violation]], ...] = (
    jobs_are_known_and_stand_once,
    jobs_take_their_time,
    jobs_lie_within_the_schedule,
    the_frozen_period_is_left_alone,
    jobs_keep_their_dates,
    pins_are_kept,
    crews_name_people_once,
    crews_are_complete,
    people_have_the_skill_and_level,
    certificates_are_valid,
    people_are_on_shift,
    people_do_one_job_at_a_time,
    assets_are_stopped_by_one_job_at_a_time,
    assets_are_stopped_within_a_window,
    tools_are_there,
    parts_are_there,
    predecessors_are_finished,
)
