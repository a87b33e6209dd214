"""What is to be scheduled: jobs, technicians, assets, tools, parts and their prices.

**Time** is whole minutes from the start of the schedule. ``Problem.day_starts_minutes`` says where
the local days begin; its last entry is the end of the schedule. A day of 1380 or 1500 minutes
(the clock changes) needs nothing special. Intervals are half-open: ``[start, end)``.

**Money** is whole minor units of one currency (cents). A price per hour times minutes is rounded
**up** to a whole unit, once for each technician of each job (labour, overtime) and once for each
job (downtime): ``ceil(price_per_hour * minutes / 60)``.

A problem refuses nonsense when it is created, with an error that names the field. What is merely
impossible (a skill nobody has, a pin against a rule, a part that never comes) is not nonsense:
the answer explains it.

>>> problem = Problem(
...     day_starts_minutes=(0, 1440, 2880),
...     assets=(Asset(id="PRESS-1"),),
...     technicians=(
...         Technician(id="ana", skills={"hydraulics": 2}, shifts=(Interval(480, 960),)),
...     ),
...     jobs=(
...         Job(
...             id="J1",
...             asset_id="PRESS-1",
...             duration_minutes=120,
...             roles=(Role(skill="hydraulics"),),
...             cost_by_day=(100, 300),
...             leave_out_cost=900,
...         ),
...     ),
... )
>>> problem.end_minute, problem.day_of(1500)
(2880, 1)
>>> Problem.from_json(problem.to_json()) == problem
True
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeVar

from scheduler.documents import decode, encode
from scheduler.errors import DocumentError, ProblemError

LARGEST_AMOUNT = 10**11
"""No amount of money may be larger, so that no sum overflows the solver's 64 bits."""

_Named = TypeVar("_Named", "Job", "Technician", "Asset", "ToolType", "Part")


@dataclass(frozen=True)
class Interval:
    """Minutes ``[start_minute, end_minute)``."""

    start_minute: int
    end_minute: int

    def __post_init__(self) -> None:
        if self.end_minute <= self.start_minute:
            reason = f"must end after it starts, is [{self.start_minute}, {self.end_minute})"
            raise ProblemError("interval", reason)

    @property
    def minutes(self) -> int:
        return self.end_minute - self.start_minute

    def overlap(self, start_minute: int, end_minute: int) -> int:
        """Minutes shared with ``[start_minute, end_minute)``.

        >>> Interval(480, 960).overlap(900, 1000)
        60
        """
        return max(0, min(self.end_minute, end_minute) - max(self.start_minute, start_minute))


@dataclass(frozen=True)
class Window(Interval):
    """When an asset may be stopped, and what an hour of standing still costs then."""

    price_per_hour: int = 0


@dataclass(frozen=True)
class Outage(Interval):
    """When ``count`` tools of a type are not there; ``reason`` is a word such as calibration."""

    count: int = 1
    reason: str = "calibration"


@dataclass(frozen=True)
class Role:
    """``count`` technicians with ``skill`` at ``level`` or above."""

    skill: str
    level: int = 1
    count: int = 1


@dataclass(frozen=True)
class ToolNeed:
    tool_id: str
    count: int = 1


@dataclass(frozen=True)
class PartNeed:
    part_id: str
    quantity: int = 1


@dataclass(frozen=True)
class Pin:
    """The planner's word: the job starts then, and with them if they are named."""

    start_minute: int
    technician_ids: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Published:
    """Where the job stood when people were last told, and what moving it costs.

    Leaving the job out counts as moving it to the first day after the schedule with none of its
    people. Technicians who are no longer in the problem may be named.
    """

    start_minute: int
    technician_ids: tuple[str, ...] = ()
    price_per_day: int = 0
    price_per_technician: int = 0


