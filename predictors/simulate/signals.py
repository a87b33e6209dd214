"""What the sensors and controllers of an asset say: readings with regimes, noise, gaps and spikes.

Noise is drawn by asset and week, so a window renders the same values however it is cut. A value
known at its instant is sampled at that instant. Nothing is measured while an asset stands still
for a repair or a replacement. A recalibrated sensor says something else from then on, and what
it said before is rendered as before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from predictors.schema import DAY_US
from predictors.simulate.catalogue import FailureMode, Signal
from predictors.simulate.config import MINUTE_US, PlantConfig
from predictors.simulate.draws import Stream, draw
from predictors.simulate.lives import Life
from predictors.simulate.simulator import PlantSimulator, Recalibration, SimulatedAsset, Stop

Floats = npt.NDArray[np.float64]
Instants = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

WEEK_US = 7 * DAY_US
IDLE_LOAD = 0.1
RECIPES = (0.6, 0.8, 1.0)
SPIKE_PROBABILITY = 0.0006
LOSS_PROBABILITY = 0.004
POINT_OUTAGE_PROBABILITY = 0.03
GATEWAY_OUTAGE_PROBABILITY = 0.02
CHATTER_PER_DAY = 0.025


@dataclass(frozen=True, slots=True, eq=False)
class PointReadings:
    """Readings of one measurement point: instants rising, values rounded as the sensor rounds."""

    signal: Signal
    at_us: Instants
    values: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Calendar:
    """Sampling instants of a window (since, until], in whole weeks, with the site's local time.

    ``first`` and ``last`` cut the window out of the weeks.
    """

    at_us: Instants
    hour: Floats
    weekday: npt.NDArray[np.int64]
    season: Floats
    weeks: tuple[int, ...]
    first: int
    last: int

    @classmethod
    def of(cls, config: PlantConfig, since_us: int, until_us: int) -> Calendar:
        """The whole weeks of UTC that hold the window."""
        step_us = config.sampling_minutes * MINUTE_US
        weeks = range(since_us // WEEK_US, max(since_us, until_us - 1) // WEEK_US + 1)
        at_us = np.arange(weeks.start * WEEK_US + step_us, weeks.stop * WEEK_US + 1, step_us)
        utc = pd.DatetimeIndex(at_us.astype("datetime64[us]"), tz="UTC")
        local = utc.tz_convert(config.time_zone)
        return cls(
            at_us=at_us,
            hour=np.asarray(local.hour + local.minute / 60, dtype=np.float64),
            weekday=np.asarray(local.day_of_week, dtype=np.int64),
            season=np.sin(
                2 * np.pi * (np.asarray(local.day_of_year, dtype=np.float64) - 110) / 365.25
            ),
            weeks=tuple(weeks),
            first=int(np.searchsorted(at_us, since_us, side="right")),
            last=int(np.searchsorted(at_us, until_us, side="right")),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Noise:
    """All the chance in an asset's signals over a calendar: (weeks x samples) and by point."""

    recipe: Floats
    load: Floats
    white: Floats
    spike: Floats
    is_lost: Mask


def read_signals(
    simulator: PlantSimulator, asset: SimulatedAsset, calendar: Calendar
) -> list[PointReadings]:
    """Readings of every point of the asset within the calendar's window."""
    config = simulator.config
    window = slice(calendar.first, calendar.last)
    noise = _draw_noise(config, asset, calendar)
    load = _load(asset, calendar, noise)
    damage = [
        _signature_by_time(simulator.lives(asset.code, mode.code), calendar.at_us)
        for mode in asset.asset_class.modes
    ]
    is_running = _is_running(simulator.stops(asset.code), calendar.at_us)
    is_running &= calendar.at_us > asset.commissioned_us
    readings = []
    for number, signal in enumerate(asset.asset_class.signals):
        values = _healthy(config, asset, number, calendar, load)
        values += signal.noise * (noise.white[number] + noise.spike[number])
        for mode, share in zip(asset.asset_class.modes, damage, strict=True):
            values += dict(mode.signature).get(signal.quantity, 0.0) * share * (0.45 + 0.7 * load)
        is_kept = is_running & ~noise.is_lost[number]
        is_kept &= _is_sampled(config, signal, calendar.at_us)
        kept = np.flatnonzero(is_kept[window]) + calendar.first
        recalibrations = simulator.recalibrations(asset.code, signal.quantity)
        values = _recalibrated(values, calendar.at_us, recalibrations)
        values = values[kept].clip(signal.low, signal.high).round(3)
        readings.append(PointReadings(signal, calendar.at_us[kept], values))
    return readings


