"""Long work as pages and scripts ask for it."""

import datetime as dt
import json
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from maintenance import operations
from maintenance.choices import OperationKind, OperationState
from maintenance.models import AuditEntry, Operation, User
from tests.integration.web.plant import Plant, small_plant

AS_HTMX = {"HX-Request": "true"}


@pytest.fixture
def operation(plant: Plant, now: dt.datetime) -> Operation:
    return operations.request(
        site=plant.site,
        kind=OperationKind.SCHEDULE,
        arguments={},
        by=plant.planner,
        now=now,
    )


def running(operation: Operation, now: dt.datetime) -> operations.Run:
    run = operations.lease(operation_id=operation.pk, clock=lambda: now)
    assert run is not None
    return run


def test_open_work_asks_again_and_ended_work_does_not(
    viewer: Client, operation: Operation, now: dt.datetime
) -> None:
    url = reverse("operation", args=[operation.pk])
    open_html = viewer.get(url, headers=AS_HTMX).content.decode()
    assert "hx-trigger" in open_html
    assert "waiting for a worker" in open_html
    running(operation, now).finish()
    answer = viewer.get(url, headers=AS_HTMX)
    assert "hx-trigger" not in answer.content.decode()
    assert json.loads(answer["HX-Trigger"]) == {
        "vigia:operation": {
            "kind": "schedule",
            "state": "succeeded",
            "operation": operation.pk,
        }
    }


def test_the_optimiser_tells_the_best_cost_so_far(
    viewer: Client, operation: Operation, now: dt.datetime
) -> None:
    running(operation, now).report(1, 3, "12,345.60")
    html = viewer.get(reverse("operation", args=[operation.pk])).content.decode()
    assert "best so far €12,346" in html
    assert 'value="0.333"' in html


def test_scripts_get_json(viewer: Client, operation: Operation, now: dt.datetime) -> None:
    running(operation, now).fail("ValueError: no forecast")
    url = reverse("operation", args=[operation.pk])
    told = viewer.get(url, headers={"Accept": "application/json"}).json()
    assert (told["state"], told["error"]) == ("failed", "ValueError: no forecast")


def test_failed_work_shows_what_went_wrong(
    viewer: Client, operation: Operation, now: dt.datetime
) -> None:
    running(operation, now).fail("ValueError: no <forecast>")
    html = viewer.get(reverse("operation", args=[operation.pk])).content.decode()
    assert "no &lt;forecast&gt;" in html


def test_a_planner_stops_the_optimiser(planner: Client, operation: Operation) -> None:
    url = reverse("operation_cancel", args=[operation.pk])
    html = planner.post(url, headers=AS_HTMX).content.decode()
    assert "what it had finished stays" in html
    operation.refresh_from_db()
    assert operation.state == OperationState.CANCELLED
    assert AuditEntry.objects.get(action="operation cancelled").by == operation.requested_by


def test_without_a_script_stopping_leads_back(planner: Client, operation: Operation) -> None:
    url = reverse("operation_cancel", args=[operation.pk])
    assert planner.post(url, {"next": "/schedule/"})["Location"] == "/schedule/"
    again = planner.post(url, {"next": "//evil.example/"}, follow=True)
    assert "It had ended already." in again.content.decode()


def test_a_viewer_may_look_and_not_stop(viewer: Client, operation: Operation) -> None:
    assert viewer.get(reverse("operation", args=[operation.pk])).status_code == 200
    assert viewer.post(reverse("operation_cancel", args=[operation.pk])).status_code == 403


def test_another_sites_work_does_not_exist(
    operation: Operation, now: dt.datetime, as_user: Callable[[User], Client]
) -> None:
    elsewhere = as_user(small_plant(now, code="south").planner)
    for name in ("operation", "operation_cancel"):
        url = reverse(name, args=[operation.pk])
        assert elsewhere.post(url).status_code in (404, 405)
        assert elsewhere.get(url).status_code in (404, 405)