@dataclass(frozen=True)
class Job:
    """One piece of work on one asset, done without a break.

    Attributes:
        cost_by_day: expected cost, one for each day of the schedule, if the job starts that day
            (risk and wasted life; without labour, downtime, lateness and change).
        leave_out_cost: expected cost of leaving it to a later schedule.
        earliest_start_minute, latest_end_minute: when it may be done; None is no limit.
        due_minute, late_price_per_day: each day that it starts after the day of ``due_minute``
            costs ``late_price_per_day``.
        predecessors: jobs that must be finished before this one starts.
    """

    id: str
    asset_id: str
    duration_minutes: int
    cost_by_day: tuple[int, ...]
    leave_out_cost: int
    name: str = ""
    roles: tuple[Role, ...] = ()
    tools: tuple[ToolNeed, ...] = ()
    parts: tuple[PartNeed, ...] = ()
    earliest_start_minute: int | None = None
    latest_end_minute: int | None = None
    due_minute: int | None = None
    late_price_per_day: int = 0
    predecessors: tuple[str, ...] = ()
    pin: Pin | None = None
    published: Published | None = None

    @property
    def label(self) -> str:
        return self.name or self.id

    @cached_property
    def seats(self) -> tuple[Role, ...]:
        """One role of count 1 for each technician the job needs."""
        return tuple(Role(r.skill, r.level) for r in self.roles for _ in range(r.count))


@dataclass(frozen=True)
class Technician:
    """One person.

    Attributes:
        skills: level by skill.
        certificates: for skills that need one, the minute until which it is valid (None: always).
        shifts: when the person works, absences already taken out.
        absences: the stretches of shift lost to absence, to explain and to price them.
        overtime: when the person may work beyond the shifts, at ``overtime_premium_per_hour``
            on top of ``price_per_hour``.
    """

    id: str
    name: str = ""
    skills: Mapping[str, int] = field(default_factory=dict)
    certificates: Mapping[str, int | None] = field(default_factory=dict)
    shifts: tuple[Interval, ...] = ()
    absences: tuple[Interval, ...] = ()
    overtime: tuple[Interval, ...] = ()
    price_per_hour: int = 0
    overtime_premium_per_hour: int = 0

    @property
    def label(self) -> str:
        return self.name or self.id


@dataclass(frozen=True)
class Asset:
    """One asset; without windows it may be stopped at any time, at no price."""

    id: str
    name: str = ""
    windows: tuple[Window, ...] = ()

    @property
    def label(self) -> str:
        return self.name or self.id


@dataclass(frozen=True)
class ToolType:
    id: str
    count: int
    name: str = ""
    outages: tuple[Outage, ...] = ()

    @property
    def label(self) -> str:
        return self.name or self.id


@dataclass(frozen=True)
class Delivery:
    minute: int
    quantity: int


@dataclass(frozen=True)
class Part:
    id: str
    stock: int
    name: str = ""
    deliveries: tuple[Delivery, ...] = ()

    @property
    def label(self) -> str:
        return self.name or self.id


