"""The scheduler: from jobs, people, tools and parts to a schedule, with reasons.

Plain typed Python in, plain typed Python out. ``Problem`` says what is to be done, ``solve``
answers with a ``Result``, ``Schedule`` judges any answer without the solver.
"""

from scheduler.assignment import Assignment, Cost, Violation
from scheduler.errors import DocumentError, ProblemError, SchedulerError
from scheduler.explain import explain
from scheduler.moves import Move, alternatives, check_move
from scheduler.options import Waiver
from scheduler.problem import (
    Asset,
    Delivery,
    Interval,
    Job,
    Outage,
    Part,
    PartNeed,
    Pin,
    Problem,
    Published,
    Role,
    Technician,
    ToolNeed,
    ToolType,
    Window,
)
from scheduler.result import LeftOut, Result, Status, TracePoint, Unlock, Why
from scheduler.schedule import Schedule, cost_unscheduled
from scheduler.solve import solve

__all__ = [
    "Asset",
    "Assignment",
    "Cost",
    "Delivery",
    "DocumentError",
    "Interval",
    "Job",
    "LeftOut",
    "Move",
    "Outage",
    "Part",
    "PartNeed",
    "Pin",
    "Problem",
    "ProblemError",
    "Published",
    "Result",
    "Role",
    "Schedule",
    "SchedulerError",
    "Status",
    "Technician",
    "ToolNeed",
    "ToolType",
    "TracePoint",
    "Unlock",
    "Violation",
    "Waiver",
    "Why",
    "Window",
    "alternatives",
    "check_move",
    "cost_unscheduled",
    "explain",
    "solve",
]
