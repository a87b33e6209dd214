"""Forecasts become proposed work orders, where acting pays; people accept or dismiss them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Max

from maintenance.choices import (
    DismissReason,
    ForecastState,
    Priority,
    WorkOrderState,
    WorkOrderType,
)
from maintenance.models import (
    Asset,
    AuditEntry,
    FailureMode,
    Forecast,
    JobPlan,
    Site,
    User,
    WorkOrder,
)
from maintenance.models.work import WorkOrderQuerySet
from maintenance.operations import Fence, unfenced
from maintenance.queries import capacity, prices
from predictors.economics import Proposal, propose, within_budget, worth_proposing
from predictors.schema import RiskCurve

QUIET_AFTER_DISMISSAL = dt.timedelta(days=14)
URGENT_RISK = 0.5
HIGH_RISK = 0.2
NUMBERS_FROM = 1000


class NotAllowed(Exception):
    """The work order cannot change to that state from the one it is in."""

    def __init__(self, work_order: WorkOrder, state: WorkOrderState) -> None:
        super().__init__(f"work order {work_order.number}: {work_order.state} -> {state}")
        self.work_order = work_order
        self.state = state


@dataclass
class Advice:
    """What one round of advice did; `beyond_crew` is what the crew's hours cut, with its cost."""

    proposed: int = 0
    refreshed: int = 0
    withdrawn: int = 0
    beyond_crew: list[dict[str, Any]] = field(default_factory=list)
    without_job_plan: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Candidate:
    forecast: Forecast
    plan: JobPlan
    proposal: Proposal


@transaction.atomic
def propose_work(
    *, site: Site, as_of: dt.datetime, now: dt.datetime, fence: Fence = unfenced
) -> Advice:
    """One open work order an asset and mode, where the best time falls within the schedule."""
    advice = Advice()
    candidates = list(_candidates(site, as_of, advice))
    worth = {c.proposal.key: c for c in candidates if worth_proposing(c.proposal)}
    end = as_of + dt.timedelta(days=site.schedule_days)
    hours = capacity.crew_hours(site, start=as_of, end=end)
    chosen = within_budget((c.proposal for c in worth.values()), crew_hours=hours)
    for cut in chosen.cut:
        forecast = worth[cut.proposal.key].forecast
        advice.beyond_crew.append(
            {
                "asset": forecast.asset.code,
                "failure_mode": forecast.failure_mode.code,
                "cost": round(cut.cost, 2),
                "crew_hours": round(cut.proposal.crew_hours, 2),
            }
        )
    for proposal in chosen.kept:
        _write(worth[proposal.key], site=site, advice=advice, now=now)
    _withdraw(site, candidates, {p.key for p in chosen.kept}, advice=advice, now=now)
    fence(asdict(advice))
    return advice


def accept(*, work_order: WorkOrder, by: User, now: dt.datetime) -> WorkOrder:
    """A proposal becomes work to be done."""
    return _decide(work_order, WorkOrderState.ACCEPTED, by=by, now=now)


def dismiss(
    *,
    work_order: WorkOrder,
    reason: DismissReason,
    note: str = "",
    by: User | None,
    now: dt.datetime,
) -> WorkOrder:
    """It will not be done; the same mode is left in peace for a while."""
    return _decide(
        work_order,
        WorkOrderState.DISMISSED,
        by=by,
        now=now,
        dismiss_reason=reason,
        dismiss_note=note,
        snoozed_until=now + QUIET_AFTER_DISMISSAL,
        pinned_start_at=None,
    )


def reopen(*, work_order: WorkOrder, by: User, now: dt.datetime) -> WorkOrder:
    """Take a dismissal back, unless other work on the same mode is open by now."""
    if _same_work(work_order).open().exists():
        raise NotAllowed(work_order, WorkOrderState.PROPOSED)
    return _decide(
        work_order,
        WorkOrderState.PROPOSED,
        by=by,
        now=now,
        dismiss_reason="",
        dismiss_note="",
        snoozed_until=None,
    )


@transaction.atomic
def ask_for_work(
    *,
    site: Site,
    asset: Asset,
    job_plan: JobPlan,
    kind: WorkOrderType,
    priority: Priority,
    title: str,
    note: str,
    latest_at: dt.datetime | None,
    by: User,
    now: dt.datetime,
) -> WorkOrder:
    """Work that a person asks for; a planner accepts it."""
    work_order = WorkOrder.objects.create(
        site=site,
        number=_next_number(site),
        asset=asset,
        job_plan=job_plan,
        type=kind,
        priority=priority,
        title=title,
        note=note,
        latest_at=latest_at,
        requested_by=by,
        recorded_at=now,
    )
    _audit(work_order, "ask for work", by=by, now=now, before={})
    return work_order


def _candidates(site: Site, as_of: dt.datetime, advice: Advice) -> Iterator[_Candidate]:
    plans = {
        plan.failure_mode_id: plan
        for plan in JobPlan.objects.filter(asset_class__site=site)
        .exclude(failure_mode=None)
        .prefetch_related("roles", "parts__part")
    }
    forecasts = Forecast.objects.filter(
        asset__site=site,
        as_of=as_of,
        state__in=[ForecastState.VALUE, ForecastState.BEYOND_HORIZON],
    ).select_related("asset", "failure_mode__asset_class__site", "model_version")
    lacking: set[str] = set()
    for forecast in forecasts:
        plan = plans.get(forecast.failure_mode_id)
        if plan is None:
            lacking.add(forecast.failure_mode.code)
        else:
            yield _Candidate(forecast, plan, _priced(forecast, plan, site))
    advice.without_job_plan = sorted(lacking)


