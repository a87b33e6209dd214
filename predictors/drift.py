"""Has what a model reads moved away from what it learnt?

A model keeps a `Profile`: the shares of its training rows by bins of each feature, and of its
own risks. Later rows are counted into the same bins. Two figures compare them: the population
stability index, which adds up what moved wherever it went, and the Kolmogorov-Smirnov distance,
the largest share of rows that crossed any one edge.

Chance alone moves shares too, the more so the fewer units there are: rows of one unit on many
nights are nearly one row many times. A feature counts as moved only beyond what chance does to
so many **units**, and only when more than a third of the rows crossed an edge. A fleet that is
maintained better shows fewer worn units, which moves the few that were worn, not a third.

Later still, when outcomes are known, `kept_promise` asks whether the risks came true.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from predictors.dataset import Flags
from predictors.errors import DatasetError
from predictors.evaluate import answers
from predictors.schema import FeatureSpec, Floats, Rows

BINS = 10
SMOOTHING = 0.5
LEAST_UNITS = 10
"""Fewer units than this cannot show that a class has moved."""
LEAST_PSI = 0.25
LEAST_DISTANCE = 0.35
CHANCE = 0.001
STRONG_DISTANCE = 0.6
"""A feature moved this far speaks for its quantity alone; else `LEAST_FEATURES` must agree."""
LEAST_FEATURES = 3
WATCHED_KINDS = ("reading", "deviation")
UNWATCHED_STATISTICS = ("silence", "count", "slope")
"""How often a sensor speaks is the silence alert's business; slopes follow the season."""


@dataclass(frozen=True)
class Histogram:
    """Shares of values by bins: ``edges`` part ``len(edges) + 1`` bins, the outer ones open.

    A value on an edge belongs to the bin above it. Raises `DatasetError`.

    >>> Histogram.of(np.array([1.0, 2.0, 3.0, 4.0]), bins=2)
    Histogram(edges=(3.0,), shares=(0.5, 0.5))
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.shares) != len(self.edges) + 1:
            raise DatasetError(f"histogram: {len(self.edges)} edges, {len(self.shares)} shares")
        if any(high <= low for low, high in zip(self.edges, self.edges[1:], strict=False)):
            raise DatasetError("histogram: edges do not rise")

    @classmethod
    def of(cls, values: Floats, *, bins: int = BINS) -> Self:
        """Bins of nearly equal shares; equal values stay together, what is not finite is left out.

        >>> Histogram.of(np.array([0.0, 0.0, 0.0, np.nan, 5.0]), bins=4).shares
        (0.75, 0.25)
        """
        known = values[np.isfinite(values)]
        if not known.size:
            return cls(edges=(), shares=(1.0,))
        edges = np.unique(np.quantile(known, np.arange(1, bins) / bins, method="higher"))
        edges = edges[edges > known.min()]
        shares = _counts(known, edges) / known.size
        return cls(edges=tuple(edges.tolist()), shares=tuple(shares.tolist()))

    def count(self, values: Floats) -> npt.NDArray[np.int64]:
        """How many of ``values`` fall into each bin; what is not finite falls into none."""
        return _counts(values[np.isfinite(values)], np.asarray(self.edges, dtype=np.float64))

    def to_dict(self) -> dict[str, list[float]]:
        """Plain JSON values, read back by `from_dict`."""
        return {"edges": list(self.edges), "shares": list(self.shares)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote; two further edges, the outermost, may be there as well.

        >>> Histogram.from_dict({"edges": [0, 2.5, 9], "shares": [0.5, 0.5]}).edges
        (2.5,)
        """
        try:
            edges, shares = [float(e) for e in plain["edges"]], [float(s) for s in plain["shares"]]
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(f"histogram: cannot be read: {error!r}") from error
        inner = edges[1:-1] if len(edges) == len(shares) + 1 else edges
        return cls(edges=tuple(inner), shares=tuple(shares))


