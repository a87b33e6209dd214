"""What `solve` answers with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from scheduler.assignment import Cost, Parameter, Violation
from scheduler.documents import decode, encode
from scheduler.schedule import Schedule


class Status(StrEnum):
    """How good the schedule is known to be."""

    optimal = "optimal"
    feasible = "feasible"


class Why(StrEnum):
    """Why a job is left out.

    economic: it could be done, and waiting is cheaper.
    structural: it could not be done even on an empty schedule.
    contention: it could be done on an empty schedule, not beside the others.
    possible: it could be done and would pay; only in a schedule that people changed.
    """

    economic = "economic"
    structural = "structural"
    contention = "contention"
    possible = "possible"


@dataclass(frozen=True)
class Unlock:
    """The smallest change of rules that would bring a job in, and what that would save.

    Attributes:
        waivers: codes of what to change (docs/reference/scheduler.md): one, two or three.
        start_minute, technician_ids: where the job would then stand.
        cost, saving: of doing it there; of that against leaving it out (negative: a loss).
        broken: the rules that it breaks there today, with names and numbers.
    """

    waivers: tuple[str, ...]
    start_minute: int
    technician_ids: tuple[str, ...]
    cost: int
    saving: int
    broken: tuple[Violation, ...]


@dataclass(frozen=True)
class LeftOut:
    """Why one job is left out.

    ``rules`` are codes of what stands in the way, ``parameters`` fill the sentence in any
    language, ``message`` is that sentence in English.
    """

    job_id: str
    why: Why
    rules: tuple[str, ...]
    message: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    unlocks: tuple[Unlock, ...] = ()


@dataclass(frozen=True)
class TracePoint:
    """Where the search stood when a step ended or found something better."""

    step: str
    seconds: float
    cost: int
    bound: int


@dataclass(frozen=True)
class Result:
    """A schedule, what it costs, how far it may be from the best, and why jobs are left out.

    Attributes:
        bound: no schedule that keeps the pins costs less, among starts on the grid.
        gap: (cost - bound) / cost, 0 when the bound is reached.
        violations: broken rules, all of them due to pins.
        repeatable: no clock cut the search short, so the same call gives the same schedule.
    """

    schedule: Schedule
    cost: Cost
    cost_unscheduled: Cost
    bound: int
    gap: float
    status: Status
    left_out: tuple[LeftOut, ...]
    violations: tuple[Violation, ...]
    seed: int
    repeatable: bool
    seconds: float
    trace: tuple[TracePoint, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, as in docs/reference/scheduler.md."""
        plain: dict[str, Any] = encode(self)
        return plain

    @classmethod
    def from_dict(cls, document: object) -> Result:
        """A result from plain JSON values.

        Raises:
            DocumentError: a key or a type is not as documented.
        """
        return decode(cls, document)

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False)
