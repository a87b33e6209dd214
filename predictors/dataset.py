"""Lives, and the rows of features and outcomes that a forecaster learns from.

A *life* runs from a restart (commissioning, renewal or failure) of one mode on one asset to
its failure, or is **censored**: ended by a preventive renewal (nobody knows when it would have
failed) or by the end of observation. Time spent down, from a failure to its recorded repair,
belongs to no life.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from predictors.errors import DatasetError
from predictors.features import build_features
from predictors.schema import DAY_US, AssetHistory, FeatureSet, Floats, Instants, Rows

Flags = npt.NDArray[np.bool_]

REPAIR_LIMIT_DAYS = 30
"""A renewal later than this after a failure is no longer taken for that failure's repair."""


@dataclass(frozen=True)
class Life:
    """One life of one mode: ``[start_us, end_us)``, watched from ``entry_us`` on."""

    asset_id: str
    start_us: int
    entry_us: int
    end_us: int
    failed: bool

    @property
    def entry_days(self) -> float:
        """Age at which the life came under observation (left truncation)."""
        return (self.entry_us - self.start_us) / DAY_US

    @property
    def end_days(self) -> float:
        """Age at failure or censoring."""
        return (self.end_us - self.start_us) / DAY_US


def lives(histories: Sequence[AssetHistory], mode: str) -> tuple[Life, ...]:
    """Every observed life of ``mode``, by asset and then by time.

    >>> import numpy as np
    >>> day = DAY_US
    >>> fan = AssetHistory("F-1", "fan", commissioned_us=0, observed_until_us=9 * day,
    ...     renewals={"belt": np.array([0, 4, 7]) * day}, failures={"belt": np.array([3]) * day})
    >>> [(life.start_us // day, life.end_us // day, life.failed) for life in lives([fan], "belt")]
    [(0, 3, True), (4, 7, False), (7, 9, False)]
    """
    return tuple(life for history in histories for life in _lives_of(history, mode))


def _lives_of(history: AssetHistory, mode: str) -> list[Life]:
    until_us = history.observed_until_us
    starts = [int(at) for at in history.restarts_us(mode) if at < until_us]
    failures = {int(at) for at in history.failures.get(mode, ()) if at <= until_us}
    renewals = {int(at) for at in history.renewals.get(mode, ()) if at <= until_us}
    found = []
    for start, end in zip(starts, [*starts, until_us][1:], strict=True):
        entry = max(start, history.observation_start_us)
        repaired = start in failures - renewals and end in renewals - failures
        down = repaired and end - start <= REPAIR_LIMIT_DAYS * DAY_US
        if entry < end and not down:
            found.append(Life(history.asset_id, start, entry, end, end in failures))
    return found


