"""What the reading endpoints answer."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from ninja import Schema
from pydantic import FiniteFloat

from maintenance.models import (
    Assignment,
    Forecast,
    Import,
    ModelVersion,
    Operation,
    Schedule,
    WorkOrder,
)


class Problem(Schema):
    """A request that is refused: a code for machines, words for people."""

    code: str
    message: str


class AssetOut(Schema):
    code: str
    name: str
    external_id: str
    asset_class: str
    location: str | None
    criticality: str
    commissioned_at: dt.datetime
    retired_at: dt.datetime | None
    attributes: dict[str, float]


class AssetPage(Schema):
    count: int
    items: list[AssetOut]


class ForecastOut(Schema):
    """`risk[d]` is the probability of failure within d days of `as_of`; low and high hold 80 %."""

    failure_mode: str
    as_of: dt.datetime
    state: str
    grade: str
    horizon_days: int
    risk: list[float]
    risk_low: list[float]
    risk_high: list[float]
    rul_p10_days: float | None
    rul_p50_days: float | None
    rul_p90_days: float | None
    model_version: int

    @staticmethod
    def resolve_failure_mode(forecast: Forecast) -> str:
        return forecast.failure_mode.code

    @staticmethod
    def resolve_model_version(forecast: Forecast) -> int:
        return forecast.model_version.version


class ReasonOut(Schema):
    """What a feature adds to the log-odds of failing; `usual` is its median in training."""

    feature: str
    value: float | None
    usual: float | None
    contribution: float


class MadeBy(Schema):
    """The model version and the rows it learnt from, by their hashes."""

    version: int
    family: str
    dataset_hash: str
    artefact_sha256: str
    trained_as_of: dt.datetime


class TracedForecastOut(Schema):
    """A forecast on record with its reasons, largest first, and what it was made from."""

    asset: str
    failure_mode: str
    as_of: dt.datetime
    state: str
    grade: str
    horizon_days: int
    risk: list[float]
    risk_low: list[float]
    risk_high: list[float]
    rul_p10_days: float | None
    rul_p50_days: float | None
    rul_p90_days: float | None
    reasons: list[ReasonOut]
    model: MadeBy
    feature_row: int

    @staticmethod
    def resolve_asset(forecast: Forecast) -> str:
        return forecast.asset.code

    @staticmethod
    def resolve_failure_mode(forecast: Forecast) -> str:
        return forecast.failure_mode.code

    @staticmethod
    def resolve_model(forecast: Forecast) -> ModelVersion:
        return forecast.model_version

    @staticmethod
    def resolve_feature_row(forecast: Forecast) -> int:
        return forecast.feature_row_id


class AskForecast(Schema):
    """An asset as it is now; or a class of assets with the features of one of them.

    A feature that is not given, or is null, counts as not measured. Without reasons the answer
    comes sooner.
    """

    asset: str | None = None
    asset_class: str | None = None
    failure_mode: str | None = None
    features: dict[str, FiniteFloat | None] | None = None
    reasons: bool = True


class ForecastNowOut(Schema):
    """A forecast that is given and not kept: `features` is all that it was made from."""

    failure_mode: str
    as_of: dt.datetime
    state: str
    grade: str
    horizon_days: int
    risk: list[float]
    risk_low: list[float]
    risk_high: list[float]
    rul_p10_days: float | None
    rul_p50_days: float | None
    rul_p90_days: float | None
    reasons: list[ReasonOut]
    model: MadeBy
    features: dict[str, float | None]


class WorkOrderOut(Schema):
    number: int
    title: str
    asset: str
    failure_mode: str | None
    job_plan: str
    type: str
    state: str
    priority: int
    earliest_at: dt.datetime | None
    latest_at: dt.datetime | None
    best_at: dt.datetime | None
    saving: Decimal | None

    @staticmethod
    def resolve_asset(work_order: WorkOrder) -> str:
        return work_order.asset.code

    @staticmethod
    def resolve_failure_mode(work_order: WorkOrder) -> str | None:
        return work_order.failure_mode.code if work_order.failure_mode else None

    @staticmethod
    def resolve_job_plan(work_order: WorkOrder) -> str:
        return work_order.job_plan.code


class WorkOrderPage(Schema):
    count: int
    items: list[WorkOrderOut]


class AssignmentOut(Schema):
    work_order: int
    asset: str
    title: str
    starts_at: dt.datetime
    ends_at: dt.datetime
    technicians: list[str]
    pinned: bool

    @staticmethod
    def resolve_work_order(assignment: Assignment) -> int:
        return assignment.work_order.number

    @staticmethod
    def resolve_asset(assignment: Assignment) -> str:
        return assignment.work_order.asset.code

    @staticmethod
    def resolve_title(assignment: Assignment) -> str:
        return assignment.work_order.title

    @staticmethod
    def resolve_technicians(assignment: Assignment) -> list[str]:
        return [technician.code for technician in assignment.technicians.all()]


class ScheduleOut(Schema):
    number: int
    starts_at: dt.datetime
    ends_at: dt.datetime
    published_at: dt.datetime
    expected_cost: Decimal
    currency: str
    assignments: list[AssignmentOut]

    @staticmethod
    def resolve_expected_cost(schedule: Schedule) -> Decimal:
        return Decimal(schedule.cost_minor) / 100

    @staticmethod
    def resolve_currency(schedule: Schedule) -> str:
        return schedule.site.currency


class PointReadingsOut(Schema):
    """Readings of one point, in order of time."""

    point: str
    unit: str
    at: list[str] | list[int]
    value: list[float]


class GivenOut(Schema):
    """`next` is the `from` of the next page; null where there is none."""

    asset: str
    points: list[PointReadingsOut]
    next: str | None


def _progress(operation: Operation | None) -> float | None:
    if operation is None or not operation.progress_total:
        return None
    return operation.progress_done / operation.progress_total


class RefusedRowOut(Schema):
    row: int
    field: str
    reason: str


class ImportOut(Schema):
    """received = new + changed + duplicate + refused + dead_lettered once the state is "done".

    `errors` holds one page of the refused rows, of which so many as `errors_kept` are kept.
    `progress` of a file is the share that is read, while it is read.
    """

    id: int
    door: str
    table: str
    file_name: str
    dry_run: bool
    state: str
    progress: float | None
    received: int
    new: int
    changed: int
    duplicate: int
    refused: int
    dead_lettered: int
    error: str
    recorded_at: dt.datetime
    finished_at: dt.datetime | None
    errors_kept: int
    errors: list[RefusedRowOut]

    @classmethod
    def of(cls, batch: Import, *, limit: int, offset: int) -> ImportOut:
        rows = batch.rejected_rows.order_by("row", "pk")
        page = rows[offset : offset + limit]
        names = set(cls.model_fields) - {"progress", "errors", "errors_kept"}
        return cls(
            **{name: getattr(batch, name) for name in names},
            progress=_progress(batch.operation),
            errors_kept=rows.count(),
            errors=[RefusedRowOut(row=r.row, field=r.field, reason=r.reason) for r in page],
        )
