"""Did one sensor of one unit step to another level, while the unit's other sensors did not?

Damage grows over days; a new gain or offset is there from one day to the next and stays. Each
point's daily means are explained by a bend of time, which takes up wear and season, and by the
unit's other points, which take up load. What a step at some night explains beyond that is
judged by its t value (segmented regression of an interrupted series: Wagner, Soumerai, Zhang and
Ross-Degnan 2002).

A repaired unit is another unit, and its few nights explain nothing by themselves. Until it has
`LEAST_NIGHTS`, what its points have to do with each other, and the spread that stays, are
borrowed from the other units of its class (`Usual`); then `LEAST_BEFORE` nights are enough.

Damage comes in jumps, too. While few nights lie after a step one cannot see whether it still
grows, and more evidence is asked for (`EARLY_LIMIT`).

What most units of a class do at once is no sensor's doing: `stepped_together` tells it apart.

How often that finds and how often it errs stands in docs/explanation/models.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from predictors.dataset import Flags
from predictors.schema import DAY_US, Floats, Instants

NIGHTS = 42
"""How far back a unit's own past is read."""
LEAST_NIGHTS = 16
FEWEST_AFTER = 2
NEWEST_AFTER = 7
"""A step is news while at most so many nights lie after it."""
LEAST_BEFORE = 3
"""Nights after a repair, and before a step, that a young unit must have."""
LIMIT = 9.0
EARLY_NIGHTS = 4
EARLY_LIMIT = 12.0
LEAST_SPREADS = 2.0
MOST_COMPANIONS = 6
BEND = 3
MOST_T = 99.0
MOST_GROWTH = 0.35
LEAST_ALIKE = 3
"""Units that must be known well before the young of their class can be judged by them."""
LEAST_VOTES = 5
VOTE = 0.5
"""Share of the evidence of an alert that lets a unit say that it stepped with the others."""
TOGETHER_NIGHTS = 14


@dataclass(frozen=True)
class Step:
    """A change of level: of which column, how many nights ago, by how much.

    ``size`` in the units of the point, ``spread`` the standard deviation that stays unexplained,
    ``t`` the evidence (with the sign of the change). ``growth``: by which share of its size the
    step still grew between the first and the second half of the nights after it, as damage does.
    """

    column: int
    nights: int
    size: float
    spread: float
    t: float
    growth: float

    @property
    def is_sure(self) -> bool:
        early = self.nights <= EARLY_NIGHTS and abs(self.t) <= EARLY_LIMIT
        return self.is_sure_by(1.0) and self.growth < MOST_GROWTH and not early

    def is_sure_by(self, share: float) -> bool:
        """Whether so much of the evidence that opens an alert is there."""
        enough = abs(self.size) > share * LEAST_SPREADS * self.spread
        return enough and abs(self.t) > share * LIMIT


@dataclass(frozen=True, eq=False)
class Usual:
    """How the points of a class hang together, from those of its units that are known well.

    ``slopes[i, j]``: by how much point i moves with point j, the others held; ``spread[i]``: the
    standard deviation that stays unexplained in the median unit. Units that answer to load each
    in its own way make the spread larger, and so the test more careful.
    """

    slopes: Floats
    spread: Floats

    @classmethod
    def of(cls, units: Sequence[Floats]) -> Self | None:
        """``units``: daily means float64[nights, points] of each; None where too few are known.

        >>> random = np.random.default_rng(1)
        >>> load = random.normal(size=(4, 42, 1))
        >>> usual = Usual.of(list(load * [1.0, 2.0] + random.normal(0, 0.01, (4, 42, 2))))
        >>> usual.slopes.round(1).tolist()
        [[0.0, 0.5], [2.0, 0.0]]
        """
        whole = [unit[np.isfinite(unit).all(axis=1)] for unit in units]
        level = [_level(unit) for unit in whole if len(unit) >= LEAST_NIGHTS]
        if len(level) < LEAST_ALIKE:
            return None
        together, points = np.vstack(level), level[0].shape[1]
        slopes = np.zeros((points, points))
        for point in range(points):
            others = np.delete(np.arange(points), point)
            slopes[point, others] = np.linalg.lstsq(together[:, others], together[:, point])[0]
        rests = [(unit - unit @ slopes.T) ** 2 for unit in level]
        spreads = [np.sqrt(rest.sum(axis=0) / (len(rest) - 2)) for rest in rests]
        least = 1e-9 * np.maximum(1.0, np.abs(np.vstack(whole)).max(axis=0))
        return cls(slopes, np.maximum(np.median(spreads, axis=0), least))


