"""Which columns a model's reference profile holds: those that move its forecasts."""

from __future__ import annotations

import numpy as np

from predictors.dataset import Dataset
from predictors.drift import Profile
from predictors.forecaster import Forecaster
from predictors.schema import Rows

MOST_FEATURES = 60
RISK_DAYS = 14
MOST_ROWS = 10_000
EXPLAINED_ROWS = 100


def profile(dataset: Dataset, forecaster: Forecaster, *, seed: int = 0) -> Profile:
    """The features that move the forecast most, and its risks, on the rows it learnt from.

    At most 60 features of at most 10,000 rows, drawn by ``seed``.
    """
    random = np.random.default_rng(seed)
    size = min(len(dataset), MOST_ROWS)
    x = dataset.x[np.sort(random.choice(len(dataset), size=size, replace=False))]
    names = influential(forecaster, x, random=random)
    columns = [dataset.names.index(name) for name in names]
    risk = forecaster.risk(x)[:, min(RISK_DAYS, dataset.horizon_days)]
    return Profile.of(x[:, columns], names, risk)


def influential(forecaster: Forecaster, x: Rows, *, random: np.random.Generator) -> list[str]:
    """The features that move the forecast of 100 rows, largest mean contribution first."""
    chosen = np.sort(random.choice(len(x), size=min(len(x), EXPLAINED_ROWS), replace=False))
    weight: dict[str, float] = {}
    for reasons in forecaster.reasons(x[chosen]):
        for reason in reasons[1:]:
            weight[reason.feature] = weight.get(reason.feature, 0.0) + abs(reason.contribution)
    ranked = sorted(weight, key=lambda name: (-weight[name], name))
    return [name for name in ranked if weight[name] > 0][:MOST_FEATURES]
