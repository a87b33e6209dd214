"""A whole plant with its history: what `simulate` gives.

The history is lived under the manufacturer's fixed intervals and repairs, and ends with a
backlog: see `PlantConfig.postponed`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pandas as pd

from predictors.schema import DAY_US
from predictors.simulate.config import PlantConfig
from predictors.simulate.draws import Stream, draw
from predictors.simulate.history import Observed, installations_at, observe
from predictors.simulate.register import Register, draw_up_register
from predictors.simulate.resources import Resources, gather_resources
from predictors.simulate.simulator import PlantSimulator
from predictors.simulate.truth import Truth

WORK_STARTS_HOUR = 8


@dataclass(frozen=True, slots=True, eq=False)
class Plant:
    """A simulated plant at ``config.end_us``.

    ``register``, ``installations`` (in place when the history begins), ``history`` and
    ``resources`` are what a real plant's systems would hand over. ``truth`` is for judges only;
    ``simulator`` is the plant itself, ready to live on.
    """

    config: PlantConfig
    register: Register
    installations: pd.DataFrame
    history: Observed
    resources: Resources
    truth: Truth
    simulator: PlantSimulator


def simulate(config: PlantConfig) -> Plant:
    """Live the warm-up and the history, and hand over what became known.

    >>> plant = simulate(PlantConfig(end_us=20_000 * DAY_US, assets=4, days=120))
    >>> sorted(plant.register.asset_classes["code"])
    ['compressor', 'conveyor', 'mill', 'pump']
    """
    simulator = PlantSimulator(config)
    replace_by_interval(simulator, config.end_us)
    simulator.advance(config.end_us)
    return Plant(
        config=config,
        register=draw_up_register(config, simulator.assets),
        installations=installations_at(simulator, config.start_us),
        history=observe(simulator, config.start_us, config.end_us),
        resources=gather_resources(config, simulator.assets),
        truth=Truth(simulator),
        simulator=simulator,
    )


def replace_by_interval(simulator: PlantSimulator, until_us: int) -> None:
    """Live until an instant, replacing components by the manufacturer's interval, a tenth about.

    Work starts at eight on weekdays, site time. In the last ``config.backlog_days`` a replacement
    is put off with probability ``config.postponed``, for good.
    """
    for day_us in _working_days(simulator.config, simulator.now_us, until_us):
        simulator.advance(day_us)
        for asset in simulator.assets:
            for position, mode in enumerate(asset.asset_class.modes):
                life = simulator.lives(asset.code, mode.code)[-1]
                age_days = (day_us - life.installed_us) / DAY_US
                if 0 < 0.75 * mode.interval_days < age_days and _is_due(
                    simulator.config,
                    (asset.index, position, life.number),
                    mode.interval_days,
                    age_days,
                    day_us,
                ):
                    simulator.renew(asset=asset.code, mode=mode.code, at_us=day_us)


def _is_due(
    config: PlantConfig,
    key: tuple[int, int, int],
    interval_days: float,
    age_days: float,
    day_us: int,
) -> bool:
    random = draw(config.seed, Stream.INTERVAL, *key)
    due_days = interval_days * random.normal(1, 0.08)
    due_us = day_us - (age_days - due_days) * DAY_US
    is_postponed = random.random() < config.postponed
    is_backlog = due_us > config.end_us - config.backlog_days * DAY_US
    return age_days >= due_days and not (is_backlog and is_postponed)


def _working_days(config: PlantConfig, since_us: int, until_us: int) -> Iterator[int]:
    zone = ZoneInfo(config.time_zone)
    day = dt.datetime.fromtimestamp(since_us // 1_000_000, tz=zone).date()
    while True:
        start = dt.datetime.combine(day, dt.time(WORK_STARTS_HOUR), tzinfo=zone)
        start_us = int(start.timestamp()) * 1_000_000
        if start_us > until_us:
            return
        if start_us >= since_us and day.weekday() < 5:
            yield start_us
        day += dt.timedelta(days=1)