def _level(unit: Floats) -> Floats:
    """What is left of a unit's points without their means and trends."""
    line = np.vander(np.linspace(-1, 1, len(unit)), 2)
    return np.asarray(unit - line @ np.linalg.lstsq(line, unit)[0])


def daily_means(at_us: Instants, values: Floats, *, end_us: int, nights: int = NIGHTS) -> Floats:
    """Means of the ``nights`` days of 24 hours that end at ``end_us``: float64[nights], NaN = none.

    A reading at the end of a day belongs to it.

    >>> means = daily_means(np.array([1, DAY_US, DAY_US + 5]), np.array([2.0, 4.0, 9.0]),
    ...                     end_us=2 * DAY_US, nights=3)
    >>> means.tolist()
    [nan, 3.0, 9.0]
    """
    day = nights - 1 - (end_us - at_us) // DAY_US
    inside = (day >= 0) & (at_us <= end_us)
    count = np.bincount(day[inside], minlength=nights)
    total = np.bincount(day[inside], weights=values[inside], minlength=nights)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def find_step(
    levels: Floats,
    *,
    usual: Usual | None = None,
    most_after: int = NEWEST_AFTER,
    only: int | None = None,
) -> Step | None:
    """The step for which most speaks, sure or not; None where too little is known.

    ``levels`` float64[nights, points]: daily means of one unit since its last repair, the oldest
    night first. Columns that are mostly missing are left out. ``usual`` of its class judges a unit
    that was repaired lately. ``only``: look at that column.

    >>> steady = np.random.default_rng(1).normal(5, 0.1, (42, 3))
    >>> find_step(steady).is_sure
    False
    >>> steady[-4:, 1] += 1
    >>> step = find_step(steady)
    >>> step.column, step.nights, step.is_sure
    (1, 4, True)
    """
    columns = list(range(levels.shape[1])) if only is None else [only]
    if len(levels) < LEAST_NIGHTS:
        return _young_step(levels, columns, most_after, usual) if usual and columns else None
    return _surest([_step_of(levels, column, most_after) for column in columns])


def stepped_together(units: Sequence[Floats]) -> frozenset[int]:
    """The columns in which most units stepped the same way within a fortnight.

    ``units``: daily means float64[nights, points] of each since its last repair, the columns the
    same. A unit counts once it is known well enough to say yes or no, by its other points or,
    since these may have stepped as well, without them. Seasons bend and are no step.

    >>> random = np.random.default_rng(1)
    >>> units = list(random.normal(5, 0.1, (8, 42, 3)))
    >>> stepped_together(units)
    frozenset()
    >>> for unit in units:
    ...     unit[-5:, 2] *= 1.2
    >>> stepped_together(units)
    frozenset({2})
    """
    by_column = zip(*(_votes(levels) for levels in units), strict=True)
    return frozenset(column for column, votes in enumerate(by_column) if _is_most(votes))


def _is_most(votes: Sequence[int | None]) -> bool:
    told = [vote for vote in votes if vote is not None]
    return len(told) >= LEAST_VOTES and max(told.count(1), told.count(-1)) > len(told) / 2


def _votes(levels: Floats) -> list[int | None]:
    """Of each column: 1 stepped up, -1 down, 0 neither, None not known.

    Beside the others only the surest column counts: its step shows in what they explain.
    """
    surest = find_step(levels, most_after=TOGETHER_NIGHTS)
    return [_vote(levels[:, [column]], column, surest) for column in range(levels.shape[1])]


def _vote(alone: Floats, column: int, surest: Step | None) -> int | None:
    if np.isfinite(alone).sum() < LEAST_NIGHTS:
        return None
    beside = surest if surest and surest.column == column else None
    found = _surest([_step_of(alone, 0, TOGETHER_NIGHTS), beside])
    return int(np.sign(found.size)) if found and found.is_sure_by(VOTE) else 0


def _surest(found: Sequence[Step | None]) -> Step | None:
    return max((one for one in found if one), key=lambda one: abs(one.t), default=None)


def _young_step(
    levels: Floats, columns: Sequence[int], most_after: int, usual: Usual
) -> Step | None:
    """Of a unit with few nights: means before and after, load taken away as the class does.

    Which point and night is asked in the spreads of the class, since a point that steps shows in
    what it explains of others; how sure it is, in the unit's own where that is larger.
    """
    rows = np.isfinite(levels).all(axis=1)
    rest = (levels - levels @ usual.slopes.T)[rows]
    nights_ago = np.arange(len(levels), 0, -1)[rows]
    best, strongest = None, 0.0
    for nights in range(FEWEST_AFTER, most_after + 1):
        after = nights_ago <= nights
        if after.sum() < FEWEST_AFTER or (~after).sum() < LEAST_BEFORE:
            continue
        power = math.sqrt(after.sum() * (~after).sum() / len(after))
        size = rest[after].mean(axis=0) - rest[~after].mean(axis=0)
        evidence = np.abs(power * size / usual.spread)[columns]
        if evidence.max() > strongest:
            column, strongest = columns[int(evidence.argmax())], float(evidence.max())
            best = _judged(rest[:, column], after, usual.spread[column], column, nights)
    return best