@dataclass(frozen=True)
class Problem:
    """Everything the scheduler needs to know.

    Attributes:
        frozen_until_minute: no job starts before it unless it is pinned there.

    Raises:
        ProblemError: a field contradicts another or itself.
    """

    day_starts_minutes: tuple[int, ...]
    jobs: tuple[Job, ...] = ()
    technicians: tuple[Technician, ...] = ()
    assets: tuple[Asset, ...] = ()
    tools: tuple[ToolType, ...] = ()
    parts: tuple[Part, ...] = ()
    frozen_until_minute: int = 0

    def __post_init__(self) -> None:
        _refuse_bad_days(self.day_starts_minutes)
        for name in ("jobs", "technicians", "assets", "tools", "parts"):
            _refuse_repeated_ids(name, [item.id for item in getattr(self, name)])
        for technician in self.technicians:
            _refuse_bad_technician(technician)
        for asset in self.assets:
            _refuse_bad_asset(asset)
        for tool in self.tools:
            _refuse_bad_tool(tool)
        for part in self.parts:
            _refuse_bad_part(part)
        for job in self.jobs:
            _refuse_bad_job(self, job)
        _refuse_circular_predecessors(self)

    @property
    def end_minute(self) -> int:
        return self.day_starts_minutes[-1]

    @property
    def day_count(self) -> int:
        return len(self.day_starts_minutes) - 1

    def day_of(self, minute: int) -> int:
        """The day, from 0, in which a minute falls; before the first 0, after the last the last."""
        day = bisect_right(self.day_starts_minutes, minute) - 1
        return min(max(day, 0), self.day_count - 1)

    @cached_property
    def job_by_id(self) -> dict[str, Job]:
        return _by_id(self.jobs)

    @cached_property
    def technician_by_id(self) -> dict[str, Technician]:
        return _by_id(self.technicians)

    @cached_property
    def asset_by_id(self) -> dict[str, Asset]:
        return _by_id(self.assets)

    @cached_property
    def tool_by_id(self) -> dict[str, ToolType]:
        return _by_id(self.tools)

    @cached_property
    def part_by_id(self) -> dict[str, Part]:
        return _by_id(self.parts)

    @cached_property
    def successors(self) -> dict[str, tuple[str, ...]]:
        """Jobs that wait for each job."""
        waiting: dict[str, list[str]] = {job.id: [] for job in self.jobs}
        for job in self.jobs:
            for predecessor in job.predecessors:
                waiting[predecessor].append(job.id)
        return {job_id: tuple(ids) for job_id, ids in waiting.items()}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, as in docs/reference/scheduler.md."""
        plain: dict[str, Any] = encode(self)
        return plain

    @classmethod
    def from_dict(cls, document: object) -> Problem:
        """A problem from plain JSON values.

        Raises:
            DocumentError: a key or a type is not as documented.
            ProblemError: the values contradict each other.
        """
        return decode(cls, document)

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Problem:
        """A problem from JSON text; see `from_dict`."""
        try:
            document = json.loads(text)
        except ValueError as error:
            raise DocumentError("$", f"not JSON: {error}") from None
        return cls.from_dict(document)


def _by_id(items: tuple[_Named, ...]) -> dict[str, _Named]:
    return {item.id: item for item in items}


def _refuse_bad_days(starts: tuple[int, ...]) -> None:
    name = "day_starts_minutes"
    if len(starts) < 2:
        raise ProblemError(name, "needs the start of one day and the end of the schedule")
    if starts[0] != 0:
        raise ProblemError(name, f"must start at 0, starts at {starts[0]}")
    if any(after <= before for before, after in pairwise(starts)):
        raise ProblemError(name, "must increase")


def _refuse_repeated_ids(name: str, ids: list[str]) -> None:
    seen: set[str] = set()
    for item_id in ids:
        if not item_id:
            raise ProblemError(f"{name}.id", "is empty")
        if item_id in seen:
            raise ProblemError(f"{name}[{item_id}]", "stands twice")
        seen.add(item_id)


def _refuse_bad_technician(technician: Technician) -> None:
    place = f"technicians[{technician.id}]"
    _refuse_bad_amount(f"{place}.price_per_hour", technician.price_per_hour, 0)
    premium = technician.overtime_premium_per_hour
    _refuse_bad_amount(f"{place}.overtime_premium_per_hour", premium, 0)


def _refuse_bad_asset(asset: Asset) -> None:
    for index, window in enumerate(asset.windows):
        place = f"assets[{asset.id}].windows[{index}].price_per_hour"
        _refuse_bad_amount(place, window.price_per_hour, 0)


def _refuse_bad_tool(tool: ToolType) -> None:
    _refuse_below(f"tools[{tool.id}].count", tool.count, 0)
    for index, outage in enumerate(tool.outages):
        _refuse_below(f"tools[{tool.id}].outages[{index}].count", outage.count, 1)


def _refuse_bad_part(part: Part) -> None:
    _refuse_below(f"parts[{part.id}].stock", part.stock, 0)
    for index, delivery in enumerate(part.deliveries):
        _refuse_below(f"parts[{part.id}].deliveries[{index}].quantity", delivery.quantity, 1)


def _refuse_bad_job(problem: Problem, job: Job) -> None:
    place = f"jobs[{job.id}]"
    _refuse_below(f"{place}.duration_minutes", job.duration_minutes, 1)
    _refuse_bad_costs(problem, job, place)
    _refuse_bad_needs(problem, job, place)
    _refuse_unknown(f"{place}.asset_id", [job.asset_id], problem.asset_by_id)
    _refuse_unknown(f"{place}.predecessors", job.predecessors, problem.job_by_id)
    if job.pin is not None:
        _refuse_bad_pin(problem, job.pin, f"{place}.pin")


def _refuse_bad_costs(problem: Problem, job: Job, place: str) -> None:
    if len(job.cost_by_day) != problem.day_count:
        reason = f"needs one amount a day ({problem.day_count}), has {len(job.cost_by_day)}"
        raise ProblemError(f"{place}.cost_by_day", reason)
    for day, amount in enumerate(job.cost_by_day):
        _refuse_bad_amount(f"{place}.cost_by_day[{day}]", amount)
    _refuse_bad_amount(f"{place}.leave_out_cost", job.leave_out_cost)
    _refuse_bad_amount(f"{place}.late_price_per_day", job.late_price_per_day, 0)
    if job.published is not None:
        published = job.published
        _refuse_bad_amount(f"{place}.published.price_per_day", published.price_per_day, 0)
        price = published.price_per_technician
        _refuse_bad_amount(f"{place}.published.price_per_technician", price, 0)


def _refuse_bad_needs(problem: Problem, job: Job, place: str) -> None:
    for index, role in enumerate(job.roles):
        _refuse_below(f"{place}.roles[{index}].count", role.count, 1)
    _refuse_unknown(f"{place}.tools", [need.tool_id for need in job.tools], problem.tool_by_id)
    _refuse_unknown(f"{place}.parts", [need.part_id for need in job.parts], problem.part_by_id)
    _refuse_repeated_ids(f"{place}.tools", [need.tool_id for need in job.tools])
    _refuse_repeated_ids(f"{place}.parts", [need.part_id for need in job.parts])
    for tool in job.tools:
        _refuse_below(f"{place}.tools[{tool.tool_id}].count", tool.count, 1)
    for part in job.parts:
        _refuse_below(f"{place}.parts[{part.part_id}].quantity", part.quantity, 1)


def _refuse_bad_pin(problem: Problem, pin: Pin, place: str) -> None:
    if not 0 <= pin.start_minute < problem.end_minute:
        reason = f"must lie in [0, {problem.end_minute}), is {pin.start_minute}"
        raise ProblemError(f"{place}.start_minute", reason)
    ids = pin.technician_ids or ()
    _refuse_unknown(f"{place}.technician_ids", ids, problem.technician_by_id)
    _refuse_repeated_ids(f"{place}.technician_ids", list(ids))


def _refuse_unknown(place: str, ids: Iterable[str], known: Mapping[str, object]) -> None:
    for item_id in ids:
        if item_id not in known:
            raise ProblemError(place, f"{item_id!r} is not in the problem")


def _refuse_below(place: str, value: int, least: int) -> None:
    if value < least:
        raise ProblemError(place, f"must be at least {least}, is {value}")


def _refuse_bad_amount(place: str, amount: int, least: int = -LARGEST_AMOUNT) -> None:
    if not least <= amount <= LARGEST_AMOUNT:
        raise ProblemError(place, f"must lie between {least} and {LARGEST_AMOUNT}, is {amount}")


def _refuse_circular_predecessors(problem: Problem) -> None:
    waiting_for = {job.id: set(job.predecessors) for job in problem.jobs}
    ready = [job_id for job_id, ids in waiting_for.items() if not ids]
    while ready:
        finished = ready.pop()
        for successor in problem.successors[finished]:
            waiting_for[successor].discard(finished)
            if not waiting_for[successor]:
                ready.append(successor)
        del waiting_for[finished]
    if waiting_for:
        names = ", ".join(sorted(waiting_for))
        raise ProblemError("jobs.predecessors", f"wait for each other in a circle: {names}")
