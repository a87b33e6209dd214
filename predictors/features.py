"""Feature rows: pure functions of what was known at their origin.

`build_features` serves training and scoring alike. It reduces the windows of each origin from
the readings themselves, carries nothing from one origin to the next, and therefore gives the
same bits for one origin as for many. Readings, events and renewals after an origin do not
exist for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from predictors.schema import (
    DAY_US,
    HOUR_US,
    AssetHistory,
    FeatureSet,
    FeatureSpec,
    Floats,
    Instants,
    Rows,
)
from predictors.windows import block_moments, segment_means, trailing_moments

Columns = dict[str, npt.NDArray[np.float64]]


def build_features(history: AssetHistory, origins_us: Instants, feature_set: FeatureSet) -> Rows:
    """One row per origin, one column per name of ``feature_set``: float32[k, p], NaN = missing.

    ``origins_us`` int64[k] in any order. A reading, event or renewal stamped at the origin
    itself is known to it. A last value older than the longest window counts as missing. Readings
    that the history doubts are left out of the origins at which that is known.

    >>> import numpy as np
    >>> from predictors.schema import DAY_US, AssetHistory, FeatureSet, Series
    >>> fan = AssetHistory("F-1", "fan", commissioned_us=0, observed_until_us=9 * DAY_US,
    ...     readings={"load": Series(np.arange(3) * DAY_US, np.array([1.0, 2.0, 6.0]))})
    >>> tiny = FeatureSet("tiny", "1", quantities=("load",), statistics={"mean": (2,)})
    >>> build_features(fan, np.array([DAY_US, 2 * DAY_US]), tiny).tolist()
    [[2.0, 0.0, 1.5, 1.0, 1.0], [6.0, 0.0, 4.0, 2.0, 2.0]]
    """
    origins_us = np.ascontiguousarray(origins_us, dtype=np.int64)
    doubts = {key: history.doubts[key] for key in feature_set.quantities if key in history.doubts}
    if not doubts:
        return _rows(history, origins_us, feature_set)
    rows = np.empty((origins_us.size, len(feature_set.names)), dtype=np.float32)
    known_us = np.unique(np.concatenate([each.known_us for each in doubts.values()]))
    knowing = np.searchsorted(known_us, origins_us, side="right")
    for told in np.unique(knowing):
        members = np.flatnonzero(knowing == told)
        believed = {
            key: doubts[key].believed(series, int(origins_us[members[0]]))
            for key, series in history.readings.items()
            if key in doubts
        }
        sound = replace(history, readings={**history.readings, **believed})
        rows[members] = _rows(sound, origins_us[members], feature_set)
    return rows


def _rows(history: AssetHistory, origins_us: Instants, feature_set: FeatureSet) -> Rows:
    columns: Columns = {}
    for quantity in feature_set.quantities:
        columns |= _last_columns(history, quantity, origins_us, feature_set)
    columns |= _window_columns(history, origins_us, feature_set)
    columns |= _deviation_columns(columns, history, origins_us, feature_set)
    columns |= _event_columns(history, origins_us, feature_set)
    columns |= _age_columns(history, origins_us, feature_set)
    for key in feature_set.statics:
        columns[f"static.{key}"] = np.full(origins_us.size, history.statics.get(key, np.nan))
    rows = np.full((origins_us.size, len(feature_set.names)), np.nan, dtype=np.float32)
    for position, name in enumerate(feature_set.names):
        if name in columns:
            rows[:, position] = columns[name]
    return rows


def needed_spans_us(
    history: AssetHistory, origins_us: Instants, feature_sets: Iterable[FeatureSet]
) -> list[tuple[int, int]]:
    """The spans ``(after, until]`` whose readings can matter to the rows, in order and apart.

    They are the longest window before each origin, and the baseline after each mode's last
    restart. ``history`` needs no readings for this. With the readings of the spans alone the
    rows keep their bits, as long as a quantity with older readings keeps some.

    >>> import numpy as np
    >>> from predictors.schema import DAY_US, AssetHistory, FeatureSet
    >>> fan = AssetHistory("F-1", "fan", commissioned_us=0, observed_until_us=99 * DAY_US,
    ...                    renewals={"belt": np.array([0])})
    >>> small = FeatureSet("small", "1", quantities=("load",), modes=("belt",))
    >>> spans = needed_spans_us(fan, np.array([90 * DAY_US]), [small])
    >>> [(after / DAY_US, until / DAY_US) for after, until in spans]
    [(0.0, 14.0), (60.0, 90.0)]
    """
    origins_us = np.ascontiguousarray(origins_us, dtype=np.int64)
    return _joined(
        span for feature_set in feature_sets for span in _spans(history, origins_us, feature_set)
    )


def _spans(
    history: AssetHistory, origins_us: Instants, feature_set: FeatureSet
) -> Iterator[tuple[int, int]]:
    lookback_us = round(feature_set.lookback_days * DAY_US)
    yield from ((int(origin) - lookback_us, int(origin)) for origin in origins_us)
    if not feature_set.deviation_windows_days:
        return
    baseline_us = round(feature_set.baseline_days * DAY_US)
    for mode in feature_set.modes:
        restarts_us, known = _restart_before(history, mode, origins_us)
        yield from ((int(at_us), int(at_us) + baseline_us) for at_us in restarts_us[known])


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same instants in as few spans as there can be, in order."""
    joined: list[tuple[int, int]] = []
    for after, until in sorted(spans):
        if joined and after <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], until)
        else:
            joined.append((after, until))
    return joined


