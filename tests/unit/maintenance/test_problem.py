"""Open work, people, tools and parts as a problem: every minute and every cent where it belongs."""

from __future__ import annotations

import datetime as dt

import pytest

from maintenance.choices import Priority, WorkOrderState
from maintenance.flow import schedule as flow
from maintenance.models import Asset, Schedule, Shift, Technician, WorkOrder
from maintenance.queries.problem import Period, pose
from scheduler import Interval, Outage, Pin, Problem, Window
from tests.plants import EARLY, MADRID, MONDAY, WEEKDAYS, Plant, busy, forecast, tiny, work_order

pytestmark = pytest.mark.django_db

HOUR, DAY = 60, 1440


def posed(plant: Plant, *, days: int = 14, not_before: dt.datetime | None = None) -> Problem:
    start = plant.local(0)
    period = Period(site=plant.site, starts_at=start, days=days)
    return pose(period, not_before=not_before or start).problem


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=MADRID).astimezone(dt.UTC)


def only_job(plant: Plant, **options):
    (job,) = posed(plant, **options).jobs
    return job


def person(plant: Plant, code: str, **options):
    return posed(plant, **options).technician_by_id[str(plant.technician(code).pk)]


class TestDays:
    def test_the_days_are_those_of_the_sites_clocks(self):
        problem = posed(tiny(), days=3)
        assert problem.day_starts_minutes == (0, DAY, 2 * DAY, 3 * DAY)

    @pytest.mark.parametrize(
        ("today", "sunday_hours"), [("2026-03-23T08:00", 23), ("2026-10-19T08:00", 25)]
    )
    def test_the_week_in_which_the_clocks_change_has_its_right_minutes(self, today, sunday_hours):
        """Everything later than that Sunday night stands an hour earlier, or later."""
        plant = tiny(now=at(today))
        Shift.objects.create(
            technician=plant.technician("ana"),
            weekday=5,
            starts=dt.time(22),
            ends=dt.time(6),
        )
        problem = posed(plant, days=8)
        lengths = [
            b - a
            for a, b in zip(
                problem.day_starts_minutes, problem.day_starts_minutes[1:], strict=False
            )
        ]
        assert lengths == [DAY] * 6 + [sunday_hours * HOUR] + [DAY]
        shifts = person(plant, "ana", days=8).shifts
        night, monday = shifts[-2:]
        assert night.minutes == (sunday_hours - 16) * HOUR
        sunday_start, monday_start = problem.day_starts_minutes[6:8]
        assert night.start_minute == sunday_start - 2 * HOUR
        assert monday == Interval(monday_start + 6 * HOUR, monday_start + 14 * HOUR)

    @pytest.mark.parametrize("today", ["2026-03-27T05:00", "2026-10-23T05:00"])
    def test_a_schedule_over_the_change_of_the_clocks_keeps_the_wall_clock(self, today):
        """Work of Monday's early shift starts at six or later on the clock in the hall."""
        plant = busy(now=at(today))
        plant.take(
            "access_windows",
            [
                {
                    "asset": asset,
                    "starts_at": plant.local(3, "06:00"),
                    "ends_at": plant.local(3, "14:00"),
                }
                for asset in ("P-1", "P-2", "P-3")
            ],
        )
        Shift.objects.all().delete()
        plant.take(
            "shifts",
            [
                {"technician": who, "weekday": day, "starts": EARLY[0], "ends": EARLY[1]}
                for who in ("ana", "luis", "nora", "oscar")
                for day in WEEKDAYS
            ],
        )
        draft = flow.optimise(site=plant.site, by=None, now=plant.now, seconds=30)
        draft = Schedule.objects.get(pk=draft.pk)
        assert draft.assignments.count() >= 2
        assert flow.violations(draft) == ()
        for row in draft.assignments.all():
            start, end = (instant.astimezone(MADRID) for instant in (row.starts_at, row.ends_at))
            assert start.weekday() == end.weekday() == 0
            assert dt.time(6) <= start.time()
            assert end.time() <= dt.time(14)


