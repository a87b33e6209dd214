"""What waiting, acting and leaving out cost."""

import math

import numpy as np
import pytest

from predictors.economics import (
    EconomicsError,
    Prices,
    Proposal,
    act_threshold,
    age_replacement,
    best_time,
    cost_by_day,
    expected_cost,
    index_q,
    leave_out_cost,
    propose,
    waiting_cost,
    weibull_age_replacement,
    within_budget,
    worth_proposing,
)
from predictors.schema import RiskCurve

HORIZON_DAYS = 60
DESIGN = {"shape": 3.0, "scale_days": 100.0, "c_fail": 20.0, "c_prev": 1.0}


def weibull_curve(age_days: float, *, shape: float = 3.0, scale_days: float = 100.0) -> RiskCurve:
    worn = ((age_days + np.arange(HORIZON_DAYS + 1)) / scale_days) ** shape
    risk = -np.expm1(worn[0] - worn)
    return RiskCurve.certain(horizon_days=HORIZON_DAYS, risk=risk)


def steady_curve(rate: float) -> RiskCurve:
    risk = -np.expm1(-rate * np.arange(HORIZON_DAYS + 1))
    return RiskCurve.certain(horizon_days=HORIZON_DAYS, risk=risk)


@pytest.fixture
def prices() -> Prices:
    g = weibull_age_replacement(**DESIGN).cost_rate
    return Prices(c_fail=20.0, c_prev=1.0, g=g)


def a_proposal(key: str, *, saving: float, crew_hours: float) -> Proposal:
    return Proposal(key, 0.0, 0.0, saving, 0.0, crew_hours)


def test_the_design_example_has_its_best_age_at_29_8_days() -> None:
    assert weibull_age_replacement(**DESIGN).age_days == pytest.approx(29.8, abs=0.05)


def test_the_design_example_is_proposed_at_once(prices: Prices) -> None:
    proposal = propose(
        key="P-1", curve=weibull_curve(35), prices=prices, schedule_end_day=14, crew_hours=8
    )
    assert worth_proposing(proposal)
    assert proposal.best_day == 0
    assert proposal.week_of_waiting > 0


def test_a_young_unit_is_not_proposed_and_its_best_time_is_its_best_age(prices: Prices) -> None:
    curve = weibull_curve(5)
    proposal = propose(key="P-2", curve=curve, prices=prices, schedule_end_day=14, crew_hours=8)
    assert not worth_proposing(proposal)
    assert best_time(curve, prices) == pytest.approx(29.8 - 5, abs=1)
    assert proposal.best_day == best_time(curve, prices)


def test_a_survival_grid_gives_the_same_policy_as_the_formula() -> None:
    ages = np.linspace(0, 400, 8001)
    grid = age_replacement(ages, np.exp(-((ages / 100) ** 3)), c_fail=20, c_prev=1)
    exact = weibull_age_replacement(**DESIGN)
    assert grid.age_days == pytest.approx(exact.age_days, abs=0.1)
    assert grid.cost_rate == pytest.approx(exact.cost_rate, rel=1e-4)


@pytest.mark.parametrize("shape", [0.7, 1.0])
def test_a_unit_that_does_not_wear_is_run_to_failure(shape: float) -> None:
    policy = weibull_age_replacement(shape=shape, scale_days=50, c_fail=10, c_prev=1)
    assert math.isinf(policy.age_days)
    assert policy.cost_rate == pytest.approx(10 / (50 * math.gamma(1 + 1 / shape)))


def test_a_memoryless_survival_grid_is_run_to_failure() -> None:
    ages = np.linspace(0, 1000, 20001)
    policy = age_replacement(ages, np.exp(-ages / 50), c_fail=10, c_prev=1)
    assert math.isinf(policy.age_days)
    assert policy.cost_rate == pytest.approx(0.2, rel=1e-3)


def test_a_planned_renewal_as_dear_as_a_failure_never_pays() -> None:
    policy = weibull_age_replacement(shape=3, scale_days=100, c_fail=5, c_prev=5)
    assert math.isinf(policy.age_days)


def test_acting_now_costs_the_renewal_and_the_life_of_the_horizon(prices: Prices) -> None:
    now = expected_cost(weibull_curve(35), 0.0, prices)
    assert now == pytest.approx(1 + prices.g * HORIZON_DAYS)


def test_expected_cost_keeps_the_shape_of_its_times(prices: Prices) -> None:
    taus = np.linspace(0, 60, 12).reshape(3, 4)
    assert expected_cost(weibull_curve(35), taus, prices).shape == (3, 4)


def test_expected_cost_agrees_with_the_formula_by_quadrature(prices: Prices) -> None:
    curve = weibull_curve(20)
    fine = np.linspace(0, 17.5, 175_001)
    alive = 1 - np.interp(fine, np.arange(HORIZON_DAYS + 1), curve.risk)
    lived = np.trapezoid(alive, fine)
    failed = curve.at(17.5)
    by_hand = failed * 20 + (1 - failed) * 1 + prices.g * (HORIZON_DAYS - lived)
    assert expected_cost(curve, 17.5, prices) == pytest.approx(by_hand, rel=1e-9)


