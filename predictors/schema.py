"""What goes into a forecast and what comes out of it: plain, frozen, validated once.

Times are UTC microseconds (``_us``, int64), durations are days unless the name says otherwise.
A day is 24 hours.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from predictors.errors import CurveError, FeatureSetError, HistoryError

Instants = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.float32]

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000

KERNEL_VERSION = 1
"""Raised whenever `predictors.features` computes a different number from the same declaration."""


class ForecastState(StrEnum):
    """What a forecast has to say about remaining life."""

    VALUE = "value"
    BEYOND_HORIZON = "beyond_horizon"
    NOT_ENOUGH_DATA = "not_enough_data"
    NOT_SET = "not_set"


class Grade(StrEnum):
    """Weight of the evidence behind a forecast, from A (own calibrated model) to D (a guess)."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"


@dataclass(frozen=True, eq=False)
class Series:
    """Values of one quantity, each stamped with the instant it became **known**.

    ``at_us`` int64[n], never decreasing; ``values`` float64[n], finite. The mean of a day is
    stamped with the end of that day. Raises `HistoryError`.

    >>> Series(at_us=np.array([0, 5]), values=np.array([1.0, 2.0])).values.sum()
    np.float64(3.0)
    """

    at_us: Instants
    values: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "at_us", _instants("at_us", self.at_us))
        values = np.ascontiguousarray(self.values, dtype=np.float64)
        if values.shape != self.at_us.shape:
            raise HistoryError(f"values: shape {values.shape}, but at_us has {self.at_us.shape}")
        if not np.isfinite(values).all():
            raise HistoryError(f"values: {int((~np.isfinite(values)).sum())} are not finite")
        object.__setattr__(self, "values", values + 0.0)  # one zero: -0.0 would differ in its bits

    @classmethod
    def from_unsorted(cls, at_us: Instants, values: Floats) -> Self:
        """Sort by instant (equal instants keep their order) and drop what is not finite."""
        keep = np.flatnonzero(np.isfinite(values))
        order = keep[np.argsort(np.asarray(at_us)[keep], kind="stable")]
        return cls(at_us=np.asarray(at_us)[order], values=np.asarray(values)[order])


@dataclass(frozen=True, eq=False)
class Doubts:
    """Stretches of a series not to be believed, ends included, each from ``known_us`` on.

    An origin before ``known_us`` sees the readings, as a forecast made then did.

    >>> import numpy as np
    >>> load = Series(np.arange(4), np.array([1.0, 9.0, 9.0, 1.0]))
    >>> doubts = Doubts(np.array([1]), np.array([2]), np.array([3]))
    >>> [doubts.believed(load, origin).values.size for origin in (2, 3)]
    [4, 2]
    """

    from_us: Instants
    until_us: Instants
    known_us: Instants

    def believed(self, series: Series, origin_us: int) -> Series:
        """The series without what an origin knows to be wrong."""
        known = self.known_us <= origin_us
        firsts = np.searchsorted(series.at_us, self.from_us[known])
        ends = np.searchsorted(series.at_us, self.until_us[known], side="right")
        edges = np.zeros(series.at_us.size + 1, dtype=np.int64)
        np.add.at(edges, firsts, 1)
        np.add.at(edges, ends, -1)
        sound = np.cumsum(edges[:-1]) == 0
        return series if sound.all() else Series(series.at_us[sound], series.values[sound])