def read_error_codes(
    simulator: PlantSimulator, asset: SimulatedAsset, since_us: int, until_us: int
) -> list[tuple[int, str]]:
    """Error codes in (since, until]: precursors of failures, and chatter that means nothing."""
    found: list[tuple[int, str]] = []
    for mode in asset.asset_class.modes:
        if mode.error_code is not None:
            for life in simulator.lives(asset.code, mode.code):
                found += _precursors(life, mode)
    for week in range(since_us // WEEK_US, until_us // WEEK_US + 1):
        found += _chatter(simulator.config, asset, week)
    stops = simulator.stops(asset.code)
    inside = [(at_us, code) for at_us, code in found if since_us < at_us <= until_us]
    at_us = np.array([event[0] for event in inside], dtype=np.int64)
    runs = _is_running(stops, at_us) & (at_us > asset.commissioned_us)
    return sorted(event for event, is_kept in zip(inside, runs, strict=True) if is_kept)


def _precursors(life: Life, mode: FailureMode) -> list[tuple[int, str]]:
    until_us = life.fails_us if life.ended_us is None else life.ended_us
    code = str(mode.error_code)
    return [(int(at_us), code) for at_us in life.precursors_us() if at_us < until_us]


def _chatter(config: PlantConfig, asset: SimulatedAsset, week: int) -> list[tuple[int, str]]:
    random = draw(config.seed, Stream.CHATTER, asset.index, week)
    own = [mode.error_code for mode in asset.asset_class.modes if mode.error_code is not None]
    codes = (*asset.asset_class.chatter_codes, *asset.asset_class.chatter_codes, *own)
    count = random.poisson(7 * CHATTER_PER_DAY * len(codes))
    at_us = week * WEEK_US + np.rint(random.random(count) * WEEK_US).astype(np.int64)
    picked = random.integers(len(codes), size=count)
    return [(int(at), codes[int(code)]) for at, code in zip(at_us, picked, strict=True)]


def _draw_noise(config: PlantConfig, asset: SimulatedAsset, calendar: Calendar) -> _Noise:
    samples = len(calendar.at_us) // len(calendar.weeks)
    points = len(asset.asset_class.signals)
    by_week = [
        _draw_week(draw(config.seed, Stream.SIGNAL, asset.index, week), points, samples)
        for week in calendar.weeks
    ]
    return _Noise(
        recipe=np.concatenate([week.recipe for week in by_week]),
        load=np.concatenate([week.load for week in by_week]),
        white=np.concatenate([week.white for week in by_week], axis=1),
        spike=np.concatenate([week.spike for week in by_week], axis=1),
        is_lost=np.concatenate([week.is_lost for week in by_week], axis=1),
    )


def _draw_week(random: np.random.Generator, points: int, samples: int) -> _Noise:
    recipe = np.repeat(random.choice(np.array(RECIPES), size=7), samples // 7)
    load = random.normal(0, 0.03, size=samples)
    white = random.normal(size=(points, samples))
    luck = random.random((points, samples))
    spike = np.where(luck < SPIKE_PROBABILITY, random.normal(0, 9, size=(points, samples)), 0.0)
    is_lost = luck > 1 - LOSS_PROBABILITY
    for point in range(points):
        if random.random() < POINT_OUTAGE_PROBABILITY:
            is_lost[point] |= _outage(random, samples)
    if random.random() < GATEWAY_OUTAGE_PROBABILITY:
        is_lost |= _outage(random, samples)
    return _Noise(recipe, load, white, spike, is_lost)


def _outage(random: np.random.Generator, samples: int) -> Mask:
    start, length = random.random(), random.uniform(0.01, 0.25)
    share = np.arange(samples) / samples
    return np.asarray((share >= start) & (share < start + length))


def _load(asset: SimulatedAsset, calendar: Calendar, noise: _Noise) -> Floats:
    """Share of the rated load: the recipe of the day while the shifts work, idle otherwise."""
    end_hour = {1: 14, 2: 22, 3: 30}[asset.shifts_per_day]
    last_day = 5 if asset.shifts_per_day == 3 else 4
    works = ((calendar.hour - 6) % 24 < end_hour - 6) & (calendar.weekday <= last_day)
    return np.clip(np.where(works, noise.recipe, IDLE_LOAD) + noise.load, 0, None)


def _healthy(
    config: PlantConfig, asset: SimulatedAsset, number: int, calendar: Calendar, load: Floats
) -> Floats:
    """A point's value without noise and damage; each unit has its own level and slow wander."""
    signal = asset.asset_class.signals[number]
    random = draw(config.seed, Stream.SIGNAL, asset.index, 0, number)
    level = signal.base + signal.spread * random.normal()
    values = level + signal.load_gain * load + signal.season_gain * calendar.season
    values += signal.day_gain * np.sin(2 * np.pi * (calendar.hour - 9) / 24)
    for period_days in (9.0, 23.0, 57.0):
        turn = calendar.at_us / (period_days * DAY_US) + random.random()
        values += 0.4 * signal.noise * np.sin(2 * np.pi * turn)
    return np.asarray(values)


def _recalibrated(
    values: Floats, at_us: Instants, recalibrations: Sequence[Recalibration]
) -> Floats:
    """What the sensor says of these true values, each by the newest recalibration before it."""
    said = values
    for recalibration in recalibrations:
        later = at_us > recalibration.from_us
        said = np.where(later, recalibration.gain * values + recalibration.offset, said)
    return said


def _signature_by_time(lives: Sequence[Life], at_us: Instants) -> Floats:
    """Share of the mode's signature shown at each instant, the mounting's bias included."""
    shown = np.zeros(len(at_us))
    for life in lives:
        end_us = life.fails_us if life.ended_us is None else life.ended_us
        first, last = np.searchsorted(at_us, [life.installed_us, end_us], side="right")
        inside = at_us[first:last]
        shown[first:last] = life.severity_at(inside) ** 1.4 + life.bias
    return shown


def _is_running(stops: Sequence[Stop], at_us: Instants) -> Mask:
    is_running = np.ones(len(at_us), dtype=np.bool_)
    if len(at_us) and stops:
        starts = np.array([stop.start_us for stop in stops], dtype=np.int64)
        ends = np.array([stop.end_us for stop in stops], dtype=np.int64)
        latest = np.searchsorted(starts, at_us, side="right") - 1
        stopped = (latest >= 0) & (at_us < ends[np.maximum(latest, 0)])
        is_running[stopped] = False
    return is_running


def _is_sampled(config: PlantConfig, signal: Signal, at_us: Instants) -> Mask:
    step_us = config.sampling_minutes * MINUTE_US * signal.every
    return np.asarray(at_us % step_us == 0)
