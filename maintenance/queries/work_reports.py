"""What was found and done: the report of a work order, as its pages show it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import QuerySet, Sum

from maintenance.choices import StockMove
from maintenance.models import (
    Forecast,
    Label,
    ReportPhoto,
    StockEntry,
    WorkOrder,
    WorkReport,
    WorkSpell,
)
from maintenance.queries.work_order_history import person

TOLD_LATER = dt.timedelta(minutes=5)


@dataclass(frozen=True)
class UsedPart:
    name: str
    code: str
    quantity: int


@dataclass(frozen=True)
class Reported:
    """`told_at` is set where the report came later than the end of the work.

    `label` is what became of the forecast behind the work; until then `label_by` says when that
    will be known at the latest. Without a forecast both are None.
    """

    report: WorkReport
    by: str
    parts: list[UsedPart]
    photos: list[ReportPhoto]
    told_at: dt.datetime | None
    label: Label | None
    label_by: dt.datetime | None


def report_of(work_order: WorkOrder) -> Reported | None:
    reports = WorkReport.objects.filter(work_order=work_order)
    report = reports.select_related("by", "failure_mode").prefetch_related("photos").first()
    if report is None:
        return None
    later = report.recorded_at - report.finished_at > TOLD_LATER
    forecast = work_order.forecast
    return Reported(
        report=report,
        by=person(report.by),
        parts=_used(work_order),
        photos=list(report.photos.all()),
        told_at=report.recorded_at if later else None,
        label=Label.objects.filter(forecast=forecast).first() if forecast else None,
        label_by=_horizon(forecast) if forecast else None,
    )


def _horizon(forecast: Forecast) -> dt.datetime:
    return forecast.as_of + dt.timedelta(days=forecast.horizon_days)


def _used(work_order: WorkOrder) -> list[UsedPart]:
    entries = StockEntry.objects.filter(work_order=work_order, kind=StockMove.ISSUE)
    by_part = entries.order_by("part__name").values_list("part__name", "part__code")
    return [
        UsedPart(name, code, -taken)
        for name, code, taken in by_part.annotate(taken=Sum("quantity"))
    ]


def spells_of(work_order: WorkOrder) -> QuerySet[WorkSpell]:
    return WorkSpell.objects.filter(work_order=work_order).select_related("by")
