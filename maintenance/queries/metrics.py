"""The figures operators watch, each from a query that stays cheap however much is stored."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Count, Max, Min, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

from maintenance.choices import AlertKind, ImportDoor, ImportState, OperationKind, OperationState
from maintenance.models import (
    Alert,
    DeadLetter,
    DriftReport,
    Forecast,
    Import,
    ModelVersion,
    Operation,
    Schedule,
    Site,
    TrainingRun,
    UnknownTopic,
)

OUTCOMES = ("new", "duplicate", "dead_lettered", "refused")


@dataclass(frozen=True)
class Sample:
    labels: tuple[str, ...]
    value: float


@dataclass(frozen=True)
class Metric:
    """A gauge: its name without the prefix, what it means, its labels, its values."""

    name: str
    help: str
    labels: tuple[str, ...]
    samples: tuple[Sample, ...]


def all_metrics(*, now: dt.datetime) -> Iterator[Metric]:
    sites = list(Site.objects.all())
    yield _ingest_lag(sites, now)
    yield from _messages(sites)
    yield _operations(sites)
    yield _oldest_queued(now)
    yield _forecast_age(sites, now)
    yield _open_alerts(sites, now)
    yield from _drift()
    yield _training_age(sites, now)
    yield from _schedules(sites)


def _ingest_lag(sites: list[Site], now: dt.datetime) -> Metric:
    """Since the last batch with new readings came in: of each point it would cost a scan."""
    came = Import.objects.filter(state=ImportState.DONE, table="readings", new__gt=0)
    newest = dict(came.values_list("site").annotate(at=Max(Coalesce("finished_at", "recorded_at"))))
    return Metric(
        "ingest_lag_seconds",
        "Since the last batch that brought new readings",
        ("site",),
        tuple(
            Sample((site.code,), _seconds(newest[site.pk], now))
            for site in sites
            if site.pk in newest
        ),
    )


def _messages(sites: list[Site]) -> Iterator[Metric]:
    """What came by MQTT: a record an hour, and dead letters up to so many."""
    records = Import.objects.filter(door=ImportDoor.MQTT).order_by().values_list("site")
    sums = {site: each for site, *each in records.annotate(*(Sum(name) for name in OUTCOMES))}
    yield Metric(
        "mqtt_readings",
        "Readings received by MQTT, by what became of them",
        ("site", "outcome"),
        tuple(
            Sample((site.code, name), value)
            for site in sites
            if site.pk in sums
            for name, value in zip(OUTCOMES, sums[site.pk], strict=True)
        ),
    )
    waiting = DeadLetter.objects.filter(taken_at=None).order_by().values_list("site")
    letters = dict(waiting.annotate(count=Count("pk")))
    yield Metric(
        "dead_letters",
        "Messages kept because they could not be taken",
        ("site",),
        tuple(Sample((site.code,), letters.get(site.pk, 0)) for site in sites),
    )
    unknown = dict(UnknownTopic.objects.order_by().values_list("site").annotate(count=Count("pk")))
    yield Metric(
        "unknown_topics",
        "Topics that belong to no measurement point",
        ("site",),
        tuple(Sample((site.code,), unknown.get(site.pk, 0)) for site in sites),
    )


def _operations(sites: list[Site]) -> Metric:
    counted = {
        (site, kind, state): count
        for site, kind, state, count in Operation.objects.order_by()
        .values_list("site", "kind", "state")
        .annotate(count=Count("pk"))
    }
    return Metric(
        "operations",
        "Long operations on record",
        ("site", "kind", "state"),
        tuple(
            Sample((site.code, kind, state), counted.get((site.pk, kind, state), 0))
            for site in sites
            for kind in OperationKind.values
            for state in OperationState.values
        ),
    )


def _oldest_queued(now: dt.datetime) -> Metric:
    oldest = Operation.objects.filter(state=OperationState.QUEUED).aggregate(at=Min("recorded_at"))[
        "at"
    ]
    waits = _seconds(oldest, now) if oldest else 0.0
    return Metric("oldest_queued_seconds", "Wait of the oldest operation", (), (Sample((), waits),))


def _forecast_age(sites: list[Site], now: dt.datetime) -> Metric:
    newest = {
        site: Forecast.objects.of_site(site).aggregate(at=Max("as_of"))["at"] for site in sites
    }
    return Metric(
        "forecast_age_seconds",
        "Since the instant the newest forecasts are about",
        ("site",),
        tuple(Sample((site.code,), _seconds(at, now)) for site, at in newest.items() if at),
    )


def _open_alerts(sites: list[Site], now: dt.datetime) -> Metric:
    counted = {
        (site, kind): count
        for site, kind, count in Alert.objects.shown(now=now)
        .order_by()
        .values_list("site", "kind")
        .annotate(count=Count("pk"))
    }
    return Metric(
        "open_alerts",
        "Alerts that are open and not silenced",
        ("site", "kind"),
        tuple(
            Sample((site.code, kind), counted.get((site.pk, kind), 0))
            for site in sites
            for kind in AlertKind.values
        ),
    )


def _drift() -> Iterator[Metric]:
    indices, drifted = list[Sample](), list[Sample]()
    newest = DriftReport.objects.filter(model_version=OuterRef("pk")).order_by("-as_of")
    champions = ModelVersion.objects.champions().values(report=Subquery(newest.values("pk")[:1]))
    reports = DriftReport.objects.filter(pk__in=champions)
    for report in reports.select_related("model_version__failure_mode__asset_class__site"):
        mode = report.model_version.failure_mode
        labels = (mode.asset_class.site.code, mode.asset_class.code, mode.code)
        drifted.append(Sample(labels, float(report.drifted)))
        if report.statistics.get("max_psi") is not None:
            indices.append(Sample(labels, float(report.statistics["max_psi"])))
    names = ("site", "asset_class", "failure_mode")
    yield Metric(
        "drift_max_psi", "Largest stability index of the last report", names, tuple(indices)
    )
    yield Metric("drifted", "Whether the last report says drift", names, tuple(drifted))


def _training_age(sites: list[Site], now: dt.datetime) -> Metric:
    newest = {
        site: TrainingRun.objects.of_site(site).aggregate(at=Max("recorded_at"))["at"]
        for site in sites
    }
    return Metric(
        "training_age_seconds",
        "Since the last training run",
        ("site",),
        tuple(Sample((site.code,), _seconds(at, now)) for site, at in newest.items() if at),
    )


def _schedules(sites: list[Site]) -> Iterator[Metric]:
    """Of the latest schedule of each site; amounts in the site's currency."""
    gaps, costs = list[Sample](), list[Sample]()
    for site in sites:
        latest = Schedule.objects.filter(site=site).defer("problem").order_by("-number").first()
        if latest is None:
            continue
        costs.append(Sample((site.code,), latest.cost_minor / 100))
        if latest.gap is not None:
            gaps.append(Sample((site.code,), latest.gap))
    yield Metric(
        "schedule_gap_ratio", "How far the cost may be above the best", ("site",), tuple(gaps)
    )
    yield Metric("schedule_cost", "Expected cost of the latest schedule", ("site",), tuple(costs))


def _seconds(at: dt.datetime, now: dt.datetime) -> float:
    return max(0.0, (now - at).total_seconds())
