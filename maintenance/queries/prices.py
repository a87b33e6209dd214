"""What a failure and its planned renewal cost, in the form the economics read."""

from __future__ import annotations

from maintenance.models import FailureMode, JobPlan, ModelVersion, Site
from predictors.economics import Prices, weibull_age_replacement


def standard_labour(plan: JobPlan, site: Site) -> float:
    return float(plan.crew_hours() * site.hourly_rate)


def of_renewal(*, mode: FailureMode, plan: JobPlan, version: ModelVersion, labour: float) -> Prices:
    """Prices of renewing a mode by a job plan.

    The long-run cost rate g always counts the standard labour; `labour` is what counts for this
    one renewal: 0 where the schedule itself adds the labour of the people it chooses.
    """
    c_fail = float(mode.failure_cost)
    c_prev = float(plan.parts_cost()) + labour
    standard = float(plan.parts_cost()) + standard_labour(plan, mode.asset_class.site)
    policy = weibull_age_replacement(
        shape=version.life["shape"],
        scale_days=version.life["scale_days"],
        c_fail=max(c_fail, standard, 0.01),
        c_prev=standard,
    )
    return Prices(c_fail=c_fail, c_prev=c_prev, g=policy.cost_rate)