def _last_columns(
    history: AssetHistory, quantity: str, origins_us: Instants, feature_set: FeatureSet
) -> Columns:
    series = history.readings.get(quantity)
    if series is None or not series.at_us.size:
        return {}
    position = np.searchsorted(series.at_us, origins_us, side="right") - 1
    age_us = origins_us - series.at_us[position]
    fresh = (position >= 0) & (age_us < feature_set.lookback_days * DAY_US)
    return {
        f"{quantity}.last": np.where(fresh, series.values[position], np.nan),
        f"{quantity}.silence": np.where(fresh, age_us / DAY_US, np.nan),
    }


def _window_columns(
    history: AssetHistory, origins_us: Instants, feature_set: FeatureSet
) -> Columns:
    present = [key for key in feature_set.quantities if key in history.readings]
    specs = [spec for spec in _windowed(feature_set) if spec.quantity in present]
    if not specs:
        return {}
    columns = {_window_key(spec): np.full(origins_us.size, np.nan) for spec in specs}
    for members, edges_us in _phases(origins_us, feature_set):
        blocks = [block_moments(history.readings[key], edges_us) for key in present]
        block_us = feature_set.block_hours * HOUR_US
        last_block = (origins_us[members] - edges_us[0]) // block_us - 1
        for depth, moments in trailing_moments(
            blocks, last_block, depths=_depths(feature_set), block_days=block_us / DAY_US
        ):
            for spec in specs:
                if _blocks(spec.window_days, feature_set) == depth:
                    found = moments.statistic(_statistic(spec))[present.index(spec.quantity)]
                    columns[_window_key(spec)][members] = found
    return columns


def _phases(origins_us: Instants, feature_set: FeatureSet) -> Iterator[tuple[Instants, Instants]]:
    """Origins a whole number of blocks apart, with the block edges that they share."""
    block_us = feature_set.block_hours * HOUR_US
    phase_us = origins_us % block_us
    for phase in np.unique(phase_us):
        members = np.flatnonzero(phase_us == phase)
        first_us = origins_us[members].min() - max(_depths(feature_set)) * block_us
        yield members, np.arange(first_us, origins_us[members].max() + 1, block_us)


def _windowed(feature_set: FeatureSet) -> list[FeatureSpec]:
    return [
        spec
        for spec in feature_set.specs
        if spec.kind in ("reading", "deviation") and spec.window_days is not None
    ]


def _window_key(spec: FeatureSpec) -> str:
    return f"{spec.quantity}.{_statistic(spec)}.{spec.window_days:g}d"


def _statistic(spec: FeatureSpec) -> str:
    return "mean" if spec.kind == "deviation" else spec.statistic


def _blocks(window_days: float | None, feature_set: FeatureSet) -> int:
    return round((window_days or 0) * 24 / feature_set.block_hours)


def _depths(feature_set: FeatureSet) -> list[int]:
    days = {*feature_set.reading_windows_days, *feature_set.deviation_windows_days}
    return sorted(_blocks(window_days, feature_set) for window_days in days)


def _deviation_columns(
    columns: Columns, history: AssetHistory, origins_us: Instants, feature_set: FeatureSet
) -> Columns:
    baselines: Columns = {}
    found: Columns = {}
    for spec in feature_set.specs:
        if spec.kind != "deviation" or spec.quantity not in history.readings:
            continue
        key = f"{spec.quantity}.{spec.mode}"
        if key not in baselines:
            baselines[key] = _baseline(history, spec, origins_us, feature_set.baseline_days)
        found[spec.name] = columns[_window_key(spec)] - baselines[key]
    return found


def _baseline(
    history: AssetHistory, spec: FeatureSpec, origins_us: Instants, baseline_days: float
) -> Floats:
    """Mean over the first days after the mode's last restart, as far as known by the origin."""
    series = history.readings[spec.quantity]
    restart_us, known = _restart_before(history, spec.mode or "", origins_us)
    end_us = np.minimum(restart_us + round(baseline_days * DAY_US), origins_us)
    start = np.searchsorted(series.at_us, restart_us, side="right")
    stop = np.searchsorted(series.at_us, end_us, side="right")
    return np.where(known, segment_means(series.values, start, np.maximum(start, stop)), np.nan)


def _restart_before(
    history: AssetHistory, mode: str, origins_us: Instants
) -> tuple[Instants, npt.NDArray[np.bool_]]:
    restarts_us = history.restarts_us(mode)
    position = np.searchsorted(restarts_us, origins_us, side="right") - 1
    return restarts_us[position], position >= 0


def _event_columns(history: AssetHistory, origins_us: Instants, feature_set: FeatureSet) -> Columns:
    columns: Columns = {}
    for code in feature_set.error_codes:
        at_us = history.events.get(code, np.empty(0, dtype=np.int64))
        seen = np.searchsorted(at_us, origins_us, side="right")
        for days in feature_set.event_windows_days:
            before = np.searchsorted(at_us, origins_us - round(days * DAY_US), side="right")
            columns[f"error.{code}.{days:g}d"] = (seen - before).astype(np.float64)
        if at_us.size:
            since_us = origins_us - at_us[seen - 1]
            columns[f"error.{code}.since"] = np.where(seen > 0, since_us / DAY_US, np.nan)
    return columns


def _age_columns(history: AssetHistory, origins_us: Instants, feature_set: FeatureSet) -> Columns:
    since_us = origins_us - history.commissioned_us
    columns = {"asset.age": np.where(since_us >= 0, since_us / DAY_US, np.nan)}
    for mode in feature_set.modes:
        restart_us, known = _restart_before(history, mode, origins_us)
        columns[f"{mode}.age"] = np.where(known, (origins_us - restart_us) / DAY_US, np.nan)
    ages = [columns[f"{mode}.age"] for mode in feature_set.modes]
    columns["asset.since_renewal"] = np.fmin.reduce([columns["asset.age"], *ages])
    return columns
