"""What must hold of money for every risk curve and price."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from predictors.economics import (
    Prices,
    Proposal,
    RankBy,
    act_threshold,
    best_time,
    expected_cost,
    index_q,
    leave_out_cost,
    propose,
    weibull_age_replacement,
    within_budget,
    worth_proposing,
)
from predictors.schema import RiskCurve

HORIZON_DAYS = 40
ROUNDING = 1e-9

hazards = arrays(np.float64, HORIZON_DAYS, elements=st.floats(0, 0.4))
costs = st.floats(0.1, 50)
rates = st.floats(0, 1)


@st.composite
def curves(draw: st.DrawFn) -> RiskCurve:
    risk = np.concatenate([[0.0], 1 - np.cumprod(1 - draw(hazards))])
    return RiskCurve.certain(
        horizon_days=HORIZON_DAYS, risk=np.clip(np.maximum.accumulate(risk), 0, 1)
    )


@given(curves(), costs, costs, rates)
def test_acting_now_costs_the_renewal_and_the_life_of_the_whole_horizon(
    curve: RiskCurve, c_fail: float, c_prev: float, g: float
) -> None:
    now = expected_cost(curve, 0.0, Prices(c_fail, c_prev, g))
    assert now == pytest.approx(c_prev + g * HORIZON_DAYS)


@given(curves(), costs, costs, costs, rates)
def test_a_dearer_failure_never_moves_the_best_time_later(
    curve: RiskCurve, c_fail: float, extra: float, c_prev: float, g: float
) -> None:
    cheap = Prices(c_fail, c_prev, g)
    dear = Prices(c_fail + extra, c_prev, g)
    assert_never_later(curve, cheap, dear)


@given(curves(), costs, costs, costs, st.floats(1.1, 5), st.floats(10, 300))
def test_a_dearer_failure_never_moves_the_best_time_later_when_g_follows_it(
    curve: RiskCurve, c_prev: float, above: float, extra: float, shape: float, scale_days: float
) -> None:
    def priced(c_fail: float) -> Prices:
        policy = weibull_age_replacement(
            shape=shape, scale_days=scale_days, c_fail=c_fail, c_prev=c_prev
        )
        return Prices(c_fail, c_prev, policy.cost_rate)

    assert_never_later(curve, priced(c_prev + above), priced(c_prev + above + extra))


@given(curves(), costs, costs, rates, st.floats(1, 10))
def test_a_higher_price_of_the_review_never_moves_the_best_time_earlier(
    curve: RiskCurve, c_fail: float, c_prev: float, g: float, multiplier: float
) -> None:
    assert_never_later(curve, Prices(c_fail, c_prev, g, multiplier), Prices(c_fail, c_prev, g))


@given(curves(), costs, costs, rates, st.integers(0, HORIZON_DAYS))
def test_the_best_time_is_never_beaten(
    curve: RiskCurve, c_fail: float, c_prev: float, g: float, day: int
) -> None:
    prices = Prices(c_fail, c_prev, g)
    best = expected_cost(curve, best_time(curve, prices), prices)
    assert best <= expected_cost(curve, float(day), prices)


@given(curves(), costs, costs, rates, st.integers(1, HORIZON_DAYS - 1))
def test_a_longer_schedule_never_makes_leaving_out_cheaper(
    curve: RiskCurve, c_fail: float, c_prev: float, g: float, day: int
) -> None:
    prices = Prices(c_fail, c_prev, g)
    assert leave_out_cost(curve, day, prices) <= leave_out_cost(curve, day + 1, prices)


@given(curves(), costs, costs, rates, st.integers(1, HORIZON_DAYS))
def test_what_is_worth_proposing_has_its_best_time_within_the_schedule(
    curve: RiskCurve, c_fail: float, c_prev: float, g: float, end_day: int
) -> None:
    prices = Prices(c_fail, c_prev, g)
    proposal = propose(key="x", curve=curve, prices=prices, schedule_end_day=end_day, crew_hours=1)
    assert worth_proposing(proposal) == (best_time(curve, prices) < end_day and proposal.saving > 0)


@given(curves(), costs, costs, rates)
def test_the_index_agrees_with_the_best_time(
    curve: RiskCurve, c_prev: float, above: float, g: float
) -> None:
    prices = Prices(c_prev + above, c_prev, g)
    q, threshold = index_q(curve), act_threshold(prices)
    if abs(q - threshold) > ROUNDING:
        now = expected_cost(curve, 0.0, prices)
        later = expected_cost(curve, np.arange(1, HORIZON_DAYS + 1), prices).min()
        assert (q > threshold) == (now < later) or abs(now - later) < ROUNDING


@given(st.floats(1.05, 6), st.floats(5, 500), costs, costs)
@settings(max_examples=50)
def test_no_age_beats_the_best_replacement_age(
    shape: float, scale_days: float, c_prev: float, above: float
) -> None:
    c_fail = c_prev + above
    best = weibull_age_replacement(shape=shape, scale_days=scale_days, c_fail=c_fail, c_prev=c_prev)
    ages = np.linspace(0, 4 * scale_days, 40_001)
    alive = np.exp(-((ages / scale_days) ** shape))
    lived = np.cumsum((alive[1:] + alive[:-1]) / 2) * (ages[1] - ages[0])
    rates = (c_prev + (c_fail - c_prev) * (1 - alive[1:])) / lived
    assert best.cost_rate <= rates.min() * (1 + 1e-3)


@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 20)), max_size=20),
    st.floats(0, 60),
    st.sampled_from(["saving", "saving_per_hour"]),
    st.randoms(use_true_random=False),
)
def test_the_budget_is_kept_loses_nothing_and_does_not_mind_the_order(
    jobs: list[tuple[float, float]], crew_hours: float, rank_by: RankBy, random: Random
) -> None:
    proposals = [Proposal(f"{n}", 0, 0, saving, 0, hours) for n, (saving, hours) in enumerate(jobs)]
    chosen = within_budget(proposals, crew_hours=crew_hours, rank_by=rank_by)
    assert chosen.crew_hours <= crew_hours + ROUNDING
    found = {p.key for p in chosen.kept} | {cut.proposal.key for cut in chosen.cut}
    assert found == {p.key for p in proposals}
    random.shuffle(proposals)
    assert within_budget(proposals, crew_hours=crew_hours, rank_by=rank_by) == chosen


def assert_never_later(curve: RiskCurve, before: Prices, after: Prices) -> None:
    """The best time under the second prices is not after that under the first, ties aside."""
    first, second = best_time(curve, before), best_time(curve, after)
    if second > first:
        tied = expected_cost(curve, [first, second], after)
        assert tied[0] == pytest.approx(tied[1], rel=1e-9)
