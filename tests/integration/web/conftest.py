"""Signed-in browsers of a small plant."""

import datetime as dt
from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from maintenance.models import User
from tests.integration.web.plant import Plant, small_plant, with_draft


@pytest.fixture
def now() -> dt.datetime:
    """The views read the clock themselves, so the plant lives now."""
    return timezone.now()


@pytest.fixture
def plant(db: None, now: dt.datetime) -> Plant:
    return small_plant(now)


@pytest.fixture
def drafted(plant: Plant, now: dt.datetime) -> Plant:
    return with_draft(plant, now, seconds=1)


@pytest.fixture
def as_user() -> Callable[[User], Client]:
    def signed_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return signed_in


@pytest.fixture
def planner(plant: Plant, as_user: Callable[[User], Client]) -> Client:
    return as_user(plant.planner)


@pytest.fixture
def viewer(plant: Plant, as_user: Callable[[User], Client]) -> Client:
    return as_user(plant.viewer)