@dataclass(frozen=True)
class Profile:
    """What a model learnt from: a histogram of each feature, and one of its own risks."""

    features: Mapping[str, Histogram]
    risk_14_days: Histogram

    @classmethod
    def of(cls, rows: Rows, names: Sequence[str], risk_14_days: Floats) -> Self:
        """``rows`` float[n, p] under ``names``, ``risk_14_days`` float64[n]: the training rows.

        Raises `DatasetError` where names and columns do not fit.

        >>> learnt = Profile.of(np.array([[1.0], [3.0]]), ["load.last"], np.array([0.1, 0.2]))
        >>> learnt.features["load.last"].shares
        (0.5, 0.5)
        >>> Profile.from_dict(learnt.to_dict()) == learnt
        True
        """
        if rows.ndim != 2 or rows.shape[1] != len(names):
            raise DatasetError(f"profile: rows of shape {rows.shape} under {len(names)} names")
        columns = np.asarray(rows, dtype=np.float64).T
        named = zip(names, columns, strict=True)
        return cls(
            features={name: Histogram.of(column) for name, column in named},
            risk_14_days=Histogram.of(np.asarray(risk_14_days, dtype=np.float64)),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, read back by `from_dict`."""
        features = {name: one.to_dict() for name, one in self.features.items()}
        return {"features": features, "risk_14_days": self.risk_14_days.to_dict()}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Read back what `to_dict` wrote; raises `DatasetError`."""
        try:
            features = {k: Histogram.from_dict(v) for k, v in plain["features"].items()}
            return cls(features, Histogram.from_dict(plain["risk_14_days"]))
        except (KeyError, AttributeError) as error:
            raise DatasetError(f"profile: cannot be read: {error!r}") from error


def stability_index(shares: Sequence[float], counts: npt.NDArray[np.int64]) -> float:
    """Population stability index of ``counts`` against the reference ``shares``.

    The sum over bins of (a - r) * ln(a / r) (Kullback and Leibler's J divergence, 1951; named
    and used for scorecards by Siddiqi, 2006). Half a row is added to each bin, so that an empty
    bin costs something finite, and less the more rows there are. 0 without rows.

    >>> stability_index([0.5, 0.5], np.array([500, 500]))
    0.0
    >>> round(stability_index([0.5, 0.5], np.array([900, 100])), 2)
    0.88
    """
    total = int(counts.sum())
    if not total:
        return 0.0
    bins = len(shares)
    found = (counts + SMOOTHING) / (total + SMOOTHING * bins)
    learnt = (np.asarray(shares) * total + SMOOTHING) / (total + SMOOTHING * bins)
    return float(((found - learnt) * np.log(found / learnt)).sum())


def distance(shares: Sequence[float], counts: npt.NDArray[np.int64]) -> float:
    """Largest difference of the two cumulative shares at an edge: Kolmogorov-Smirnov's D.

    >>> distance([0.25, 0.25, 0.5], np.array([0, 1, 1]))
    0.25
    """
    total = int(counts.sum())
    if not total:
        return 0.0
    return float(np.abs(np.cumsum(counts) / total - np.cumsum(shares)).max())


def chance_index(bins: int, units: int) -> float:
    """The stability index that chance exceeds once in a thousand times with so many units.

    With n rows drawn from the reference, n times the index is nearly chi-squared with
    ``bins - 1`` degrees of freedom (Yurdakul and Naranjo 2020).

    >>> round(chance_index(10, 100), 2)
    0.28
    """
    return float(chi2.isf(CHANCE, max(1, bins - 1)) / max(1, units))


@dataclass(frozen=True)
class Shift:
    """How far one column lies from its reference; ``moved`` beyond chance and in earnest."""

    name: str
    quantity: str
    rows: int
    index: float
    limit: float
    distance: float

    @property
    def moved(self) -> bool:
        return self.index > self.limit and self.distance > LEAST_DISTANCE


def shift(values: Floats, learnt: Histogram, *, units: int, name: str, quantity: str = "") -> Shift:
    """Compare the ``values`` of so many units with what was learnt.

    >>> learnt = Histogram.of(np.arange(1000.0))
    >>> shift(np.arange(0, 1000, 10.0), learnt, units=100, name="load.last").moved
    False
    >>> shift(np.arange(600, 1600, 10.0), learnt, units=100, name="load.last").moved
    True
    """
    counts = learnt.count(values)
    return Shift(
        name=name,
        quantity=quantity,
        rows=int(counts.sum()),
        index=stability_index(learnt.shares, counts),
        limit=max(LEAST_PSI, chance_index(len(learnt.shares), units)),
        distance=distance(learnt.shares, counts),
    )


def shifts(
    rows: Rows, specs: Sequence[FeatureSpec], learnt: Profile, *, units: int
) -> tuple[Shift, ...]:
    """Compare the columns of sensors with the profile, the farthest first.

    ``rows`` float[n, p] under ``specs``. Ages, static attributes and counts of codes are left
    out: they move with every repair and with time itself. Columns the profile lacks are too.
    """
    found = [
        shift(
            column, learnt.features[spec.name], units=units, name=spec.name, quantity=spec.quantity
        )
        for spec, column in zip(specs, np.asarray(rows, dtype=np.float64).T, strict=True)
        if spec.name in learnt.features and _is_watched(spec)
    ]
    return tuple(sorted(found, key=lambda one: -one.index))


def moved_quantities(found: Iterable[Shift], *, units: int) -> tuple[str, ...]:
    """Quantities of which one feature moved far, or several moved; none below enough units.

    >>> far = Shift("load.last", "load", rows=99, index=2.0, limit=0.3, distance=0.7)
    >>> near = Shift("heat.last", "heat", rows=99, index=0.4, limit=0.3, distance=0.4)
    >>> moved_quantities([far, near], units=40)
    ('load',)
    >>> moved_quantities([far, near], units=4)
    ()
    """
    if units < LEAST_UNITS:
        return ()
    moved: dict[str, list[Shift]] = {}
    for one in found:
        if one.moved:
            moved.setdefault(one.quantity, []).append(one)
    return tuple(
        sorted(
            quantity
            for quantity, members in moved.items()
            if len(members) >= LEAST_FEATURES
            or any(one.distance > STRONG_DISTANCE for one in members)
        )
    )


def persists(nights: Sequence[bool], *, least: int = 2, among: int = 3) -> bool:
    """Whether it is so tonight and was in ``least`` of the last ``among`` nights, tonight's last.

    >>> persists([True, False, True]), persists([False, False, True]), persists([True, True, False])
    (True, False, False)
    """
    return bool(nights) and nights[-1] and sum(nights[-among:]) >= least


@dataclass(frozen=True)
class Promise:
    """What risks promised and what came: Brier score, the score to expect, and Spiegelhalter's z.

    ``z`` above 0: worse than the risks themselves promise. ``forecasts`` and ``failures`` say
    how much stands behind it.
    """

    forecasts: int
    failures: int
    expected_failures: float
    brier: float
    expected_brier: float
    z: float

    @property
    def is_broken(self) -> bool:
        """Worse beyond chance, by a fifth at least, on enough forecasts and failures."""
        enough = self.forecasts >= LEAST_FORECASTS and self.failures >= LEAST_FAILURES
        return enough and self.z > BROKEN_Z and self.brier > WORSE * self.expected_brier


LEAST_FORECASTS = 60
LEAST_FAILURES = 5
BROKEN_Z = 3.5
WORSE = 1.2


def kept_promise(
    risk: Floats, *, observed_days: Floats, failed: Flags, within_days: float
) -> Promise | None:
    """Judge ``risk`` float64[n] of failing within some days by what happened; None without rows.

    ``observed_days`` float64[n] until failure (``failed``) or until nobody could see further.
    Were the risks right, the score would be mean p(1 - p), and the standardised difference
    normal (Spiegelhalter 1986). Rows no longer watched at the horizon count through the weights
    of `predictors.evaluate.answers`. The rows must not overlap in time for one unit.

    >>> honest = np.repeat([0.1, 0.5], 100)
    >>> came = np.concatenate([np.arange(100) < 10, np.arange(100) < 50])
    >>> told = kept_promise(honest, observed_days=np.where(came, 3.0, 14.5), failed=came,
    ...                     within_days=14)
    >>> told.failures, round(told.expected_brier, 2), told.is_broken
    (60, 0.17, False)
    """
    whole = max(1, math.floor(within_days))
    seen = (
        answers(
            duration_days=observed_days,
            failed=failed,
            weight=np.ones(risk.size),
            horizons_days=(whole,),
        )
        if risk.size
        else None
    )
    if seen is None or not seen.weight.any():
        return None
    came, weight = seen.failed[:, 0], seen.weight[:, 0]
    total = weight.sum()
    spread = float((weight**2 * (1 - 2 * risk) ** 2 * risk * (1 - risk)).sum())
    excess = float((weight * (came - risk) * (1 - 2 * risk)).sum())
    return Promise(
        forecasts=int((weight > 0).sum()),
        failures=int(came[weight > 0].sum()),
        expected_failures=float((weight * risk).sum()),
        brier=float((weight * (came - risk) ** 2).sum() / total),
        expected_brier=float((weight * risk * (1 - risk)).sum() / total),
        z=excess / math.sqrt(spread) if spread > 0 else 0.0,
    )


def _counts(values: Floats, edges: Floats) -> npt.NDArray[np.int64]:
    places = np.searchsorted(edges, values, side="right")
    return np.bincount(places, minlength=len(edges) + 1).astype(np.int64)


def _is_watched(spec: FeatureSpec) -> bool:
    return spec.kind in WATCHED_KINDS and spec.statistic not in UNWATCHED_STATISTICS
