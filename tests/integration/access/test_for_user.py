"""`for_user` of every table: rows of another site never appear, whatever the role."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.db import transaction

from maintenance.choices import ROLE_PERMISSIONS, Permission, Role
from maintenance.models import Site, User, WorkOrder
from maintenance.models.access import SiteScoped
from tests.integration.access.plants import Two, two_plants

pytestmark = pytest.mark.django_db

SCOPED = [
    model
    for model in apps.get_app_config("maintenance").get_models()
    if issubclass(model, SiteScoped)
]


@pytest.fixture(scope="module")
def two(django_db_setup: None, django_db_blocker: Any) -> Iterator[Two]:
    with django_db_blocker.unblock(), transaction.atomic():
        yield two_plants()
        transaction.set_rollback(True)


def of(model: Any, site: Site) -> set[int]:
    return set(model.objects.of_site(site).values_list("pk", flat=True))


def seen(model: Any, user: Any, permission: Permission | None = None) -> set[int]:
    return set(model.objects.for_user(user, permission).values_list("pk", flat=True))


@pytest.mark.parametrize("model", SCOPED, ids=lambda model: model.__name__)
def test_both_sites_have_rows_of_every_table(two, model):
    """Otherwise what follows would prove nothing."""
    north, south = of(model, two.north.site), of(model, two.south.site)
    assert north, "tests/integration/access/plants.py must make one"
    assert south, "tests/integration/access/plants.py must make one"
    assert not north & south


@pytest.mark.parametrize("model", SCOPED, ids=lambda model: model.__name__)
def test_a_role_sees_the_rows_of_its_own_site_that_it_may_read_and_no_others(two, model):
    own = of(model, two.north.site)
    for role, user in two.users.items():
        found = seen(model, user)
        assert found <= own, f"{role} sees rows of another site"
        if model is not WorkOrder:
            may = model.READ_PERMISSION in ROLE_PERMISSIONS[role]
            assert found == (own if may else set()), role


@pytest.mark.parametrize("model", SCOPED, ids=lambda model: model.__name__)
def test_a_permission_asked_for_by_name_decides(two, model):
    for role, user in two.users.items():
        for permission in Permission:
            may = permission in ROLE_PERMISSIONS[role]
            expected = of(model, two.north.site) if may else set()
            assert seen(model, user, permission) == expected, (role, permission)


@pytest.mark.parametrize("model", SCOPED, ids=lambda model: model.__name__)
def test_nobody_sees_anything_without_signing_in_or_without_a_site(two, model):
    assert not seen(model, AnonymousUser())
    assert not seen(model, User.objects.create_user("nobody"))


@pytest.mark.parametrize("model", SCOPED, ids=lambda model: model.__name__)
def test_a_superuser_sees_every_row_once(two, model):
    root = User.objects.create_superuser("root")
    rows = list(model.objects.for_user(root).values_list("pk", flat=True))
    assert sorted(rows) == sorted(model.objects.values_list("pk", flat=True))


def test_work_orders_of_ones_own_are_seen_once_each(two):
    for role in (Role.REQUESTER, Role.TECHNICIAN):
        rows = WorkOrder.objects.for_user(two.users[role])
        assert len(rows) == len({row.pk for row in rows}) == 1


def test_sites_are_those_of_the_memberships(two):
    for role, user in two.users.items():
        assert list(Site.objects.for_user(user)) == [two.north.site]
        for permission in Permission:
            may = permission in ROLE_PERMISSIONS[role]
            assert Site.objects.for_user(user, permission).exists() == may
