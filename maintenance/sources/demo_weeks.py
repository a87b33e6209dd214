"""The demo plant lives on: people decide and work, machines fail, sensors measure, day by day.

`play` does all that people and machines do, at its simulated instant, by the verbs that pages and
doors use. Long work it leaves to whoever plays: it says what falls due, and goes on when that is
done. Nothing here reads a clock, and nothing knows the hidden state of the plant but the plant.
"""

from __future__ import annotations

import datetime as dt
import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from maintenance.choices import (
    AsFound,
    DismissReason,
    OperationKind,
    Priority,
    WorkOrderState,
    WorkOrderType,
)
from maintenance.flow import advise, execute, ingest, schedule
from maintenance.instants import from_us, local_midnight, to_us
from maintenance.models import (
    Assignment,
    Delivery,
    FailureMode,
    JobPlan,
    Schedule,
    Site,
    SparePart,
    Tool,
    User,
    WorkOrder,
)
from maintenance.sources import demo_plant
from predictors.simulate import FailureEvent, Plant, RenewalEvent, observe

OUTLOOK_DAYS = 28
"""How much further than the weeks played the plant's calendar must reach."""

TRAIN_EVERY_DAYS = 28
DECIDE_WITHIN_DAYS = 7
WATCH_HOUR, DAWN_HOUR, DELIVERY_HOUR = 1, 5, 7
MONDAY = 0
CALIBRATED_FOR = dt.timedelta(days=182)
WEEK = dt.timedelta(days=7)


@dataclass(frozen=True)
class People:
    """Who decides and who keeps watch; technicians come from the schedule."""

    planner: User
    supervisor: User


@dataclass(frozen=True)
class Due:
    """Long work that falls due at an instant, asked for by somebody or by the timetable."""

    kind: OperationKind
    at: dt.datetime
    by: User | None = None


def play(plant: Plant, *, site: Site, until: dt.datetime, people: People) -> Iterator[Due]:
    """Live from the end of the plant's history to `until`, a midnight of the site.

    Each night forecasts and a watch fall due, every 28 days (the first night too) a training, each
    Monday a schedule, which the planner then publishes.
    """
    living = _Living(plant, site, people)
    at = start = from_us(plant.config.end_us)
    zone = ZoneInfo(site.time_zone)
    while at < until:
        if (at - start).days % TRAIN_EVERY_DAYS == 0:
            yield Due(OperationKind.TRAIN, at)
        yield Due(OperationKind.FORECAST, at)
        yield Due(OperationKind.WATCH, at + dt.timedelta(hours=WATCH_HOUR))
        if at.astimezone(zone).weekday() == MONDAY:
            dawn = at + dt.timedelta(hours=DAWN_HOUR)
            living.keep_store(dawn)
            living.decide(dawn)
            yield Due(OperationKind.SCHEDULE, dawn, by=people.planner)
            living.publish(dawn)
        tomorrow = local_midnight(at, zone, days=1)
        living.live(at, tomorrow)
        at = tomorrow
    yield Due(OperationKind.FORECAST, at)
    yield Due(OperationKind.WATCH, at + dt.timedelta(hours=WATCH_HOUR))


@dataclass(order=True)
class _Appointment:
    at_us: int
    number: int
    keep: Callable[[dt.datetime], None] = field(compare=False)


