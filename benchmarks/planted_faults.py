"""Measurement points of the simulated plant, with faults planted in their readings on purpose.

Points differ in character: as the simulator makes them, coarse (few digits), resting (nothing
turns while the machine is idle), asleep (nothing is sent then), and set points. Each faulty point
bears three faults of different kinds, far apart; its clean twin comes from another seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from predictors.quality import Kind
from predictors.schema import DAY_US
from predictors.simulate import PlantConfig
from predictors.simulate.plant import replace_by_interval
from predictors.simulate.signals import Calendar, read_signals
from predictors.simulate.simulator import PlantSimulator

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
HOUR_US = 3_600_000_000
MINUTE_US = 60_000_000
END_US = 20_454 * DAY_US
CHARACTERS = ("plain", "coarse", "resting", "asleep", "set point")
FAULTS_A_POINT = 3
MISTAKEN_UNITS: dict[str, tuple[tuple[str, float, float], ...]] = {
    "°C": (("°F", 1.8, 32.0), ("K", 1.0, 273.15)),
    "bar": (("psi", 14.5038, 0.0), ("kPa", 100.0, 0.0)),
    "mm/s": (("in/s", 1 / 25.4, 0.0),),
}


@dataclass(frozen=True)
class Fault:
    """What was planted, and at which instants its readings (or its silence) lie."""

    kind: Kind
    at_us: Ints


@dataclass(frozen=True)
class Point:
    """Readings in the order in which they arrived."""

    unit: str
    character: str
    low: float | None
    high: float | None
    sampling_us: int
    standing: tuple[tuple[int, int], ...]
    at_us: Ints
    values: Floats
    arrived_us: Ints
    faults: tuple[Fault, ...] = ()
    # All instants at which the sensor spoke, sent or not: a silence without them is no habit.
    spoke_us: Ints = field(default_factory=lambda: np.empty(0, np.int64))


def points(*, seed: int, assets: int, days: int, minutes: int) -> list[Point]:
    """The points of a plant as its sensors spoke, each in one of the characters."""
    config = PlantConfig(
        end_us=END_US, seed=seed, assets=assets, days=days, sampling_minutes=minutes
    )
    simulator = PlantSimulator(config)
    replace_by_interval(simulator, config.end_us)
    simulator.advance(config.end_us)
    calendar = Calendar.of(config, config.start_us, config.end_us)
    random = np.random.default_rng([seed, 1])
    made: list[Point] = []
    for asset in simulator.assets:
        standing = tuple((stop.start_us, stop.end_us) for stop in simulator.stops(asset.code))
        for spoken in read_signals(simulator, asset, calendar):
            signal = spoken.signal
            if len(spoken.at_us) < 1000:
                continue
            declared = random.random() < 0.5
            plain = Point(
                unit=signal.unit,
                character="plain",
                low=signal.low if declared else None,
                high=signal.high if declared else None,
                sampling_us=minutes * MINUTE_US * signal.every,
                standing=standing,
                at_us=spoken.at_us,
                values=spoken.values,
                arrived_us=spoken.at_us + random.integers(1, 40) * 1_000_000,
                spoke_us=spoken.at_us,
            )
            character = CHARACTERS[len(made) % len(CHARACTERS)]
            made.append(_in_character(plain, character, random))
    return made


def _in_character(point: Point, character: str, random: np.random.Generator) -> Point:
    values = point.values
    idle = _idle(point.at_us, nights=int(random.integers(1, 3)))
    match character:
        case "coarse":
            step = float(np.ptp(np.quantile(values, [0.05, 0.95]))) / random.integers(6, 20)
            changed = replace(point, values=np.round(values / step) * step)
        case "resting":
            low = 0.0 if point.unit != "°C" else 20.0
            changed = replace(point, values=np.where(idle, low, values))
        case "asleep":
            changed = _kept(point, ~idle)
        case "set point":
            held = np.cumsum(random.random(len(values)) < point.sampling_us / (2 * DAY_US))
            levels = np.round(random.choice(np.linspace(0.9, 1.1, 5), held.max() + 1), 2)
            changed = replace(point, values=np.round(float(np.median(values)) * levels[held], 1))
        case _:
            changed = point
    return replace(changed, character=character)


def _idle(at_us: Ints, *, nights: int) -> npt.NDArray[np.bool_]:
    """Nights, and weekends: 1970 began on a Thursday."""
    hour = (at_us // HOUR_US) % 24
    weekday = (at_us // DAY_US + 3) % 7
    idle: npt.NDArray[np.bool_] = (hour < 8 * nights - 2) | (weekday >= 5)
    return idle


def _kept(point: Point, keep: npt.NDArray[np.bool_]) -> Point:
    return replace(
        point,
        at_us=point.at_us[keep],
        values=point.values[keep],
        arrived_us=point.arrived_us[keep],
    )


def disturbed(point: Point, random: np.random.Generator) -> Point:
    """What is no fault: readings sent twice, a lost one sent late, a backlog after a break."""
    arrived = point.arrived_us.copy()
    count = len(arrived)
    late = random.choice(count, size=max(1, count // 500), replace=False)
    arrived[late] += random.integers(1, 12, len(late)) * HOUR_US
    start = int(random.integers(count // 2, count - 100))
    backlog = slice(start, start + int(random.integers(20, 60)))
    arrived[backlog] = arrived[backlog.stop] + 1000 * np.arange(len(arrived[backlog]))
    again = random.choice(count, size=max(1, count // 500), replace=False)
    return _arrived(
        point,
        np.concatenate([point.at_us, point.at_us[again]]),
        np.concatenate([point.values, point.values[again]]),
        np.concatenate([arrived, arrived[again] + 2 * HOUR_US]),
    )


def planted(point: Point, number: int, random: np.random.Generator) -> Point:
    """The point with faults of as many kinds, drawn in turn, each in its own stretch of time."""
    kinds = [kind for kind in Kind if _can_bear(point, kind)]
    chosen = [kinds[(number * FAULTS_A_POINT + i) % len(kinds)] for i in range(FAULTS_A_POINT)]
    share = len(point.at_us) // (FAULTS_A_POINT + 1)
    faulty = point
    # From the last to the first: what is cut out or sent again moves nothing that comes earlier.
    for i, kind in reversed(list(enumerate(dict.fromkeys(chosen)))):
        first = (i + 1) * share + int(random.integers(share // 3))
        faulty = PLANTS[kind](faulty, first, random)
    return _arrived(faulty, faulty.at_us, faulty.values, faulty.arrived_us)


def _can_bear(point: Point, kind: Kind) -> bool:
    """A set point that stays is no fault, nor does it wander when it is said in another unit."""
    if kind is Kind.UNIT_MISMATCH:
        return point.character != "set point"
    return not (kind in (Kind.FLAT, Kind.SPIKE) and point.character == "set point")


def _stale(point: Point, first: int, random: np.random.Generator) -> Point:
    """Hours of silence; of a point that sleeps by habit, days."""
    hours = random.uniform(80, 200) if point.character == "asleep" else random.uniform(6, 60)
    gone = _between(point, first, hours)
    keep = np.ones(len(point.at_us), np.bool_)
    keep[gone] = False
    return _with(_kept(point, keep), Kind.STALE, point.at_us[gone])


def _flat(point: Point, first: int, random: np.random.Generator) -> Point:
    """The sensor says the same for half a day to five days, starting at work."""
    if point.character == "resting":
        while _idle(point.at_us[first : first + 1], nights=2)[0]:
            first += 1
    shortest = 100 if point.character in ("coarse", "asleep") else 12
    stuck = _between(point, first, random.uniform(shortest, 150))
    values = point.values.copy()
    values[stuck] = values[first]
    return _with(replace(point, values=values), Kind.FLAT, point.at_us[stuck])


def _out_of_range(point: Point, first: int, random: np.random.Generator) -> Point:
    """What a broken wire or an overflow says."""
    wrong = slice(first, first + int(random.integers(1, 40)))
    values = point.values.copy()
    values[wrong] = random.choice([-9999.0, -999.25, 65535.0, 32767.0, 1e6])
    return _with(replace(point, values=values), Kind.OUT_OF_RANGE, point.at_us[wrong])


def _spike(point: Point, first: int, random: np.random.Generator) -> Point:
    """One to three readings, off by 1.5 to 4 times the range of nine readings out of ten."""
    values = point.values.copy()
    size = float(np.ptp(np.quantile(values, [0.05, 0.95]))) * random.uniform(1.5, 4)
    if point.character == "resting":
        size = float(np.ptp(np.quantile(values, [0.01, 0.99]))) * random.uniform(1, 2)
    low = -np.inf if point.low is None else point.low
    high = np.inf if point.high is None else point.high
    wrong = slice(first, first + int(random.integers(1, 4)))
    signs = [s for s in (1, -1) if low <= values[wrong].mean() + s * size <= high]
    if not signs:
        return point
    values[wrong] = values[wrong].mean() + size * float(random.choice(signs))
    return _with(replace(point, values=values), Kind.SPIKE, point.at_us[wrong])


def _conflict(point: Point, first: int, random: np.random.Generator) -> Point:
    """Readings come again an hour later with other values."""
    again = slice(first, first + int(random.integers(1, 20)))
    other = point.values[again] * random.uniform(1.01, 1.2) + 0.1
    sent = replace(
        point,
        at_us=np.concatenate([point.at_us, point.at_us[again]]),
        values=np.concatenate([point.values, other]),
        arrived_us=np.concatenate([point.arrived_us, point.arrived_us[again] + HOUR_US]),
    )
    return _with(sent, Kind.CONFLICT, point.at_us[again])


def _clock_skew(point: Point, first: int, random: np.random.Generator) -> Point:
    """The clock runs ahead by hours, behind by hours to days, or starts years ago."""
    wrong = np.zeros(len(point.at_us), np.bool_)
    wrong[_between(point, first, random.uniform(6, 60))] = True
    match int(random.integers(3)):
        case 0:
            offset_us = int(random.uniform(1.2, 20) * HOUR_US)
        case 1:
            offset_us = -int(random.uniform(2.5, 100) * HOUR_US)
        case _:
            offset_us = -int(random.uniform(5, 20) * 365 * DAY_US)
    at_us = np.where(wrong, point.at_us + offset_us + 17_000_001, point.at_us)
    return _with(replace(point, at_us=at_us), Kind.CLOCK_SKEW, at_us[wrong])


def _unit_mismatch(point: Point, first: int, random: np.random.Generator) -> Point:
    """From one reading to the next in another unit, for some hours or to the end."""
    mistaken = MISTAKEN_UNITS.get(point.unit, (("× 1000", 1000.0, 0.0), ("÷ 1000", 0.001, 0.0)))
    _name, factor, offset = mistaken[int(random.integers(len(mistaken)))]
    wrong = _between(point, first, random.uniform(12, 160))
    values = point.values.copy()
    values[wrong] = np.round(factor * values[wrong] + offset, 5)
    changed = np.flatnonzero(values != point.values)
    return _with(replace(point, values=values), Kind.UNIT_MISMATCH, point.at_us[changed])


PLANTS: dict[Kind, Callable[[Point, int, np.random.Generator], Point]] = {
    Kind.STALE: _stale,
    Kind.FLAT: _flat,
    Kind.OUT_OF_RANGE: _out_of_range,
    Kind.SPIKE: _spike,
    Kind.CONFLICT: _conflict,
    Kind.CLOCK_SKEW: _clock_skew,
    Kind.UNIT_MISMATCH: _unit_mismatch,
}


def _between(point: Point, first: int, hours: float) -> slice:
    until_us = int(point.at_us[first] + hours * HOUR_US)
    # What was sent again by a fault planted later stands behind, out of order.
    rising = len(point.at_us)
    falls = np.flatnonzero(np.diff(point.at_us) <= 0)
    if len(falls):
        rising = int(falls[0]) + 1
    return slice(first, int(np.searchsorted(point.at_us[:rising], until_us)))


def _with(point: Point, kind: Kind, at_us: Ints) -> Point:
    return replace(point, faults=(*point.faults, Fault(kind, np.sort(at_us))))


def _arrived(point: Point, at_us: Ints, values: Floats, arrived_us: Ints) -> Point:
    order = np.argsort(arrived_us, kind="stable")
    return replace(point, at_us=at_us[order], values=values[order], arrived_us=arrived_us[order])


def batches(point: Point, *, every_us: int) -> Iterator[tuple[int, slice]]:
    """What arrived in each stretch of time together, and when."""
    bucket = point.arrived_us // every_us
    cuts = np.flatnonzero(np.diff(bucket)) + 1
    starts = np.concatenate([[0], cuts])
    ends = np.concatenate([cuts, [len(bucket)]])
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        yield int(point.arrived_us[end - 1]), slice(start, end)
