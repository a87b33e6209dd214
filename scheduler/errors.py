"""Errors of the scheduler.

::

    SchedulerError
    ├── ProblemError       the problem contradicts itself; names the field
    └── DocumentError      a JSON document is not in the documented form; names the place
"""

from __future__ import annotations


class SchedulerError(Exception):
    """Base of every error the scheduler raises."""


class ProblemError(SchedulerError):
    """A problem that makes no sense, with the field that is wrong.

    >>> str(ProblemError("jobs[J1].duration_minutes", "must be at least 1, is 0"))
    'jobs[J1].duration_minutes: must be at least 1, is 0'
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class DocumentError(SchedulerError):
    """A JSON document that is not in the documented form, with the place that is wrong."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")
        self.place = place
        self.reason = reason