class TestFrozenTime:
    def test_nothing_starts_before_now_rounded_up_to_the_grid(self):
        plant = busy()
        for clock, minute in (("00:00", 0), ("09:00", 540), ("09:01", 555), ("09:16", 570)):
            problem = posed(plant, not_before=plant.local(0, clock))
            assert problem.frozen_until_minute == minute

    def test_planning_of_days_to_come_freezes_nothing(self):
        assert posed(busy(), not_before=MONDAY - dt.timedelta(days=3)).frozen_until_minute == 0

    def test_a_second_after_the_minute_is_the_next_minute(self):
        late = MONDAY + dt.timedelta(hours=9, seconds=1)
        assert posed(busy(), not_before=late).frozen_until_minute == 555

    def test_work_that_has_begun_stays_where_people_were_told(self):
        plant = busy()
        first = flow.optimise(site=plant.site, by=None, now=plant.now, seconds=30)
        flow.publish(schedule=first, revision=1, by=None, now=plant.now)
        told = {row.work_order_id: row.starts_at for row in first.assignments.all()}
        begun = min(told, key=lambda pk: told[pk])
        now = told[begun] + dt.timedelta(minutes=20)
        again = flow.optimise(site=plant.site, by=None, now=now, seconds=30)
        places = {row.work_order_id: row.starts_at for row in again.assignments.all()}
        assert places[begun] == told[begun]
        assert all(at >= now for pk, at in places.items() if told[pk] >= now)
        assert flow.violations(again) == ()


class TestAssets:
    def test_an_asset_without_windows_may_be_stopped_at_any_time(self):
        plant = tiny()
        work_order(plant, "P-1", "seal")
        (asset,) = posed(plant).assets
        assert (asset.name, asset.windows) == ("P-1", ())

    def test_windows_are_cut_to_the_schedule_and_priced(self):
        plant = tiny()
        work_order(plant, "P-1", "seal")
        plant.take(
            "access_windows",
            [
                {
                    "asset": "P-1",
                    "starts_at": plant.local(-1, "12:00"),
                    "ends_at": plant.local(0, "06:00"),
                    "price_per_hour": 12.5,
                },
                {
                    "asset": "P-1",
                    "starts_at": plant.local(1, "20:00"),
                    "ends_at": plant.local(40),
                },
            ],
        )
        (asset,) = posed(plant, days=2).assets
        assert asset.windows == (Window(0, 360, 1250), Window(DAY + 1200, 2 * DAY, 0))

    def test_an_asset_with_windows_but_none_in_these_days_cannot_be_stopped(self):
        plant = busy()
        plant.take(
            "access_windows",
            [{"asset": "P-3", "starts_at": plant.local(30), "ends_at": plant.local(31)}],
        )
        draft = flow.optimise(site=plant.site, by=None, now=plant.now, seconds=30)
        left = draft.left_out.get()
        assert left.work_order.asset.code == "P-3"
        assert [broken["rule"] for broken in left.rules] == ["outside_window"]
        assert draft.assignments.count() == 2

    def test_only_assets_with_open_work_are_in_the_problem(self):
        plant = tiny()
        work_order(plant, "P-2", "seal")
        assert [asset.name for asset in posed(plant).assets] == ["P-2"]


class TestPins:
    def pinned(self, plant: Plant, start: dt.datetime, *crew: str) -> Pin | None:
        row = work_order(plant, "P-1", "bearing", pinned_start_at=start)
        row.pinned_technicians.set([plant.technician(code) for code in crew])
        return only_job(plant).pin

    def test_a_pin_names_its_minute_and_its_people(self):
        plant = tiny()
        pin = self.pinned(plant, plant.local(2, "14:30"), "oscar", "luis")
        assert pin.start_minute == 2 * DAY + 870
        assert set(pin.technician_ids) == {
            str(plant.technician(code).pk) for code in ("luis", "oscar")
        }

    def test_a_pin_without_people_leaves_the_crew_open(self):
        plant = tiny()
        assert self.pinned(plant, plant.local(2, "14:30")).technician_ids is None

    @pytest.mark.parametrize("day", [-1, 14, 30])
    def test_a_pin_in_the_past_or_beyond_the_schedule_is_let_go(self, day):
        plant = tiny()
        assert self.pinned(plant, plant.local(day, "10:00"), "ana") is None

    def test_people_who_left_the_team_are_no_longer_pinned(self):
        plant = tiny()
        Technician.objects.filter(code="luis").update(left_on=dt.date(2026, 2, 1))
        pin = self.pinned(plant, plant.local(2, "14:30"), "luis", "oscar")
        assert pin.technician_ids == (str(plant.technician("oscar").pk),)


