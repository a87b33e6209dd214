"""The nightly watch labels, looks, and asks for a training where there is reason to."""

from __future__ import annotations

import datetime as dt

import pytest

from maintenance import operations, tasks
from maintenance.choices import (
    AlertKind,
    OperationKind,
    OperationState,
    Outcome,
    Trigger,
    Verdict,
)
from maintenance.models import Alert, Label, Operation, TrainingRun
from maintenance.queries import retraining
from tests.plants import MONDAY, Plant, forecast, model, tiny

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
WEEK = 7 * DAY
NOW = MONDAY + 10 * DAY


@pytest.fixture
def plant() -> Plant:
    return tiny()


def train(plant: Plant, *, at: dt.datetime = MONDAY) -> None:
    TrainingRun.objects.create(
        failure_mode=plant.mode("bearing"),
        trigger=Trigger.FIRST,
        challenger=model(plant, "bearing"),
        verdict=Verdict.PROMOTED,
        reason="the first",
        recorded_at=at,
    )


def drift(plant: Plant, *, at: dt.datetime, **more: dt.datetime) -> Alert:
    return Alert.objects.create(
        site=plant.site,
        kind=AlertKind.DRIFT,
        key="vibration",
        opened_at=at,
        last_seen_at=at,
        recorded_at=at,
        **more,
    )


def label(plant: Plant, *, failed: list[tuple[str, str]], censored: int) -> None:
    """Labels of two nights for each component that failed, and others that were renewed."""
    told = [(*key, Outcome.FAILED, night) for key in failed for night in (1, 2)]
    told += [("P-1", "seal", Outcome.CENSORED, 3 + night) for night in range(censored)]
    for asset, mode, outcome, night in told:
        foreseen = forecast(plant, asset, mode, risk=0.2, as_of=MONDAY - night * DAY)
        Label.objects.create(
            forecast=foreseen,
            outcome=outcome,
            observed_days=3,
            matured_at=MONDAY + DAY,
            recorded_at=MONDAY + DAY,
        )


FIVE = [
    ("P-1", "bearing"),
    ("P-2", "bearing"),
    ("P-3", "bearing"),
    ("P-2", "seal"),
    ("P-3", "seal"),
]


def test_a_site_that_was_never_trained_waits_for_somebody_to_want_it(plant: Plant) -> None:
    drift(plant, at=NOW)
    assert retraining.due(plant.site, now=NOW) is None


def test_nothing_new_asks_for_nothing(plant: Plant) -> None:
    train(plant)
    assert retraining.due(plant.site, now=NOW) is None


def test_drift_since_the_last_training_asks_for_another(plant: Plant) -> None:
    train(plant)
    drift(plant, at=MONDAY + DAY)
    assert retraining.due(plant.site, now=NOW) == Trigger.DRIFT


def test_drift_that_was_there_before_the_last_training_does_not_ask_again(plant: Plant) -> None:
    drift(plant, at=MONDAY - DAY)
    train(plant)
    assert retraining.due(plant.site, now=NOW) is None


@pytest.mark.parametrize("state", [{"silenced_until": NOW + DAY}, {"closed_at": NOW}])
def test_drift_that_somebody_silenced_or_closed_does_not_ask(plant: Plant, state: dict) -> None:
    train(plant)
    drift(plant, at=MONDAY + DAY, **state)
    assert retraining.due(plant.site, now=NOW) is None


def test_twenty_labels_with_five_failures_ask_for_a_training(plant: Plant) -> None:
    train(plant)
    label(plant, failed=FIVE, censored=10)
    assert retraining.due(plant.site, now=NOW) == Trigger.LABELS


def test_a_failure_that_many_forecasts_foresaw_counts_once(plant: Plant) -> None:
    train(plant)
    label(plant, failed=FIVE[:4], censored=20)
    assert retraining.due(plant.site, now=NOW) is None


def test_too_few_labels_do_not_ask(plant: Plant) -> None:
    train(plant)
    label(plant, failed=FIVE, censored=9)
    assert retraining.due(plant.site, now=NOW) is None


def test_one_training_a_week_is_enough(plant: Plant) -> None:
    train(plant, at=NOW - WEEK + DAY)
    drift(plant, at=NOW)
    assert retraining.due(plant.site, now=NOW) is None
    assert retraining.due(plant.site, now=NOW + DAY) == Trigger.DRIFT


@pytest.mark.django_db(transaction=True)
def test_the_watch_asks_once_and_says_why(monkeypatch) -> None:
    plant = tiny()
    monkeypatch.setattr(operations, "wake", lambda *_: None)
    train(plant)
    label(plant, failed=FIVE, censored=10)
    for hour in (1, 2):
        at = NOW + dt.timedelta(hours=hour)
        asked = tasks.request_watch(site=plant.site, by=None, now=at)
        assert tasks.perform(operation_id=asked.pk, clock=lambda at=at: at)
        done = Operation.objects.get(pk=asked.pk)
        assert done.state == OperationState.SUCCEEDED
        assert {"label", "watch"} <= set(done.result)
    training = Operation.objects.get(kind=OperationKind.TRAIN)
    assert training.arguments["trigger"] == Trigger.LABELS
    assert training.requested_by is None
