"""The fleet page asks for new forecasts, and shows how far they are."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from maintenance.choices import OperationKind, Role
from maintenance.models import Operation, Site
from tests.integration.web.a_plant import a_class, a_site, a_user, an_asset

pytestmark = pytest.mark.django_db
AS_HTMX = {"HX-Request": "true"}


@pytest.fixture
def site() -> Site:
    site = a_site("north")
    an_asset(a_class(site, "pump"))
    return site


@pytest.fixture
def planner(client: Client, site: Site) -> Client:
    client.force_login(a_user("ana", roles=[(site, Role.PLANNER)]))
    return client


def test_a_planner_asks_for_forecasts_and_the_page_shows_the_operation(
    planner: Client, site: Site
) -> None:
    assert reverse("forecast_now") in planner.get(reverse("fleet")).content.decode()
    answer = planner.post(reverse("forecast_now"), headers=AS_HTMX).content.decode()
    asked = Operation.objects.get(site=site, kind=OperationKind.FORECAST)
    assert f'id="operation-{asked.pk}"' in answer
    assert f'id="operation-{asked.pk}"' in planner.get(reverse("fleet")).content.decode()


def test_without_scripts_the_operation_has_a_page(planner: Client) -> None:
    answer = planner.post(reverse("forecast_now"))
    assert answer["Location"] == reverse("operation", args=[Operation.objects.get().pk])


def test_asking_twice_asks_once(planner: Client) -> None:
    planner.post(reverse("forecast_now"))
    planner.post(reverse("forecast_now"))
    assert Operation.objects.count() == 1


def test_who_may_only_look_is_offered_no_forecast(client: Client, site: Site) -> None:
    client.force_login(a_user("viewer", roles=[(site, Role.VIEWER)]))
    assert reverse("forecast_now") not in client.get(reverse("fleet")).content.decode()
    assert client.post(reverse("forecast_now")).status_code == 403


def test_a_planner_of_another_site_asks_for_nothing_here(client: Client, site: Site) -> None:
    user = a_user("ana", roles=[(site, Role.VIEWER), (a_site("south"), Role.PLANNER)])
    client.force_login(user)
    client.post(reverse("site"), {"site": site.pk})
    assert client.post(reverse("forecast_now")).status_code == 404
    assert not Operation.objects.exists()
