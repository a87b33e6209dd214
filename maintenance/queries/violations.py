"""The rules a change by hand breaks, each told once in the reader's language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from maintenance.models import Schedule
from maintenance.queries.words import rule_words

if TYPE_CHECKING:
    from scheduler import Violation


def sentences(violations: Sequence[Violation], *, schedule: Schedule, about: str = "") -> list[str]:
    """Those of the work order `about` first; those of others only where they say more.

    A clash is seen from both sides: what the moved work order has said already is not said
    again by the other one.
    """
    own = [v for v in violations if v.job_id == about]
    said = {violation.rule for violation in own}
    others = [v for v in violations if v.job_id != about and v.rule not in said]
    told = [rule_words(v.rule, v.parameters, starts_at=schedule.starts_at) for v in own]
    for violation in others:
        words = rule_words(violation.rule, violation.parameters, starts_at=schedule.starts_at)
        told.append(f"{violation.parameters.get('job', violation.job_id)}: {words}")
    return list(dict.fromkeys(told))
