"""Risks of one asset joined: it fails when the first of its failure modes happens."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from maintenance.choices import ForecastState

# The forecasts that carry a risk; the others say why there is none.
SAYS_SOMETHING = (ForecastState.VALUE, ForecastState.BEYOND_HORIZON)


def of_any(risks: Iterable[float]) -> float:
    """The chance that at least one happens, taking failure modes as independent."""
    return 1 - math.prod(1 - risk for risk in risks)


def of_any_by_day(curves: Sequence[Sequence[float]]) -> list[float]:
    """`of_any` day by day, over the days that all curves have."""
    return [of_any(risks) for risks in zip(*curves, strict=False)]


def median_days(curve: Sequence[float]) -> float | None:
    """The day on which failure becomes as likely as not; None beyond the curve."""
    for day in range(1, len(curve)):
        if curve[day] >= 0.5:
            before, after = curve[day - 1], curve[day]
            return day - 1 + (0.5 - before) / (after - before)
    return None
