"""The fleet page: figures, map, table, filters and export."""

from __future__ import annotations

import csv
import datetime as dt
import io
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from maintenance.choices import ForecastState, Role, WorkOrderState
from maintenance.models import (
    Asset,
    AssetClass,
    Assignment,
    Delivery,
    FailureMode,
    JobPlanPart,
    Schedule,
    Shift,
    Site,
    SparePart,
    Technician,
)
from maintenance.queries import fleet as queries
from maintenance.queries import outlook
from tests.integration.web.a_plant import (
    AS_OF,
    NOW,
    a_class,
    a_component,
    a_forecast,
    a_job_plan,
    a_location,
    a_mode,
    a_site,
    a_user,
    a_work_order,
    an_asset,
)

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def site() -> Site:
    return a_site("north")


@pytest.fixture
def pumps(site: Site) -> AssetClass:
    return a_class(site, "pump")


@pytest.fixture
def bearing(pumps: AssetClass) -> FailureMode:
    return a_mode(pumps, "bearing")


@pytest.fixture
def planner(client: Client, site: Site) -> Client:
    client.force_login(a_user("ana", roles=[(site, Role.PLANNER)]))
    return client


def rows(client: Client, **query: Any) -> list[str]:
    """The codes of the assets in the table, in its order."""
    response = client.get(reverse("fleet"), query)
    assert response.status_code == 200
    return [row.asset.code for row in response.context["page"]]


def page(client: Client, **query: Any) -> str:
    return client.get(reverse("fleet"), query).content.decode()


def whole(site: Site) -> queries.Fleet:
    return queries.fleet(a_user("reader", roles=[(site, Role.VIEWER)]), site, now=NOW)


def a_draft(site: Site, **fields: Any) -> Schedule:
    known = {
        "number": 7,
        "starts_at": AS_OF,
        "ends_at": AS_OF + 14 * DAY,
        "as_of": AS_OF,
        "status": "OPTIMAL",
        "cost_minor": 1,
        "cost_unscheduled_minor": 2,
        "seed": 1,
        "inputs_hash": "x",
        "problem": {},
        "recorded_at": NOW,
    }
    return Schedule.objects.create(site=site, **(known | fields))


# What the table says


def test_the_worst_asset_comes_first(
    planner: Client, pumps: AssetClass, bearing: FailureMode
) -> None:
    for code, risk in (("P-1", 0.1), ("P-2", 0.8), ("P-3", 0.4)):
        a_forecast(an_asset(pumps, code), bearing, risk)
    assert rows(planner) == ["P-2", "P-3", "P-1"]


def test_the_failure_modes_of_an_asset_compete(
    site: Site, pumps: AssetClass, bearing: FailureMode
) -> None:
    asset, seal = an_asset(pumps), a_mode(pumps, "seal")
    a_forecast(asset, bearing, 0.5)
    a_forecast(asset, seal, 0.2)
    (row,) = whole(site).rows
    assert row.risk == pytest.approx(0.6)
    assert row.band == "critical"
    assert row.weakest is not None
    assert row.weakest.failure_mode == bearing
    assert row.median_days is not None
    assert row.median_days < 14


def test_the_newest_forecast_counts_and_the_older_make_the_trend(
    site: Site, pumps: AssetClass, bearing: FailureMode
) -> None:
    asset = an_asset(pumps)
    for age, risk in enumerate([0.7, 0.3, 0.1]):
        a_forecast(asset, bearing, risk, as_of=AS_OF - age * DAY)
    a_forecast(asset, bearing, 0.9, as_of=AS_OF - 40 * DAY)
    (row,) = whole(site).rows
    assert row.risk == pytest.approx(0.7)
    assert row.trend == pytest.approx((0.1, 0.3, 0.7))


