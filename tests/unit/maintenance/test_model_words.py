"""What the core says of models is told in the reader's language, whatever it says."""

from __future__ import annotations

import math

import pytest
from django.utils import translation

from maintenance.queries.model_words import model_words
from predictors.gate import (
    BASELINE,
    CHALLENGER,
    CHAMPION,
    Comparison,
    Difference,
    Paired,
    Scores,
    decide,
)

EVEN, WORSE = Difference(0.0, -1.0, 1.0), Difference(2.0, 1.0, 3.0)


def scores(*, cost: float | None = 1_000.0, brier: float = 0.04) -> Scores:
    """Of one forecaster; what no verdict asks for is not a number."""
    nothing = dict.fromkeys(
        ("accuracy", "precision", "recall", "f1", "rul_mse", "rul_mae", "rul_rmse"), math.nan
    )
    return Scores(
        brier={},
        average_precision={},
        integrated_brier=brier,
        cost=cost,
        alarm_days=14,
        rul_days=60,
        calibration=(),
        calibration_error=0.0123,
        **nothing,
    )


def comparison(
    ours: Scores,
    *,
    rival: str | None = CHAMPION,
    lives: int = 5,
    saw_rows: bool = False,
    pair: Paired | None = None,
) -> Comparison:
    pair = pair or Paired(EVEN, EVEN, EVEN)
    return Comparison(
        from_us=0,
        until_us=1,
        rows=100,
        assets=6,
        failed_lives=lives,
        champion_saw_rows=saw_rows,
        review_days=7,
        scores={CHALLENGER: ours, **({rival: scores(cost=ours.cost and 1_500.0)} if rival else {})},
        against={rival: pair} if rival else {},
    )


COMPARED = {
    "costs more": comparison(scores(cost=12_345.6)),
    "costs more where the champion knew some rows": comparison(scores(cost=2e4), saw_rows=True),
    "worse Brier score": comparison(scores(brier=0.123456), rival=BASELINE),
    "tiny Brier score": comparison(scores(brier=1.5e-5), pair=Paired(EVEN, WORSE, EVEN)),
    "less true to its word": comparison(scores(), pair=Paired(EVEN, EVEN, WORSE)),
    "too few failures": comparison(scores(), lives=1),
    "not worse": comparison(scores(cost=900.0)),
    "not worse than the baseline": comparison(scores(cost=900.0), rival=BASELINE),
    "without a price": comparison(scores(cost=None)),
    "the baseline itself": comparison(scores(), rival=None),
}
BEFORE = "nothing served before; "
FAMILIES = (
    "better than age and constant, held out",
    "4 failures, 10 needed for a model of readings; risk by age serves",
    "failures on 3 assets, 5 needed for a model of readings; risk by age serves",
    "no decision instant lies within a life; 1 failures, Weibull needs 3: one constant rate serves",
    "PU-SEA: a fold without failures; risk by age serves",
    "on other assets the hazard's Brier score 0.05123 is worse than weibull's; risk by age serves",
    "on later time the hazard's Brier score 1.2e-05 is worse than constant's; risk by age serves",
    "too few units to leave some out: nobody can tell whether it is better",
    "it learnt from the same rows as version 3: nothing is new",
)


@pytest.mark.parametrize("case", COMPARED)
def test_every_verdict_of_the_gate_has_words(case: str) -> None:
    assert model_words(decide(COMPARED[case]).reason)


@pytest.mark.parametrize("said", [*FAMILIES, *(BEFORE + why for why in FAMILIES)])
def test_every_reason_for_a_family_has_words(said: str) -> None:
    assert model_words(said)


def test_figures_are_pointed_as_the_reader_does_it() -> None:
    said = decide(COMPARED["costs more"]).reason
    with translation.override("es"):
        told = model_words(said)
    assert told is not None
    assert told.startswith("Cuesta 12\N{NO-BREAK SPACE}346 por activo y año")


def test_a_sentence_of_no_known_form_has_none() -> None:
    assert model_words("somebody liked it") is None
    assert model_words("nothing served before; somebody liked it") is None