def _judged(level: Floats, after: Flags, usual_spread: float, column: int, nights: int) -> Step:
    later, earlier = level[after], level[~after]
    size = float(later.mean() - earlier.mean())
    squares = len(later) * later.var() + len(earlier) * earlier.var()
    spread = max(math.sqrt(float(squares) / (len(level) - 2)), usual_spread)
    t = size / (spread * math.sqrt(1 / len(later) + 1 / len(earlier)))
    growth = _growth(later) / size if size else 0.0
    return Step(column, nights, size, spread, float(np.clip(t, -MOST_T, MOST_T)), growth)


def _step_of(levels: Floats, column: int, most_after: int) -> Step | None:
    nights = len(levels)
    known = np.isfinite(levels)
    if known[:, column].sum() < LEAST_NIGHTS:
        return None
    beside = _companions(levels, known, column)
    rows = known[:, [column, *beside]].all(axis=1)
    base = _explained(np.linspace(-1, 1, nights)[rows], levels[rows][:, beside])
    free = int(rows.sum()) - base.shape[1] - 1
    afters = np.arange(FEWEST_AFTER, min(most_after, nights // 2) + 1)
    after = (np.arange(nights)[:, None] >= nights - afters[None, :]).astype(np.float64)[rows]
    testable = (after.sum(axis=0) >= FEWEST_AFTER) & (after.sum(axis=0) < len(after) / 2)
    if free < LEAST_NIGHTS // 2 or not testable.any():
        return None
    return _best(levels[rows, column], after[:, testable], base, free, afters[testable], column)


def _companions(levels: Floats, known: Flags, column: int) -> list[int]:
    """The other points that are nearly always there, the most alike first."""
    often = known[known[:, column]].mean(axis=0) > 0.8
    others = [other for other in np.flatnonzero(often).tolist() if other != column]
    alike = {other: _likeness(levels[:, column], levels[:, other]) for other in others}
    return sorted(others, key=lambda other: -alike[other])[:MOST_COMPANIONS]


def _likeness(one: Floats, other: Floats) -> float:
    both = np.isfinite(one) & np.isfinite(other)
    a, b = one[both] - one[both].mean(), other[both] - other[both].mean()
    scale = math.sqrt(float(a @ a) * float(b @ b))
    return abs(float(a @ b)) / scale if scale > 0 else 0.0


def _explained(time: Floats, beside: Floats) -> Floats:
    """An orthonormal basis of what a bend of time and the companions explain."""
    bend = np.vander(time, BEND)
    scale = beside.std(axis=0)
    varying = scale > 0
    scaled = (beside[:, varying] - beside[:, varying].mean(axis=0)) / scale[varying]
    left, strength, _ = np.linalg.svd(np.column_stack([bend, scaled]), full_matrices=False)
    return np.asarray(left[:, strength > 1e-8 * strength[0]])


def _best(
    level: Floats, after: Floats, base: Floats, free: int, afters: Instants, column: int
) -> Step:
    """What each step explains beyond the basis (Frisch and Waugh 1933), the surest of them."""
    rest = level - base @ (base.T @ level)
    steps = after - base @ (base.T @ after)
    power = np.maximum((steps**2).sum(axis=0), 1e-12)
    size = (steps.T @ rest) / power
    unexplained = np.maximum(float(rest @ rest) - size**2 * power, 0.0)
    spread = np.maximum(np.sqrt(unexplained / free), 1e-9 * max(1.0, float(np.abs(level).max())))
    t = np.clip(size * np.sqrt(power) / spread, -MOST_T, MOST_T)
    best = int(np.abs(t).argmax())
    left = rest - size[best] * steps[:, best]
    growth = _growth(left[after[:, best] > 0]) / size[best] if size[best] else 0.0
    found = (size[best], spread[best], t[best], growth)
    return Step(column, int(afters[best]), *(float(one) for one in found))


def _growth(left: Floats) -> float:
    """How much higher the second half lies than the first."""
    half = len(left) // 2
    return float(left[len(left) - half :].mean() - left[:half].mean())