def test_a_forecast_that_says_nothing_is_no_risk(
    site: Site, pumps: AssetClass, bearing: FailureMode
) -> None:
    a_forecast(an_asset(pumps), bearing, 0.9, state=ForecastState.NOT_ENOUGH_DATA)
    (row,) = whole(site).rows
    assert row.risk is None
    assert row.band == "unknown"


def test_the_component_is_told_beside_a_mode_that_does_not_name_it(
    site: Site, pumps: AssetClass
) -> None:
    asset = an_asset(pumps)
    a_component(asset, "rotor", installed_at=NOW - 10 * DAY)
    a_forecast(asset, a_mode(pumps, "cavitation", component_code="rotor"), 0.4)
    assert whole(site).rows[0].component_beside == "Rotor"


def test_what_became_critical_since_the_forecast_before_is_counted(
    site: Site, pumps: AssetClass, bearing: FailureMode
) -> None:
    for code, before, now in (("P-1", 0.2, 0.9), ("P-2", 0.8, 0.9), ("P-3", 0.1, 0.1)):
        asset = an_asset(pumps, code)
        a_forecast(asset, bearing, before, as_of=AS_OF - DAY)
        a_forecast(asset, bearing, now)
    fleet = whole(site)
    assert (fleet.critical, fleet.newly_critical) == (2, 1)


def test_an_asset_out_of_service_is_not_listed(planner: Client, pumps: AssetClass) -> None:
    an_asset(pumps, "OLD", retired_at=NOW - DAY)
    an_asset(pumps, "NEW")
    assert rows(planner) == ["NEW"]


def test_the_next_work_is_what_is_scheduled_soonest(
    site: Site, pumps: AssetClass, bearing: FailureMode
) -> None:
    asset, seal = an_asset(pumps), a_mode(pumps, "seal")
    draft = a_draft(site)
    a_work_order(asset, bearing, saving=900)
    small = a_work_order(asset, seal, saving=10, state=WorkOrderState.SCHEDULED)
    start = AS_OF + 2 * DAY
    Assignment.objects.create(
        schedule=draft, work_order=small, starts_at=start, ends_at=start + dt.timedelta(hours=2)
    )
    work = whole(site).rows[0].next_work
    assert work is not None
    assert work.work_order == small
    assert work.starts_at == start


def test_more_assets_take_no_more_queries(
    planner: Client, site: Site, pumps: AssetClass, bearing: FailureMode
) -> None:
    def with_more(first: int, last: int) -> int:
        for number in range(first, last):
            asset = an_asset(pumps, f"P-{number}", location=a_location(site, f"line-{number}"))
            a_work_order(asset, bearing)
            for age in range(3):
                a_forecast(asset, bearing, 0.05 * number, as_of=AS_OF - age * DAY)
        with CaptureQueriesContext(connection) as queries_made:
            page(planner)
        return len(queries_made)

    assert with_more(1, 2) == with_more(2, 9) < 45


# Sorting, filtering, paging


def test_rows_without_a_figure_come_last_both_ways(
    planner: Client, pumps: AssetClass, bearing: FailureMode
) -> None:
    an_asset(pumps, "A-0")
    a_forecast(an_asset(pumps, "B-1"), bearing, 0.3)
    a_forecast(an_asset(pumps, "C-2"), bearing, 0.7)
    assert rows(planner, sort="risk") == ["B-1", "C-2", "A-0"]
    assert rows(planner, sort="-risk") == ["C-2", "B-1", "A-0"]


@pytest.mark.parametrize("key", sorted(queries.SORTS))
def test_every_column_sorts_both_ways(
    planner: Client, pumps: AssetClass, bearing: FailureMode, key: str
) -> None:
    a_forecast(an_asset(pumps, "P-1"), bearing, 0.3)
    an_asset(pumps, "P-2")
    assert sorted(rows(planner, sort=key)) == sorted(rows(planner, sort=f"-{key}"))


