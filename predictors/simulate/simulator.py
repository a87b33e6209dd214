"""The plant as it lives: components wear, fail, are renewed, and the asset stops meanwhile.

`PlantSimulator` is a state machine over hidden truth. `advance` lets time pass, `renew` replaces
a component before it fails, `recalibrate` changes what a sensor says from now on, and
`history.observe` renders what the plant's doors would have delivered.
Advancing day by day or at once gives the same plant; two policies live on the same lives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from predictors.errors import SimulationError
from predictors.schema import DAY_US, HOUR_US
from predictors.simulate.catalogue import ASSET_CLASSES, AssetClass, FailureMode
from predictors.simulate.config import MINUTE_US, PlantConfig
from predictors.simulate.draws import Stream, draw
from predictors.simulate.lives import Life, draw_life

AGEING_OF_SHIFTS = {1: 1.2, 2: 1.0, 3: 0.85}
"""How many times as long components live on assets that work one, two or three shifts."""


class ComponentDown(SimulationError):
    """The component has failed and waits for its repair: there is nothing to renew."""


@dataclass(frozen=True, slots=True)
class SimulatedAsset:
    """One asset: what everybody knows of it, and ``life_factor``, which nobody does."""

    index: int
    code: str
    asset_class: AssetClass
    flavour: int
    line: int
    serial: str
    maker: str
    criticality: str
    shifts_per_day: int
    rated_power_kw: float
    commissioned_us: int
    life_factor: float


@dataclass(frozen=True, slots=True)
class FailureEvent:
    """A component failed; its asset stood still until the repair was done."""

    asset: SimulatedAsset
    mode: FailureMode
    life_number: int
    failed_us: int
    restarted_us: int


@dataclass(frozen=True, slots=True)
class RenewalEvent:
    """A component was replaced before it failed; ``severity`` is what was found inside."""

    asset: SimulatedAsset
    mode: FailureMode
    life_number: int
    replaced_us: int
    restarted_us: int
    severity: float

    @property
    def as_found(self) -> str:
        """What a technician would report: confirmed, early_signs or nothing_found."""
        if self.severity >= 0.5:
            return "confirmed"
        return "early_signs" if self.severity >= 0.1 else "nothing_found"


@dataclass(frozen=True, slots=True)
class Stop:
    """An asset stood still in [start_us, end_us)."""

    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class Recalibration:
    """From after ``from_us`` on, a sensor says ``gain * value + offset`` of what it said before."""

    from_us: int
    gain: float
    offset: float


@dataclass(slots=True)
class _Running:
    """The state of one asset: every life of each of its modes, and its stops."""

    asset: SimulatedAsset
    lives: tuple[list[Life], ...]
    stops: list[Stop]
    next_failure_us: int = 0

    @property
    def stopped_until_us(self) -> int:
        return self.stops[-1].end_us if self.stops else 0

    def look_ahead(self) -> None:
        self.next_failure_us = min(lives[-1].fails_us for lives in self.lives)


class PlantSimulator:
    """A plant from its birth on; starts at ``config.birth_us`` with every component new.

    >>> simulator = PlantSimulator(PlantConfig(end_us=600 * DAY_US, assets=4, days=200))
    >>> failures = simulator.advance(600 * DAY_US)
    >>> len(failures) > 0 and failures[0].failed_us <= failures[-1].failed_us
    True
    """

    def __init__(self, config: PlantConfig) -> None:
        self.config = config
        self.now_us = config.birth_us
        self.failures: list[FailureEvent] = []
        self.renewals: list[RenewalEvent] = []
        self._recalibrations: dict[tuple[str, str], list[Recalibration]] = {}
        self._running = [self._new(index) for index in range(config.assets)]
        self._by_code = {running.asset.code: running for running in self._running}

    @property
    def assets(self) -> tuple[SimulatedAsset, ...]:
        """The assets, in the order of their index."""
        return tuple(running.asset for running in self._running)

    def advance(self, until_us: int) -> tuple[FailureEvent, ...]:
        """Let time pass; the failures that happened meanwhile, in order.

        Raises `SimulationError` when asked to go back.
        """
        if until_us < self.now_us:
            raise SimulationError(f"until_us: {until_us} lies before now, {self.now_us}")
        happened: list[FailureEvent] = []
        for running in self._running:
            while running.next_failure_us <= until_us:
                happened.append(self._fail(running))
        happened.sort(key=lambda event: (event.failed_us, event.asset.index))
        self.failures += happened
        self.now_us = until_us
        return tuple(happened)

    def renew(self, *, asset: str, mode: str, at_us: int) -> RenewalEvent:
        """Let time pass until ``at_us``, then replace the component that suffers ``mode``.

        The asset stands still for the job plan's usual duration. Raises `ComponentDown` when the
        component failed before and is not repaired yet, `SimulationError` for an unknown asset or
        mode or an instant that has passed.
        """
        running, position = self._component(asset, mode)
        self.advance(at_us)
        life = running.lives[position][-1]
        if life.installed_us > at_us:
            raise ComponentDown(f"asset {asset}, mode {mode}: failed, waits for its repair")
        failure_mode = running.asset.asset_class.modes[position]
        life.ended_us = at_us
        minutes = failure_mode.plan.duration_p50_minutes
        restarted_us = self._replace(running, position, at_us, at_us + minutes * MINUTE_US)
        event = RenewalEvent(
            running.asset,
            failure_mode,
            life.number,
            at_us,
            restarted_us,
            float(life.severity_at(at_us)),
        )
        self.renewals.append(event)
        return event

    def recalibrate(
        self, *, asset: str, quantity: str, gain: float = 1.0, offset: float = 0.0
    ) -> Recalibration:
        """From now on the asset's sensor says ``gain * value + offset``, in its own unit.

        What was measured up to now stays as it was. A later recalibration takes the place of an
        earlier one: both count from the sensor as it was built. The asset itself does not change.
        Raises `SimulationError` for an unknown asset or quantity, a gain that is not above zero or
        an offset that is not finite.

        >>> simulator = PlantSimulator(PlantConfig(end_us=600 * DAY_US, assets=4, days=200))
        >>> simulator.recalibrate(asset="PU-101", quantity="vibration", gain=1.2).gain
        1.2
        """
        running = self._by_code.get(asset)
        if running is None:
            raise SimulationError(f"asset: {asset!r} is not in the plant")
        known = [signal.quantity for signal in running.asset.asset_class.signals]
        if quantity not in known:
            raise SimulationError(f"quantity: {quantity!r} is none of {', '.join(known)}")
        if not (math.isfinite(gain) and gain > 0):
            raise SimulationError(f"gain: {gain} must be above zero and finite")
        if not math.isfinite(offset):
            raise SimulationError(f"offset: {offset} must be finite")
        made = Recalibration(self.now_us, gain, offset)
        self._recalibrations.setdefault((asset, quantity), []).append(made)
        return made

    def recalibrations(self, asset: str, quantity: str) -> tuple[Recalibration, ...]:
        """Every recalibration of a sensor, in order of time."""
        return tuple(self._recalibrations.get((asset, quantity), ()))

    def lives(self, asset: str, mode: str) -> tuple[Life, ...]:
        """Hidden truth: every life of a component so far, the running one last."""
        running, position = self._component(asset, mode)
        return tuple(running.lives[position])

    def stops(self, asset: str) -> tuple[Stop, ...]:
        """When the asset stood still for repairs and replacements."""
        return tuple(self._by_code[asset].stops)

    def _component(self, asset: str, mode: str) -> tuple[_Running, int]:
        running = self._by_code.get(asset)
        if running is None:
            raise SimulationError(f"asset: {asset!r} is not in the plant")
        codes = [known.code for known in running.asset.asset_class.modes]
        if mode not in codes:
            raise SimulationError(f"mode: {mode!r} is none of {', '.join(codes)}")
        return running, codes.index(mode)

    def _fail(self, running: _Running) -> FailureEvent:
        position = min(
            range(len(running.lives)), key=lambda index: running.lives[index][-1].fails_us
        )
        life, mode = running.lives[position][-1], running.asset.asset_class.modes[position]
        failed_us = life.fails_us
        life.ended_us, life.is_failed = failed_us, True
        random = draw(self.config.seed, Stream.REPAIR, running.asset.index, position, life.number)
        repair_us = round(mode.downtime_hours * random.lognormal(0, 0.25) * HOUR_US)
        restarted_us = self._replace(running, position, failed_us, failed_us + repair_us)
        return FailureEvent(running.asset, mode, life.number, failed_us, restarted_us)

    def _replace(self, running: _Running, position: int, start_us: int, end_us: int) -> int:
        """Stop the asset, put in a new component, and say when the asset runs again."""
        already_us = max(start_us, running.stopped_until_us)
        restarted_us = max(end_us, already_us)
        if restarted_us > already_us:
            for lives in running.lives:
                lives[-1].stop(already_us, restarted_us)
            running.stops.append(Stop(already_us, restarted_us))
        number = running.lives[position][-1].number + 1
        running.lives[position].append(
            self._draw_life(running.asset, position, number, restarted_us)
        )
        running.look_ahead()
        return restarted_us

    def _draw_life(self, asset: SimulatedAsset, position: int, number: int, at_us: int) -> Life:
        mode = asset.asset_class.modes[position]
        key = (self.config.seed, asset.index, position, number)
        return draw_life(mode.wear, factor=asset.life_factor, installed_us=at_us, key=key)

    def _new(self, index: int) -> _Running:
        asset = _draw_asset(self.config, index)
        lives = tuple(
            [self._draw_life(asset, position, 0, asset.commissioned_us)]
            for position in range(len(asset.asset_class.modes))
        )
        running = _Running(asset, lives, stops=[])
        running.look_ahead()
        return running


def _draw_asset(config: PlantConfig, index: int) -> SimulatedAsset:
    asset_class = ASSET_CLASSES[index % len(ASSET_CLASSES)]
    place = index // len(ASSET_CLASSES)
    random = draw(config.seed, Stream.ASSET, index)
    shifts = int(random.choice([1, 2, 3], p=[0.2, 0.45, 0.35]))
    maker = int(random.integers(len(asset_class.makers)))
    return SimulatedAsset(
        index=index,
        code=f"{asset_class.prefix}-{101 + place}",
        asset_class=asset_class,
        flavour=place % len(asset_class.flavours),
        line=place % 4,
        serial=f"{asset_class.makers[maker][:3].upper()}{random.integers(10_000, 99_999)}",
        maker=asset_class.makers[maker],
        criticality=str(random.choice(["A", "B", "C"], p=[0.25, 0.5, 0.25])),
        shifts_per_day=shifts,
        rated_power_kw=float(random.choice(asset_class.rated_power_kw)),
        commissioned_us=config.birth_us + int(random.integers(180)) * DAY_US,
        life_factor=AGEING_OF_SHIFTS[shifts] * float(random.lognormal(0, 0.1)),
    )
