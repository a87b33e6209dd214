"""Open work becomes a schedule; planners move, pin, undo and publish, and hear of each other."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pytest
from django.db import IntegrityError, transaction

from maintenance.choices import DismissReason, Role, ScheduleState, WorkOrderState
from maintenance.flow import advise
from maintenance.flow import schedule as flow
from maintenance.models import (
    AuditEntry,
    LeftOut,
    Schedule,
    ScheduleMove,
    Technician,
    User,
    WorkOrder,
)
from maintenance.operations import Overtaken
from scheduler import Problem
from scheduler import Schedule as Answer
from tests.plants import MONDAY, Plant, busy, forecast, work_order

pytestmark = pytest.mark.django_db

SIX = MONDAY + dt.timedelta(hours=6)


@dataclass
class Desk:
    """A planner with a plant: what they do is done at six in the morning of the first day."""

    plant: Plant
    by: User
    now: dt.datetime = SIX

    def optimise(self, **more) -> Schedule:
        asked = {"by": self.by, "now": self.now, "seconds": 30.0}
        return flow.optimise(site=self.plant.site, **{**asked, **more})

    def move(self, draft: Schedule, row: WorkOrder, start_at, *crew: str, **more) -> Schedule:
        people = [self.plant.technician(code) for code in crew]
        told = {"revision": draft.revision, "by": self.by, "now": self.now}
        return flow.move(
            schedule=draft,
            work_order=row,
            start_at=start_at,
            technicians=people,
            **{**told, **more},
        )

    def told(self, draft: Schedule, **more) -> dict:
        return {
            "schedule": draft,
            "revision": draft.revision,
            "by": self.by,
            "now": self.now,
            **more,
        }

    def order(self, asset: str) -> WorkOrder:
        return WorkOrder.objects.get(site=self.plant.site, asset__code=asset)


@pytest.fixture
def desk() -> Desk:
    plant = busy(now=SIX)
    return Desk(plant, plant.user(Role.PLANNER))


def places(draft: Schedule) -> dict[str, tuple[dt.datetime, tuple[str, ...]]]:
    rows = draft.assignments.select_related("work_order__asset").prefetch_related("technicians")
    return {
        row.work_order.asset.code: (
            row.starts_at,
            tuple(sorted(technician.code for technician in row.technicians.all())),
        )
        for row in rows
    }


def of(row: WorkOrder) -> WorkOrder:
    row.refresh_from_db()
    return row


class TestOptimising:
    def test_the_answer_is_kept_as_a_draft_that_keeps_every_rule(self, desk):
        draft = desk.optimise()
        assert draft.state == ScheduleState.DRAFT
        assert (draft.number, draft.revision, draft.created_by) == (1, 1, desk.by)
        assert draft.starts_at == MONDAY
        assert draft.ends_at == desk.plant.local(14)
        assert set(places(draft)) == {"P-1", "P-2", "P-3"}
        assert flow.violations(draft) == ()
        assert not draft.left_out.exists()

    def test_the_cost_can_be_counted_again_from_what_is_kept(self, desk):
        draft = Schedule.objects.get(pk=desk.optimise().pk)
        again = flow._answer(draft).cost(Problem.from_dict(draft.problem))
        assert again.total == draft.cost_minor == sum(draft.cost.values())
        unscheduled = Answer().cost(Problem.from_dict(draft.problem)).total
        assert draft.cost_unscheduled_minor == unscheduled > draft.cost_minor
        assert draft.bound_minor <= draft.cost_minor

    def test_nothing_starts_before_now(self, desk):
        desk.now = desk.plant.local(1, "09:05")
        draft = desk.optimise(now=desk.now)
        assert draft.assignments.exists()
        assert all(row.starts_at >= desk.now for row in draft.assignments.all())

    def test_a_period_that_is_history_is_planned_as_if_it_lay_ahead(self, desk):
        draft = desk.optimise(now=MONDAY + dt.timedelta(days=400))
        assert draft.starts_at == MONDAY
        assert set(places(draft)) == {"P-1", "P-2", "P-3"}

    def test_every_job_left_out_says_why(self, desk):
        """No bearing left and none on its way: two jobs are impossible, whoever is there."""
        desk.plant.take("parts", [{"code": "brg", "name": "Bearing", "stock": 0}])
        draft = desk.optimise()
        assert set(places(draft)) == {"P-3"}
        left = {row.work_order.asset.code: row for row in draft.left_out.all()}
        assert set(left) == {"P-1", "P-2"}
        for row in left.values():
            assert row.reason_class == "structural"
            assert [broken["rule"] for broken in row.rules] == ["part_short"]
            assert row.cost_minor > 0
            assert row.unlocks
        assert flow.violations(draft) == ()

    def test_what_one_bearing_leaves_out_is_for_want_of_it(self, desk):
        desk.plant.take("parts", [{"code": "brg", "name": "Bearing", "stock": 1}])
        draft = desk.optimise()
        assert set(places(draft)) == {"P-1", "P-3"}
        assert draft.left_out.get().reason_class == "contention"

    def test_every_open_work_order_is_placed_or_left_out(self, desk):
        for asset in ("P-1", "P-2", "P-3"):
            work_order(desk.plant, asset)
        work_order(desk.plant, "P-1", state=WorkOrderState.DISMISSED, dismiss_reason="other")
        desk.plant.take("parts", [{"code": "sea", "name": "Seal", "stock": 2}])
        draft = desk.optimise()
        jobs = {int(job["id"]) for job in draft.problem["jobs"]}
        placed = set(draft.assignments.values_list("work_order", flat=True))
        left = set(draft.left_out.values_list("work_order", flat=True))
        assert jobs == set(WorkOrder.objects.open().values_list("pk", flat=True))
        assert placed | left == jobs
        assert not placed & left
        assert left

    def test_a_new_draft_takes_the_place_of_the_old(self, desk):
        first, second = desk.optimise(), desk.optimise()
        assert Schedule.objects.get(pk=first.pk).state == ScheduleState.SUPERSEDED
        assert (second.number, second.state) == (2, ScheduleState.DRAFT)

    def test_a_move_by_hand_while_it_runs_is_kept(self, desk):
        standing = desk.optimise()
        pinned_once = []

        def pin_p1(done: int, _total: int, _note: str) -> None:
            if done == 2 and not pinned_once:
                row = desk.order("P-1")
                pinned_once.append(flow.pin(work_order=row, pinned=True, **desk.told(standing)))

        draft = desk.optimise(report=pin_p1)
        assert draft.assignments.get(work_order=desk.order("P-1")).pinned

    def test_a_draft_that_people_keep_changing_is_left_to_them(self, desk):
        standing = desk.optimise()
        pinned = [False]

        def change_again(done: int, _total: int, _note: str) -> None:
            if done == 2:
                standing.refresh_from_db()
                pinned[0] = not pinned[0]
                row = desk.order("P-1")
                flow.pin(work_order=row, pinned=pinned[0], **desk.told(standing))

        with pytest.raises(flow.ChangedMeanwhile):
            desk.optimise(report=change_again)
        standing.refresh_from_db()
        assert standing.state == ScheduleState.DRAFT

    def test_the_same_work_gives_the_same_schedule(self, desk):
        one, other = desk.optimise(), desk.optimise()
        assert places(one) == places(other)
        assert (one.cost_minor, one.inputs_hash) == (other.cost_minor, other.inputs_hash)

    def test_two_plants_alike_get_the_same_schedule(self, desk):
        """Keys differ, and with them nothing else."""
        other = Desk(busy("other", now=SIX), desk.by)
        for each in (desk, other):
            for asset in ("P-1", "P-2", "P-3"):
                work_order(each.plant, asset)
        assert places(desk.optimise()) == places(other.optimise())

    def test_a_plant_without_open_work_gets_an_empty_schedule(self, desk):
        WorkOrder.objects.all().delete()
        draft = desk.optimise()
        assert not draft.assignments.exists()
        assert draft.cost_minor == 0

    def test_a_plant_without_anybody_leaves_all_out_and_says_so(self, desk):
        Technician.objects.all().delete()
        draft = desk.optimise()
        assert not draft.assignments.exists()
        assert draft.left_out.count() == 3

    def test_the_operation_it_belongs_to_is_told_what_came_of_it(self, desk):
        told = []
        draft = desk.optimise(fence=told.append)
        assert told == [{"schedule": 1, "cost_minor": draft.cost_minor, "repeatable": True}]

    def test_a_run_that_was_overtaken_leaves_the_draft_that_was_there(self, desk):
        def overtaken(_result):
            raise Overtaken

        first = desk.optimise()
        with pytest.raises(Overtaken):
            desk.optimise(fence=overtaken)
        assert Schedule.objects.get() == first
        assert Schedule.objects.get().state == ScheduleState.DRAFT

    def test_a_run_that_is_cancelled_stops_at_its_next_word(self, desk):
        def cancelled(_done, _total, _note):
            raise Overtaken

        with pytest.raises(Overtaken):
            desk.optimise(report=cancelled)
        assert not Schedule.objects.exists()

    def test_history_is_planned_from_the_day_of_its_forecasts(self, desk):
        """Replayed data end long ago: the schedule starts where they end."""
        period = flow.period_of(site=desk.plant.site, now=MONDAY + dt.timedelta(days=400))
        assert period.starts_at == MONDAY
        period = flow.period_of(site=desk.plant.site, now=MONDAY + dt.timedelta(days=2, hours=9))
        assert period.starts_at == desk.plant.local(2)

    def test_the_database_allows_one_draft_and_one_published_a_site(self, desk):
        draft = desk.optimise()
        for state in (ScheduleState.DRAFT, ScheduleState.PUBLISHED):
            Schedule.objects.filter(pk=draft.pk).update(state=state, published_at=SIX)
            second = Schedule.objects.get(pk=draft.pk)
            second.pk, second.number = None, 99
            with pytest.raises(IntegrityError), transaction.atomic():
                second.save(force_insert=True)


class TestMoving:
    def test_a_lawful_move_is_kept_and_stays_pinned(self, desk):
        draft, row = desk.optimise(), desk.order("P-1")
        start = desk.plant.local(3, "14:30")
        moved = desk.move(draft, row, start, "luis", "oscar")
        assert moved.revision == 2
        assert places(moved)["P-1"] == (start, ("luis", "oscar"))
        assert moved.assignments.get(work_order=row).pinned
        assert of(row).pinned_start_at == start
        assert {t.code for t in row.pinned_technicians.all()} == {"luis", "oscar"}
        assert flow.violations(moved) == ()

    def test_its_cost_is_counted_again(self, desk):
        draft, row = desk.optimise(), desk.order("P-1")
        before = draft.cost_minor
        moved = desk.move(draft, row, desk.plant.local(10, "14:30"), "luis", "oscar")
        assert moved.cost_minor > before
        assert moved.cost_minor == sum(moved.cost.values())

    def test_the_next_optimisation_keeps_it(self, desk):
        start = desk.plant.local(3, "14:30")
        desk.move(desk.optimise(), desk.order("P-1"), start, "luis", "oscar")
        again = desk.optimise()
        assert places(again)["P-1"] == (start, ("luis", "oscar"))
        assert flow.violations(again) == ()

    def test_a_move_against_rules_is_refused_with_all_of_them(self, desk):
        draft, row = desk.optimise(), desk.order("P-1")
        night = desk.plant.local(3, "02:00")
        with pytest.raises(flow.Refused) as refusal:
            desk.move(draft, row, night, "ana")
        rules = {violation.rule for violation in refusal.value.violations}
        assert rules == {"off_shift", "crew_incomplete"}
        assert "Ana Ruiz is not on shift" in str(refusal.value)
        assert Schedule.objects.get(pk=draft.pk).revision == 1
        assert of(row).pinned_start_at is None
        assert not ScheduleMove.objects.exists()

    def test_a_planner_may_take_it_anyway_and_it_stays(self, desk):
        draft, row = desk.optimise(), desk.order("P-1")
        night = desk.plant.local(3, "02:00")
        moved = desk.move(draft, row, night, "ana", "nora", anyway=True)
        assert places(moved)["P-1"] == (night, ("ana", "nora"))
        assert {v.rule for v in flow.violations(moved)} == {"off_shift"}
        again = desk.optimise()
        assert places(again)["P-1"][0] == night

    def test_what_was_left_out_can_be_placed_by_hand(self, desk):
        desk.plant.take("parts", [{"code": "brg", "name": "Bearing", "stock": 1}])
        draft = desk.optimise()
        row = desk.order("P-2")
        moved = desk.move(draft, row, desk.plant.local(2, "14:15"), "luis", "oscar", anyway=True)
        assert "P-2" in places(moved)
        assert not moved.left_out.exists()
        assert {v.rule for v in flow.violations(moved)} == {"part_short"}

    def test_of_two_browsers_the_second_is_told(self, desk):
        first = desk.optimise()
        second = Schedule.objects.get(pk=first.pk)
        row = desk.order("P-1")
        desk.move(first, row, desk.plant.local(3, "14:30"), "luis", "oscar")
        with pytest.raises(flow.Outdated) as told:
            desk.move(second, row, desk.plant.local(4, "14:30"), "luis", "oscar", revision=1)
        assert told.value.revision == 2
        assert places(second)["P-1"][0] == desk.plant.local(3, "14:30")

    @pytest.mark.parametrize("verb", ["pin", "remove", "undo", "publish"])
    def test_every_other_change_is_told_too(self, desk, verb):
        draft, row = desk.optimise(), desk.order("P-1")
        desk.move(draft, row, desk.plant.local(3, "14:30"), "luis", "oscar")
        more = {
            "pin": {"work_order": row, "pinned": False},
            "remove": {"work_order": row},
        }.get(verb, {})
        with pytest.raises(flow.Outdated):
            getattr(flow, verb)(**desk.told(draft, revision=1, **more))

    @pytest.mark.parametrize("state", [ScheduleState.PUBLISHED, ScheduleState.SUPERSEDED])
    def test_only_a_draft_can_be_changed(self, desk, state):
        draft = desk.optimise()
        Schedule.objects.filter(pk=draft.pk).update(state=state, published_at=SIX)
        with pytest.raises(flow.NotADraft):
            desk.move(draft, desk.order("P-1"), desk.plant.local(3, "14:30"), "luis", "oscar")

    def test_work_that_the_schedule_does_not_know_cannot_be_moved(self, desk):
        draft = desk.optimise()
        late = work_order(desk.plant, "P-1")
        with pytest.raises(flow.NotADraft):
            desk.move(draft, late, desk.plant.local(3, "14:30"), "luis")

    def test_work_that_the_schedule_does_not_know_cannot_be_pinned_once(self, desk):
        draft = desk.optimise()
        late = work_order(desk.plant, "P-1")
        who = {"by": desk.by, "now": desk.plant.now}
        with pytest.raises(flow.NotADraft):
            flow.remove(schedule=draft, work_order=late, revision=draft.revision, **who)

    @pytest.mark.parametrize("day", [-3, 20])
    def test_a_place_outside_the_schedule_is_refused_even_anyway(self, desk, day):
        """A pin must lie within the days that are planned."""
        draft = desk.optimise()
        for anyway in (False, True):
            with pytest.raises(flow.Refused) as refusal:
                desk.move(
                    draft,
                    desk.order("P-1"),
                    desk.plant.local(day, "08:00"),
                    "ana",
                    "nora",
                    anyway=anyway,
                )
            assert "outside_schedule" in {v.rule for v in refusal.value.violations}
        assert Schedule.objects.get(pk=draft.pk).revision == 1

    def test_somebody_the_schedule_does_not_know_is_refused_even_anyway(self, desk):
        draft = desk.optimise()
        desk.plant.take("technicians", [{"code": "new", "name": "Nia New"}])
        with pytest.raises(flow.Refused) as refusal:
            desk.move(draft, desk.order("P-3"), desk.plant.local(3, "08:00"), "new", anyway=True)
        assert "unknown_technician" in {v.rule for v in refusal.value.violations}

    def test_work_that_was_dismissed_in_the_meantime_cannot_be_moved(self, desk):
        draft, row = desk.optimise(), desk.order("P-1")
        advise.dismiss(work_order=row, reason=DismissReason.OTHER, by=desk.by, now=SIX)
        with pytest.raises(flow.NotADraft):
            desk.move(draft, row, desk.plant.local(3, "14:30"), "luis", "oscar")
        assert of(row).pinned_start_at is None


class TestPinningAndUndoing:
    def test_a_pin_keeps_the_work_where_it_stands(self, desk):
        draft, row = desk.optimise(), desk.order("P-2")
        start, crew = places(draft)["P-2"]
        pinned = flow.pin(**desk.told(draft, work_order=row, pinned=True))
        assert pinned.assignments.get(work_order=row).pinned
        assert of(row).pinned_start_at == start
        forecast(desk.plant, "P-2", "bearing", risk=0.9, as_of=SIX)
        assert places(desk.optimise())["P-2"] == (start, crew)

    def test_letting_go_of_a_pin_leaves_the_place(self, desk):
        draft, row = desk.optimise(), desk.order("P-2")
        before = places(draft)
        pinned = flow.pin(**desk.told(draft, work_order=row, pinned=True))
        free = flow.pin(**desk.told(pinned, work_order=row, pinned=False))
        assert places(free) == before
        assert of(row).pinned_start_at is None
        assert not row.pinned_technicians.exists()

    def test_work_that_waits_cannot_be_pinned(self, desk):
        desk.plant.take("parts", [{"code": "brg", "name": "Bearing", "stock": 0}])
        draft = desk.optimise()
        with pytest.raises(flow.NotADraft):
            flow.pin(**desk.told(draft, work_order=desk.order("P-1"), pinned=True))

    def test_removed_work_waits_again_and_its_reason_is_that_it_would_fit(self, desk):
        draft, row = desk.optimise(), desk.order("P-1")
        removed = flow.remove(**desk.told(draft, work_order=row))
        assert "P-1" not in places(removed)
        assert removed.left_out.get(work_order=row).reason_class == "possible"
        assert of(row).pinned_start_at is None

    def test_undo_takes_back_a_move_with_its_pin(self, desk):
        draft, row = desk.optimise(), desk.order("P-1")
        before, cost = places(draft), draft.cost_minor
        moved = desk.move(draft, row, desk.plant.local(3, "14:30"), "luis", "oscar")
        back = flow.undo(**desk.told(moved))
        assert places(back) == before
        assert back.cost_minor == cost
        assert of(row).pinned_start_at is None
        assert not back.assignments.get(work_order=row).pinned

    def test_undo_goes_back_change_by_change(self, desk):
        draft = desk.optimise()
        standings = [places(draft)]
        row, other = desk.order("P-1"), desk.order("P-3")
        draft = desk.move(draft, row, desk.plant.local(3, "14:30"), "luis", "oscar")
        standings.append(places(draft))
        draft = flow.remove(**desk.told(draft, work_order=other))
        standings.append(places(draft))
        draft = desk.move(draft, row, desk.plant.local(4, "14:30"), "luis", "oscar")
        for expected in reversed(standings):
            draft = flow.undo(**desk.told(draft))
            assert places(draft) == expected
        untouched = flow.undo(**desk.told(draft))
        assert untouched.revision == draft.revision

    def test_a_change_after_an_undo_can_be_undone_too(self, desk):
        draft, row = desk.optimise(), desk.order("P-1")
        draft = desk.move(draft, row, desk.plant.local(3, "14:30"), "luis", "oscar")
        draft = flow.undo(**desk.told(draft))
        before = places(draft)
        draft = desk.move(draft, row, desk.plant.local(4, "14:30"), "luis", "oscar")
        draft = flow.undo(**desk.told(draft))
        assert places(draft) == before

    def test_undo_restores_a_pin_that_was_let_go(self, desk):
        draft, row = desk.optimise(), desk.order("P-1")
        start = desk.plant.local(3, "14:30")
        draft = desk.move(draft, row, start, "luis", "oscar")
        draft = flow.pin(**desk.told(draft, work_order=row, pinned=False))
        flow.undo(**desk.told(draft))
        assert of(row).pinned_start_at == start
        assert {t.code for t in row.pinned_technicians.all()} == {"luis", "oscar"}

    def test_each_change_says_who_made_it(self, desk):
        draft = desk.optimise()
        desk.move(draft, desk.order("P-1"), desk.plant.local(3, "14:30"), "luis", "oscar")
        made = ScheduleMove.objects.get()
        assert (made.by, made.recorded_at, made.revision) == (desk.by, SIX, 2)
        assert made.before["pin"] is None
        assert made.after["pin"]["start_minute"] == 3 * 1440 + 870


class TestPublishing:
    def test_published_work_is_scheduled_and_its_people_know(self, desk):
        draft = desk.optimise()
        flow.publish(**desk.told(draft))
        draft.refresh_from_db()
        assert (draft.state, draft.published_at, draft.published_by) == (
            ScheduleState.PUBLISHED,
            SIX,
            desk.by,
        )
        for row in WorkOrder.objects.all():
            assert row.state == WorkOrderState.SCHEDULED
            assert (row.decided_by, row.decided_at) == (desk.by, SIX)
            crew = draft.assignments.get(work_order=row).technicians.all()
            assert set(row.assigned_to.all()) == set(crew)

    def test_it_is_audited(self, desk):
        draft = desk.optimise()
        flow.publish(**desk.told(draft))
        entry = AuditEntry.objects.get(action="publish schedule")
        assert (entry.by, entry.subject) == (desk.by, "schedule 1")
        assert entry.after == {"scheduled": 3, "back_to_waiting": 0}

    def test_the_one_before_is_superseded_and_what_it_dropped_waits_again(self, desk):
        first = desk.optimise()
        flow.publish(**desk.told(first))
        second = flow.start_draft(schedule=first, by=desk.by, now=SIX)
        row = desk.order("P-2")
        second = flow.remove(**desk.told(second, work_order=row))
        flow.publish(**desk.told(second))
        first.refresh_from_db()
        assert first.state == ScheduleState.SUPERSEDED
        assert first.published_at == SIX
        assert of(row).state == WorkOrderState.ACCEPTED
        assert not row.assigned_to.exists()
        assert of(desk.order("P-1")).state == WorkOrderState.SCHEDULED

    def test_broken_rules_are_refused_unless_taken_anyway(self, desk):
        draft = desk.optimise()
        night = desk.plant.local(3, "02:00")
        draft = desk.move(draft, desk.order("P-1"), night, "ana", "nora", anyway=True)
        with pytest.raises(flow.Refused) as refusal:
            flow.publish(**desk.told(draft))
        assert {v.rule for v in refusal.value.violations} == {"off_shift"}
        assert Schedule.objects.get(pk=draft.pk).state == ScheduleState.DRAFT
        flow.publish(**desk.told(draft, anyway=True))
        assert Schedule.objects.get(pk=draft.pk).state == ScheduleState.PUBLISHED

    def test_what_was_dismissed_in_the_meantime_is_not_done(self, desk):
        draft, row = desk.optimise(), desk.order("P-1")
        before = draft.cost_minor
        advise.dismiss(work_order=row, reason=DismissReason.OTHER, by=desk.by, now=SIX)
        draft = flow.publish(**desk.told(draft))
        assert of(row).state == WorkOrderState.DISMISSED
        assert not row.assigned_to.exists()
        assert set(places(draft)) == {"P-2", "P-3"}
        assert not draft.left_out.exists()
        assert draft.cost_minor < before
        assert flow.violations(draft) == ()

    def test_it_is_published_once(self, desk):
        draft = desk.optimise()
        flow.publish(**desk.told(draft))
        with pytest.raises(flow.NotADraft):
            flow.publish(**desk.told(draft))

    def test_a_run_that_was_overtaken_publishes_nothing(self, desk):
        def overtaken(_result):
            raise Overtaken

        draft = desk.optimise()
        with pytest.raises(Overtaken):
            flow.publish(**desk.told(draft, fence=overtaken))
        assert Schedule.objects.get().state == ScheduleState.DRAFT
        assert not WorkOrder.objects.filter(state=WorkOrderState.SCHEDULED).exists()

    def test_a_published_schedule_is_changed_by_way_of_a_copy(self, desk):
        published = desk.optimise()
        flow.publish(**desk.told(published))
        copy = flow.start_draft(schedule=published, by=desk.by, now=SIX)
        assert (copy.number, copy.revision, copy.state) == (2, 1, ScheduleState.DRAFT)
        assert copy.published_at is None
        assert places(copy) == places(published)
        assert copy.cost_minor == published.cost_minor
        assert flow.start_draft(schedule=published, by=desk.by, now=SIX) == copy

    def test_what_people_were_told_is_not_moved_for_nothing(self, desk):
        """Optimised again with nothing new, the schedule stays as it was published."""
        published = desk.optimise()
        flow.publish(**desk.told(published))
        assert places(desk.optimise()) == places(published)

    def test_left_out_work_that_nobody_accepted_stays_a_proposal(self, desk):
        desk.plant.take("parts", [{"code": "brg", "name": "Bearing", "stock": 1}])
        draft = desk.optimise()
        flow.publish(**desk.told(draft))
        assert LeftOut.objects.filter(schedule=draft).count() == 1
        assert desk.order("P-2").state == WorkOrderState.PROPOSED
