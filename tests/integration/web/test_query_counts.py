"""A larger plant takes more rows, not more queries: neither its pages nor its stages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from maintenance.choices import (
    AlertKind,
    AsFound,
    ModelState,
    Role,
    ServingStart,
    Trigger,
    Verdict,
    WorkOrderState,
)
from maintenance.flow import execute, label
from maintenance.models import (
    Alert,
    DatasetVersion,
    DriftReport,
    FailureMode,
    Label,
    ModelVersion,
    Serving,
    TrainingRun,
    User,
)
from maintenance.queries import metrics
from tests.plants import REGISTER, Plant, forecast, model, tiny, work_order

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
MANY = 6


@pytest.fixture
def plant() -> Plant:
    return tiny("north", now=timezone.now().replace(microsecond=0))


def queries(do: Callable[[], object]) -> int:
    with CaptureQueriesContext(
        connection,
    ) as asked:
        do()
    return len(asked)


def growth(do: Callable[[], object], grow: Callable[[], object]) -> int:
    """How many queries more a thing takes after the plant has grown.

    It is done once before the first count: what is kept in memory from then on is no growth.
    """
    do()
    before = queries(do)
    grow()
    return queries(do) - before


def opened(client: Client, name: str, *args: Any) -> Callable[[], None]:
    def get() -> None:
        answer = client.get(reverse(name, args=args))
        assert answer.status_code == 200

    return get


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_my_work_asks_no_more_for_more_work(plant: Plant) -> None:
    user = plant.user(Role.TECHNICIAN)
    person = plant.technician("ana")
    person.user = user
    person.save()

    def give(asset: str) -> None:
        """Work that has begun, work that waits, and work that is done."""
        foreseen = forecast(plant, asset, "seal", risk=0.4)
        begun = work_order(plant, asset, "seal", forecast=foreseen)
        closed, waiting = work_order(plant, asset, "bearing"), work_order(plant, asset)
        for each in (begun, closed, waiting):
            each.state = WorkOrderState.ACCEPTED
            each.save()
            each.assigned_to.add(person, plant.technician("luis"))
        execute.start(work_order=begun, by=user, now=plant.now - DAY)
        execute.finish(
            work_order=closed,
            as_found=AsFound.EARLY_SIGNS,
            failure_mode=None,
            renewed=False,
            parts={},
            note="",
            by=user,
            now=plant.now,
        )

    give("P-1")
    grow = lambda: [give(asset) for asset in ("P-2", "P-3")]  # noqa: E731
    assert growth(opened(signed_in(user), "my_work"), grow) == 0


def test_the_inbox_asks_no_more_for_more_alerts(plant: Plant) -> None:
    user = plant.user(Role.PLANNER)

    def alarm(number: int) -> None:
        points = plant.asset(f"P-{1 + number % 3}").points.all()
        Alert.objects.create(
            site=plant.site,
            kind=AlertKind.DRIFT,
            key=str(number),
            parameters={
                "asset": "P-1",
                "name": "Vibration",
                "unit": "mm/s",
                "since": plant.now.isoformat(),
                "size": 1.2,
                "t": 12.0,
            },
            owner=user,
            point=points[0],
            model_version=model(plant, "bearing"),
            opened_at=plant.now,
            last_seen_at=plant.now,
            recorded_at=plant.now,
        )

    alarm(0)
    grow = lambda: [alarm(number) for number in range(1, MANY)]  # noqa: E731
    assert growth(opened(signed_in(user), "inbox"), grow) == 0


def served(plant: Plant, mode: str) -> ModelVersion:
    """A version that serves a mode, with all that pages tell of it."""
    version = model(plant, mode)
    version.dataset = DatasetVersion.objects.create(
        failure_mode=version.failure_mode,
        as_of=plant.now,
        content_hash=f"{version.pk:064d}",
        rows=1,
        lives=1,
        failures=0,
        folder="nowhere",
        recorded_at=plant.now,
    )
    version.save()
    Serving.objects.create(
        failure_mode=version.failure_mode,
        model_version=version,
        start=ServingStart.PROMOTION,
        from_at=plant.now - DAY,
        by=plant.user(Role.VIEWER, f"by-{mode}"),
        reason="the first",
    )
    judged(plant, version)
    DriftReport.objects.create(
        model_version=version, as_of=plant.now, drifted=False, recorded_at=plant.now
    )
    return version


def judged(plant: Plant, version: ModelVersion) -> None:
    TrainingRun.objects.create(
        failure_mode=version.failure_mode,
        trigger=Trigger.FIRST,
        challenger=version,
        verdict=Verdict.PROMOTED,
        reason="the first",
        recorded_at=plant.now,
    )


def more_modes(plant: Plant) -> None:
    known = REGISTER["failure_modes"][0]
    codes = [f"mode-{number}" for number in range(MANY)]
    plant.take("failure_modes", [{**known, "code": c, "name": c, "component": c} for c in codes])
    for code in codes:
        served(plant, code)
        forecast(plant, "P-1", code, risk=0.2)


@pytest.mark.parametrize("name", ["models", "models_served"])
def test_the_pages_of_all_models_ask_no_more_for_more_models(plant: Plant, name: str) -> None:
    served(plant, "bearing")
    client = signed_in(plant.user(Role.RELIABILITY_ENGINEER))
    assert growth(opened(client, name), lambda: more_modes(plant)) == 0


def test_the_figures_for_operators_ask_no_more_for_more_models(plant: Plant) -> None:
    served(plant, "bearing")
    told = lambda: list(metrics.all_metrics(now=plant.now))  # noqa: E731
    assert growth(told, lambda: more_modes(plant)) == 0


def more_versions(plant: Plant, mode: FailureMode) -> None:
    first = ModelVersion.objects.get(failure_mode=mode, version=1)
    for number in range(2, MANY):
        version = ModelVersion.objects.get(pk=first.pk)
        version.pk, version.version, version.state = None, number, ModelState.RETIRED
        version.save()
        judged(plant, version)
        Serving.objects.create(
            failure_mode=mode,
            model_version=version,
            start=ServingStart.PROMOTION,
            from_at=plant.now - 3 * DAY,
            until_at=plant.now - 2 * DAY,
            by=plant.user(Role.VIEWER, f"by-{number}"),
            reason="better",
        )


def test_the_page_of_a_failure_mode_asks_no_more_for_more_versions(plant: Plant) -> None:
    mode = served(plant, "bearing").failure_mode
    client = signed_in(plant.user(Role.RELIABILITY_ENGINEER))
    assert growth(opened(client, "model", mode.pk), lambda: more_versions(plant, mode)) == 0


def test_the_page_of_a_version_asks_no_more_for_more_forecasts(plant: Plant) -> None:
    version = served(plant, "bearing")
    forecast(plant, "P-1", "bearing", risk=0.2)
    client = signed_in(plant.user(Role.RELIABILITY_ENGINEER))

    def foresee() -> None:
        for days in range(1, MANY):
            for code in ("P-1", "P-2"):
                forecast(plant, code, "bearing", risk=0.2, as_of=plant.now - days * DAY)

    assert growth(opened(client, "model_version", version.pk), foresee) == 0


@pytest.mark.parametrize("told_late", [False, True])
def test_labels_take_no_more_queries_for_more_forecasts(plant: Plant, told_late: bool) -> None:
    """Neither those that are new nor those that a late fact corrects."""
    ended = plant.now + 90 * DAY

    def mature_those_of(asset: str, count: int) -> int:
        for days in range(count):
            forecast(plant, asset, "bearing", risk=0.2, as_of=plant.now - days * DAY)
        later = plant.now + 91 * DAY
        if told_late:
            label.mature(site=plant.site, as_of=ended, now=ended)
            failed = {"failure_mode": "bearing", "occurred_at": plant.now + DAY}
            Plant(plant.site, now=later).take("failures", [{"asset": asset, **failed}])
        told: list[dict[str, int]] = []
        asked = queries(
            lambda: told.append(label.mature(site=plant.site, as_of=later, now=later + DAY))
        )
        assert told[0]["corrected" if told_late else "labels"] == count
        return asked

    few = mature_those_of("P-1", 2)
    Label.objects.all().delete()
    plant.asset("P-1").forecasts.all().delete()
    assert mature_those_of("P-2", 2 * MANY) == few
