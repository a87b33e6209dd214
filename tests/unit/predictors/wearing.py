"""A small fleet whose seals wear visibly and whose relays fail at random."""

import numpy as np

from predictors.schema import DAY_US, HOUR_US, AssetHistory, Series

SEAL_WARNING_DAYS = 20
DAYS = 360


def wearing_fleet(*, assets: int = 16, seed: int = 1, days: int = DAYS) -> list[AssetHistory]:
    return [_asset(number, np.random.default_rng((seed, number)), days) for number in range(assets)]


def _asset(number: int, random: np.random.Generator, days: int) -> AssetHistory:
    seal_failures, seal_renewals = _lives(random, days, shape=3.0, scale_days=90.0, prevented=0.3)
    relay_failures, relay_renewals = _lives(random, days, shape=1.0, scale_days=150.0, prevented=0)
    at_us = np.arange(0, days * 24, 6, dtype=np.int64) * HOUR_US
    vibration = 2 + random.normal(0, 0.2, at_us.size) + random.normal(0, 0.3)
    for failed_us in seal_failures:
        left_days = (failed_us - at_us) / DAY_US
        worn = (left_days > 0) & (left_days < SEAL_WARNING_DAYS)
        vibration[worn] += 2 * (1 - left_days[worn] / SEAL_WARNING_DAYS)
    kept = random.random(at_us.size) > 0.05
    load = random.normal(50, 5, at_us.size)
    return AssetHistory(
        asset_id=f"P-{number:02d}",
        asset_class="pump",
        commissioned_us=0,
        observed_until_us=days * DAY_US,
        readings={
            "vibration": Series(at_us[kept], vibration[kept]),
            "load": Series(at_us[kept], load[kept]),
        },
        events={"E1": np.sort(seal_failures - 3 * DAY_US)},
        renewals={"seal": seal_renewals, "relay": relay_renewals},
        failures={"seal": seal_failures, "relay": relay_failures},
        statics={"rated_power": 5.0 + number % 3},
    )


def _lives(
    random: np.random.Generator, days: int, *, shape: float, scale_days: float, prevented: float
) -> tuple[np.ndarray, np.ndarray]:
    at, failures, renewals = 0.0, [], [0]
    while True:
        life = scale_days * random.weibull(shape) + 1
        is_prevented = random.random() < prevented
        at += life * (random.uniform(0.3, 0.95) if is_prevented else 1)
        if at >= days:
            return np.array(failures, dtype=np.int64), np.array(renewals, dtype=np.int64)
        at_us = int(at * DAY_US)
        if not is_prevented:
            failures.append(at_us)
        renewals.append(at_us)
