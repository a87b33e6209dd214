from dataclasses import replace

import numpy as np
import pytest

from predictors.boosting import Boosting
from predictors.dataset import Dataset
from predictors.errors import NotEnoughEvidence
from predictors.schema import Grade
from predictors.select import Model, ModelCard, fit_best


def with_failures(dataset: Dataset, count: int) -> Dataset:
    """The dataset with all but the first failures taken for preventive renewals."""
    kept = {position for position, life in enumerate(dataset.lives) if life.failed}
    kept = set(sorted(kept)[:count])
    lives = tuple(
        replace(life, failed=position in kept) for position, life in enumerate(dataset.lives)
    )
    return replace(dataset, lives=lives, failed=dataset.failed & np.isin(dataset.life, list(kept)))


def test_a_mode_with_a_visible_warning_is_served_by_the_hazard(seal_model: Model) -> None:
    card = seal_model.card
    assert (card.family, seal_model.forecaster.family) == ("hazard", "hazard")
    assert card.grade in (Grade.A, Grade.B)
    assert card.skill is not None
    assert card.skill > 0.2


def test_the_table_of_all_families_is_kept(seal_model: Model) -> None:
    assert set(seal_model.card.metrics) == {"other_assets", "later_time"}
    assert set(seal_model.card.metrics["other_assets"]) == {
        "hazard",
        "weibull",
        "constant",
        "logistic",
    }
    assert set(seal_model.card.metrics["later_time"]) == {"hazard", "weibull", "constant"}


def test_a_hazard_that_learns_nothing_does_not_serve(relays: Dataset) -> None:
    card = fit_best(relays, how=Boosting(rounds=40)).card
    assert card.family == "weibull"
    assert "worse than" in card.why
    assert card.grade is Grade.C
    assert card.metrics["other_assets"]["hazard"]["integrated_brier"] > 0


def test_few_failures_leave_age_to_serve_and_say_so(seals: Dataset) -> None:
    card = fit_best(with_failures(seals, 6)).card
    assert card.family == "weibull"
    assert card.why == "6 failures, 10 needed for a model of readings; risk by age serves"
    assert card.grade is Grade.C


def test_failures_on_few_assets_leave_age_to_serve(seals: Dataset) -> None:
    few = seals.of_assets(set(seals.asset_ids[:4]))
    assert few.failures >= 10
    assert "failures on 4 assets" in fit_best(few).card.why


def test_no_failure_leaves_a_constant_guess(seals: Dataset) -> None:
    card = fit_best(with_failures(seals, 0)).card
    assert (card.family, card.grade) == ("constant", Grade.D)
    assert "one constant rate serves" in card.why


def test_lives_without_rows_leave_age_to_serve(seals: Dataset) -> None:
    card = fit_best(seals.take(np.empty(0, dtype=int))).card
    assert card.why == "no decision instant lies within a life; risk by age serves"


def test_nothing_watched_is_refused(seals: Dataset) -> None:
    with pytest.raises(NotEnoughEvidence):
        fit_best(replace(seals.take(np.empty(0, dtype=int)), lives=()))


def test_a_card_survives_json(seal_model: Model) -> None:
    assert ModelCard.from_dict(seal_model.card.to_dict()) == seal_model.card


def test_the_card_names_what_was_learnt_from(seal_model: Model, seals: Dataset) -> None:
    assert seal_model.card.dataset_hash == seals.content_hash
    assert seal_model.card.feature_hash == seals.feature_set.code_hash
    assert seal_model.card.failures == seals.failures