def _key(asset: Asset, mode: FailureMode) -> str:
    """Codes, so that proposals worth the same are ranked alike wherever they are kept."""
    return f"{asset.code}/{mode.code}"


def _priced(forecast: Forecast, plan: JobPlan, site: Site) -> Proposal:
    curve = RiskCurve(
        horizon_days=forecast.horizon_days,
        risk=forecast.risk,
        low=forecast.risk_low,
        high=forecast.risk_high,
    )
    return propose(
        key=_key(forecast.asset, forecast.failure_mode),
        curve=curve,
        prices=prices.of_renewal(
            mode=forecast.failure_mode,
            plan=plan,
            version=forecast.model_version,
            labour=prices.standard_labour(plan, site),
        ),
        schedule_end_day=min(site.schedule_days, forecast.horizon_days),
        crew_hours=float(plan.crew_hours()),
    )


def _write(candidate: _Candidate, *, site: Site, advice: Advice, now: dt.datetime) -> None:
    forecast = candidate.forecast
    of_mode = WorkOrder.objects.filter(asset=forecast.asset, failure_mode=forecast.failure_mode)
    known = of_mode.open().first()
    if known is not None:
        advice.refreshed += 1
        _refresh(known, candidate)
    elif not of_mode.filter(snoozed_until__gt=now).exists():
        advice.proposed += 1
        WorkOrder.objects.create(
            site=site,
            number=_next_number(site),
            asset=forecast.asset,
            failure_mode=forecast.failure_mode,
            job_plan=candidate.plan,
            type=WorkOrderType.PREDICTIVE,
            title=candidate.plan.name,
            recorded_at=now,
            **_figures(candidate),
        )


def _refresh(work_order: WorkOrder, candidate: _Candidate) -> None:
    for name, value in _figures(candidate).items():
        setattr(work_order, name, value)
    work_order.save(update_fields=list(_figures(candidate)))


def _figures(candidate: _Candidate) -> dict[str, Any]:
    forecast, proposal = candidate.forecast, candidate.proposal
    return {
        "forecast": forecast,
        "best_at": forecast.as_of + dt.timedelta(days=proposal.best_day),
        "saving": Decimal(str(round(proposal.saving, 2))),
        "cost_of_waiting_week": Decimal(str(round(proposal.week_of_waiting, 2))),
        "priority": _priority(forecast),
    }


def _priority(forecast: Forecast) -> Priority:
    if forecast.risk_14_days >= URGENT_RISK:
        return Priority.URGENT
    return Priority.HIGH if forecast.risk_14_days >= HIGH_RISK else Priority.NORMAL


def _withdraw(
    site: Site,
    candidates: Iterable[_Candidate],
    kept: set[str],
    *,
    advice: Advice,
    now: dt.datetime,
) -> None:
    """A proposal that nobody decided and that no longer pays is withdrawn, without a pause."""
    judged = {candidate.proposal.key for candidate in candidates}
    open_proposals = WorkOrder.objects.filter(site=site, type=WorkOrderType.PREDICTIVE).proposed()
    for work_order in open_proposals.select_related("asset", "failure_mode"):
        mode = work_order.failure_mode
        key = _key(work_order.asset, mode) if mode else ""
        if key in judged and key not in kept:
            advice.withdrawn += 1
            dismiss(work_order=work_order, reason=DismissReason.NOT_WORTH_IT, by=None, now=now)
            WorkOrder.objects.filter(pk=work_order.pk).update(snoozed_until=None)


def _same_work(work_order: WorkOrder) -> WorkOrderQuerySet:
    others = WorkOrder.objects.exclude(pk=work_order.pk).exclude(failure_mode=None)
    return others.filter(asset=work_order.asset_id, failure_mode=work_order.failure_mode_id)


@transaction.atomic
def _decide(
    work_order: WorkOrder,
    state: WorkOrderState,
    *,
    by: User | None,
    now: dt.datetime,
    **changes: Any,
) -> WorkOrder:
    locked = WorkOrder.objects.select_for_update().get(pk=work_order.pk)
    if not locked.may_become(state):
        raise NotAllowed(locked, state)
    before = {"state": locked.state}
    for name, value in changes.items():
        setattr(locked, name, value)
    locked.state = state
    locked.decided_at, locked.decided_by = now, by
    locked.save()
    _audit(locked, f"work order {state}", by=by, now=now, before=before)
    return locked


def _audit(
    work_order: WorkOrder, action: str, *, by: User | None, now: dt.datetime, before: dict[str, Any]
) -> None:
    AuditEntry.objects.create(
        site=work_order.site,
        at=now,
        by=by,
        action=action,
        subject=f"work order {work_order.number}",
        before=before,
        after={
            "state": work_order.state,
            "dismiss_reason": work_order.dismiss_reason,
            "note": work_order.dismiss_note,
        },
    )


def _next_number(site: Site) -> int:
    """Whoever asks for a number at the same time waits: it would be the same one."""
    Site.objects.select_for_update(no_key=True).get(pk=site.pk)
    highest = WorkOrder.objects.filter(site=site).aggregate(highest=Max("number"))["highest"]
    return (highest or NUMBERS_FROM) + 1
