"""Two weeks of a small plant through every stage, with nobody at the pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.db.models import Sum
from django.test import override_settings

from benchmarks import weeks_judged
from benchmarks.weeks_judged import Stage
from maintenance import operations
from maintenance.choices import (
    Outcome,
    ScheduleState,
    StockMove,
    WorkOrderState,
    WorkOrderType,
)
from maintenance.instants import from_us, to_us
from maintenance.models import (
    Assignment,
    Delivery,
    Failure,
    Forecast,
    Installation,
    Label,
    Operation,
    Schedule,
    SparePart,
    WorkOrder,
    WorkReport,
)

pytestmark = pytest.mark.django_db

END = dt.datetime(2025, 11, 17, tzinfo=ZoneInfo("Europe/Madrid"))
WEEKS, ASSETS = 2, 8


@dataclass(frozen=True)
class Lived:
    stage: Stage
    found: dict[str, Any]


@pytest.fixture(scope="module")
def lived(django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[Lived]:
    """One plant for all tests, which only look at it, in a transaction that is taken back.

    No other connection could see it, so the hearts of its operations do not beat.
    """
    patch = pytest.MonkeyPatch()
    patch.setattr(operations, "wake", lambda *_: None)
    patch.setattr(operations, "HEARTBEAT", dt.timedelta(hours=1))
    folder = tmp_path_factory.mktemp("artefacts")
    with (
        django_db_blocker.unblock(),
        override_settings(ARTEFACTS_DIR=folder),
        transaction.atomic(),
    ):
        stage = weeks_judged.settle(until=END, weeks=WEEKS, assets=ASSETS, days=180, seed=3)
        truths = weeks_judged.live(stage, seconds=1.0)
        yield Lived(stage, weeks_judged.measure(stage, truths))
        transaction.set_rollback(True)
    patch.undo()


def test_every_night_foresees_every_failure_mode_of_every_asset(lived: Lived) -> None:
    nights = set(Forecast.objects.values_list("as_of", flat=True))
    assert nights == {lived.stage.midnight(day) for day in range(7 * WEEKS + 1)}
    modes = sum(len(a.asset_class.modes) for a in lived.stage.plant.simulator.assets)
    assert Forecast.objects.filter(as_of=END).count() == modes


def test_all_long_work_was_done(lived: Lived) -> None:
    assert set(Operation.objects.values_list("state", flat=True)) == {"succeeded"}
    kinds = set(Operation.objects.values_list("kind", flat=True))
    assert kinds == {"train", "forecast", "watch", "schedule"}


def test_a_schedule_is_published_every_monday(lived: Lived) -> None:
    published = Schedule.objects.exclude(state=ScheduleState.DRAFT)
    assert published.exclude(published_at=None).count() == WEEKS


def test_published_work_is_done_at_its_time_or_falls_away(lived: Lived) -> None:
    last = Schedule.objects.published().get()
    past = Assignment.objects.filter(schedule=last, starts_at__lt=END)
    assert past.exists()
    states = set(past.values_list("work_order__state", flat=True))
    assert states <= {WorkOrderState.DONE, WorkOrderState.CANCELLED, WorkOrderState.DISMISSED}
    for report in WorkReport.objects.exclude(work_order__type=WorkOrderType.CORRECTIVE):
        spell = report.work_order.spells.get()
        places = Assignment.objects.filter(work_order=report.work_order)
        assert spell.started_at in set(places.values_list("starts_at", flat=True))


def test_reports_say_what_was_found_inside(lived: Lived) -> None:
    start_us = lived.stage.plant.config.end_us
    renewals = {
        (one.asset.code, one.mode.code, one.restarted_us): one.as_found
        for one in lived.stage.plant.simulator.renewals
        if start_us < one.replaced_us and one.restarted_us <= to_us(END)
    }
    reports = WorkReport.objects.exclude(work_order__type=WorkOrderType.CORRECTIVE)
    told = {
        (
            report.work_order.asset.code,
            report.work_order.failure_mode.code,
            to_us(report.finished_at),
        ): report.as_found
        for report in reports.select_related("work_order__asset", "work_order__failure_mode")
    }
    assert told
    assert told == renewals


def test_every_failure_is_on_record_and_mended(lived: Lived) -> None:
    start_us = lived.stage.plant.config.end_us
    failures = [one for one in lived.stage.plant.simulator.failures if one.failed_us > start_us]
    recorded = set(
        Failure.objects.filter(occurred_at__gt=from_us(start_us)).values_list(
            "asset__code", "failure_mode__code", "occurred_at"
        )
    )
    assert failures
    assert recorded == {(f.asset.code, f.mode.code, from_us(f.failed_us)) for f in failures}
    for failure in failures:
        if failure.restarted_us <= to_us(END):
            assert Installation.objects.filter(
                component__asset__code=failure.asset.code,
                component__code=failure.mode.component,
                installed_at=from_us(failure.restarted_us),
            ).exists()


def test_components_in_place_are_those_of_the_plant(lived: Lived) -> None:
    for asset in lived.stage.plant.simulator.assets:
        for mode in asset.asset_class.modes:
            lives = lived.stage.plant.simulator.lives(asset.code, mode.code)
            newest = max(one.installed_us for one in lives if one.installed_us <= to_us(END))
            open_now = Installation.objects.open().get(
                component__asset__code=asset.code, component__code=mode.component
            )
            assert to_us(open_now.installed_at) == newest


def test_the_store_balances_and_is_filled_again(lived: Lived) -> None:
    parts = SparePart.objects.annotate(entered=Sum("entries__quantity"))
    assert all(part.stock == (part.entered or 0) for part in parts)
    used = SparePart.objects.filter(entries__kind=StockMove.ISSUE)
    assert used.exists()
    overdue = Delivery.objects.filter(expected_at__lt=END, received_at=None)
    assert not overdue.exists()


def test_what_became_of_forecasts_is_labelled_and_no_prevented_failure_is_a_negative(
    lived: Lived,
) -> None:
    outcomes = set(Label.objects.values_list("outcome", flat=True))
    assert {Outcome.FAILED, Outcome.CENSORED} <= outcomes
    assert lived.found["prevented_labelled_negative"] == 0


def test_the_figures_are_all_there(lived: Lived) -> None:
    wanted = "retrainings promotions rejected labels censored failures prevented alerts"
    assert set(wanted.split()) <= set(lived.found)
    assert lived.found["promoted_not_worse"]
    assert len(lived.found["champion_versions"]) == 10


def test_proposals_that_failed_first_are_closed(lived: Lived) -> None:
    for failure in Failure.objects.filter(occurred_at__gt=lived.stage.start):
        later = WorkOrder.objects.filter(
            asset=failure.asset,
            failure_mode=failure.failure_mode,
            recorded_at__lt=failure.occurred_at,
        )
        assert not later.open().exists()
