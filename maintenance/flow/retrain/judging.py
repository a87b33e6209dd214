"""A challenger beside what serves and the baseline, on rows of assets that it left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import structlog

from maintenance.instants import to_us
from maintenance.models import ModelVersion
from maintenance.queries import artefacts
from predictors import gate
from predictors.dataset import Dataset, FeatureTable, build_table
from predictors.economics import Prices
from predictors.errors import ArtefactError
from predictors.gate import BASELINE, CHALLENGER, CHAMPION, Comparison
from predictors.schema import AssetHistory, FeatureSet, Floats
from predictors.select import HeldOut, Model

log = structlog.get_logger(__name__)


def verdict(
    model: Model, champion: ModelVersion | None, comparison: Comparison | None
) -> gate.Verdict:
    if champion is None and comparison is None:
        return gate.Verdict(promoted=True, reason=f"nothing served before; {model.card.why}")
    if champion is not None and champion.dataset_hash == model.card.dataset_hash:
        told = f"it learnt from the same rows as version {champion.version}: nothing is new"
        return gate.Verdict(promoted=False, reason=told)
    if comparison is None:
        told = "too few units to leave some out: nobody can tell whether it is better"
        return gate.Verdict(promoted=False, reason=told)
    return gate.decide(comparison)


def compare(
    model: Model, table: FeatureTable, champion: ModelVersion | None, priced: Prices | None
) -> Comparison | None:
    """The challenger beside what serves and the baseline, on rows of assets it left out.

    None where no assets could be left out.
    """
    held_out = model.held_out
    if held_out is None or not len(held_out.rows):
        return None
    as_of_us = to_us(champion.trained_as_of) if champion else None
    judged = gate.judged_rows(held_out.rows, champion_as_of_us=as_of_us)
    rows = held_out.rows.take(judged.positions)
    risks = _own_risks(model, held_out, judged.positions)
    if champion is not None:
        risks |= _champion_risk(champion, rows, table)
    horizon_days = min(risk.shape[1] for risk in risks.values()) - 1
    return gate.compare(
        replace(rows, horizon_days=horizon_days),
        {role: risk[:, : horizon_days + 1] for role, risk in risks.items()},
        prices=priced,
        champion_saw_rows=judged.champion_saw_rows,
    )


def _own_risks(
    model: Model, held_out: HeldOut, positions: np.ndarray[Any, np.dtype[np.int64]]
) -> dict[str, Floats]:
    family = model.card.family
    risks = {CHALLENGER: held_out.risk[family][positions]}
    if family == "hazard":
        risks[BASELINE] = held_out.risk["weibull"][positions]
    return risks


def _champion_risk(
    champion: ModelVersion, rows: Dataset, table: FeatureTable
) -> Mapping[str, Floats]:
    """What serves, asked about the same rows; nothing where its files cannot be read.

    It reads the columns it learnt, which need not be those of today.
    """
    try:
        forecaster = artefacts.load(champion).forecaster
    except ArtefactError as error:
        log.warning("champion_unreadable", version=str(champion), error=str(error))
        return {}
    declared = forecaster.feature_set
    if declared.code_hash == rows.feature_set.code_hash:
        return {CHAMPION: forecaster.risk(rows.x)}
    asked = [table.histories[asset] for asset in np.unique(rows.groups)]
    return {CHAMPION: forecaster.risk(_rows_again(asked, rows, table, declared))}


def _rows_again(
    asked: Sequence[AssetHistory], rows: Dataset, table: FeatureTable, declared: FeatureSet
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The same rows, by asset and instant, in the columns of another feature set."""
    origins = {
        table.histories[asset].asset_id: rows.origin_us[rows.groups == asset]
        for asset in np.unique(rows.groups)
    }
    return build_table(asked, declared, origins_us=origins).x
