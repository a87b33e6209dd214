"""Errors of the forecasting core.

    PredictorsError
    ├── HistoryError        an asset's past contradicts itself (unsorted, not finite)
    ├── FeatureSetError     a feature declaration that cannot be computed or read back
    ├── DatasetError        rows, labels and names that do not fit together
    ├── CurveError          a risk curve that is no distribution, or a question beyond its horizon
    ├── FitError            a family cannot be fitted to this dataset
    │   └── NotEnoughEvidence   too few failures or assets for this family
    ├── ArtefactError       a stored forecaster that cannot be trusted
    │   ├── ArtefactMissing     a file named by the manifest is not there
    │   ├── ArtefactCorrupt     a file's bytes differ from the manifest
    │   └── ArtefactUnknown     a format or family this version cannot read
    ├── EconomicsError      costs or times that cannot be priced
    └── SimulationError     a plant declaration that cannot be simulated

Expected refusals are raised, never returned as ``None``.
"""

from __future__ import annotations


class PredictorsError(Exception):
    """Base of every error this package raises on purpose."""


class HistoryError(PredictorsError, ValueError):
    """An asset's past contradicts itself; the message names the asset and the field."""


class FeatureSetError(PredictorsError, ValueError):
    """A feature declaration that cannot be computed or read back."""


class DatasetError(PredictorsError, ValueError):
    """Rows, labels and names that do not fit together."""


class CurveError(PredictorsError, ValueError):
    """A risk curve that is no distribution, or a question beyond its horizon."""


class FitError(PredictorsError):
    """A family cannot be fitted to this dataset."""


class NotEnoughEvidence(FitError):
    """Too few failures or assets for this family; a simpler one should serve."""


class ArtefactError(PredictorsError):
    """A stored forecaster that cannot be trusted."""


class ArtefactMissing(ArtefactError):
    """A file named by the manifest is not there."""


class ArtefactCorrupt(ArtefactError):
    """A file's bytes differ from the manifest's."""


class ArtefactUnknown(ArtefactError):
    """A format or family this version cannot read."""


class EconomicsError(PredictorsError, ValueError):
    """Costs or times that cannot be priced."""


class SimulationError(PredictorsError, ValueError):
    """A plant declaration that cannot be simulated."""