def test_leaving_out_costs_the_cheapest_later_time_not_never(prices: Prices) -> None:
    curve = weibull_curve(35)
    left_out = leave_out_cost(curve, 14, prices)
    assert left_out == pytest.approx(expected_cost(curve, 14, prices))
    assert left_out < expected_cost(curve, HORIZON_DAYS, prices)


def test_days_of_the_schedule_are_counted_from_its_first_day(prices: Prices) -> None:
    curve = weibull_curve(35)
    shifted = cost_by_day(curve, 14, prices, first_day=2)
    assert shifted == pytest.approx(expected_cost(curve, np.arange(2, 16), prices))


def test_waiting_a_week_costs_an_old_unit_and_pays_a_young_one(prices: Prices) -> None:
    assert waiting_cost(weibull_curve(60), prices) > 0
    assert waiting_cost(weibull_curve(0), prices) < 0


def test_pricing_the_review_makes_acting_wait(prices: Prices) -> None:
    patient = Prices(c_fail=20.0, c_prev=1.0, g=prices.g, review_multiplier=3.0)
    assert best_time(weibull_curve(20), patient) > best_time(weibull_curve(20), prices)


@pytest.mark.parametrize("age_days", [0, 15, 28, 32, 60])
def test_the_index_says_act_exactly_when_the_best_time_is_now(
    age_days: float, prices: Prices
) -> None:
    curve = weibull_curve(age_days)
    assert (index_q(curve) >= act_threshold(prices)) == (best_time(curve, prices) == 0)


def test_a_random_failure_is_never_worth_preventing() -> None:
    g = weibull_age_replacement(shape=1, scale_days=200, c_fail=20, c_prev=1).cost_rate
    prices = Prices(c_fail=20, c_prev=1, g=g)
    proposal = propose(
        key="P-3", curve=steady_curve(1 / 200), prices=prices, schedule_end_day=14, crew_hours=4
    )
    assert not worth_proposing(proposal)


def test_the_budget_keeps_the_best_saving_per_hour_and_prices_what_it_cuts() -> None:
    long, short = (
        a_proposal("long", saving=90, crew_hours=10),
        a_proposal("short", saving=50, crew_hours=2),
    )
    chosen = within_budget([long, short], crew_hours=10)
    assert chosen.kept == (short,)
    assert [(cut.proposal, cut.cost) for cut in chosen.cut] == [(long, 90)]
    assert chosen.crew_hours == 2
    assert chosen.cost_of_cuts == 90


def test_the_budget_can_rank_by_saving_alone() -> None:
    long, short = (
        a_proposal("long", saving=90, crew_hours=10),
        a_proposal("short", saving=50, crew_hours=2),
    )
    assert within_budget([short, long], crew_hours=10, rank_by="saving").kept == (long,)


def test_a_short_job_fits_behind_one_that_is_too_long() -> None:
    jobs = [a_proposal("long", saving=90, crew_hours=10), a_proposal("b", saving=1, crew_hours=3)]
    assert [kept.key for kept in within_budget(jobs, crew_hours=4).kept] == ["b"]


@pytest.mark.parametrize(
    ("ages", "survival", "field"),
    [
        ([0, 1], [1.0, 0.5, 0.2], "survival"),
        ([1, 2], [1.0, 0.5], "ages_days"),
        ([0, 1], [0.9, 0.5], "survival"),
        ([0, 1, 2], [1.0, 0.5, 0.6], "survival"),
    ],
)
def test_a_grid_that_is_no_survival_function_is_refused(
    ages: list[float], survival: list[float], field: str
) -> None:
    with pytest.raises(EconomicsError, match=field):
        age_replacement(ages, survival, c_fail=2, c_prev=1)


@pytest.mark.parametrize("name", ["c_fail", "c_prev", "g", "review_multiplier"])
@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_a_price_that_is_no_price_is_refused_by_name(name: str, value: float) -> None:
    fields = {"c_fail": 2.0, "c_prev": 1.0, "g": 0.1} | {name: value}
    with pytest.raises(EconomicsError, match=name):
        Prices(**fields)


def test_a_time_or_schedule_past_the_horizon_is_refused(prices: Prices) -> None:
    curve = weibull_curve(35)
    with pytest.raises(EconomicsError, match="taus_days"):
        expected_cost(curve, 61.0, prices)
    with pytest.raises(EconomicsError, match="schedule_end_day"):
        leave_out_cost(curve, 61, prices)
    with pytest.raises(EconomicsError, match="horizon_days"):
        best_time(curve, prices, horizon_days=61)
    with pytest.raises(EconomicsError, match="days"):
        cost_by_day(curve, 0, prices)


def test_a_schedule_without_days_is_refused(prices: Prices) -> None:
    with pytest.raises(EconomicsError, match="schedule_end_day"):
        propose(
            key="x",
            curve=weibull_curve(35),
            prices=prices,
            first_day=3,
            schedule_end_day=3,
            crew_hours=1,
        )
