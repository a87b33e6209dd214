"""The pieces of an answer: one assignment, one broken rule, the cost by term."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Parameter = str | int


@dataclass(frozen=True)
class Assignment:
    """One job's place: when, and who.

    ``technician_ids`` follow the seats of the job's roles (a role of count 2 has two seats).
    The checker takes them in any order and seats them as well as it can.
    """

    job_id: str
    start_minute: int
    end_minute: int
    technician_ids: tuple[str, ...] = ()

    def overlaps(self, other: Assignment) -> bool:
        return self.start_minute < other.end_minute and other.start_minute < self.end_minute


@dataclass(frozen=True)
class Violation:
    """One broken rule of one job.

    ``rule`` is a code of docs/reference/scheduler.md; ``parameters`` fill the sentence in any
    language; ``message`` is that sentence in English.
    """

    rule: str
    job_id: str
    message: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """Cost of a schedule by term, in minor units.

    >>> Cost(risk=500, labour=120, left_out=80).total
    700
    """

    risk: int = 0
    labour: int = 0
    overtime: int = 0
    downtime: int = 0
    lateness: int = 0
    change: int = 0
    left_out: int = 0

    @property
    def total(self) -> int:
        return (
            self.risk
            + self.labour
            + self.overtime
            + self.downtime
            + self.lateness
            + self.change
            + self.left_out
        )

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            risk=self.risk + other.risk,
            labour=self.labour + other.labour,
            overtime=self.overtime + other.overtime,
            downtime=self.downtime + other.downtime,
            lateness=self.lateness + other.lateness,
            change=self.change + other.change,
            left_out=self.left_out + other.left_out,
        )
