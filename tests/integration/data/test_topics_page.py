"""The page of topics: two clicks make a point of a topic, and what waited is taken."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from maintenance import store
from maintenance.choices import Role
from maintenance.flow import ingest
from maintenance.instants import to_us
from maintenance.models import AuditEntry, MeasurementPoint, Site, TopicTemplate, UnknownTopic
from tests.factories import AssetFactory, MembershipFactory, SiteFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def site() -> Site:
    site = SiteFactory.create()
    AssetFactory.create(site=site, code="P-1")
    return site


@pytest.fixture
def engineer(site: Site) -> Client:
    return as_role(site, Role.RELIABILITY_ENGINEER)


def as_role(site: Site, role: Role) -> Client:
    client = Client()
    client.force_login(MembershipFactory.create(site=site, role=role).user)
    return client


def publish(site: Site, topic: str, *payloads: object) -> None:
    now = timezone.now()
    messages = [
        ingest.Message(topic, json.dumps(payload).encode(), to_us(now) + i)
        for i, payload in enumerate(payloads)
    ]
    listener = ingest.listener_of(site, "vigia-test")
    ingest.take_messages(listener=listener, messages=messages, now=now)


def page(client: Client) -> str:
    return client.get(reverse("data_topics")).content.decode()


def post(client: Client, name: str, *args: int, **given: str) -> str:
    response = client.post(reverse(name, args=args), given, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def test_an_empty_page_says_what_will_be_there(engineer: Client) -> None:
    shown = page(engineer)
    assert "No listener of this site has run yet" in shown
    assert "Every topic belongs to a measurement point" in shown


def test_the_data_page_leads_to_it(engineer: Client) -> None:
    assert reverse("data_topics") in engineer.get(reverse("data")).content.decode()


def test_an_unknown_topic_is_shown_with_what_it_probably_is(site: Site, engineer: Client) -> None:
    publish(site, "hall/P-1/temperature", 21.5, 22)
    shown = page(engineer)
    assert "hall/P-1/temperature" in shown
    assert 'name="asset" list="assets" value="P-1"' in shown
    assert 'name="point" value="temperature"' in shown


def test_the_form_as_it_is_shown_makes_the_point_and_takes_what_waited(
    site: Site, engineer: Client
) -> None:
    publish(site, "hall/P-1/temperature", 21.5, 22)
    unknown = UnknownTopic.objects.get()
    told = post(
        engineer, "data_topic_point", unknown.pk, asset="P-1", point="temperature", unit="°C"
    )
    assert "2 readings taken that had waited." in told
    made = MeasurementPoint.objects.get()
    assert store.read([made.pk], 0, 2**62)[made.pk][1].tolist() == [21.5, 22.0]
    assert AuditEntry.objects.get().action == "topic given its point"
    assert "Every topic belongs to a measurement point" in page(engineer)


def test_an_asset_that_is_not_there_is_named(site: Site, engineer: Client) -> None:
    publish(site, "hall/x", 1)
    pk = UnknownTopic.objects.get().pk
    assert "No asset is called P-9." in post(
        engineer, "data_topic_point", pk, asset="P-9", point="x"
    )
    assert "Asset: This field is required." in post(engineer, "data_topic_point", pk)


def test_a_template_is_added_and_removed(site: Site, engineer: Client) -> None:
    publish(site, "line/P-1", {"a": 1})
    told = post(engineer, "data_topic_templates", template="line/{asset}")
    assert "Topics are read by line/{asset}." in told
    assert "must hold {asset} once" in post(engineer, "data_topic_templates", template="line/#")
    assert "is there already" in post(engineer, "data_topic_templates", template="line/{asset}")
    template = TopicTemplate.objects.get()
    post(engineer, "data_topic_template_remove", template.pk)
    assert not TopicTemplate.objects.exists()


def test_dead_letters_are_taken_again_or_deleted(site: Site, engineer: Client) -> None:
    publish(site, "hall/x", {"a": "<b>text</b>"})
    shown = page(engineer)
    assert "is not a number" in shown
    assert "<b>text" not in shown
    assert "1 reading cannot be taken yet." in post(engineer, "data_letters_again", topic="hall/x")
    assert "1 dead letter deleted." in post(engineer, "data_letters_discard", topic="hall/x")
    assert "No dead letter waits." in post(engineer, "data_letters_again")


def test_who_may_only_look_is_offered_nothing_to_change(site: Site) -> None:
    publish(site, "hall/P-1/temperature", 21.5)
    viewer = as_role(site, Role.VIEWER)
    assert "hall/P-1/temperature" in page(viewer)
    assert "<summary>" not in page(viewer).partition('id="unknown"')[2]
    again = viewer.post(reverse("data_letters_again"))
    assert again.status_code == 403