def origins_every(history: AssetHistory, *, every_days: int = 1, hour_utc: int = 0) -> Instants:
    """Decision instants of one asset while it was observed, at ``hour_utc``; int64[k].

    >>> fan = AssetHistory("F-1", "fan", commissioned_us=1, observed_until_us=3 * DAY_US)
    >>> origins_every(fan).tolist() == [DAY_US, 2 * DAY_US]
    True
    """
    step_us = every_days * DAY_US
    shift_us = hour_utc * DAY_US // 24
    first = -((shift_us - history.observation_start_us) // step_us)
    last = -((shift_us - history.observed_until_us) // step_us)
    return np.arange(first, last, dtype=np.int64) * step_us + shift_us


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Feature rows of many assets, shared by all modes of a class.

    ``x`` float32[n, p], ``names`` p columns, ``asset`` int64[n] position in ``histories``,
    ``origin_us`` int64[n].
    """

    x: Rows
    names: tuple[str, ...]
    asset: Instants
    origin_us: Instants
    histories: tuple[AssetHistory, ...]
    feature_set: FeatureSet


def build_table(
    histories: Sequence[AssetHistory],
    feature_set: FeatureSet,
    *,
    origins_us: Mapping[str, Instants] | None = None,
    every_days: int = 1,
) -> FeatureTable:
    """Feature rows of ``histories`` at ``origins_us`` by asset id, or every so many days."""
    chosen = [
        origins_every(history, every_days=every_days)
        if origins_us is None
        else np.asarray(origins_us.get(history.asset_id, ()), dtype=np.int64)
        for history in histories
    ]
    blocks = [
        build_features(history, origins, feature_set)
        for history, origins in zip(histories, chosen, strict=True)
    ]
    sizes = [origins.size for origins in chosen]
    return FeatureTable(
        x=np.concatenate(blocks) if blocks else np.empty((0, len(feature_set.names)), np.float32),
        names=feature_set.names,
        asset=np.repeat(np.arange(len(sizes), dtype=np.int64), sizes),
        origin_us=np.concatenate(chosen) if chosen else np.empty(0, dtype=np.int64),
        histories=tuple(histories),
        feature_set=feature_set,
    )


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows of one mode with what became of them.

    ``x`` float32[n, p]; ``duration_days`` float64[n] to failure (``failed``) or censoring, as
    far as known at the end of observation; ``groups`` int64[n] asset position; ``life``
    int64[n] position in ``lives``; ``weight`` float64[n] (thinned rows stand for others);
    ``age_days`` float64[n]. ``horizon_days`` is how far ahead curves will reach.
    Raises `DatasetError`.
    """

    mode: str
    x: Rows
    names: tuple[str, ...]
    duration_days: Floats
    failed: Flags
    groups: Instants
    origin_us: Instants
    age_days: Floats
    life: Instants
    weight: Floats
    lives: tuple[Life, ...]
    horizon_days: int
    feature_set: FeatureSet

    def __post_init__(self) -> None:
        if self.x.shape[1:] != (len(self.names),):
            raise DatasetError(f"x: {self.x.shape[1:]} columns for {len(self.names)} names")
        for name in _ROW_FIELDS:
            if getattr(self, name).shape != self.duration_days.shape:
                raise DatasetError(f"{name}: {len(getattr(self, name))} rows for {len(self)}")
        if len(self) and not (self.duration_days > 0).all():
            raise DatasetError("duration_days: a row lies at or after the end of its life")
        if self.horizon_days < 1:
            raise DatasetError(f"horizon_days: {self.horizon_days} is below one day")

    def __len__(self) -> int:
        return int(self.duration_days.size)

    @property
    def failures(self) -> int:
        """Failures among the lives."""
        return sum(life.failed for life in self.lives)

    @property
    def assets(self) -> int:
        """Assets with at least one row."""
        return int(np.unique(self.groups).size)

    @property
    def asset_ids(self) -> tuple[str, ...]:
        """Assets with a life on record, sorted."""
        return tuple(sorted({life.asset_id for life in self.lives}))

    @property
    def content_hash(self) -> str:
        """sha256 of every row, label and name: equal data, equal hash."""
        digest = hashlib.sha256(self.feature_set.code_hash.encode())
        digest.update(f"{self.mode}|{self.horizon_days}".encode())
        for name in ("x", *_ROW_FIELDS):
            digest.update(np.ascontiguousarray(getattr(self, name)).tobytes())
        return digest.hexdigest()

    def take(self, rows: Flags | Instants) -> Self:
        """The chosen rows; the lives stay, for their positions are named by ``life``."""
        chosen = {name: getattr(self, name)[rows] for name in ("x", "duration_days", *_ROW_FIELDS)}
        return replace(self, **chosen)

    def of_assets(self, asset_ids: Collection[str]) -> Self:
        """The rows and the lives of some assets."""
        keep = np.array([life.asset_id in asset_ids for life in self.lives], dtype=bool)
        moved = np.cumsum(keep) - 1
        chosen = self.take(keep[self.life] if keep.size else self.failed)
        kept = tuple(life for life, here in zip(self.lives, keep, strict=True) if here)
        return replace(chosen, lives=kept, life=moved[chosen.life])

    def known_by(self, instant_us: int) -> Self:
        """The dataset as it stood at an instant: later rows gone, later ends censored there."""
        early = self.take(self.origin_us < instant_us)
        left_days = (instant_us - early.origin_us) / DAY_US
        cut = early.duration_days > left_days
        return replace(
            early,
            duration_days=np.minimum(early.duration_days, left_days),
            failed=early.failed & ~cut,
            lives=tuple(_life_known_by(life, instant_us) for life in self.lives),
        )


_ROW_FIELDS = ("failed", "groups", "origin_us", "age_days", "life", "weight")


def _life_known_by(life: Life, instant_us: int) -> Life:
    if life.end_us <= instant_us:
        return life
    start_us, entry_us = min(life.start_us, instant_us), min(life.entry_us, instant_us)
    return replace(life, start_us=start_us, entry_us=entry_us, end_us=instant_us, failed=False)


def label(table: FeatureTable, mode: str, *, horizon_days: int) -> Dataset:
    """The rows of ``table`` that lie within a life of ``mode``, with their outcomes.

    A row belongs to a life when ``start <= origin < end``; one decided at the instant of a
    failure belongs to the next life.
    """
    if mode not in table.feature_set.modes:
        raise DatasetError(f"mode: {mode} is not in feature set {table.feature_set.name}")
    known = [lives([history], mode) for history in table.histories]
    first = np.cumsum([0, *(len(group) for group in known)])
    life = np.full(table.origin_us.size, -1, dtype=np.int64)
    for asset, group in enumerate(known):
        rows = np.flatnonzero(table.asset == asset)
        position = _life_at(group, table.origin_us[rows])
        life[rows] = np.where(position >= 0, position + first[asset], -1)
    return _labelled(
        table, mode, tuple(one for group in known for one in group), life, horizon_days
    )


def _life_at(group: Sequence[Life], origins_us: Instants) -> Instants:
    """Position of the life each origin lies in, -1 for none; int64[k]."""
    if not group:
        return np.full(origins_us.size, -1, dtype=np.int64)
    entry = np.array([life.entry_us for life in group], dtype=np.int64)
    end = np.array([life.end_us for life in group], dtype=np.int64)
    position = np.searchsorted(entry, origins_us, side="right") - 1
    inside = (position >= 0) & (origins_us < end[position])
    return np.where(inside, position, -1)


def _labelled(
    table: FeatureTable, mode: str, known: tuple[Life, ...], life: Instants, horizon_days: int
) -> Dataset:
    rows = np.flatnonzero(life >= 0)
    start, end = (
        np.array([getattr(one, name) for one in known], dtype=np.int64)[life[rows]]
        for name in ("start_us", "end_us")
    )
    failed = np.array([one.failed for one in known], dtype=bool)[life[rows]]
    return Dataset(
        mode=mode,
        x=table.x[rows],
        names=table.names,
        duration_days=(end - table.origin_us[rows]) / DAY_US,
        failed=failed,
        groups=table.asset[rows],
        origin_us=table.origin_us[rows],
        age_days=(table.origin_us[rows] - start) / DAY_US,
        life=life[rows],
        weight=np.ones(rows.size),
        lives=known,
        horizon_days=horizon_days,
        feature_set=table.feature_set,
    )


def build_dataset(
    histories: Sequence[AssetHistory],
    mode: str,
    feature_set: FeatureSet,
    *,
    horizon_days: int,
    origins_us: Mapping[str, Instants] | None = None,
    every_days: int = 1,
) -> Dataset:
    """`build_table` and `label` for one mode; several modes of a class share one table."""
    table = build_table(histories, feature_set, origins_us=origins_us, every_days=every_days)
    return label(table, mode, horizon_days=horizon_days)