class _Living:
    """The people and machines of one plant, and what they have agreed to do when."""

    def __init__(self, plant: Plant, site: Site, people: People) -> None:
        self._plant = plant
        self._site = site
        self._people = people
        self._agenda: list[_Appointment] = []
        self._numbers = count()
        self._usual_stock = _usual_stock(site)
        self._expect_ends_of_work_under_way()

    def decide(self, now: dt.datetime) -> None:
        """The planner accepts what is best done this week; the rest may still be scheduled."""
        proposed = WorkOrder.objects.filter(site=self._site).proposed()
        for work_order in proposed.filter(best_at__lt=now + DECIDE_WITHIN_DAYS * dt.timedelta(1)):
            advise.accept(work_order=work_order, by=self._people.planner, now=now)

    def publish(self, now: dt.datetime) -> None:
        draft = Schedule.objects.filter(site=self._site).draft().get()
        planner = self._people.planner
        schedule.publish(schedule=draft, revision=draft.revision, by=planner, now=now)

    def keep_store(self, now: dt.datetime) -> None:
        """Order what is missing from the usual stock, and have tools calibrated in time."""
        parts = SparePart.objects.filter(site=self._site).prefetch_related("deliveries")
        orders = [self._order(part, now) for part in parts]
        self._take("deliveries", [order for order in orders if order["quantity"] > 0], now)
        due = Tool.objects.filter(
            tool_type__site=self._site, calibration_due_on__lte=(now + WEEK).date()
        )
        calibrated = [
            {
                "tool_type": tool.tool_type.code,
                "code": tool.code,
                "calibration_due_on": (now + CALIBRATED_FOR).date(),
            }
            for tool in due.select_related("tool_type")
        ]
        self._take("tools", calibrated, now)

    def live(self, since: dt.datetime, until: dt.datetime) -> None:
        """A day: deliveries come, work is done as published, machines fail and are mended."""
        self._expect_deliveries(since, until)
        self._expect_work(since, until)
        self._pass_time(to_us(until))
        observed = observe(self._plant.simulator, to_us(since), to_us(until))
        demo_plant.take_measured(self._site, self._plant, observed, now=until)
        self._take("errors", demo_plant.error_rows(observed), until)

    def _pass_time(self, until_us: int) -> None:
        """Keep appointments in their order; a failure makes new ones, maybe before the next."""
        simulator = self._plant.simulator
        while True:
            next_us = min(until_us, self._agenda[0].at_us) if self._agenda else until_us
            failures = simulator.advance(max(next_us, simulator.now_us))
            for failure in failures:
                self._fail(failure)
            if failures:
                continue
            if not self._agenda or self._agenda[0].at_us > until_us:
                return
            appointment = heapq.heappop(self._agenda)
            appointment.keep(from_us(appointment.at_us))

    def _agree(self, at_us: int, keep: Callable[[dt.datetime], None]) -> None:
        heapq.heappush(self._agenda, _Appointment(at_us, next(self._numbers), keep))

    def _expect_ends_of_work_under_way(self) -> None:
        """Components that were out when the history ended."""
        simulator = self._plant.simulator
        events: list[FailureEvent | RenewalEvent] = [*simulator.failures, *simulator.renewals]
        for event in events:
            if event.restarted_us > simulator.now_us:
                told = {"asset": event.asset.code, "component": event.mode.component}
                self._agree(event.restarted_us, partial(self._replaced, told))

    def _replaced(self, told: dict[str, str], now: dt.datetime) -> None:
        self._take("replacements", [{**told, "replaced_at": now}], now)

    def _expect_work(self, since: dt.datetime, until: dt.datetime) -> None:
        published = Assignment.objects.filter(
            schedule__in=self._site.schedules.published(),
            starts_at__gte=since,
            starts_at__lt=until,
            work_order__failure_mode__isnull=False,
        )
        for assignment in published.order_by("starts_at", "pk"):
            self._agree(to_us(assignment.starts_at), partial(self._begin, assignment))

    def _begin(self, assignment: Assignment, now: dt.datetime) -> None:
        work_order = WorkOrder.objects.select_related("asset", "failure_mode").get(
            pk=assignment.work_order_id
        )
        mode = work_order.failure_mode
        if work_order.state != WorkOrderState.SCHEDULED or mode is None:
            return  # it failed first
        first = assignment.technicians.order_by("code").first()
        by = first.user if first else None
        execute.start(work_order=work_order, by=by, now=now)
        renewal = self._plant.simulator.renew(
            asset=work_order.asset.code, mode=mode.code, at_us=to_us(now)
        )
        self._agree(renewal.restarted_us, partial(self._report, work_order, renewal, by))

    def _report(
        self, work_order: WorkOrder, renewal: RenewalEvent, by: User | None, now: dt.datetime
    ) -> None:
        execute.finish(
            work_order=work_order,
            as_found=AsFound(renewal.as_found),
            failure_mode=None,
            renewed=True,
            parts={need.part: need.quantity for need in work_order.job_plan.parts.all()},
            note="",
            by=by,
            now=now,
        )

    def _fail(self, failure: FailureEvent) -> None:
        """The failure goes on record, work planned against it falls away, repair starts."""
        now = from_us(failure.failed_us)
        told = {
            "asset": failure.asset.code,
            "failure_mode": failure.mode.code,
            "occurred_at": now,
        }
        self._take("failures", [told], now)
        plan = JobPlan.objects.select_related("failure_mode").get(
            asset_class__site=self._site, code=failure.mode.plan.code
        )
        mode = plan.failure_mode
        if mode is None:
            raise LookupError(f"job plan {plan.code} mends no failure mode")
        asset = self._site.assets.get(code=failure.asset.code)
        for open_work in WorkOrder.objects.filter(asset=asset, failure_mode=mode).open():
            self._forget(open_work, now)
        repair = advise.ask_for_work(
            site=self._site,
            asset=asset,
            job_plan=plan,
            kind=WorkOrderType.CORRECTIVE,
            priority=Priority.URGENT,
            title=mode.effect or mode.name,
            note="",
            latest_at=None,
            by=self._people.supervisor,
            now=now,
        )
        self._repair(repair, mode, failure.restarted_us, now)

    def _forget(self, work_order: WorkOrder, now: dt.datetime) -> None:
        if work_order.state == WorkOrderState.PROPOSED:
            advise.dismiss(
                work_order=work_order,
                reason=DismissReason.ALREADY_DONE,
                by=self._people.planner,
                now=now,
            )
        else:
            execute.cancel(work_order=work_order, note="", by=self._people.planner, now=now)

    def _repair(
        self, repair: WorkOrder, mode: FailureMode, restarted_us: int, now: dt.datetime
    ) -> None:
        """The crew on breakdown duty replaces the component, with parts of its own."""
        advise.accept(work_order=repair, by=self._people.supervisor, now=now)
        execute.start(work_order=repair, by=None, now=now)
        self._agree(restarted_us, partial(self._repaired, repair, mode))

    def _repaired(self, repair: WorkOrder, mode: FailureMode, now: dt.datetime) -> None:
        execute.finish(
            work_order=repair,
            as_found=AsFound.CONFIRMED,
            failure_mode=mode,
            renewed=True,
            parts={},
            note="",
            by=None,
            now=now,
        )

    def _order(self, part: SparePart, now: dt.datetime) -> dict[str, Any]:
        coming = sum(d.quantity for d in part.deliveries.all() if d.received_at is None)
        day = local_midnight(now, ZoneInfo(self._site.time_zone), days=part.lead_time_days)
        return {
            "part": part.code,
            "quantity": self._usual_stock[part.code] - part.stock - coming,
            "expected_at": day + dt.timedelta(hours=DELIVERY_HOUR),
        }

    def _expect_deliveries(self, since: dt.datetime, until: dt.datetime) -> None:
        coming = Delivery.objects.filter(
            part__site=self._site, received_at=None, expected_at__gte=since, expected_at__lt=until
        )
        for delivery in coming.order_by("expected_at", "part__code"):
            self._agree(to_us(delivery.expected_at), partial(self._receive, delivery))

    def _receive(self, delivery: Delivery, now: dt.datetime) -> None:
        part = delivery.part
        part.refresh_from_db()
        arrived = {"part": part.code, "expected_at": delivery.expected_at, "received_at": now}
        self._take("deliveries", [arrived], now)
        self._take("parts", [{"code": part.code, "stock": part.stock + delivery.quantity}], now)

    def _take(self, table: str, rows: list[dict[str, Any]], now: dt.datetime) -> None:
        """Bring rows in; in this plant nothing is ever refused."""
        outcome = ingest.take_rows(
            site=self._site, table=table, rows=rows, source=demo_plant.SOURCE, now=now
        )
        if outcome.errors:
            raise ValueError(f"{table}: {outcome.errors[0]}")


def _usual_stock(site: Site) -> dict[str, int]:
    """What the store aims at: what it has and awaits on the first day."""
    parts = SparePart.objects.filter(site=site).prefetch_related("deliveries")
    return {
        part.code: part.stock + sum(delivery.quantity for delivery in part.deliveries.all())
        for part in parts
    }