@pytest.mark.parametrize("nonsense", ["zzz", "-", "asset__site", "--risk"])
def test_a_nonsensical_order_is_the_usual_one(
    planner: Client, pumps: AssetClass, bearing: FailureMode, nonsense: str
) -> None:
    a_forecast(an_asset(pumps, "P-1"), bearing, 0.1)
    a_forecast(an_asset(pumps, "P-2"), bearing, 0.2)
    assert rows(planner, sort=nonsense) == ["P-2", "P-1"]


@pytest.mark.parametrize("text", ["p-2", "rotor", "spare", "hall", "cavit rotor"])
def test_words_find_code_component_class_location_and_mode(
    planner: Client, site: Site, pumps: AssetClass, text: str
) -> None:
    an_asset(pumps, "P-1")
    spare = a_class(site, "spare")
    a_mode(spare, "cavitation")
    asset = an_asset(spare, "P-2", location=a_location(site, "hall"))
    a_component(asset, "rotor", installed_at=NOW - DAY)
    assert rows(planner, q=text) == ["P-2"]


def test_a_location_stands_for_all_below_it(planner: Client, site: Site, pumps: AssetClass) -> None:
    hall = a_location(site, "hall")
    line = a_location(site, "line", parent=hall)
    an_asset(pumps, "IN", location=a_location(site, "cell", parent=line))
    an_asset(pumps, "OUT", location=a_location(site, "yard"))
    assert rows(planner, location="hall") == ["IN"]


def test_a_band_filters(planner: Client, pumps: AssetClass, bearing: FailureMode) -> None:
    a_forecast(an_asset(pumps, "P-1"), bearing, 0.9)
    a_forecast(an_asset(pumps, "P-2"), bearing, 0.01)
    assert rows(planner, risk="critical") == ["P-1"]


def test_a_filter_that_fits_nothing_offers_a_way_out(planner: Client, pumps: AssetClass) -> None:
    an_asset(pumps)
    html = page(planner, q="nothing like it")
    assert "No asset fits these filters" in html
    assert "Clear filters" in html


def test_pages_keep_the_filter(planner: Client, pumps: AssetClass) -> None:
    Asset.objects.bulk_create(
        Asset(
            site=pumps.site,
            asset_class=pumps,
            code=f"P-{number:03}",
            commissioned_at=NOW - DAY,
            recorded_at=NOW,
        )
        for number in range(60)
    )
    assert len(rows(planner)) == 50
    assert len(rows(planner, page=2, q="P-")) == 10
    assert "q=P-&amp;page=1" in page(planner, q="P-", page=2)


def test_htmx_gets_the_table_alone(planner: Client, pumps: AssetClass) -> None:
    an_asset(pumps)
    response = planner.get(reverse("fleet"), headers={"HX-Request": "true"})
    html = response.content.decode()
    assert html.strip().startswith('<div id="fleet-table">')
    assert "<html" not in html
    assert "HX-Request" in response["Vary"]


# Who sees what


def test_assets_of_other_sites_are_not_seen(planner: Client, pumps: AssetClass) -> None:
    an_asset(pumps, "OURS")
    an_asset(a_class(a_site("south"), "pump"), "THEIRS")
    assert rows(planner) == ["OURS"]


def test_a_requester_is_sent_to_their_work_orders(client: Client, site: Site) -> None:
    client.force_login(a_user("req", roles=[(site, Role.REQUESTER)]))
    assert client.get(reverse("fleet"))["Location"] == reverse("work_orders")


def test_a_technician_sees_risks_but_no_figures_of_work(
    client: Client, site: Site, pumps: AssetClass
) -> None:
    an_asset(pumps)
    client.force_login(a_user("tech", roles=[(site, Role.TECHNICIAN)]))
    html = page(client)
    assert "Critical assets" in html
    assert "Technician load" not in html


def test_somebody_without_a_site_is_told_what_to_do(client: Client) -> None:
    client.force_login(a_user("nobody"))
    assert "You do not work for a site yet" in page(client)


