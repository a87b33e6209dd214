"""Azure PdM: failures of four components, decided at midnight on what was known by then.

    python -m benchmarks.azure_pdm FOLDER --split 2015-08-01 [--json]

Three questions, asked of the product's own features and families:

* *Within 24 hours*, by component, decided daily at 00:00 UTC by a model frozen at the split
  whose thresholds were chosen before it, on assets each prediction had not seen.
* *Within 7 days*, from the daily origins of 1-22 September, by a model frozen at the end of
  31 August: average precision and Brier score.
* Brier skill over Weibull on age at 7 and 30 days, by the model frozen at the split.

Rows whose component was replaced before the horizon without failing have no answer there; the
others are weighted for them (`predictors.evaluate`). The data are simulated: no evidence for
the real world.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.azure_data import COMPONENTS, instant_us, read_histories
from predictors import hazard, weibull
from predictors.dataset import Dataset, FeatureTable, build_table, label
from predictors.evaluate import answers, average_precision, brier, precision_recall_f1
from predictors.forecaster import Forecaster
from predictors.schema import DAY_US, FeatureSet, Floats

HORIZON_DAYS = 30
FROZEN_AT = "2015-09-01"
LAST_ORIGIN = "2015-09-22"


@dataclass(frozen=True, eq=False)
class Frozen:
    """Both families as fitted at an instant, with the threshold each chose before it."""

    hazard: Forecaster
    weibull: Forecaster
    hazard_threshold: float
    weibull_threshold: float

    @property
    def families(self) -> dict[str, tuple[Forecaster, float]]:
        """Forecaster and threshold by family."""
        return {
            "hazard": (self.hazard, self.hazard_threshold),
            "weibull": (self.weibull, self.weibull_threshold),
        }


@dataclass(frozen=True)
class Tally:
    """Alarms raised, failures that came, and alarms that were right."""

    hits: int
    alarms: int
    failures: int

    def as_rates(self) -> dict[str, float | int]:
        """Precision, recall and F1 beside the counts."""
        precision, recall, f1 = precision_recall_f1(
            hits=self.hits, alarms=self.alarms, failures=self.failures
        )
        rates = {"precision": precision, "recall": recall, "f1": f1}
        return rates | {"hits": self.hits, "alarms": self.alarms, "failures": self.failures}


def freeze(dataset: Dataset, at_us: int, *, seed: int) -> Frozen:
    """Fit on what was known at an instant, and choose thresholds on the same."""
    known = dataset.known_by(at_us)
    boosted, found = hazard.learn(known, seed=seed)
    by_age = weibull.fit(known)
    return Frozen(
        hazard=boosted,
        weibull=by_age,
        hazard_threshold=best_threshold(found.rows, found.held_out[:, 1]),
        weibull_threshold=best_threshold(known, by_age.risk(known.x)[:, 1]),
    )


def best_threshold(rows: Dataset, risk: Floats) -> float:
    """The alarm level with the best weighted F1 within a day; half way to the next lower risk."""
    failing = rows.weight * fails_within(rows, 1)
    order = np.argsort(-risk, kind="stable")
    hits, alarms = np.cumsum(failing[order]), np.cumsum(rows.weight[order])
    f1 = np.where(np.diff(risk[order], append=-1.0) < 0, 2 * hits / (alarms + failing.sum()), 0)
    best = int(np.argmax(f1))
    level = risk[order]
    return float((level[best] + level[min(best + 1, level.size - 1)]) / 2)


def fails_within(rows: Dataset, days: float) -> Floats:
    """1 where the component fails within ``days`` of the origin."""
    return (rows.failed & (rows.duration_days <= days)).astype(np.float64)


def tally(rows: Dataset, forecaster: Forecaster, threshold: float) -> Tally:
    """Alarms against failures of the next day."""
    alarm = forecaster.risk(rows.x)[:, 1] >= threshold
    failing = fails_within(rows, 1).astype(bool)
    return Tally(int((alarm & failing).sum()), int(alarm.sum()), int(failing.sum()))


def pooled(tallies: Sequence[Tally]) -> Tally:
    """The sum of several."""
    return Tally(
        *(sum(getattr(one, name) for one in tallies) for name in ("hits", "alarms", "failures"))
    )


def within_24_hours(after: dict[str, Dataset], frozen: dict[str, Frozen]) -> dict[str, Any]:
    """Micro-averaged precision, recall and F1, and each component's."""
    tallies = {
        family: {
            component: tally(rows, *frozen[component].families[family])
            for component, rows in after.items()
        }
        for family in ("hazard", "weibull")
    }
    micro = {family: pooled(list(by.values())).as_rates() for family, by in tallies.items()}
    return {
        "micro_precision": micro["hazard"]["precision"],
        "micro_recall": micro["hazard"]["recall"],
        "micro_f1": micro["hazard"]["f1"],
        "by_component": {key: one.as_rates() for key, one in tallies["hazard"].items()},
        "weibull_micro_f1": micro["weibull"]["f1"],
    }


