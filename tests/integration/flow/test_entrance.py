"""Whoever is let in or shut out stands in the audit trail, with who did it."""

from __future__ import annotations

import datetime as dt
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from maintenance.choices import Role, TokenScope
from maintenance.flow import entrance
from maintenance.models import ApiToken, AuditEntry, Membership, User
from tests.factories import SiteFactory, UserFactory

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 3, 2, 8, tzinfo=dt.UTC)


def trail() -> list[tuple[Any, ...]]:
    """The oldest first."""
    entries = AuditEntry.objects.order_by("pk")
    return [(e.site.code, e.action, e.subject, e.before, e.after) for e in entries]


def token(**more: Any) -> str:
    told = {"site": SiteFactory(code="north"), "name": "gateway", "by": None, "now": NOW}
    return entrance.make_token(**told, scopes=[TokenScope.WRITE_READINGS], **more)


def test_a_token_is_made_and_revoked_by_somebody():
    user = UserFactory()
    secret = entrance.make_token(
        site=SiteFactory(code="north"),
        name="gateway",
        scopes=[TokenScope.READ_WORK, TokenScope.READ_ASSETS],
        by=user,
        now=NOW,
        expires_at=NOW + dt.timedelta(days=1),
    )
    made = ApiToken.objects.get(digest=ApiToken.digest_of(secret))
    assert made.created_by == user
    assert entrance.revoke_token(token=made, by=user, now=NOW)
    assert not entrance.revoke_token(token=made, by=user, now=NOW)
    scopes = ["assets:read", "work:read"]
    expires = "2026-03-03T08:00:00+00:00"
    assert trail() == [
        ("north", "token made", "token gateway", {}, {"scopes": scopes, "expires_at": expires}),
        ("north", "token revoked", "token gateway", {"scopes": scopes}, {}),
    ]
    assert {entry.by for entry in AuditEntry.objects.all()} == {user}


def test_the_trail_knows_no_secret():
    secret = token()
    [entry] = AuditEntry.objects.all()
    assert secret not in str(vars(entry))
    assert ApiToken.digest_of(secret) not in str(vars(entry))


def test_a_name_that_is_taken_leaves_no_trail():
    token()
    with pytest.raises(IntegrityError), transaction.atomic():
        entrance.make_token(
            site=ApiToken.objects.get().site, name="gateway", scopes=[], by=None, now=NOW
        )
    assert len(trail()) == 1


def test_the_commands_leave_a_trail_without_a_user():
    SiteFactory(code="north")
    named = ("--site", "north", "--name", "gateway")
    call_command("create_token", *named, "--scope", "work:read", stdout=StringIO())
    call_command("revoke_token", *named, stdout=StringIO())
    assert [action for _, action, *_ in trail()] == ["token made", "token revoked"]
    assert {entry.by for entry in AuditEntry.objects.all()} == {None}


@pytest.fixture
def root(client: Client) -> User:
    root = User.objects.create_superuser("root")
    client.force_login(root)
    return root


def test_roles_given_changed_and_taken_away_in_the_administration_leave_a_trail(
    client: Client, root: User
):
    north, south, ana = SiteFactory(code="north"), SiteFactory(code="south"), UserFactory()
    page = reverse("admin:maintenance_membership_add")
    client.post(page, {"user": ana.pk, "site": north.pk, "role": Role.VIEWER.value})
    given = Membership.objects.get()
    assert timezone.now() - given.recorded_at < dt.timedelta(minutes=1)
    page = reverse("admin:maintenance_membership_change", args=[given.pk])
    for _ in range(2):  # what is saved without a change leaves no trail
        client.post(page, {"user": ana.pk, "site": south.pk, "role": Role.PLANNER.value})
    client.post(reverse("admin:maintenance_membership_delete", args=[given.pk]), {"post": "yes"})
    who, viewer, planner = f"user {ana.username}", {"role": "viewer"}, {"role": "planner"}
    assert trail() == [
        ("north", "role given", who, {}, viewer),
        ("north", "role taken away", who, viewer, {}),
        ("south", "role given", who, {}, planner),
        ("south", "role taken away", who, planner, {}),
    ]
    assert {entry.by for entry in AuditEntry.objects.all()} == {root}


def test_roles_taken_away_by_the_list_leave_a_trail_each(client: Client, root: User):
    site = SiteFactory(code="north")
    for role in (Role.VIEWER, Role.PLANNER):
        Membership.objects.create(user=UserFactory(), site=site, role=role, recorded_at=NOW)
    chosen = list(Membership.objects.values_list("pk", flat=True))
    client.post(
        reverse("admin:maintenance_membership_changelist"),
        {"action": "delete_selected", "_selected_action": chosen, "post": "yes"},
    )
    assert not Membership.objects.exists()
    assert {entry[1] for entry in trail()} == {"role taken away"}
    assert len(trail()) == 2
