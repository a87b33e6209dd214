"""One loop, three set-ups: the same forecasts and the same schedule, to the last digit.

Each is an installation of its own, filled by the doors of the demo plant, whose worker performs
the whole loop: on the embedded defaults, on PostgreSQL with RabbitMQ, on PostgreSQL with Redis.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import redis

from tests.installation import BIN, Installation, database, once

WAIT_SECONDS = 300
REDIS_DATABASE = 11

FILL = """
from django.utils import timezone
from maintenance.instants import to_us
from maintenance.sources import demo_plant
from predictors.simulate import PlantConfig, simulate
from tests.plants import MONDAY, tiny
for number in range({sites_before}):
    # Another plant first, so that the keys of this one differ.
    tiny(f"before-{{number}}")
plant = simulate(PlantConfig(end_us=to_us(MONDAY), assets=24, sampling_minutes=720))
demo_plant.feed(plant, language="es", now=timezone.now())
"""
ASK = """
from django.utils import timezone
from maintenance import tasks
from maintenance.models import Site
from tests.plants import MONDAY
asked = tasks.request_loop(
    site=Site.objects.get(code="norte"), by=None, now=timezone.now(), as_of=MONDAY,
    publish=True, seconds=600, replay_days=[7],
)
print(json.dumps(asked.pk))
"""
STATE = """
from maintenance.models import Operation
operation = Operation.objects.get(pk={operation})
print(json.dumps([operation.state, operation.error, operation.run]))
"""
ANSWER = """
from maintenance.models import Forecast, ModelVersion, Schedule, WorkOrder
forecasts = Forecast.objects.filter(asset__site__code="norte").select_related(
    "asset", "failure_mode"
)
schedule = Schedule.objects.get(site__code="norte")
rows = schedule.assignments.select_related("work_order__asset", "work_order__failure_mode")
print(json.dumps({
    "families": sorted(ModelVersion.objects.values_list("failure_mode__code", "family")),
    "datasets": sorted(ModelVersion.objects.values_list("failure_mode__code", "dataset_hash")),
    "forecasts": sorted(
        [f.asset.code, f.failure_mode.code, f.as_of.isoformat(), f.state, f.risk, f.risk_low,
         f.risk_high, f.reasons] for f in forecasts
    ),
    "work": sorted(
        [w.number, w.asset.code, w.failure_mode.code, str(w.saving), str(w.best_at), w.state]
        for w in WorkOrder.objects.filter(site__code="norte")
    ),
    "assignments": sorted(
        [r.work_order.asset.code, r.work_order.failure_mode.code, r.starts_at.isoformat(),
         r.ends_at.isoformat(), sorted(t.code for t in r.technicians.all())] for r in rows
    ),
    "left_out": sorted(
        [left.work_order.asset.code, left.work_order.failure_mode.code, left.reason_class,
         left.cost_minor] for left in schedule.left_out.all()
    ),
    "schedule": [schedule.state, schedule.cost, schedule.bound_minor, schedule.status],
    "repeatable": schedule.operation.result["schedule"]["repeatable"],
}))
"""

pytestmark = once


def answer_of(plant: Installation, *, sites_before: int = 0) -> dict[str, Any]:
    """Fill, let the worker do the whole loop, and tell what came of it."""
    plant.manage("migrate", "--verbosity", "0")
    plant.python(FILL.format(sites_before=sites_before))
    with plant.running([str(BIN / "honcho"), "--env", "/dev/null", "start", "worker"]):
        operation = plant.python(ASK)

        def ended() -> list[Any] | None:
            told = plant.python(STATE.format(operation=operation))
            return told if told[0] not in ("queued", "running") else None

        state, error, run = plant.wait_for(ended, seconds=WAIT_SECONDS, what="the loop")
    assert (state, error, run) == ("succeeded", "", 1)
    told: dict[str, Any] = plant.python(ANSWER)
    return told


@pytest.fixture(scope="module")
def embedded(tmp_path_factory) -> dict[str, Any]:
    return answer_of(Installation(tmp_path_factory.mktemp("embedded")))


def same(answer: dict[str, Any], expected: dict[str, Any]) -> None:
    assert answer["repeatable"]
    for part, value in expected.items():
        assert answer[part] == value, part


@pytest.mark.service("postgresql")
def test_the_embedded_loop_says_something(embedded):
    """Otherwise to be the same would prove nothing."""
    families = {family for _mode, family in embedded["families"]}
    assert families >= {"hazard", "weibull"}
    assert len(embedded["forecasts"]) == 120
    assert len(embedded["assignments"]) >= 10
    assert embedded["left_out"]
    assert embedded["repeatable"]


@pytest.mark.service("postgresql", "rabbitmq")
def test_the_loop_on_postgresql_and_rabbitmq_gives_the_same(
    embedded, tmp_path: Path, postgres_url: str, rabbitmq_url: str
):
    with database(postgres_url, f"vigia_loop_rabbitmq_{os.getpid()}") as address:
        grown = {"DATABASE_URL": address, "CELERY_BROKER_URL": rabbitmq_url}
        plant = Installation(tmp_path, grown)
        same(answer_of(plant), embedded)
    assert "Connected to amqp" in plant.log


@pytest.mark.service("postgresql", "redis")
def test_the_loop_on_postgresql_and_redis_gives_the_same_whatever_was_there_before(
    embedded, tmp_path: Path, postgres_url: str, redis_url: str
):
    broker = urlunsplit(urlsplit(redis_url)._replace(path=f"/{REDIS_DATABASE}"))
    with database(postgres_url, f"vigia_loop_redis_{os.getpid()}") as address:
        grown = {"DATABASE_URL": address, "CELERY_BROKER_URL": broker}
        plant = Installation(tmp_path, grown)
        try:
            same(answer_of(plant, sites_before=1), embedded)
        finally:
            with redis.Redis.from_url(broker) as connection:
                connection.flushdb()
    assert "Connected to redis" in plant.log