@dataclass(frozen=True, eq=False)
class AssetHistory:
    """All that is known of one asset, as a forecast may use it.

    ``readings`` by quantity key; ``events`` instants by controller error code; ``renewals`` by
    failure mode: the instants at which the component suffering that mode was new (the first is
    commissioning or installation); ``failures`` by mode. A failure repaired without a recorded
    renewal counts as renewed. Failures are recorded within
    ``[observed_from_us, observed_until_us]``; ``observed_from_us`` defaults to commissioning.
    ``doubts`` by quantity: readings that features leave out once they are known to be wrong.
    Raises `HistoryError` naming the asset and the field.

    >>> pump = AssetHistory("P-1", "pump", commissioned_us=0, observed_until_us=10 * DAY_US,
    ...                     renewals={"seal": np.array([0])}, failures={"seal": np.array([DAY_US])})
    >>> pump.modes
    ('seal',)
    """

    asset_id: str
    asset_class: str
    commissioned_us: int
    observed_until_us: int
    readings: Mapping[str, Series] = field(default_factory=dict)
    events: Mapping[str, Instants] = field(default_factory=dict)
    renewals: Mapping[str, Instants] = field(default_factory=dict)
    failures: Mapping[str, Instants] = field(default_factory=dict)
    statics: Mapping[str, float] = field(default_factory=dict)
    observed_from_us: int | None = None
    doubts: Mapping[str, Doubts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("events", "renewals", "failures"):
            checked = {
                key: _instants(f"asset {self.asset_id}: {name}[{key}]", at_us)
                for key, at_us in getattr(self, name).items()
            }
            object.__setattr__(self, name, checked)
        if self.observed_until_us < self.observation_start_us:
            raise HistoryError(f"asset {self.asset_id}: observed_until_us before observation began")

    @property
    def observation_start_us(self) -> int:
        """The instant from which failures are recorded."""
        if self.observed_from_us is None:
            return self.commissioned_us
        return max(self.commissioned_us, self.observed_from_us)

    @property
    def modes(self) -> tuple[str, ...]:
        """Failure modes with a renewal or a failure on record, sorted."""
        return tuple(sorted({*self.renewals, *self.failures}))

    def restarts_us(self, mode: str) -> Instants:
        """Instants at which the age of ``mode`` starts again: commissioning, renewals, failures."""
        known = [self.renewals.get(mode, _NO_INSTANTS), self.failures.get(mode, _NO_INSTANTS)]
        recorded = np.unique(np.concatenate(known))
        if recorded.size and recorded[0] <= self.commissioned_us:
            return recorded
        return np.concatenate([np.array([self.commissioned_us], dtype=np.int64), recorded])


@dataclass(frozen=True)
class FeatureSpec:
    """One column: what it measures, by which statistic, over which window.

    ``kind`` is ``reading``, ``deviation``, ``event``, ``age`` or ``static``.
    """

    name: str
    kind: str
    quantity: str
    statistic: str
    window_days: float | None = None
    mode: str | None = None


READING_STATISTICS = ("mean", "std", "min", "max", "slope", "count")
DEFAULT_STATISTICS: Mapping[str, tuple[float, ...]] = {
    "mean": (1, 3, 7, 30),
    "std": (1, 7, 30),
    "min": (7,),
    "max": (1, 7),
    "slope": (7, 30),
    "count": (7,),
}


@dataclass(frozen=True)
class FeatureSet:
    """The columns of a feature row, declared as data.

    ``statistics`` maps each of `READING_STATISTICS` to its trailing windows in days, each a
    whole number of blocks of ``block_hours``. ``deviation_windows_days``: mean of that window
    less the mean of the first ``baseline_days`` after the last renewal, by mode.
    ``event_windows_days``: counts of each error code. Raises `FeatureSetError`.

    >>> tiny = FeatureSet("tiny", "1", quantities=("vibration",), statistics={"mean": (1,)})
    >>> tiny.names
    ('vibration.last', 'vibration.silence', 'vibration.mean.1d', 'asset.age', 'asset.since_renewal')
    >>> FeatureSet.from_dict(tiny.to_dict()).code_hash == tiny.code_hash
    True
    """

    name: str
    version: str
    quantities: tuple[str, ...] = ()
    error_codes: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    statics: tuple[str, ...] = ()
    statistics: Mapping[str, tuple[float, ...]] = field(
        default_factory=lambda: dict(DEFAULT_STATISTICS)
    )
    deviation_windows_days: tuple[float, ...] = (1, 7)
    event_windows_days: tuple[float, ...] = (1, 3, 7, 30)
    baseline_days: float = 14
    block_hours: int = 24

    def __post_init__(self) -> None:
        if self.block_hours < 1 or 24 % self.block_hours:
            raise FeatureSetError(f"block_hours: {self.block_hours} does not divide a day")
        unknown = sorted(set(self.statistics) - set(READING_STATISTICS))
        if unknown:
            raise FeatureSetError(f"statistics: unknown {', '.join(unknown)}")
        for window_days in (*self.reading_windows_days, *self.deviation_windows_days):
            blocks = window_days * 24 / self.block_hours
            if blocks < 1 or blocks != int(blocks):
                raise FeatureSetError(
                    f"windows: {window_days} days is no whole number of {self.block_hours} h blocks"
                )
        if any(days <= 0 for days in (*self.event_windows_days, self.baseline_days)):
            raise FeatureSetError("windows: every length must be above zero")
        if len(set(self.names)) != len(self.names):
            raise FeatureSetError("names: two columns share a name")

    @classmethod
    def for_class(
        cls, histories: Iterable[AssetHistory], *, name: str, version: str = "1", **options: Any
    ) -> Self:
        """Declare the default columns of what a class's histories contain."""
        members = list(histories)
        return cls(
            name=name,
            version=version,
            quantities=_sorted_keys(member.readings for member in members),
            error_codes=_sorted_keys(member.events for member in members),
            modes=tuple(sorted({mode for member in members for mode in member.modes})),
            statics=_sorted_keys(member.statics for member in members),
            **options,
        )

    @property
    def reading_windows_days(self) -> tuple[float, ...]:
        """Every window some reading statistic uses, shortest first."""
        return tuple(sorted({days for windows in self.statistics.values() for days in windows}))

    @property
    def lookback_days(self) -> float:
        """Longest trailing window: older readings matter only to baselines and ``last``."""
        return max((*self.reading_windows_days, *self.deviation_windows_days), default=0)

    @cached_property
    def specs(self) -> tuple[FeatureSpec, ...]:
        """The columns in order."""
        return (
            *(spec for quantity in self.quantities for spec in self._of_quantity(quantity)),
            *(spec for code in self.error_codes for spec in self._of_code(code)),
            *(FeatureSpec(f"{mode}.age", "age", mode, "age", mode=mode) for mode in self.modes),
            FeatureSpec("asset.age", "age", "asset", "age"),
            FeatureSpec("asset.since_renewal", "age", "asset", "since_renewal"),
            *(FeatureSpec(f"static.{key}", "static", key, "value") for key in self.statics),
        )

    def _of_quantity(self, quantity: str) -> Iterable[FeatureSpec]:
        yield FeatureSpec(f"{quantity}.last", "reading", quantity, "last")
        yield FeatureSpec(f"{quantity}.silence", "reading", quantity, "silence")
        for statistic in READING_STATISTICS:
            for days in self.statistics.get(statistic, ()):
                name = f"{quantity}.{statistic}.{days:g}d"
                yield FeatureSpec(name, "reading", quantity, statistic, float(days))
        for mode in self.modes:
            for days in self.deviation_windows_days:
                name = f"{quantity}.deviation.{mode}.{days:g}d"
                yield FeatureSpec(name, "deviation", quantity, "deviation", float(days), mode)

    def _of_code(self, code: str) -> Iterable[FeatureSpec]:
        for days in self.event_windows_days:
            yield FeatureSpec(f"error.{code}.{days:g}d", "event", code, "count", float(days))
        yield FeatureSpec(f"error.{code}.since", "event", code, "since")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(spec.name for spec in self.specs)

    @cached_property
    def code_hash(self) -> str:
        """sha256 of the declaration and of the kernel's version."""
        declared = json.dumps([KERNEL_VERSION, self.to_dict()], sort_keys=True)
        return hashlib.sha256(declared.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, read back by `from_dict`."""
        plain: dict[str, Any] = {
            key: list(getattr(self, key))
            for key in ("quantities", "error_codes", "modes", "statics")
        }
        return plain | {
            "name": self.name,
            "version": self.version,
            "statistics": {
                key: [float(days) for days in self.statistics[key]]
                for key in sorted(self.statistics)
            },
            "deviation_windows_days": [float(days) for days in self.deviation_windows_days],
            "event_windows_days": [float(days) for days in self.event_windows_days],
            "baseline_days": float(self.baseline_days),
            "block_hours": self.block_hours,
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Read back what `to_dict` wrote; raises `FeatureSetError` on a missing or odd field."""
        lists = ("quantities", "error_codes", "modes", "statics")
        windows = ("deviation_windows_days", "event_windows_days")
        try:
            return cls(
                name=plain["name"],
                version=plain["version"],
                statistics={key: tuple(days) for key, days in plain["statistics"].items()},
                baseline_days=plain["baseline_days"],
                block_hours=plain["block_hours"],
                **{key: tuple(plain[key]) for key in (*lists, *windows)},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise FeatureSetError(f"feature set: cannot be read: {error!r}") from error


@dataclass(frozen=True, eq=False)
class RiskCurve:
    """P(failure within h days) for h = 0..``horizon_days``, with an 80 % band.

    ``risk``, ``low``, ``high``: float64[horizon_days + 1], never decreasing, in [0, 1],
    ``risk[0] == 0``, ``low <= risk <= high``. Between days the curve is linear.
    Raises `CurveError`.

    >>> curve = RiskCurve.certain(horizon_days=4, risk=np.array([0, 0.1, 0.2, 0.5, 0.6]))
    >>> round(curve.at(2.5), 2), curve.rul_quantile(0.5), curve.rul_quantile(0.9)
    (0.35, 3.0, None)
    >>> round(curve.mean_life_until(2.0), 3)
    1.8
    """

    horizon_days: int
    risk: Floats
    low: Floats
    high: Floats

    def __post_init__(self) -> None:
        for name in ("risk", "low", "high"):
            object.__setattr__(self, name, self._checked(name))
        if self.risk[0] != 0:
            raise CurveError(f"risk: starts at {self.risk[0]}, not 0")
        if (self.low > self.risk).any() or (self.high < self.risk).any():
            raise CurveError("low, high: the band does not hold the curve")

    def _checked(self, name: str) -> Floats:
        values = np.ascontiguousarray(getattr(self, name), dtype=np.float64)
        if values.shape != (self.horizon_days + 1,):
            raise CurveError(f"{name}: shape {values.shape}, not ({self.horizon_days + 1},)")
        if not ((values >= 0) & (values <= 1)).all():
            raise CurveError(f"{name}: not within 0..1")
        if (np.diff(values) < 0).any():
            raise CurveError(f"{name}: decreases")
        return values

    @classmethod
    def certain(cls, *, horizon_days: int, risk: Floats) -> Self:
        """A curve whose band has no width (a known truth)."""
        return cls(horizon_days=horizon_days, risk=risk, low=risk, high=risk)

    def at(self, days: float) -> float:
        """Risk within ``days``, 0 <= days <= horizon_days; raises `CurveError` beyond."""
        if not 0 <= days <= self.horizon_days:
            raise CurveError(f"days: {days} outside 0..{self.horizon_days}")
        return float(np.interp(days, np.arange(self.horizon_days + 1), self.risk))

    def rul_quantile(self, p: float) -> float | None:
        """Days after which the asset has failed with probability ``p``; None beyond horizon."""
        if not 0 < p < 1:
            raise CurveError(f"p: {p} outside 0..1")
        if self.risk[-1] < p:
            return None
        after = int(np.searchsorted(self.risk, p, side="left"))
        below, above = self.risk[after - 1], self.risk[after]
        return float(after - 1 + (p - below) / (above - below))

    def mean_life_until(self, tau: float) -> float:
        """E[min(T, tau)] in days: the integral of survival up to ``tau`` <= horizon_days."""
        end_risk = self.at(tau)
        whole = int(tau)
        survival = 1 - self.risk[: whole + 1]
        area = float(((survival[:-1] + survival[1:]) / 2).sum())
        return area + (tau - whole) * (float(survival[-1]) + 1 - end_risk) / 2

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, read back by `from_dict`."""
        curves = {name: getattr(self, name).tolist() for name in ("risk", "low", "high")}
        return {"horizon_days": self.horizon_days} | curves

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Read back what `to_dict` wrote; raises `CurveError`."""
        try:
            arrays = {name: np.asarray(plain[name], float) for name in ("risk", "low", "high")}
            return cls(horizon_days=int(plain["horizon_days"]), **arrays)
        except (KeyError, TypeError) as error:
            raise CurveError(f"risk curve: cannot be read: {error!r}") from error


BASE_REASON = "base"


@dataclass(frozen=True)
class Reason:
    """What one feature adds to a forecast's score (log-odds of failing in the first buckets).

    The contributions of all reasons of a row, the one named ``base`` included, sum to the
    score. ``usual`` is the median of the feature in training; None where it has none.
    """

    feature: str
    quantity: str
    statistic: str
    window_days: float | None
    value: float | None
    usual: float | None
    contribution: float


@dataclass(frozen=True)
class RemainingLife:
    """Days until failure by quantile; None is beyond the horizon."""

    p10_days: float | None
    p50_days: float | None
    p90_days: float | None


_NO_INSTANTS: Instants = np.empty(0, dtype=np.int64)


def _instants(name: str, at_us: Sequence[int] | Instants) -> Instants:
    checked = np.ascontiguousarray(at_us, dtype=np.int64)
    if checked.ndim != 1:
        raise HistoryError(f"{name}: {checked.ndim} dimensions, not one")
    if (np.diff(checked) < 0).any():
        raise HistoryError(f"{name}: instants go back")
    return checked


def _sorted_keys(mappings: Iterable[Mapping[str, object]]) -> tuple[str, ...]:
    return tuple(sorted({key for mapping in mappings for key in mapping}))
