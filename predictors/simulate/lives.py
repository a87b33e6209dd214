"""One component's life: drawn once, by its key, and then only lived.

A life is a healthy time followed by damage that grows as a gamma process (`catalogue.Wear`), so
that the probability of failing within h days, given the true damage, has a closed form:
P(Gamma(c h / w) >= c (1 - x)) for damage x, mean warning w and c increments a warning (Abdel-Hameed
1975, "A gamma wear process"; van Noortwijk 2009, Reliability Engineering & System Safety 94).
Components do not age while their asset stands still.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import fftconvolve
from scipy.special import gammaincc

from predictors.schema import DAY_US
from predictors.simulate.catalogue import Wear
from predictors.simulate.draws import Stream, draw

Floats = npt.NDArray[np.float64]
Instants = npt.NDArray[np.int64]

STEADINESS = 16.0
"""c above: the larger, the steadier the warning (coefficient of variation 1/sqrt(c))."""

PRECURSORS_PER_DAY = 1.5
"""Rate of a mode's error code at full damage; it falls with the square of the damage."""


@dataclass(slots=True)
class Life:
    """From installation to failure, or to the renewal that prevents it.

    ``worked_days`` (rising from 0) and ``at_us`` are the same instants by the component's own
    clock and by the calendar; ``severity`` is the damage there, 0 to 1, linear between.
    ``precursor_days`` are the worked days at which its error code shows, ``bias`` the share of
    its signature that the new component shifts the signals by (no two are mounted alike).
    """

    number: int
    worked_days: Floats
    severity: Floats
    at_us: Instants
    precursor_days: Floats
    bias: float
    ended_us: int | None = None
    is_failed: bool = False

    @property
    def installed_us(self) -> int:
        """When it was new."""
        return int(self.at_us[0])

    @property
    def fails_us(self) -> int:
        """When it will fail, if nobody renews it and the asset does not stop before."""
        return int(self.at_us[-1])

    def stop(self, start_us: int, end_us: int) -> None:
        """Stand still between two instants: what was to happen after the first happens later."""
        later = self.at_us > start_us
        later[0] = False
        self.at_us = np.where(later, self.at_us + (end_us - start_us), self.at_us)

    def worked_at(self, at_us: int | Instants) -> Floats:
        """Days worked since it was new."""
        return np.asarray(np.interp(at_us, self.at_us, self.worked_days))

    def severity_at(self, at_us: int | Instants) -> Floats:
        """Damage, 0 to 1."""
        return np.asarray(np.interp(at_us, self.at_us, self.severity))

    def precursors_us(self) -> Instants:
        """Calendar instants of its error codes."""
        at_us = np.interp(self.precursor_days, self.worked_days, self.at_us)
        return np.asarray(np.rint(at_us), dtype=np.int64)


def draw_life(wear: Wear, *, factor: float, installed_us: int, key: tuple[int, ...]) -> Life:
    """The life with this key: (seed, asset, mode, life number).

    ``factor`` stretches the healthy time: how hard the asset works and how well it was built.
    """
    seed, asset, mode, number = key
    random = draw(seed, Stream.LIFE, asset, mode, number)
    healthy_days = factor * wear.scale_days * random.weibull(wear.shape)
    bias = float(random.normal(0, 0.06))
    if wear.warning_days > 0:
        warning_days, damage = _damage_path(wear.warning_days, random)
        worked_days = np.concatenate([[0.0], healthy_days + warning_days])
        severity = np.concatenate([[0.0], damage])
        precursor_days = _precursors(worked_days, severity, healthy_days, random)
    else:
        worked_days = np.array([0.0, healthy_days])
        severity, precursor_days = np.zeros(2), np.empty(0)
    at_us = installed_us + np.rint(worked_days * DAY_US).astype(np.int64)
    return Life(number, worked_days, severity, at_us, precursor_days, bias)


def _damage_path(mean_days: float, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Days since damage began, and damage: from (0, 0), daily, to (T, 1)."""
    step_days = min(1.0, mean_days / 8)
    steps = math.ceil(8 * mean_days / step_days)
    share = STEADINESS * step_days / mean_days
    damage = np.cumsum(random.gamma(share, 1 / STEADINESS, size=steps))
    last = min(int(np.searchsorted(damage, 1.0)), steps - 1)
    before = damage[last - 1] if last else 0.0
    crossing = last + (1.0 - before) / max(damage[last] - before, 1.0 - before)
    days = step_days * np.concatenate([np.arange(last + 1), [crossing]])
    return days, np.concatenate([[0.0], damage[:last], [1.0]])


def _precursors(
    worked_days: Floats, severity: Floats, healthy_days: float, random: np.random.Generator
) -> Floats:
    warning_days = worked_days[-1] - healthy_days
    candidates = random.poisson(PRECURSORS_PER_DAY * warning_days)
    days = np.sort(healthy_days + warning_days * random.random(candidates))
    kept = random.random(candidates) < np.interp(days, worked_days, severity) ** 2
    return np.asarray(days[kept])


def true_risk(
    wear: Wear, *, factor: float, worked_days: float, severity: float, horizon_days: int
) -> Floats:
    """P(failure within h worked days | true state), h = 0..horizon: float64[horizon_days + 1].

    ``severity`` 0 means still healthy after ``worked_days``. Exact but for the healthy time,
    which is taken to end at the middle of a tenth of a day.

    >>> random = Wear(shape=1.0, scale_days=100.0)
    >>> risk = true_risk(random, factor=1, worked_days=40, severity=0, horizon_days=10)
    >>> round(float(risk[10]), 4)  # 1 - exp(-10/100)
    0.0952
    """
    days = np.arange(horizon_days + 1, dtype=np.float64)
    if severity > 0:
        return _passage(wear.warning_days, days, severity)
    pieces = 10
    edges = np.arange(pieces * horizon_days + 1) / pieces
    hazard = ((worked_days + edges) / (factor * wear.scale_days)) ** wear.shape
    ended = -np.expm1(hazard[0] - hazard)
    if wear.warning_days == 0:
        return np.asarray(ended[::pieces])
    lags = edges[:-1] + 0.5 / pieces
    risk = fftconvolve(np.diff(ended), _passage(wear.warning_days, lags, 0.0))
    by_day = np.maximum.accumulate(np.clip(risk[pieces - 1 : len(lags) : pieces], 0, 1))
    return np.concatenate([[0.0], by_day])


def _passage(warning_days: float, days: Floats, severity: float) -> Floats:
    """P(damage reaches 1 within these days): the gamma process's first passage."""
    share = STEADINESS * days / warning_days
    passed = np.zeros_like(days)
    later = share > 0
    passed[later] = gammaincc(share[later], STEADINESS * (1 - severity))
    return np.maximum.accumulate(passed)
