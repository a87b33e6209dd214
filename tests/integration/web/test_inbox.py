"""The inbox: alerts in words, who may see to them, and what a click changes."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from maintenance.choices import AlertKind, Role
from maintenance.models import Alert, AuditEntry
from tests.plants import Plant, busy, tiny

pytestmark = pytest.mark.django_db

AS_HTMX = {"HX-Request": "true"}
PARAMETERS = {
    AlertKind.DRIFT: {
        "asset": "P-1",
        "name": "Vibration",
        "unit": "mm/s",
        "since": "2026-02-27T00:00:00+00:00",
        "size": 1.234,
        "t": 12.0,
    },
    AlertKind.PERFORMANCE: {
        "failure_mode": "Bearing",
        "asset_class": "Pump",
        "forecasts": 96,
        "failures": 30,
        "expected_failures": 4.8,
        "brier": 0.28,
        "expected_brier": 0.05,
    },
    AlertKind.SILENT_POINT: {"since": "2026-02-27T06:00:00+00:00", "points": 12},
}


@pytest.fixture
def plant() -> Plant:
    return busy("north", now=timezone.now().replace(microsecond=0))


@pytest.fixture
def planner(plant: Plant, client: Client) -> Client:
    client.force_login(plant.user(Role.PLANNER, "paula"))
    return client


def alert(plant: Plant, kind: AlertKind = AlertKind.DRIFT, **fields) -> Alert:
    known = {
        "key": f"{kind}:{Alert.objects.count()}",
        "parameters": PARAMETERS[kind],
        "opened_at": plant.now,
        "last_seen_at": plant.now,
        "recorded_at": plant.now,
    }
    return Alert.objects.create(site=plant.site, kind=kind, **{**known, **fields})


def page(client: Client, query: str = "", **more) -> str:
    answer = client.get(reverse("inbox") + query, **more)
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_empty_inbox_says_that_all_is_well_and_counts_the_proposals(planner, plant):
    text = page(planner)
    assert "Nothing to look at" in text
    assert "3 proposals to decide" in text


def test_each_kind_of_alert_is_told_in_a_sentence(planner, plant):
    for kind in AlertKind:
        alert(plant, kind)
    text = page(planner)
    assert "reads +1.23 mm/s from its own past" in text
    assert "30 failed; 4.8 were to be expected" in text
    assert "12 points, all of them, are silent" in text
    assert "The whole site" in text


def test_the_drift_of_a_class_names_its_quantity(planner, plant):
    told = {"asset_class": "Pump", "quantity": "vibration", "psi": 1.5, "distance": 0.62}
    alert(plant, parameters=told)
    text = page(planner)
    assert "Pump · vibration" in text
    assert "62 %" in text


def test_tabs_and_filters_narrow_the_list(planner, plant):
    now = plant.now
    alert(plant, AlertKind.DRIFT)
    alert(plant, AlertKind.SILENT_POINT, silenced_until=now + dt.timedelta(days=2))
    alert(plant, AlertKind.PERFORMANCE, closed_at=now)
    assert "reads +1.23" in page(planner)
    assert "all of them" not in page(planner)
    assert "silent until" in page(planner, "?state=silenced")
    assert "30 failed" in page(planner, "?state=closed")
    assert "Nothing of this kind" in page(planner, "?kind=silent_point")
    assert "reads +1.23" in page(planner, "?state=nonsense&kind=nonsense")


def test_htmx_gets_the_list_alone(planner, plant):
    text = page(planner, headers=AS_HTMX)
    assert text.strip().startswith('<div id="alerts"')


def test_whoever_takes_it_on_owns_it_and_comes_back_to_the_list(planner, plant):
    one = alert(plant)
    back = reverse("inbox") + "?kind=drift"
    answer = planner.post(
        reverse("alert_acknowledge", args=[one.pk]), {"note": "Ana looks", "next": back}
    )
    assert answer["Location"] == back
    one.refresh_from_db()
    assert one.owner is not None
    assert (one.owner.username, one.note) == ("paula", "Ana looks")
    assert "Ana looks" in page(planner, "?state=mine")
    assert AuditEntry.objects.filter(action="alert acknowledged").count() == 1


def test_without_a_note_nothing_is_acknowledged(planner, plant):
    one = alert(plant)
    planner.post(reverse("alert_acknowledge", args=[one.pk]), {"note": " "})
    one.refresh_from_db()
    assert one.acknowledged_at is None
    assert "Say in a few words" in page(planner)


def test_an_alert_is_silenced_for_a_while(planner, plant):
    one = alert(plant)
    planner.post(reverse("alert_silence", args=[one.pk]), {"days": "7"})
    one.refresh_from_db()
    assert one.silenced_until is not None
    assert dt.timedelta(days=6.9) < one.silenced_until - timezone.now() < dt.timedelta(days=7)
    planner.post(reverse("alert_silence", args=[one.pk]), {"days": "9999"})
    assert "Choose how long" in page(planner)


def test_a_closed_alert_cannot_be_closed_again(planner, plant):
    one = alert(plant)
    planner.post(reverse("alert_close", args=[one.pk]))
    one.refresh_from_db()
    assert one.closed_at is not None
    planner.post(reverse("alert_close", args=[one.pk]))
    assert "closed already" in page(planner)


def test_it_comes_back_to_our_own_pages_alone(planner, plant):
    one = alert(plant)
    answer = planner.post(
        reverse("alert_close", args=[one.pk]), {"next": "https://elsewhere.example.org/"}
    )
    assert answer["Location"] == reverse("inbox")


@pytest.mark.parametrize("verb", ["acknowledge", "silence", "close"])
def test_who_may_only_look_is_offered_nothing_and_refused(client, plant, verb):
    one = alert(plant)
    client.force_login(plant.user(Role.VIEWER, "vera"))
    assert "See to it" not in page(client)
    url = reverse(f"alert_{verb}", args=[one.pk])
    assert client.post(url, {"note": "x", "days": "1"}).status_code == 403
    assert Alert.objects.get().closed_at is None


def test_reliability_engineers_see_to_alerts_and_may_train_again(client, plant):
    alert(plant)
    client.force_login(plant.user(Role.RELIABILITY_ENGINEER, "rita"))
    text = page(client)
    assert "See to it" in text
    assert reverse("models_train") in text


def test_planners_are_not_offered_a_training_they_may_not_ask_for(planner, plant):
    alert(plant)
    assert reverse("models_train") not in page(planner)


def test_alerts_of_another_site_are_not_there(planner, plant):
    south = tiny("south", now=plant.now)
    theirs = alert(south)
    assert "reads +1.23" not in page(planner)
    answer = planner.post(reverse("alert_close", args=[theirs.pk]))
    assert answer.status_code == 404
