"""What became of a forecast: it failed, it lasted, or nobody can tell. Never a guess."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import transaction

from maintenance.choices import Outcome
from maintenance.flow import label
from maintenance.models import Asset, Label
from maintenance.operations import Overtaken
from tests.plants import MONDAY, Plant, forecast, tiny

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
HORIZON = 60 * DAY


@pytest.fixture
def plant() -> Plant:
    return tiny()


@pytest.fixture(autouse=True)
def foreseen(plant: Plant) -> None:
    for mode in ("bearing", "seal"):
        forecast(plant, "P-1", mode, risk=0.3, as_of=MONDAY)


def mature(plant: Plant, days: float, **more) -> dict[str, int]:
    at = MONDAY + days * DAY
    return label.mature(site=plant.site, as_of=at, now=more.pop("now", at), **more)


def of(mode: str) -> Label:
    return Label.objects.get(forecast__failure_mode__code=mode)


def fail(plant: Plant, mode: str, days: float, *, now: dt.datetime | None = None) -> None:
    at = MONDAY + days * DAY
    told = Plant(site=plant.site, now=now or at)
    told.take("failures", [{"asset": "P-1", "failure_mode": mode, "occurred_at": at}])


def renew(plant: Plant, component: str, days: float, *, now: dt.datetime | None = None) -> None:
    at = MONDAY + days * DAY
    told = Plant(site=plant.site, now=now or at)
    told.take("replacements", [{"asset": "P-1", "component": component, "replaced_at": at}])


def test_nothing_is_labelled_before_it_can_be_known(plant):
    told = mature(plant, 59)
    assert told == {"labels": 0, "failed": 0, "survived": 0, "censored": 0, "corrected": 0}
    assert not Label.objects.exists()


def test_a_horizon_that_passed_without_a_failure_was_survived(plant):
    assert mature(plant, 60)["survived"] == 2
    assert (of("seal").outcome, of("seal").observed_days) == (Outcome.SURVIVED, 60)
    assert of("seal").matured_at == MONDAY + HORIZON


def test_a_failure_is_known_when_it_happens_and_only_for_its_own_mode(plant):
    fail(plant, "bearing", 10)
    assert mature(plant, 11) == {
        "labels": 1,
        "failed": 1,
        "survived": 0,
        "censored": 0,
        "corrected": 0,
    }
    assert (of("bearing").outcome, of("bearing").observed_days) == (Outcome.FAILED, 10)


def test_a_prevented_failure_is_censored_and_never_a_negative(plant):
    renew(plant, "bearing", 20)
    mature(plant, 70)
    assert (of("bearing").outcome, of("bearing").observed_days) == (Outcome.CENSORED, 20)
    assert of("seal").outcome == Outcome.SURVIVED


def test_the_repair_after_a_failure_does_not_censor_it(plant):
    fail(plant, "bearing", 10)
    renew(plant, "bearing", 10.25)
    mature(plant, 70)
    assert of("bearing").outcome == Outcome.FAILED


def test_a_failure_after_a_renewal_belongs_to_the_next_life(plant):
    renew(plant, "bearing", 10)
    fail(plant, "bearing", 30)
    mature(plant, 70)
    assert (of("bearing").outcome, of("bearing").observed_days) == (Outcome.CENSORED, 10)


def test_what_happens_after_the_horizon_was_survived_until_it(plant):
    fail(plant, "bearing", 61)
    renew(plant, "seal", 61)
    mature(plant, 90)
    assert {of("bearing").outcome, of("seal").outcome} == {Outcome.SURVIVED}


def test_a_failure_at_the_instant_of_the_forecast_is_not_foreseen_by_it(plant):
    fail(plant, "bearing", 0)
    mature(plant, 70)
    assert of("bearing").outcome == Outcome.SURVIVED


def test_the_retirement_of_an_asset_censors(plant):
    Asset.objects.filter(code="P-1").update(retired_at=MONDAY + 5 * DAY)
    assert mature(plant, 6)["censored"] == 2
    assert of("seal").observed_days == 5


def test_only_what_had_happened_by_the_instant_is_known(plant):
    fail(plant, "bearing", 30)
    assert mature(plant, 29)["labels"] == 0
    assert mature(plant, 30)["failed"] == 1


def test_maturing_again_changes_nothing(plant):
    fail(plant, "bearing", 10)
    mature(plant, 60)
    before = list(Label.objects.order_by("pk").values())
    assert mature(plant, 61)["labels"] == 0
    assert list(Label.objects.order_by("pk").values()) == before


def test_a_failure_told_late_corrects_the_label_it_contradicts(plant):
    mature(plant, 60)
    fail(plant, "bearing", 50, now=MONDAY + 65 * DAY)
    assert mature(plant, 66)["corrected"] == 1
    assert (of("bearing").outcome, of("bearing").observed_days) == (Outcome.FAILED, 50)
    assert of("bearing").recorded_at == MONDAY + 66 * DAY
    assert mature(plant, 67)["corrected"] == 0


def test_a_renewal_told_late_corrects_too(plant):
    mature(plant, 60)
    renew(plant, "seal", 40, now=MONDAY + 65 * DAY)
    assert mature(plant, 66)["corrected"] == 1
    assert of("seal").outcome == Outcome.CENSORED


def test_other_sites_are_left_alone(plant):
    other = tiny("other")
    forecast(other, "P-1", "seal", risk=0.1, as_of=MONDAY)
    mature(plant, 60)
    assert Label.objects.count() == 2


def test_a_run_that_was_overtaken_leaves_no_label(plant):
    def overtaken(_result):
        raise Overtaken

    with pytest.raises(Overtaken), transaction.atomic():
        mature(plant, 60, fence=overtaken)
    assert not Label.objects.exists()
