"""A plant with known truth: seeded, of any size, lived week by week or at once.

`simulate` gives a plant with its history, ready to enter by the doors that real data use;
`PlantSimulator` lives on under interventions, `observe` renders what becomes known. The truth
(`Truth`) is kept apart from what features may read.
"""

from predictors.errors import SimulationError
from predictors.simulate.config import PlantConfig
from predictors.simulate.history import Observed, installations_at, observe
from predictors.simulate.plant import Plant, replace_by_interval, simulate
from predictors.simulate.register import Register
from predictors.simulate.resources import Resources, gather_resources
from predictors.simulate.simulator import (
    ComponentDown,
    FailureEvent,
    PlantSimulator,
    Recalibration,
    RenewalEvent,
)
from predictors.simulate.truth import Truth

__all__ = [
    "ComponentDown",
    "FailureEvent",
    "Observed",
    "Plant",
    "PlantConfig",
    "PlantSimulator",
    "Recalibration",
    "Register",
    "RenewalEvent",
    "Resources",
    "SimulationError",
    "Truth",
    "gather_resources",
    "installations_at",
    "observe",
    "replace_by_interval",
    "simulate",
]
