"""The scheduler: from jobs, people, tools and parts to a schedule, with reasons.

Plain typed Python in, plain typed Python out. ``Problem`` says what is to be done, ``solve``
answers with a ``Result``, ``Schedule`` judges any answer without the solver.
"""

from scheduler.assignment import Assignment, Cost, Violation
from scheduler.errors import DocumentError, ProblemError, SchedulerError
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
from scheduler.schedule import Schedule, cost_unscheduled

__all__ = [
    "Asset",
    "Assignment",
    "Cost",
    "Delivery",
    "DocumentError",
    "Interval",
    "Job",
    "Outage",
    "Part",
    "PartNeed",
    "Pin",
    "Problem",
    "ProblemError",
    "Published",
    "Role",
    "Schedule",
    "SchedulerError",
    "Technician",
    "ToolNeed",
    "ToolType",
    "Violation",
    "Window",
    "cost_unscheduled",
]
