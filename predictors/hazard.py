"""Discrete-time hazard by gradient boosted trees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from predictors import discrete
from predictors.boosting import Boosting, Grower, Trees
from predictors.dataset import Dataset
from predictors.discrete import AgeOffset, DiscreteForecaster, Fit, Member
from predictors.schema import FeatureSet


@dataclass(frozen=True, eq=False, kw_only=True)
class HazardForecaster(DiscreteForecaster[Trees]):
    """Boosted members; see `predictors.discrete`."""

    family: ClassVar[str] = "hazard"

    def parameters(self) -> dict[str, Any]:
        """As of every discrete family, and where each stage starts."""
        return super().parameters() | {"stage_starts": list(self.members[0].learner.starts)}

    def files(self) -> Mapping[str, bytes]:
        """One UBJSON booster per member and stage."""
        return {
            _file(position, stage): raw
            for position, member in enumerate(self.members)
            for stage, raw in enumerate(member.learner.to_bytes())
        }

    @classmethod
    def restore(
        cls,
        *,
        mode: str,
        horizon_days: int,
        feature_set: FeatureSet,
        parameters: Mapping[str, Any],
        files: Mapping[str, bytes],
    ) -> Self:
        """Read back `parameters` and `files`."""
        starts = parameters["stage_starts"]
        members = tuple(
            Member(
                AgeOffset.from_dict(offset),
                Trees.from_bytes(
                    starts, [files[_file(position, stage)] for stage in range(len(starts))]
                ),
            )
            for position, offset in enumerate(parameters["offsets"])
        )
        return cls(
            mode=mode,
            horizon_days=horizon_days,
            feature_set=feature_set,
            **discrete.restored(members, parameters),
        )


def _file(member: int, stage: int) -> str:
    return f"member-{member}-stage-{stage}.ubj"


def learn(
    dataset: Dataset,
    *,
    seed: int = 0,
    threads: int = 1,
    folds: int = 4,
    how: Boosting | None = None,
    row_limit: int = discrete.ROW_LIMIT,
    period_limit: int = discrete.PERIOD_LIMIT,
) -> tuple[HazardForecaster, Fit[Trees]]:
    """A forecaster and its out-of-fold risks; same dataset and seed, same bits.

    Raises `NotEnoughEvidence` where a fold of assets has no failure to learn from.
    """
    found = discrete.fit(
        dataset,
        Grower(how or Boosting(), threads),
        seed=seed,
        folds=folds,
        row_limit=row_limit,
        period_limit=period_limit,
    )
    return HazardForecaster(**discrete.assembled(dataset, found)), found


def fit(dataset: Dataset, *, seed: int = 0, threads: int = 1) -> HazardForecaster:
    """`learn` without the out-of-fold risks."""
    return learn(dataset, seed=seed, threads=threads)[0]
