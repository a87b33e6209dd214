"""What a failure and its renewal cost, and what a day of life is worth."""

from __future__ import annotations

import pytest

from maintenance.queries import prices
from tests.plants import Plant, model, tiny

pytestmark = pytest.mark.django_db


@pytest.fixture
def plant() -> Plant:
    """Failing costs 6000 + 10 h x 800, renewing a part of 300 and 2 x 3 h of labour at 40."""
    return tiny(hourly_rate=40)


def of_renewal(plant: Plant, labour: float):
    version = model(plant, "bearing", shape=3, scale_days=200)
    return prices.of_renewal(
        mode=plant.mode("bearing"),
        plan=plant.plan("renew-bearing"),
        version=version,
        labour=labour,
    )


def test_labour_counts_every_person_for_the_usual_duration(plant):
    assert prices.standard_labour(plant.plan("renew-bearing"), plant.site) == 240
    assert prices.standard_labour(plant.plan("renew-seal"), plant.site) == 80


def test_a_failure_costs_all_that_follows_from_it(plant):
    mode = plant.mode("bearing")
    mode.secondary_cost, mode.safety_cost = 500, 250
    mode.save()
    assert of_renewal(plant, labour=0).c_fail == 6000 + 8000 + 500 + 250


def test_a_renewal_costs_its_parts_and_the_labour_that_is_counted(plant):
    assert of_renewal(plant, labour=240).c_prev == 540
    assert of_renewal(plant, labour=0).c_prev == 300


def test_the_price_of_a_day_of_life_is_the_same_whoever_pays_the_labour(plant):
    assert of_renewal(plant, labour=240).g == of_renewal(plant, labour=0).g > 0


def test_a_longer_life_makes_a_day_of_it_cheaper(plant):
    short = of_renewal(plant, labour=0).g
    version = model(plant, "bearing")
    version.life = {"shape": 3, "scale_days": 400}
    version.save()
    assert of_renewal(plant, labour=0).g == pytest.approx(short / 2)


def test_a_failure_cheaper_than_its_prevention_is_priced_and_no_error(plant):
    mode = plant.mode("bearing")
    mode.repair_cost = mode.downtime_hours = 0
    mode.save()
    assert of_renewal(plant, labour=240).c_fail == 0
    assert of_renewal(plant, labour=240).g > 0