class TestPeople:
    def test_rates_are_in_cents_and_skills_by_name(self):
        plant = tiny()
        oscar = person(plant, "oscar")
        assert (oscar.name, oscar.price_per_hour) == ("Óscar Rey", 3600)
        assert oscar.skills == {"Electrics": 2, "Mechanics": 1}

    def test_skills_that_share_a_name_are_told_apart_by_code(self):
        plant = tiny()
        plant.take("skills", [{"code": "mech-2", "name": "Mechanics"}])
        plant.take("technician_skills", [{"technician": "nora", "skill": "mech-2", "level": 3}])
        assert person(plant, "nora").skills == {"Electrics": 3, "Mechanics (mech-2)": 3}
        assert person(plant, "ana").skills == {"Mechanics (mech)": 3}

    def test_a_certificate_is_good_to_the_end_of_its_last_day(self):
        plant = tiny()
        plant.take(
            "technician_skills",
            [
                {
                    "technician": "ana",
                    "skill": "mech",
                    "level": 3,
                    "valid_until": dt.date(2026, 3, 4),
                }
            ],
        )
        assert person(plant, "ana").certificates == {"Mechanics": 3 * DAY}

    def test_work_ends_before_the_certificate_does(self):
        plant = tiny()
        plant.technician("oscar").delete()
        for who in ("ana", "luis"):
            skill = plant.technician(who).skills.get()
            skill.valid_until = dt.date(2026, 3, 1)
            skill.save()
        forecast(plant, "P-1", "seal", risk=0.6)
        work_order(plant, "P-1", "seal")
        draft = flow.optimise(site=plant.site, by=None, now=plant.now, seconds=30)
        rules = {broken["rule"] for broken in draft.left_out.get().rules}
        assert rules == {"certificate_expired"}

    def test_who_left_is_not_planned_and_who_leaves_later_is(self):
        plant = tiny()
        Technician.objects.filter(code="ana").update(left_on=dt.date(2026, 3, 1))
        Technician.objects.filter(code="nora").update(left_on=dt.date(2026, 4, 1))
        names = {technician.name for technician in posed(plant).technicians}
        assert names == {"Luis Gil", "Nora Pons", "Óscar Rey"}

    def test_people_stand_in_the_order_of_their_codes(self):
        names = [technician.name for technician in posed(tiny()).technicians]
        assert names == ["Ana Ruiz", "Luis Gil", "Nora Pons", "Óscar Rey"]


class TestToolsAndParts:
    def tool(self, plant: Plant, due: dt.date | None, days: int = 5):
        plant.take(
            "tools",
            [{"tool_type": "puller", "code": "puller-1", "calibration_due_on": due}],
        )
        (tool,) = posed(plant, days=days).tools
        return tool

    def test_a_tool_is_used_to_the_end_of_the_day_its_calibration_is_due(self):
        tool = self.tool(tiny(), dt.date(2026, 3, 4))
        assert (tool.count, tool.outages) == (1, (Outage(3 * DAY, 5 * DAY),))

    def test_a_tool_that_is_overdue_is_not_used_at_all(self):
        assert self.tool(tiny(), dt.date(2026, 2, 1)).outages == (Outage(0, 5 * DAY),)

    @pytest.mark.parametrize("due", [None, dt.date(2026, 12, 31)])
    def test_a_tool_that_is_calibrated_is_always_there(self, due):
        assert self.tool(tiny(), due).outages == ()

    def test_calibration_that_is_due_leaves_work_out_in_those_words(self):
        plant = busy()
        plant.take(
            "tools",
            [
                {
                    "tool_type": "puller",
                    "code": "puller-1",
                    "calibration_due_on": dt.date(2026, 2, 1),
                }
            ],
        )
        draft = flow.optimise(site=plant.site, by=None, now=plant.now, seconds=30)
        rules = {broken["rule"] for row in draft.left_out.all() for broken in row.rules}
        assert rules == {"tool_unavailable"}

    def test_stock_and_deliveries_to_come_are_told_with_their_minute(self):
        plant = tiny()
        plant.take(
            "deliveries",
            [
                {"part": "brg", "expected_at": plant.local(2, "10:00"), "quantity": 3},
                {"part": "brg", "expected_at": plant.local(-1), "quantity": 1},
                {"part": "brg", "expected_at": plant.local(30), "quantity": 9},
                {
                    "part": "brg",
                    "expected_at": plant.local(-5),
                    "quantity": 7,
                    "received_at": plant.local(-4),
                },
            ],
        )
        bearing = next(p for p in posed(plant).parts if p.name == "Bearing 6205")
        assert bearing.stock == 2
        assert [(d.minute, d.quantity) for d in bearing.deliveries] == [
            (0, 1),
            (2 * DAY + 600, 3),
        ]