def test_an_empty_site_says_how_to_bring_data_in(client: Client, site: Site) -> None:
    client.force_login(a_user("eng", roles=[(site, Role.RELIABILITY_ENGINEER)]))
    html = page(client)
    assert "No assets yet" in html
    assert "manage.py import_data" in html
    assert reverse("data") in html


def test_a_fleet_without_forecasts_says_so(planner: Client, pumps: AssetClass) -> None:
    an_asset(pumps)
    assert "There is no forecast yet" in page(planner)


# Figures about work


def test_the_load_is_of_people_not_of_work_orders(
    site: Site, pumps: AssetClass, bearing: FailureMode
) -> None:
    people = [
        Technician.objects.create(site=site, code=code, name=code, recorded_at=NOW)
        for code in ("t1", "t2")
    ]
    for person in people:
        Shift.objects.create(technician=person, weekday=0, starts=dt.time(6), ends=dt.time(16))
    draft = a_draft(site, starts_at=AS_OF - dt.timedelta(hours=1), ends_at=AS_OF + 7 * DAY)
    start = AS_OF + dt.timedelta(hours=6)
    place = Assignment.objects.create(
        schedule=draft,
        work_order=a_work_order(an_asset(pumps), bearing),
        starts_at=start,
        ends_at=start + dt.timedelta(hours=5),
    )
    place.technicians.set(people)
    load = outlook.load(a_user("ana", roles=[(site, Role.PLANNER)]), site)
    assert load is not None
    assert (load.given_hours, load.crew_hours) == (10, 20)
    assert load.share == 0.5


def test_a_part_is_short_when_open_work_needs_more_than_comes_in_time(
    site: Site, pumps: AssetClass, bearing: FailureMode
) -> None:
    part = SparePart.objects.create(site=site, code="B", name="Bearing", stock=1, recorded_at=NOW)
    JobPlanPart.objects.create(job_plan=a_job_plan(bearing), part=part, quantity=1)
    for number in range(3):
        a_work_order(an_asset(pumps, f"P-{number}"), bearing)
    in_time, late = NOW + 2 * DAY, NOW + 30 * DAY
    for at, quantity in ((in_time, 1), (late, 9)):
        Delivery.objects.create(part=part, quantity=quantity, expected_at=at, recorded_at=NOW)
    ana = a_user("ana", roles=[(site, Role.PLANNER)])
    (short,) = outlook.shortages(ana, site, now=NOW)
    assert (short.needed, short.available, short.next_delivery_at) == (3, 2, in_time)


def test_proposals_due_within_a_week_are_counted(
    site: Site, pumps: AssetClass, bearing: FailureMode
) -> None:
    for number, days in enumerate((2, 20)):
        best_at = NOW + days * DAY
        a_work_order(an_asset(pumps, f"P-{number}"), bearing, best_at=best_at)
    ana = a_user("ana", roles=[(site, Role.PLANNER)])
    assert outlook.proposals(ana, site, now=NOW) == outlook.Proposals(waiting=2, due_soon=1)


# Export


def test_the_export_holds_all_rows_of_the_filter(
    planner: Client, pumps: AssetClass, bearing: FailureMode
) -> None:
    a_forecast(an_asset(pumps, "P-1"), bearing, 0.9)
    a_forecast(an_asset(pumps, "P-2"), bearing, 0.01)
    response = planner.get(reverse("fleet_csv"), {"risk": "critical"})
    table = list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))
    assert [row["Asset"] for row in table] == ["P-1"]
    assert table[0]["Failure risk, 14 days"] == "0.9"
    assert f"{timezone.localdate():%Y}" in response["Content-Disposition"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_the_export_computes(planner: Client, pumps: AssetClass, start: str) -> None:
    an_asset(pumps, f"{start}1+1")
    text = planner.get(reverse("fleet_csv")).content.decode("utf-8-sig")
    cells = list(csv.reader(io.StringIO(text, newline="")))
    assert cells[1][0] == f"'{start}1+1"
