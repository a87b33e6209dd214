"""The page of one asset and the readings its charts ask for."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from maintenance.choices import DismissReason, ForecastState, Role, WorkOrderState
from maintenance.models import (
    Asset,
    AssetClass,
    Component,
    ErrorEvent,
    Failure,
    FailureMode,
    Installation,
    MeasurementPoint,
    Site,
    User,
)
from maintenance.queries import assets as queries
from maintenance.queries import readings as drawing
from tests.integration.web.a_plant import (
    AS_OF,
    NOW,
    a_class,
    a_component,
    a_forecast,
    a_location,
    a_mode,
    a_model,
    a_point,
    a_site,
    a_user,
    a_work_order,
    an_asset,
    readings,
)

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
MINUTE = dt.timedelta(minutes=1)


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
def asset(pumps: AssetClass) -> Asset:
    return an_asset(pumps, "P-7")


@pytest.fixture
def ana(site: Site) -> User:
    return a_user("ana", roles=[(site, Role.PLANNER)])


@pytest.fixture
def planner(client: Client, ana: User) -> Client:
    client.force_login(ana)
    return client


def page(client: Client, asset: Asset) -> str:
    response = client.get(reverse("asset", args=[asset.pk]))
    assert response.status_code == 200
    return response.content.decode()


def told(client: Client, asset: Asset, **query: Any) -> dict[str, Any]:
    response = client.get(reverse("asset_readings", args=[asset.pk]), query)
    assert response.status_code == 200
    answer: dict[str, Any] = json.loads(response.content)
    return answer


# The page


def test_an_asset_with_nothing_known_still_has_a_page(planner: Client, asset: Asset) -> None:
    html = page(planner, asset)
    assert "No forecast for this asset yet" in html
    assert "No measurement points" in html
    assert "Nothing waits for this asset." in html
    assert "Nothing is recorded yet." in html


def test_the_joint_curve_comes_first_then_the_likeliest_mode(
    planner: Client, asset: Asset, pumps: AssetClass, bearing: FailureMode
) -> None:
    a_forecast(asset, a_mode(pumps, "seal"), 0.2)
    a_forecast(asset, bearing, 0.5)
    chart = planner.get(reverse("asset", args=[asset.pk])).context["chart"]
    assert [curve["label"] for curve in chart["curves"]] == [
        "All failure modes",
        "Bearing wear",
        "Seal wear",
    ]
    joint, first, second = (curve["likely"][14] for curve in chart["curves"])
    assert joint == pytest.approx(1 - (1 - first) * (1 - second), abs=1e-4)


def test_a_single_mode_needs_no_joint_curve(
    planner: Client, asset: Asset, bearing: FailureMode
) -> None:
    a_forecast(asset, bearing, 0.5)
    chart = planner.get(reverse("asset", args=[asset.pk])).context["chart"]
    assert [curve["label"] for curve in chart["curves"]] == ["Bearing wear"]
    assert "data-risk-select" not in page(planner, asset)


def test_the_band_holds_the_curve(asset: Asset, pumps: AssetClass, bearing: FailureMode) -> None:
    a_forecast(asset, bearing, 0.5)
    a_forecast(asset, a_mode(pumps, "seal"), 0.2)
    prospect = queries.prospect(asset)
    days = zip(prospect.low, prospect.likely, prospect.high, strict=True)
    assert all(low <= likely <= high for low, likely, high in days)


def test_a_forecast_without_enough_data_is_named_not_drawn(
    planner: Client, asset: Asset, pumps: AssetClass, bearing: FailureMode
) -> None:
    a_forecast(asset, bearing, 0.5)
    a_forecast(asset, a_mode(pumps, "seal"), 0, state=ForecastState.NOT_ENOUGH_DATA)
    assert "Seal wear: Not enough data" in page(planner, asset)


def test_planned_work_is_marked_on_the_curve(
    planner: Client, site: Site, asset: Asset, bearing: FailureMode
) -> None:
    from tests.integration.web.test_fleet import a_draft

    a_forecast(asset, bearing, 0.5)
    order = a_work_order(asset, bearing, state=WorkOrderState.SCHEDULED)
    start = AS_OF + 3 * DAY
    order.assignments.create(schedule=a_draft(site), starts_at=start, ends_at=start + 60 * MINUTE)
    chart = planner.get(reverse("asset", args=[asset.pk])).context["chart"]
    assert chart["marks"] == [{"day": 3.0, "label": f"work order {order.number}"}]


def test_the_curve_can_be_read_as_a_table(
    planner: Client, asset: Asset, bearing: FailureMode
) -> None:
    a_forecast(asset, bearing, 0.5)
    table = planner.get(reverse("asset", args=[asset.pk])).context["table"]
    assert [day for day, *_ in table] == [1, 3, 7, 14, 30, 60]
    assert {day: likely for day, likely, *_ in table}[14] == pytest.approx(0.5)


def test_reasons_are_told_in_words(planner: Client, asset: Asset, bearing: FailureMode) -> None:
    a_point(asset, "vibration")
    reason = {
        "feature": "vibration.mean.7d",
        "quantity": "vibration",
        "statistic": "mean",
        "window_days": 7.0,
        "value": 6.4,
        "usual": 2.2,
        "contribution": 1.4,
    }
    a_forecast(asset, bearing, 0.5, reasons=[reason])
    html = page(planner, asset)
    assert "Vibration, mean of 7 days" in html
    assert 'class="raises"' in html


def test_the_page_says_which_model_served_and_why(
    planner: Client, asset: Asset, bearing: FailureMode
) -> None:
    a_model(bearing, family="weibull", why="9 failures, 20 needed; risk by age serves", grade="D")
    a_forecast(asset, bearing, 0.5, grade="D")
    html = page(planner, asset)
    assert "Weibull on age, version 1" in html
    assert "9 failures, 20 needed; risk by age serves" in html
    assert "D: hardly any evidence" in html


def test_the_way_up_leads_through_all_locations(
    planner: Client, site: Site, pumps: AssetClass
) -> None:
    hall = a_location(site, "hall")
    asset = an_asset(pumps, location=a_location(site, "line", parent=hall))
    html = page(planner, asset)
    assert html.index("?location=hall") < html.index("?location=line")


def test_times_are_those_of_the_site_of_the_asset(client: Client, site: Site) -> None:
    far = a_site("zz-far", time_zone="America/Mexico_City")
    client.force_login(a_user("both", roles=[(site, Role.VIEWER), (far, Role.VIEWER)]))
    pumps = a_class(far)
    asset = an_asset(pumps)
    a_forecast(asset, a_mode(pumps), 0.5)
    assert "1 Mar 2026, 18:00" in page(client, asset)


# Decisions


def test_a_planner_may_accept_or_dismiss_a_proposal(
    planner: Client, asset: Asset, bearing: FailureMode
) -> None:
    order = a_work_order(asset, bearing)
    html = page(planner, asset)
    assert reverse("work_order_accept", args=[order.pk]) in html
    assert reverse("work_order_dismiss", args=[order.pk]) in html
    assert str(DismissReason.FALSE_ALARM.label) in html


def test_a_viewer_sees_a_proposal_without_deciding_it(
    client: Client, site: Site, asset: Asset, bearing: FailureMode
) -> None:
    order = a_work_order(asset, bearing)
    client.force_login(a_user("eve", roles=[(site, Role.VIEWER)]))
    html = page(client, asset)
    assert reverse("work_order", args=[order.pk]) in html
    assert reverse("work_order_accept", args=[order.pk]) not in html


def test_dismissed_work_waits_no_more(ana: User, asset: Asset, bearing: FailureMode) -> None:
    fields = {"state": WorkOrderState.DISMISSED, "dismiss_reason": DismissReason.ALREADY_DONE}
    a_work_order(asset, bearing, **fields)
    assert queries.open_work(ana, asset) == []


def test_the_asset_of_another_site_is_not_found(planner: Client) -> None:
    theirs = an_asset(a_class(a_site("south")))
    for name in ("asset", "asset_readings"):
        assert planner.get(reverse(name, args=[theirs.pk])).status_code == 404


def test_a_requester_may_not_look_at_assets(client: Client, site: Site, asset: Asset) -> None:
    client.force_login(a_user("req", roles=[(site, Role.REQUESTER)]))
    assert client.get(reverse("asset", args=[asset.pk])).status_code == 403


# History


def test_a_failure_is_told_with_what_was_foretold(
    ana: User, asset: Asset, bearing: FailureMode
) -> None:
    a_forecast(asset, bearing, 0.43, as_of=AS_OF - DAY)
    Failure.objects.create(asset=asset, failure_mode=bearing, occurred_at=AS_OF, recorded_at=NOW)
    (failure,) = queries.history(ana, asset)
    assert failure.what == "Failure: Bearing wear"
    assert "43 %" in failure.note


def test_a_forecast_after_the_failure_foretold_nothing(
    ana: User, asset: Asset, bearing: FailureMode
) -> None:
    a_forecast(asset, bearing, 0.43, as_of=AS_OF + DAY)
    Failure.objects.create(asset=asset, failure_mode=bearing, occurred_at=AS_OF, recorded_at=NOW)
    assert queries.history(ana, asset)[0].note == ""


def test_a_renewal_is_history_but_the_first_installation_is_not(ana: User, asset: Asset) -> None:
    component = a_component(asset, installed_at=asset.commissioned_at)
    Installation.objects.update(removed_at=AS_OF)
    Installation.objects.create(component=component, installed_at=AS_OF, recorded_at=NOW)
    assert [h.what for h in queries.history(ana, asset)] == ["Renewed: Bearing"]


def test_error_codes_of_a_day_are_told_once(ana: User, asset: Asset) -> None:
    for minutes in (1, 2, 3):
        at = AS_OF + minutes * MINUTE
        ErrorEvent.objects.create(asset=asset, code="E17", occurred_at=at, recorded_at=NOW)
    (error,) = queries.history(ana, asset)
    assert error.what == "Error code E17"
    assert error.note.startswith("3")


def test_history_is_newest_first_and_ends_somewhere(
    ana: User, asset: Asset, bearing: FailureMode
) -> None:
    for age in range(30):
        Failure.objects.create(
            asset=asset, failure_mode=bearing, occurred_at=AS_OF - age * DAY, recorded_at=NOW
        )
    found = queries.history(ana, asset)
    assert len(found) == queries.HISTORY_ROWS
    assert found[0].at == AS_OF


def test_components_tell_the_age_of_what_is_in_them(asset: Asset) -> None:
    a_component(asset, "bearing", installed_at=AS_OF)
    Component.objects.create(asset=asset, code="seal", name="Seal", recorded_at=NOW)
    assert [(part.component.name, part.installed_at) for part in queries.parts(asset)] == [
        ("Bearing", AS_OF),
        ("Seal", None),
    ]


# Readings


@pytest.fixture
def point(asset: Asset) -> MeasurementPoint:
    return a_point(asset)


def every_minute(point: MeasurementPoint, count: int) -> None:
    at = [AS_OF + n * MINUTE for n in range(count)]
    readings(point, at, [float(n % 7) for n in range(count)])


def test_few_readings_are_drawn_as_they_are(
    planner: Client, asset: Asset, point: MeasurementPoint
) -> None:
    every_minute(point, 5)
    answer = told(planner, asset)
    drawn = answer["points"][str(point.pk)]
    assert drawn["values"] == [0, 1, 2, 3, 4]
    assert drawn["at"][0] == AS_OF.timestamp()
    assert (drawn["last"], drawn["least"], drawn["mean"], drawn["most"]) == (4, 0, 2, 4)


def test_many_readings_are_thinned_and_no_peak_is_lost(
    planner: Client, asset: Asset, point: MeasurementPoint
) -> None:
    every_minute(point, 2000)
    readings(point, [AS_OF + 1000.5 * MINUTE], [99.0])
    drawn = told(planner, asset, width=100)["points"][str(point.pk)]
    assert len(drawn["values"]) < 250
    assert max(drawn["values"]) == 99
    assert drawn["at"] == sorted(drawn["at"])


def test_a_silence_is_a_gap_not_a_line(
    planner: Client, asset: Asset, point: MeasurementPoint
) -> None:
    minutes = [0, 1, 2, 3, 60, 61, 62]
    readings(point, [AS_OF + n * MINUTE for n in minutes], [1.0] * 7)
    assert told(planner, asset)["points"][str(point.pk)]["values"] == [1, 1, 1, 1, None, 1, 1, 1]


def test_a_gap_survives_thinning(planner: Client, asset: Asset, point: MeasurementPoint) -> None:
    minutes = [*range(1000), *range(1500, 2500)]
    readings(point, [AS_OF + n * MINUTE for n in minutes], [float(n % 5) for n in minutes])
    assert told(planner, asset, width=60)["points"][str(point.pk)]["values"].count(None) == 1


def test_the_newest_days_end_with_the_newest_reading(
    planner: Client, asset: Asset, point: MeasurementPoint
) -> None:
    readings(point, [AS_OF - 3 * DAY, AS_OF - 40 * MINUTE, AS_OF], [1.0, 2.0, 3.0])
    answer = told(planner, asset, days=1)
    assert answer["points"][str(point.pk)]["values"] == [2, 3]
    assert answer["end"] - answer["start"] == 86_401


def test_a_closer_look_gives_that_window_alone(
    planner: Client, asset: Asset, point: MeasurementPoint
) -> None:
    every_minute(point, 60)
    start = int(AS_OF.timestamp()) + 600
    answer = told(planner, asset, start=start, end=start + 120)
    assert answer["points"][str(point.pk)]["values"] == [3, 4]


def test_failures_and_renewals_of_the_window_are_marked(
    planner: Client, asset: Asset, point: MeasurementPoint, bearing: FailureMode
) -> None:
    every_minute(point, 60)
    component = a_component(asset, installed_at=AS_OF + 9 * MINUTE)
    assert component.asset == asset
    for at in (AS_OF + 5 * MINUTE, AS_OF - 100 * DAY):
        Failure.objects.create(asset=asset, failure_mode=bearing, occurred_at=at, recorded_at=NOW)
    marks = told(planner, asset)["marks"]
    assert [mark["kind"] for mark in marks] == ["critical", "low"]


def test_a_point_without_readings_is_empty(
    planner: Client, asset: Asset, point: MeasurementPoint
) -> None:
    drawn = told(planner, asset)["points"][str(point.pk)]
    assert drawn["values"] == []
    assert drawn["last"] is None


@pytest.mark.parametrize(
    "query",
    [
        {"days": "x"},
        {"days": 0},
        {"days": 9999},
        {"start": 5},
        {"start": 9, "end": 5},
        {"start": "nan", "end": 5},
        {"width": -1},
        {"width": 10**9},
    ],
)
def test_a_window_that_makes_no_sense_is_refused_by_name(
    planner: Client, asset: Asset, query: dict[str, Any]
) -> None:
    response = planner.get(reverse("asset_readings", args=[asset.pk]), query)
    assert response.status_code == 400
    assert json.loads(response.content)["errors"]


def test_one_reading_has_no_gaps(point: MeasurementPoint) -> None:
    readings(point, [AS_OF], [1.5])
    (drawn,) = drawing.drawn([point.pk], start_us=0, end_us=2**60, buckets=10).values()
    assert drawn.values == [1.5]