def scores(rows: Dataset, forecaster: Forecaster, days: int) -> dict[str, float]:
    """Average precision and Brier score within ``days``."""
    risk = forecaster.risk(rows.x)[:, [days]]
    seen = answers(
        duration_days=rows.duration_days,
        failed=rows.failed,
        weight=rows.weight,
        horizons_days=(days,),
    )
    precision = average_precision(risk[:, 0], seen.failed[:, 0], seen.weight[:, 0])
    return {"average_precision": precision, "brier": float(brier(risk, seen)[0])}


def against_weibull(rows: Dataset, frozen: Frozen, days: int) -> dict[str, Any]:
    """Both families' scores, and the skill: 1 - Brier / Weibull's Brier."""
    ours, theirs = (scores(rows, one, days) for one in (frozen.hazard, frozen.weibull))
    return {"hazard": ours, "weibull": theirs, "skill": 1 - ours["brier"] / theirs["brier"]}


def between(rows: Dataset, first_us: int, last_us: int) -> Dataset:
    """Rows with origins in ``[first_us, last_us]``."""
    return rows.take((rows.origin_us >= first_us) & (rows.origin_us <= last_us))


def with_answer(rows: Dataset, from_us: int, until_us: int, days: int) -> Dataset:
    """Rows decided from an instant on, early enough to be answered by the end of the data."""
    return between(rows, from_us, until_us - days * DAY_US)


def run(folder: Path, *, split: str, seed: int = 0) -> dict[str, Any]:
    """All figures of one folder."""
    histories = read_histories(folder)
    feature_set = FeatureSet.for_class(histories, name="azure_pdm")
    table = build_table(histories, feature_set)
    rows = {mode: label(table, mode, horizon_days=HORIZON_DAYS) for mode in COMPONENTS}
    return measure(rows, table, split_us=instant_us(split), seed=seed)


def measure(
    rows: dict[str, Dataset], table: FeatureTable, *, split_us: int, seed: int
) -> dict[str, Any]:
    """The three questions, from labelled rows by component."""
    until_us = max(history.observed_until_us for history in table.histories)
    frozen = {mode: freeze(one, split_us, seed=seed) for mode, one in rows.items()}
    after = {mode: with_answer(one, split_us, until_us, 1) for mode, one in rows.items()}
    skills = {
        days: {
            mode: against_weibull(with_answer(one, split_us, until_us, days), frozen[mode], days)
            for mode, one in rows.items()
        }
        for days in (7, 30)
    }
    late_us, last_us = instant_us(FROZEN_AT), instant_us(LAST_ORIGIN)
    late = {
        mode: against_weibull(between(one, late_us, last_us), freeze(one, late_us, seed=seed), 7)
        for mode, one in rows.items()
    }
    return within_24_hours(after, frozen) | {
        "within_7_days": {"by_component": late, **_means(late)},
        **{f"skill_{days}d": _means(by)["skill"] for days, by in skills.items()},
        "skill_by_component": {
            f"{days}d": {mode: found["skill"] for mode, found in by.items()}
            for days, by in skills.items()
        },
        "rows": int(table.origin_us.size),
        "features": len(table.names),
    }


def _means(by: dict[str, Any]) -> dict[str, Any]:
    """Means over components of each family's scores and of the skill."""
    means: dict[str, Any] = {"skill": float(np.mean([found["skill"] for found in by.values()]))}
    for family in ("hazard", "weibull"):
        means[family] = {
            key: float(np.mean([found[family][key] for found in by.values()]))
            for key in ("average_precision", "brier")
        }
    return means


def main() -> None:
    """Read the arguments, measure, and print JSON last."""
    parser = argparse.ArgumentParser(prog="benchmarks.azure_pdm", description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder with the PdM_*.csv files")
    parser.add_argument("--split", default="2015-08-01", help="freeze the model here")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print the figures alone")
    options = parser.parse_args()
    began = time.perf_counter()
    found = run(options.folder, split=options.split, seed=options.seed)
    found["seconds"] = round(time.perf_counter() - began, 1)
    if not options.json:
        print(f"micro F1 {found['micro_f1']:.3f} (Weibull {found['weibull_micro_f1']:.3f})")
    print(json.dumps(found, indent=None if options.json else 1))


if __name__ == "__main__":
    main()
