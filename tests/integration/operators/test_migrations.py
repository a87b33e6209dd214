"""A plant that was there before a migration keeps its facts, forward and back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps.registry import Apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Sum

# Tables are altered: no transaction of a test may be open around that.
pytestmark = pytest.mark.django_db(transaction=True)

BEFORE_THE_LEDGER = "0002_timetable"
LEDGER_WITHOUT_OPENINGS = "0004_watch_every_night"
OPENED = "0005_opening_stock"
NOW = dt.datetime(2026, 3, 2, 8, tzinfo=dt.UTC)

Migrate = Callable[[str], Apps]


@pytest.fixture
def migrate() -> Iterator[Migrate]:
    """Take the tables to a migration; gives the models as they were then."""

    def to(name: str) -> Apps:
        executor = MigrationExecutor(connection)
        target = [("maintenance", name)]
        executor.migrate(target)
        return executor.loader.project_state(target).apps

    yield to
    call_command("migrate", verbosity=0)


def stocked(apps: Apps, **stock: int) -> None:
    site = apps.get_model("maintenance", "Site").objects.create(
        code="old", name="Old", recorded_at=NOW
    )
    parts = apps.get_model("maintenance", "SparePart").objects
    for code, count in stock.items():
        parts.create(site=site, code=code, name=code, stock=count, recorded_at=NOW)


def ledger(apps: Apps) -> dict[str, Any]:
    parts = apps.get_model("maintenance", "SparePart").objects
    return dict(parts.annotate(sum=Sum("entries__quantity")).values_list("code", "sum"))


def test_stock_from_before_the_ledger_is_its_first_line(migrate: Migrate) -> None:
    stocked(migrate(BEFORE_THE_LEDGER), brg=2, sea=5, none=0)
    apps = migrate(OPENED)
    assert ledger(apps) == {"brg": 2, "sea": 5, "none": None}
    lines = apps.get_model("maintenance", "StockEntry").objects
    assert set(lines.values_list("kind", "source", "work_order")) == {("count", "opening", None)}


def test_a_ledger_that_had_begun_gets_the_difference_alone(migrate: Migrate) -> None:
    apps = migrate(LEDGER_WITHOUT_OPENINGS)
    stocked(apps, brg=2, sea=5)
    lines = apps.get_model("maintenance", "StockEntry").objects
    known = {"kind": "count", "at": NOW, "recorded_at": NOW}
    parts = apps.get_model("maintenance", "SparePart").objects
    lines.create(part=parts.get(code="sea"), quantity=5, **known)
    lines.create(part=parts.get(code="brg"), quantity=-3, **known)
    apps = migrate(OPENED)
    assert ledger(apps) == {"brg": 2, "sea": 5}
    opened = apps.get_model("maintenance", "StockEntry").objects.filter(source="opening")
    assert list(opened.values_list("part__code", "quantity")) == [("brg", 5)]


def test_openings_go_and_come_back_with_the_migration(migrate: Migrate) -> None:
    stocked(migrate(BEFORE_THE_LEDGER), brg=2)
    migrate(OPENED)
    assert ledger(migrate(LEDGER_WITHOUT_OPENINGS)) == {"brg": None}
    assert ledger(migrate(OPENED)) == {"brg": 2}


def test_tokens_of_some_points_stay_so_and_no_readings_are_kept_for_no_day(
    migrate: Migrate,
) -> None:
    apps = migrate("0011_quality_is_known")
    site, point = a_point(apps)
    tokens = apps.get_model("maintenance", "ApiToken").objects
    for name in ("all", "some"):
        tokens.create(site=site, name=name, digest=name, recorded_at=NOW)
    point.tokens.add(tokens.get(name="some"))
    apps = migrate("0012_limited_tokens")
    tokens = apps.get_model("maintenance", "ApiToken").objects
    assert dict(tokens.values_list("name", "limited")) == {"all": False, "some": True}
    assert apps.get_model("maintenance", "Site").objects.get().keep_readings_days is None
    assert apps.get_model("maintenance", "MeasurementPoint").objects.get().keep_days is None


def a_point(apps: Apps) -> tuple[Any, Any]:
    """A site and a point of it that say zero days."""

    def made(model: str, **fields: Any) -> Any:
        return apps.get_model("maintenance", model).objects.create(recorded_at=NOW, **fields)

    site = made("Site", code="old", name="Old", keep_readings_days=0)
    pumps = made("AssetClass", site=site, code="pump", name="Pump")
    asset = made("Asset", site=site, asset_class=pumps, code="P-1", name="P-1", commissioned_at=NOW)
    return site, made("MeasurementPoint", asset=asset, code="t", name="t", keep_days=0)