class TestCosts:
    def test_a_day_costs_more_the_longer_one_waits_for_a_part_that_wears(self):
        plant = tiny()
        forecast(plant, "P-1", "bearing", risk=0.6)
        work_order(plant, "P-1", "bearing")
        job = only_job(plant)
        assert list(job.cost_by_day) == sorted(job.cost_by_day)
        assert job.leave_out_cost > job.cost_by_day[0]

    def test_the_newest_forecast_prices_the_work(self):
        plant = tiny()
        work_order(plant, "P-1", "bearing", forecast=forecast(plant, "P-1", "bearing", risk=0.1))
        before = only_job(plant).leave_out_cost
        forecast(plant, "P-1", "bearing", risk=0.8, as_of=MONDAY + dt.timedelta(hours=1))
        assert only_job(plant).leave_out_cost > before

    def test_a_schedule_that_starts_later_starts_later_on_the_curve(self):
        plant = tiny()
        forecast(plant, "P-1", "bearing", risk=0.6)
        work_order(plant, "P-1", "bearing")
        today = only_job(plant).cost_by_day
        tomorrow = Period(site=plant.site, starts_at=plant.local(1), days=14)
        (job,) = pose(tomorrow, not_before=plant.local(1)).problem.jobs
        assert job.cost_by_day[:13] == today[1:]

    def test_a_forecast_too_old_for_the_schedule_still_prices_each_day(self):
        plant = tiny()
        forecast(plant, "P-1", "bearing", risk=0.2, as_of=MONDAY - dt.timedelta(days=55))
        work_order(plant, "P-1", "bearing")
        job = only_job(plant)
        assert len(job.cost_by_day) == 14
        assert len(set(job.cost_by_day[5:])) == 1

    @pytest.mark.parametrize("age_days", [60, 100])
    def test_a_forecast_older_than_its_horizon_does_not_stop_the_planning(self, age_days):
        plant = tiny()
        long_ago = MONDAY - dt.timedelta(days=age_days)
        forecast(plant, "P-1", "bearing", risk=0.2, as_of=long_ago)
        work_order(plant, "P-1", "bearing")
        assert len(only_job(plant).cost_by_day) == 14

    def test_work_without_a_forecast_pays_for_each_day_after_it_is_due(self):
        plant = tiny()
        work_order(plant, "P-1", priority=Priority.HIGH, latest_at=plant.local(3))
        job = only_job(plant)
        # A hundredth of a day a day makes the earlier of two days in time the better one.
        assert job.cost_by_day[:6] == (0, 150, 300, 450, 15600, 30750)
        assert job.leave_out_cost > job.cost_by_day[-1]

    def test_urgent_work_on_a_critical_asset_is_dearest_to_leave_waiting(self):
        plant = tiny()
        Asset.objects.filter(code="P-1").update(criticality="A")
        for priority in Priority:
            work_order(plant, "P-1", priority=priority)
        work_order(plant, "P-2", priority=Priority.URGENT)
        costs = [job.leave_out_cost for job in posed(plant).jobs]
        assert costs == sorted(costs[:4], reverse=True) + costs[4:]
        assert costs[0] > costs[4]

    def test_published_work_names_its_place_and_the_price_of_changing_it(self):
        plant = busy()
        draft = flow.optimise(site=plant.site, by=None, now=plant.now, seconds=30)
        flow.publish(schedule=draft, revision=1, by=None, now=plant.now)
        for job in posed(plant).jobs:
            place = draft.assignments.get(work_order=int(job.id))
            minutes = (place.starts_at - MONDAY) / dt.timedelta(minutes=1)
            assert job.published.start_minute == minutes
            assert job.published.price_per_day > 0

    def test_only_open_work_is_planned(self):
        plant = busy()
        WorkOrder.objects.filter(asset__code="P-1").update(
            state=WorkOrderState.DISMISSED, dismiss_reason="other"
        )
        assert len(posed(plant).jobs) == 2

    def test_work_that_may_not_start_yet_says_from_when(self):
        plant = tiny()
        work_order(plant, "P-1", earliest_at=plant.local(2, "08:30"))
        assert only_job(plant).earliest_start_minute == 2 * DAY + 510
        WorkOrder.objects.update(earliest_at=plant.local(-2))
        assert only_job(plant).earliest_start_minute is None
