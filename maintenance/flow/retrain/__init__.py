"""Models learn again from what happened, and one of them serves: train, promote, roll back.

Refusals: AlreadyServes, NothingBefore, ServesAnother, or predictors.errors.ArtefactError where
the files of a version are not whole.
"""

from maintenance.flow.retrain.swaps import (
    AlreadyServes,
    NothingBefore,
    ServesAnother,
    promote,
    roll_back,
    served_before,
)
from maintenance.flow.retrain.training import train

__all__ = [
    "AlreadyServes",
    "NothingBefore",
    "ServesAnother",
    "promote",
    "roll_back",
    "served_before",
    "train",
]
