"""What is refused, and why.

Refusal           a field of the report says what cannot be
NotAllowed        the work order cannot change to that state
"""

from __future__ import annotations

from maintenance.choices import WorkOrderState
from maintenance.models import WorkOrder


class Refusal(Exception):
    """Nothing was changed: `field` of the report cannot be so, for a reason in words."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class NotAllowed(Exception):
    """The work order cannot change to that state from the one it is in."""

    def __init__(self, work_order: WorkOrder, state: WorkOrderState) -> None:
        super().__init__(f"work order {work_order.number}: {work_order.state} -> {state}")
        self.work_order = work_order
        self.state = state
