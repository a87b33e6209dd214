"""Money: what it costs to renew a unit at a given time, and which renewals are worth proposing.

For a work order that renews a failure mode at time tau (days from the forecast's origin), within
the forecast horizon H::

    E(tau) = F(tau) C_fail + (1 - F(tau)) C_prev + m g (H - E[min(T, tau)])

F is the risk curve, T the remaining life, g the long-run cost rate of a renewed unit under age
replacement (Barlow and Hunter 1960, "Optimum preventive maintenance policies", Operations
Research 8). Too late pays risk, too early pays life thrown away.

E is open loop: it prices waiting as if nobody looked again before tau. A plant that reviews its
forecasts every week keeps the option to act later, so waiting is worth more than E says. The
review multiplier m (``Prices.review_multiplier``) raises the price of wasted life by a factor
tuned on back-tested history; 1 is the formula as it stands.

Days are counted from the origin of the forecast; money is a float in one currency.

>>> from predictors.economics import Prices, best_time, weibull_age_replacement
>>> policy = weibull_age_replacement(shape=3, scale_days=100, c_fail=20, c_prev=1)
>>> round(policy.age_days, 1), round(policy.cost_rate, 4)
(29.8, 0.0505)
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import gamma, gammainc

from predictors.errors import EconomicsError
from predictors.schema import RiskCurve

__all__ = [
    "AgeReplacement",
    "BudgetedProposals",
    "CutProposal",
    "EconomicsError",
    "Prices",
    "Proposal",
    "RankBy",
    "act_threshold",
    "age_replacement",
    "best_time",
    "cost_by_day",
    "expected_cost",
    "index_q",
    "leave_out_cost",
    "propose",
    "waiting_cost",
    "weibull_age_replacement",
    "within_budget",
    "worth_proposing",
]

Floats = npt.NDArray[np.float64]
RankBy = Literal["saving", "saving_per_hour"]


@dataclass(frozen=True, slots=True)
class AgeReplacement:
    """The best fixed age at which to renew a unit, and what following it costs.

    ``age_days`` is infinite when no age beats running to failure; ``cost_rate`` is money a day.
    """

    age_days: float
    cost_rate: float


@dataclass(frozen=True, slots=True)
class Prices:
    """What a failure, a planned renewal and a day of a renewed unit's life cost.

    ``c_fail`` and ``c_prev`` in money, ``g`` in money a day. ``review_multiplier`` scales g (see
    the module's head). Raises `EconomicsError` for a negative or non-finite price.

    >>> Prices(c_fail=20.0, c_prev=1.0, g=0.05).life_rate
    0.05
    """

    c_fail: float
    c_prev: float
    g: float
    review_multiplier: float = 1.0

    def __post_init__(self) -> None:
        for name in ("c_fail", "c_prev", "g", "review_multiplier"):
            _refuse_negative(name, getattr(self, name))

    @property
    def life_rate(self) -> float:
        """Price of one day of life thrown away: m g, in money a day."""
        return self.review_multiplier * self.g


@dataclass(frozen=True, slots=True)
class Proposal:
    """A renewal as money sees it.

    ``key`` names the work (an asset and mode, say). ``best_day`` is the cheapest whole day over
    the horizon, ``cost_within`` the least E on the schedule's days, ``cost_after`` the least E
    after them, ``week_of_waiting`` what E rises by if the best day is missed by a week.
    """

    key: str
    best_day: float
    cost_within: float
    cost_after: float
    week_of_waiting: float
    crew_hours: float

    @property
    def saving(self) -> float:
        """Money that acting within the schedule saves over acting after it."""
        return self.cost_after - self.cost_within

    @property
    def saving_per_hour(self) -> float:
        """Saving for each hour of the crew; infinite where no crew is needed."""
        return self.saving / self.crew_hours if self.crew_hours > 0 else math.inf


@dataclass(frozen=True, slots=True)
class CutProposal:
    """A proposal that the crew's hours do not reach, and the money that costs."""

    proposal: Proposal
    cost: float


@dataclass(frozen=True, slots=True)
class BudgetedProposals:
    """Proposals in rank order: those the crew has hours for, and those cut with their cost."""

    kept: tuple[Proposal, ...]
    cut: tuple[CutProposal, ...]

    @property
    def crew_hours(self) -> float:
        """Hours that the kept proposals need."""
        return math.fsum(proposal.crew_hours for proposal in self.kept)

    @property
    def cost_of_cuts(self) -> float:
        """Savings given up for lack of crew."""
        return math.fsum(cut.cost for cut in self.cut)


def weibull_age_replacement(
    *, shape: float, scale_days: float, c_fail: float, c_prev: float
) -> AgeReplacement:
    """Best replacement age and cost rate g of a unit with Weibull life.

    Minimises (C_prev S(x) + C_fail F(x)) / integral of S up to x, whose integral is
    scale Gamma(1 + 1/k) P(1/k, (x/scale)^k) with P the regularised incomplete gamma function.
    A hazard that does not rise (shape <= 1), or C_fail <= C_prev, means running to failure.
    Raises `EconomicsError` for a price or parameter that is not positive.

    >>> weibull_age_replacement(shape=1, scale_days=50, c_fail=10, c_prev=1)
    AgeReplacement(age_days=inf, cost_rate=0.2)
    """
    for name, value in (("shape", shape), ("scale_days", scale_days), ("c_fail", c_fail)):
        _refuse_not_positive(name, value)
    _refuse_negative("c_prev", c_prev)
    mean_days = scale_days * float(gamma(1 + 1 / shape))
    run_to_failure = AgeReplacement(math.inf, c_fail / mean_days)
    if shape <= 1 or c_fail <= c_prev:
        return run_to_failure

    def rate(log_age: float) -> float:
        cumulative_hazard = math.exp(shape * log_age)
        failed = -math.expm1(-cumulative_hazard)
        lived = mean_days * float(gammainc(1 / shape, cumulative_hazard))
        return (c_prev + (c_fail - c_prev) * failed) / lived

    # The rate has one valley in age; ages in units of scale, from where hardly any fail (cumulative
    # hazard 1e-12) to where hardly any are left (40).
    found = minimize_scalar(
        rate,
        bounds=(math.log(1e-12) / shape, math.log(40.0) / shape),
        method="bounded",
        options={"xatol": 1e-10},
    )
    best = AgeReplacement(scale_days * math.exp(float(found.x)), float(found.fun))
    return best if best.cost_rate < run_to_failure.cost_rate * (1 - 1e-12) else run_to_failure


def age_replacement(
    ages_days: npt.ArrayLike, survival: npt.ArrayLike, *, c_fail: float, c_prev: float
) -> AgeReplacement:
    """Best replacement age and cost rate g from any survival grid of a renewed unit.

    ``ages_days`` (shape (n,), rising from 0) and ``survival`` (shape (n,), falling from 1) are
    joined by straight lines; only the ages of the grid are tried. When the last is the best and
    hardly any unit survives it (1e-6), the age is infinite: run to failure. Raises
    `EconomicsError` when the grid is not a survival function.

    >>> import numpy as np
    >>> ages = np.linspace(0, 300, 3001)
    >>> best = age_replacement(ages, np.exp(-(ages / 100) ** 3), c_fail=20, c_prev=1)
    >>> round(best.age_days, 1), round(best.cost_rate, 4)
    (29.8, 0.0505)
    """
    ages, alive = _checked_survival(ages_days, survival)
    _refuse_not_positive("c_fail", c_fail)
    _refuse_negative("c_prev", c_prev)
    lived = np.cumsum(np.diff(ages) * (alive[1:] + alive[:-1]) / 2)
    rates = (c_prev * alive[1:] + c_fail * (1 - alive[1:])) / lived
    # What lies within rounding of the least is a tie: the longest life wins it.
    at = int(np.flatnonzero(rates <= rates.min() * (1 + 1e-12))[-1])
    runs_to_failure = at == len(rates) - 1 and alive[-1] <= 1e-6
    return AgeReplacement(math.inf if runs_to_failure else float(ages[at + 1]), float(rates[at]))


def expected_cost(
    curve: RiskCurve,
    taus_days: npt.ArrayLike,
    prices: Prices,
    *,
    horizon_days: float | None = None,
) -> Floats:
    """E(tau): expected cost over the horizon of renewing at each of the given times.

    ``taus_days`` has any shape, within [0, horizon]; the answer (money) has the same shape. The
    horizon is the curve's unless a shorter one is given. Raises `EconomicsError` for a time
    outside it.

    >>> import numpy as np
    >>> from predictors.schema import RiskCurve
    >>> risk = 1 - np.exp(-np.arange(61) / 100)
    >>> curve = RiskCurve(horizon_days=60, risk=risk, low=risk, high=risk)
    >>> expected_cost(curve, [0, 60], Prices(c_fail=20.0, c_prev=1.0, g=0.05)).round(2)
    array([ 4.  , 10.32])
    """
    horizon = _checked_horizon(curve, horizon_days)
    taus = np.asarray(taus_days, dtype=np.float64)
    if taus.size and not (taus.min() >= 0 and taus.max() <= horizon):
        raise EconomicsError(f"taus_days: every time must lie within 0 and {horizon:g} days")
    days = np.arange(curve.horizon_days + 1, dtype=np.float64)
    failed = np.interp(taus, days, curve.risk)
    lived = _mean_life_until(curve, taus, failed)
    return (
        failed * prices.c_fail + (1 - failed) * prices.c_prev + prices.life_rate * (horizon - lived)
    )


def best_time(curve: RiskCurve, prices: Prices, *, horizon_days: float | None = None) -> float:
    """The whole day (or the horizon itself) at which renewing is cheapest; the first of equals.

    >>> import numpy as np
    >>> from predictors.schema import RiskCurve
    >>> safe = np.zeros(61)
    >>> calm = RiskCurve(horizon_days=60, risk=safe, low=safe, high=safe)
    >>> best_time(calm, Prices(c_fail=20.0, c_prev=1.0, g=0.05))
    60.0
    """
    return _cheapest_from(0.0, curve, prices, horizon_days)[0]


def leave_out_cost(
    curve: RiskCurve,
    schedule_end_day: float,
    prices: Prices,
    *,
    horizon_days: float | None = None,
) -> float:
    """What leaving the work out of the schedule costs: it is done later, at the cheapest time.

    The least E from the end of the schedule (days from the origin) to the horizon. Raises
    `EconomicsError` when the schedule ends after the horizon, for then nothing prices "later".
    """
    return _cheapest_from(schedule_end_day, curve, prices, horizon_days)[1]


def cost_by_day(
    curve: RiskCurve,
    days: int,
    prices: Prices,
    *,
    first_day: float = 0.0,
    horizon_days: float | None = None,
) -> Floats:
    """E at the start of each day of the schedule, shape (days,), in money.

    ``first_day`` is the schedule's first day counted from the forecast's origin, for a schedule
    that starts later than its forecast. Raises `EconomicsError` past the horizon.
    """
    if days < 1:
        raise EconomicsError(f"days: a schedule has at least one day, not {days}")
    taus = first_day + np.arange(days, dtype=np.float64)
    return expected_cost(curve, taus, prices, horizon_days=horizon_days)


def waiting_cost(
    curve: RiskCurve,
    prices: Prices,
    *,
    from_day: float = 0.0,
    wait_days: float = 7.0,
    horizon_days: float | None = None,
) -> float:
    """E(from_day + wait_days) - E(from_day): what waiting (a week) costs; negative where it pays.

    Waiting that would reach past the horizon is counted up to the horizon.
    """
    until = min(from_day + wait_days, _checked_horizon(curve, horizon_days))
    now, later = expected_cost(curve, [from_day, until], prices, horizon_days=horizon_days)
    return float(later - now)


def index_q(curve: RiskCurve) -> float:
    """The cost-free index q = min over tau > 0 of F(tau) / E[min(T, tau)], failures a day.

    Acting now is best when q >= g / (C_fail - C_prev) (`act_threshold`).

    >>> import numpy as np
    >>> from predictors.schema import RiskCurve
    >>> risk = np.minimum(np.arange(61) / 10, 1.0)
    >>> doomed = RiskCurve(horizon_days=60, risk=risk, low=risk, high=risk)
    >>> round(index_q(doomed), 4)
    0.1053
    """
    taus = np.arange(1, curve.horizon_days + 1, dtype=np.float64)
    failed = np.asarray(curve.risk[1:], dtype=np.float64)
    return float((failed / _mean_life_until(curve, taus, failed)).min())


def act_threshold(prices: Prices) -> float:
    """The value of `index_q` from which acting now is best: m g / (C_fail - C_prev).

    Infinite where a failure costs no more than a planned renewal.

    >>> act_threshold(Prices(c_fail=21.0, c_prev=1.0, g=0.05))
    0.0025
    """
    difference = prices.c_fail - prices.c_prev
    return prices.life_rate / difference if difference > 0 else math.inf


def propose(
    *,
    key: str,
    curve: RiskCurve,
    prices: Prices,
    schedule_end_day: float,
    crew_hours: float,
    first_day: float = 0.0,
    horizon_days: float | None = None,
) -> Proposal:
    """Price a renewal for a schedule of days [first_day, schedule_end_day).

    Ask `worth_proposing` of the answer. Raises `EconomicsError` when the schedule has no day, or
    ends after the horizon, or the crew's hours are negative.
    """
    _refuse_negative("crew_hours", crew_hours)
    if not first_day < schedule_end_day:
        raise EconomicsError(
            f"schedule_end_day: {schedule_end_day:g} must come after first_day {first_day:g}"
        )
    best_after, after = _cheapest_from(schedule_end_day, curve, prices, horizon_days)
    days = math.ceil(schedule_end_day - first_day)
    within = cost_by_day(curve, days, prices, first_day=first_day, horizon_days=horizon_days)
    best_within = first_day + float(np.argmin(within))
    best = best_within if within.min() <= after else best_after
    return Proposal(
        key=key,
        best_day=best,
        cost_within=float(within.min()),
        cost_after=after,
        week_of_waiting=waiting_cost(curve, prices, from_day=best, horizon_days=horizon_days),
        crew_hours=crew_hours,
    )


def worth_proposing(proposal: Proposal, *, minimum_saving: float = 0.0) -> bool:
    """Whether the best time falls within the schedule and saves more than the minimum.

    >>> late = Proposal("P-1/BRG", 30.0, cost_within=5.0, cost_after=4.0, week_of_waiting=-0.5,
    ...                 crew_hours=8.0)
    >>> worth_proposing(late)
    False
    """
    return proposal.saving > minimum_saving


def within_budget(
    proposals: Iterable[Proposal], *, crew_hours: float, rank_by: RankBy = "saving_per_hour"
) -> BudgetedProposals:
    """Keep the proposals the crew has hours for, best first; list what is cut with its cost.

    A proposal too long for what is left is cut and shorter ones behind it may still fit. Equals
    are ranked by saving, then by key, so that the order given does not matter. Raises
    `EconomicsError` for a negative budget.

    >>> work = [Proposal("a", 0, 1, 9, 0, 6), Proposal("b", 0, 1, 5, 0, 2)]
    >>> chosen = within_budget(work, crew_hours=6)
    >>> [p.key for p in chosen.kept], [(c.proposal.key, c.cost) for c in chosen.cut]
    (['b'], [('a', 8)])
    """
    _refuse_negative("crew_hours", crew_hours)

    def rank(proposal: Proposal) -> tuple[float, float, str]:
        first = proposal.saving if rank_by == "saving" else proposal.saving_per_hour
        return -first, -proposal.saving, proposal.key

    left = crew_hours
    kept: list[Proposal] = []
    cut: list[CutProposal] = []
    for proposal in sorted(proposals, key=rank):
        if proposal.crew_hours <= left:
            left -= proposal.crew_hours
            kept.append(proposal)
        else:
            cut.append(CutProposal(proposal, cost=proposal.saving))
    return BudgetedProposals(tuple(kept), tuple(cut))


def _cheapest_from(
    start_day: float, curve: RiskCurve, prices: Prices, horizon_days: float | None
) -> tuple[float, float]:
    """The cheapest time from ``start_day`` to the horizon, and its cost."""
    horizon = _checked_horizon(curve, horizon_days)
    if not 0 <= start_day <= horizon:
        raise EconomicsError(
            f"schedule_end_day: {start_day:g} must lie within 0 and {horizon:g} days"
        )
    taus = _days_between(start_day, horizon)
    costs = expected_cost(curve, taus, prices, horizon_days=horizon_days)
    at = int(np.argmin(costs))
    return float(taus[at]), float(costs[at])


def _mean_life_until(curve: RiskCurve, taus: Floats, failed: Floats) -> Floats:
    """E[min(T, tau)], the integral of survival: exact for risk joined by straight lines."""
    alive = 1 - np.asarray(curve.risk, dtype=np.float64)
    to_day = np.concatenate([[0.0], np.cumsum((alive[1:] + alive[:-1]) / 2)])
    day = np.minimum(np.floor(taus).astype(np.int64), curve.horizon_days)
    part: Floats = to_day[day] + (taus - day) * (alive[day] + 1 - failed) / 2
    return part


def _days_between(start: float, end: float) -> Floats:
    """Start, the whole days strictly between, and end; one value when they are equal."""
    whole = np.arange(math.floor(start) + 1, math.ceil(end), dtype=np.float64)
    return np.unique(np.concatenate([[start], whole, [end]]))


def _checked_horizon(curve: RiskCurve, horizon_days: float | None) -> float:
    if horizon_days is None:
        return float(curve.horizon_days)
    if not 0 < horizon_days <= curve.horizon_days:
        raise EconomicsError(
            f"horizon_days: {horizon_days:g} must lie within 0 and the curve's"
            f" {curve.horizon_days} days"
        )
    return float(horizon_days)


def _checked_survival(ages_days: npt.ArrayLike, survival: npt.ArrayLike) -> tuple[Floats, Floats]:
    ages = np.asarray(ages_days, dtype=np.float64)
    alive = np.asarray(survival, dtype=np.float64)
    if ages.ndim != 1 or ages.shape != alive.shape or len(ages) < 2:
        raise EconomicsError("survival: ages and survival must be equally long, at least 2")
    if ages[0] != 0 or not (np.diff(ages) > 0).all():
        raise EconomicsError("ages_days: must rise strictly from 0")
    if alive[0] != 1 or not ((np.diff(alive) <= 0).all() and alive[-1] >= 0):
        raise EconomicsError("survival: must fall from 1 and stay at or above 0")
    return ages, alive


def _refuse_negative(name: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise EconomicsError(f"{name}: {value!r} must be a finite number, 0 or more")


def _refuse_not_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise EconomicsError(f"{name}: {value!r} must be a finite number above 0")
