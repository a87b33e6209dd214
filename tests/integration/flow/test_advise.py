"""Forecasts become proposals where acting pays; people decide on them."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError, transaction

from maintenance.choices import (
    WORK_ORDER_MOVES,
    DismissReason,
    ForecastState,
    Priority,
    Role,
    WorkOrderState,
    WorkOrderType,
)
from maintenance.flow import advise
from maintenance.models import AuditEntry, Forecast, JobPlan, Shift, WorkOrder
from maintenance.operations import Overtaken
from tests.plants import MONDAY, Plant, forecast, tiny, work_order

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
HIGH, LOW = 0.6, 0.0005


@pytest.fixture
def plant() -> Plant:
    return tiny()


def propose(plant: Plant, at: dt.datetime = MONDAY, **more) -> advise.Advice:
    return advise.propose_work(site=plant.site, as_of=at, now=at, **more)


class TestProposing:
    def test_work_is_proposed_where_acting_pays(self, plant):
        high = forecast(plant, "P-1", "bearing", risk=HIGH)
        forecast(plant, "P-2", "bearing", risk=LOW)
        advice = propose(plant)
        assert (advice.proposed, advice.refreshed, advice.withdrawn) == (1, 0, 0)
        made = WorkOrder.objects.get()
        assert (made.asset.code, made.failure_mode.code) == ("P-1", "bearing")
        assert made.type == WorkOrderType.PREDICTIVE
        assert made.state == WorkOrderState.PROPOSED
        assert made.forecast == high
        assert made.job_plan == plant.plan("renew-bearing")
        assert made.saving > 0
        assert made.cost_of_waiting_week > 0
        assert MONDAY <= made.best_at < MONDAY + 14 * DAY

    @pytest.mark.parametrize(
        ("risk", "priority"),
        [(0.6, Priority.URGENT), (0.3, Priority.HIGH), (0.15, Priority.NORMAL)],
    )
    def test_the_risk_makes_it_urgent(self, plant, risk, priority):
        forecast(plant, "P-1", "bearing", risk=risk)
        propose(plant)
        assert WorkOrder.objects.get().priority == priority

    def test_a_second_round_refreshes_and_never_doubles(self, plant):
        forecast(plant, "P-1", "bearing", risk=0.3)
        propose(plant)
        first = WorkOrder.objects.get()
        tomorrow = MONDAY + DAY
        newer = forecast(plant, "P-1", "bearing", risk=0.7, as_of=tomorrow)
        advice = propose(plant, tomorrow)
        assert (advice.proposed, advice.refreshed) == (0, 1)
        again = WorkOrder.objects.get()
        assert (again.pk, again.number) == (first.pk, first.number)
        assert again.forecast == newer
        assert again.priority == Priority.URGENT
        assert again.saving > first.saving

    @pytest.mark.parametrize("state", [WorkOrderState.ACCEPTED, WorkOrderState.SCHEDULED])
    def test_work_that_was_decided_is_refreshed_and_keeps_its_state(self, plant, state):
        forecast(plant, "P-1", "bearing", risk=HIGH)
        known = work_order(plant, "P-1", "bearing", state=state)
        assert propose(plant).refreshed == 1
        known.refresh_from_db()
        assert (known.state, WorkOrder.objects.count()) == (state, 1)
        assert known.saving is not None

    def test_the_database_itself_refuses_a_second_open_one(self, plant):
        work_order(plant, "P-1", "bearing")
        with pytest.raises(IntegrityError), transaction.atomic():
            work_order(plant, "P-1", "bearing", state=WorkOrderState.ACCEPTED)
        work_order(plant, "P-1", "seal")
        work_order(plant, "P-2", "bearing")

    def test_a_proposal_that_no_longer_pays_is_withdrawn_and_may_come_back(self, plant):
        forecast(plant, "P-1", "bearing", risk=HIGH)
        propose(plant)
        forecast(plant, "P-1", "bearing", risk=LOW, as_of=MONDAY + DAY)
        assert propose(plant, MONDAY + DAY).withdrawn == 1
        gone = WorkOrder.objects.get()
        assert gone.state == WorkOrderState.DISMISSED
        assert gone.dismiss_reason == DismissReason.NOT_WORTH_IT
        assert (gone.decided_by, gone.snoozed_until) == (None, None)
        forecast(plant, "P-1", "bearing", risk=HIGH, as_of=MONDAY + 2 * DAY)
        assert propose(plant, MONDAY + 2 * DAY).proposed == 1

    def test_what_people_accepted_or_asked_for_is_not_withdrawn(self, plant):
        accepted = work_order(plant, "P-1", "bearing", state=WorkOrderState.ACCEPTED)
        asked = work_order(plant, "P-2", "bearing", type=WorkOrderType.INSPECTION)
        for asset in ("P-1", "P-2"):
            forecast(plant, asset, "bearing", risk=LOW)
        assert propose(plant).withdrawn == 0
        for kept in (accepted, asked):
            kept.refresh_from_db()
            assert kept.is_open

    def test_an_asset_without_a_new_forecast_keeps_its_proposal(self, plant):
        forecast(plant, "P-1", "bearing", risk=HIGH)
        propose(plant)
        advice = propose(plant, MONDAY + DAY)
        assert (advice.withdrawn, advice.refreshed) == (0, 0)
        assert WorkOrder.objects.get().is_open

    def test_a_dismissed_mode_is_left_in_peace_for_fourteen_days(self, plant):
        user = plant.user(Role.PLANNER)
        forecast(plant, "P-1", "bearing", risk=HIGH)
        propose(plant)
        advise.dismiss(
            work_order=WorkOrder.objects.get(),
            reason=DismissReason.FALSE_ALARM,
            by=user,
            now=MONDAY,
        )
        for day, proposed in ((13, 0), (14, 1)):
            at = MONDAY + day * DAY
            forecast(plant, "P-1", "bearing", risk=HIGH, as_of=at)
            assert propose(plant, at).proposed == proposed, day

    def test_a_dismissal_says_nothing_of_the_other_modes(self, plant):
        user = plant.user(Role.PLANNER)
        gone = work_order(plant, "P-1", "bearing")
        advise.dismiss(work_order=gone, reason=DismissReason.OTHER, by=user, now=MONDAY)
        forecast(plant, "P-1", "seal", risk=HIGH)
        assert propose(plant).proposed == 1

    def test_what_the_crews_hours_cut_is_listed_with_its_cost(self, plant):
        """One early shift for both: eight hours, and a bearing takes two people three hours."""
        Shift.objects.exclude(technician__code="ana", weekday=0).delete()
        plant.site.schedule_days = 7
        plant.site.save()
        for asset, risk in (("P-1", 0.6), ("P-2", 0.4)):
            forecast(plant, asset, "bearing", risk=risk)
        advice = propose(plant)
        assert [made.asset.code for made in WorkOrder.objects.all()] == ["P-1"]
        (cut,) = advice.beyond_crew
        assert (cut["asset"], cut["failure_mode"], cut["crew_hours"]) == ("P-2", "bearing", 6.0)
        assert cut["cost"] > 0

    def test_a_mode_without_a_job_plan_is_named(self, plant):
        JobPlan.objects.filter(code="renew-seal").update(failure_mode=None)
        forecast(plant, "P-1", "seal", risk=HIGH)
        advice = propose(plant)
        assert (advice.proposed, advice.without_job_plan) == (0, ["seal"])

    @pytest.mark.parametrize("state", [ForecastState.NOT_ENOUGH_DATA, ForecastState.NOT_SET])
    def test_a_forecast_that_says_nothing_proposes_nothing(self, plant, state):
        forecast(plant, "P-1", "bearing", risk=HIGH)
        Forecast.objects.update(state=state)
        assert propose(plant).proposed == 0

    def test_numbers_go_on_where_they_stood(self, plant):
        work_order(plant, "P-1", "seal", number=4711)
        for asset in ("P-1", "P-2"):
            forecast(plant, asset, "bearing", risk=HIGH)
        propose(plant)
        assert sorted(WorkOrder.objects.values_list("number", flat=True)) == [4711, 4712, 4713]

    def test_another_plant_is_not_touched(self, plant):
        other = tiny("other")
        forecast(other, "P-1", "bearing", risk=HIGH)
        forecast(plant, "P-1", "bearing", risk=LOW)
        work_order(other, "P-2", "bearing")
        assert propose(plant).proposed == 0
        assert WorkOrder.objects.filter(site=other.site).open().count() == 1

    def test_a_run_that_was_overtaken_proposes_nothing(self, plant):
        def overtaken(_result):
            raise Overtaken

        forecast(plant, "P-1", "bearing", risk=HIGH)
        with pytest.raises(Overtaken):
            propose(plant, fence=overtaken)
        assert not WorkOrder.objects.exists()

    def test_the_plant_of_the_design_is_proposed(self, plant):
        """Weibull shape 3, scale 100, age 35; failing costs 20, renewing 1; best age 29.8."""
        shape, scale, age = 3.0, 100.0, 35.0
        made = forecast(plant, "P-1", "seal", risk=0.1)
        alive = [2.718281828459045 ** -(((age + day) / scale) ** shape) for day in range(61)]
        made.risk = made.risk_low = made.risk_high = [1 - one / alive[0] for one in alive]
        made.save()
        made.model_version.life = {"shape": shape, "scale_days": scale}
        made.model_version.save()
        mode = plant.mode("seal")
        mode.repair_cost, mode.downtime_hours = 4000, 0
        mode.save()
        plant.site.hourly_rate = 40
        plant.site.save()
        assert float(plant.plan("renew-seal").crew_hours()) * 40 + 120 == 200
        assert propose(plant).proposed == 1


MOVES = {
    WorkOrderState.ACCEPTED: lambda plant, row, by: advise.accept(
        work_order=row, by=by, now=plant.now
    ),
    WorkOrderState.DISMISSED: lambda plant, row, by: advise.dismiss(
        work_order=row, reason=DismissReason.ALREADY_DONE, note="last week", by=by, now=plant.now
    ),
    WorkOrderState.PROPOSED: lambda plant, row, by: advise.reopen(
        work_order=row, by=by, now=plant.now
    ),
}


class TestDeciding:
    @pytest.mark.parametrize("target", MOVES)
    @pytest.mark.parametrize("state", WorkOrderState)
    def test_only_allowed_moves_are_made(self, plant, state, target):
        user = plant.user(Role.PLANNER)
        reason = DismissReason.OTHER if state == WorkOrderState.DISMISSED else ""
        row = work_order(plant, "P-1", "bearing", state=state, dismiss_reason=reason)
        if target in WORK_ORDER_MOVES[state]:
            MOVES[target](plant, row, user)
            row.refresh_from_db()
            assert (row.state, row.decided_by, row.decided_at) == (target, user, plant.now)
        else:
            with pytest.raises(advise.NotAllowed) as refusal:
                MOVES[target](plant, row, user)
            assert (refusal.value.work_order, refusal.value.state) == (row, target)
            row.refresh_from_db()
            assert row.state == state
            assert not AuditEntry.objects.exists()

    def test_a_decision_is_audited_with_what_was_before(self, plant):
        user = plant.user(Role.PLANNER)
        row = work_order(plant, "P-1", "bearing")
        MOVES[WorkOrderState.DISMISSED](plant, row, user)
        entry = AuditEntry.objects.get()
        assert (entry.by, entry.at, entry.site) == (user, plant.now, plant.site)
        assert (entry.action, entry.subject) == ("work order dismissed", "work order 1001")
        assert entry.before == {"state": "proposed"}
        assert entry.after == {
            "state": "dismissed",
            "dismiss_reason": "already_done",
            "note": "last week",
        }

    def test_dismissed_work_loses_its_pin_and_reopened_work_its_reason(self, plant):
        user = plant.user(Role.PLANNER)
        row = work_order(plant, "P-1", "bearing", pinned_start_at=plant.local(1, "08:00"))
        MOVES[WorkOrderState.DISMISSED](plant, row, user)
        row.refresh_from_db()
        assert row.pinned_start_at is None
        assert row.snoozed_until == plant.now + 14 * DAY
        MOVES[WorkOrderState.PROPOSED](plant, row, user)
        row.refresh_from_db()
        assert (row.dismiss_reason, row.dismiss_note, row.snoozed_until) == ("", "", None)

    def test_of_two_who_decide_at_once_the_second_is_told(self, plant):
        user = plant.user(Role.PLANNER)
        seen_by_both = work_order(plant, "P-1", "bearing")
        MOVES[WorkOrderState.DISMISSED](plant, seen_by_both, user)
        assert seen_by_both.state == WorkOrderState.PROPOSED
        with pytest.raises(advise.NotAllowed):
            MOVES[WorkOrderState.ACCEPTED](plant, seen_by_both, user)

    def test_work_that_a_person_asks_for_waits_for_a_planner(self, plant):
        user = plant.user(Role.REQUESTER)
        asked = advise.ask_for_work(
            site=plant.site,
            asset=plant.asset("P-1"),
            job_plan=plant.plan("renew-seal"),
            kind=WorkOrderType.CORRECTIVE,
            priority=Priority.HIGH,
            title="It leaks",
            note="since Sunday",
            latest_at=plant.local(3),
            by=user,
            now=plant.now,
        )
        assert (asked.state, asked.requested_by, asked.number) == ("proposed", user, 1001)
        assert AuditEntry.objects.get().action == "ask for work"

    def test_reopening_beside_open_work_on_the_same_mode_is_refused_in_words(self, plant):
        user = plant.user(Role.PLANNER)
        first = work_order(plant, "P-1", "bearing")
        MOVES[WorkOrderState.DISMISSED](plant, first, user)
        work_order(plant, "P-1", "bearing")
        with pytest.raises(advise.NotAllowed):
            MOVES[WorkOrderState.PROPOSED](plant, first, user)
