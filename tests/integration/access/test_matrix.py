"""Route x role x site: built from the URL configuration, so that no route can be forgotten.

Each test asks all routes of its kind and names every one that answers wrongly.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from maintenance.choices import ROLE_PERMISSIONS, Permission, Role
from maintenance.models import Membership, User, WorkOrder
from tests.integration.access.plants import MARK, Two, two_plants
from tests.integration.access.routes import Route, routes

pytestmark = pytest.mark.django_db

KINDS = ("public", "signed-in", "token", "every-site", "superuser", *Permission.values)
PEOPLE = ("signed-in", "every-site", *Permission.values)
DONE = (*range(200, 400), 409, 412, 422)
NO_SUCH_METHOD = 405
ALL = routes()
OWN = [route for route in ALL if route.access != "superuser"]
ADMIN = [route for route in ALL if route.access == "superuser"]


@dataclass(frozen=True)
class Answer:
    status: int
    content: bytes
    location: str

    @property
    def asks_to_sign_in(self) -> bool:
        return self.status == 302 and "login/?next=" in self.location


Right = Callable[[Answer], bool]


@pytest.fixture(scope="module")
def two(django_db_setup: None, django_db_blocker: Any) -> Iterator[Two]:
    """Two plants for the whole module; each request is rolled back."""
    with django_db_blocker.unblock(), rolled_back():
        yield two_plants()


@contextmanager
def rolled_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def of(*accesses: str) -> list[Route]:
    found = [route for route in OWN if route.access in accesses]
    assert found, accesses
    return found


def call(client: Client, method: str, url: str, **more: Any) -> Answer:
    """A request that leaves no trace, neither in the database nor in the client's cookies."""
    cookies = dict(client.cookies)
    with rolled_back():
        response = getattr(client, method)(url, **more)
        content = b"".join(response) if response.streaming else response.content
    client.cookies.clear()
    client.cookies.update(cookies)
    assert not connection.needs_rollback
    return Answer(response.status_code, content, response.headers.get("Location", ""))


def check(two: Two, client: Client, chosen: Iterable[Route], right: Right, **more: Any) -> None:
    """Ask each route by each method; what does not take a method is not wrong."""
    plant = more.pop("plant", two.north)
    wrong = []
    for route in chosen:
        for method in ("get", "post"):
            answer = call(client, method, route.url(plant), **more)
            if answer.status != NO_SUCH_METHOD and not right(answer):
                wrong.append(f"{method.upper()} {route}: {answer.status}")
    tell(wrong)


def tell(wrong: list[str]) -> None:
    if wrong:
        pytest.fail("answered wrongly:\n  " + "\n  ".join(wrong), pytrace=False)


def status(*expected: int) -> Right:
    return lambda answer: answer.status in expected


def test_every_route_says_who_may_open_it():
    unmarked = [str(route) for route in ALL if route.access not in KINDS]
    assert not unmarked, "mark the view by maintenance.web.access"


def test_a_parameter_without_a_row_that_stands_for_it_is_named(two):
    unknown = Route("a_new_page", "new/<int:pk>/", ("pk",), "plan")
    with pytest.raises(AssertionError, match=r"a_new_page.*takes pk"):
        unknown.url(two.north)


def test_without_signing_in_only_public_routes_open(two):
    check(two, two.client(), of(*PEOPLE), lambda answer: answer.asks_to_sign_in)


def test_public_routes_open_to_anybody(two):
    """The root of the API is a name, not a page: 404."""
    right = (*DONE, 404)
    opens = lambda answer: answer.status in right and not answer.asks_to_sign_in  # noqa: E731
    check(two, two.client(), of("public"), opens)


@pytest.mark.parametrize("role", Role)
def test_a_role_opens_what_it_may_is_refused_the_rest_and_sees_its_own_site_alone(two, role):
    client, wrong = two.client(role), []
    for route in of(*PEOPLE):
        for method in ("get", "post"):
            answer = call(client, method, route.url(two.north))
            if answer.status not in (*expected(route, role), NO_SUCH_METHOD):
                wrong.append(f"{method.upper()} {route}: {answer.status}")
            if MARK.encode() in answer.content:
                wrong.append(f"{method.upper()} {route}: shows the other site")
    tell(wrong)


def expected(route: Route, role: Role) -> tuple[int, ...]:
    """A page for everybody who signs in may still have nothing to show, or to do, for a role."""
    if route.access == "signed-in":
        return (*DONE, 403, 404)
    return DONE if route.access in ROLE_PERMISSIONS[role] else (403,)


@pytest.mark.parametrize("role", Role)
def test_a_row_of_another_site_is_not_there(two, role):
    """403 where the role lacks the permission everywhere, 404 where it only lacks it there."""
    client, granted = two.client(role), {*ROLE_PERMISSIONS[role], "signed-in"}
    rows = [route for route in of("signed-in", *Permission.values) if route.is_about_a_row]
    mine = [route for route in rows if route.access in granted]
    check(two, client, mine, status(404), plant=two.south)
    others = [route for route in rows if route.access not in granted]
    check(two, client, others, status(403), plant=two.south)


@pytest.mark.parametrize("role", Role)
def test_what_all_sites_share_opens_to_who_holds_a_permission_for_it_at_each(two, role):
    user = User.objects.create_user("everywhere")
    _give(user, two.north, role)
    _give(user, two.south, role)
    for route in of("every-site"):
        right = DONE if route.one_of & ROLE_PERMISSIONS[role] else (403,)
        check(two, two.client(user=user), [route], status(*right))


def test_what_all_sites_share_is_closed_to_every_role_of_one_site(two):
    user = User.objects.create_user("local")
    _give(user, two.north, *Role)
    check(two, two.client(user=user), of("every-site"), status(403))


def test_pages_for_everybody_signed_in_open_to_a_planner(two):
    chosen = [route for route in of("signed-in") if route.name != "site"]
    check(two, two.client(Role.PLANNER), chosen, status(*DONE))


def test_a_permission_held_elsewhere_does_not_reach_here(two):
    """A viewer of this site who has every role at the other site."""
    user = User.objects.create_user("traveller")
    _give(user, two.north, Role.VIEWER)
    _give(user, two.south, *Role)
    unseen = set(Permission) - ROLE_PERMISSIONS[Role.VIEWER]
    chosen = [route for route in OWN if route.access in unseen and route.is_about_a_row]
    assert chosen
    check(two, two.client(user=user), chosen, status(404))


def test_somebody_without_any_site_sees_empty_pages_and_no_row(two):
    client = two.client(user=User.objects.create_user("nobody"))
    check(two, client, (r for r in of("signed-in") if r.is_about_a_row), status(404))
    pages = [r for r in of("signed-in") if not r.is_about_a_row and r.name != "site"]
    check(two, client, pages, status(200))
    check(two, client, of("every-site", *Permission.values), status(403))


def test_another_site_cannot_be_chosen(two):
    client = two.client(Role.PLANNER)
    for plant, told in ((two.north, 302), (two.south, 404)):
        answer = call(client, "post", reverse("site"), data={"site": plant.site.pk})
        assert answer.status == told


@pytest.mark.parametrize("verb", ["move", "pin", "remove"])
def test_work_of_another_site_cannot_be_put_into_a_schedule(two, verb):
    draft = two.north.site.schedules.draft().get()
    theirs = WorkOrder.objects.filter(site=two.south.site).first()
    body = {
        "revision": draft.revision,
        "work_order": theirs.pk,
        "start": "2026-03-02T08:00",
        "technicians": [],
        "pinned": True,
    }
    answer = call(
        two.client(Role.PLANNER),
        "post",
        reverse(f"schedule_{verb}", args=[draft.pk]),
        data=json.dumps(body),
        content_type="application/json",
    )
    assert answer.status == 404


def test_of_the_work_orders_ticked_only_those_of_this_site_are_decided(two):
    ours = WorkOrder.objects.filter(site=two.north.site).proposed().first()
    theirs = WorkOrder.objects.filter(site=two.south.site).proposed().first()
    client = two.client(Role.PLANNER)
    with rolled_back():
        chosen = {"chosen": [ours.pk, theirs.pk], "decision": "accept"}
        client.post(reverse("work_orders_decide"), chosen)
        states = [WorkOrder.objects.get(pk=each.pk).state for each in (ours, theirs)]
    assert states == ["accepted", "proposed"]


@pytest.mark.parametrize("role", [Role.REQUESTER, Role.TECHNICIAN])
def test_those_who_see_their_own_work_see_no_other(two, role):
    client, user = two.client(role), two.users[role]
    own = set(WorkOrder.objects.for_user(user).values_list("pk", flat=True))
    assert len(own) == 1
    for each in WorkOrder.objects.filter(site=two.north.site):
        answer = call(client, "get", reverse("work_order", args=[each.pk]))
        assert answer.status == (200 if each.pk in own else 404)


def bearer(secret: str, scheme: str = "Bearer") -> dict[str, Any]:
    return {"headers": {"Authorization": f"{scheme} {secret}"}}


def test_routes_for_machines_want_a_token_that_is_good(two):
    bad = [
        {},
        bearer("vg_unknown"),
        bearer(two.secrets["north"], scheme="Basic"),
        bearer(two.secrets["revoked"]),
        bearer(two.secrets["expired"]),
    ]
    for more in bad:
        check(two, two.client(), of("token"), status(401), **more)


def test_signing_in_opens_no_route_for_machines(two):
    check(two, two.client(Role.ADMINISTRATOR), of("token"), status(401))


def test_a_token_opens_what_its_scopes_name(two):
    check(two, two.client(), of("token"), status(403), **bearer(two.secrets["none"]))
    # 404: no schedule is published; 415: a form is no reading.
    right = status(*DONE, 404, 415)
    check(two, two.client(), of("token"), right, **bearer(two.secrets["north"]))


@dataclass(frozen=True)
class Renamed:
    """A plant whose first asset has a code that no other site has."""

    site: Any

    def asset(self, _code: str) -> Any:
        return self.site.assets.get(code="only-here")


def test_a_token_opens_no_row_of_another_site(two):
    rows = [route for route in of("token") if route.is_about_a_row]
    renamed = Renamed(two.south.site)
    with rolled_back():
        two.south.site.assets.filter(code="P-1").update(code="only-here")
        own, other = bearer(two.secrets["south"]), bearer(two.secrets["north"])
        check(two, two.client(), rows, status(200), plant=renamed, **own)
        check(two, two.client(), rows, status(404), plant=renamed, **other)


def test_the_administration_is_closed_to_all_but_superusers(two):
    """Even to somebody with every role in every site."""
    user = User.objects.create_user("everything")
    _give(user, two.north, *Role)
    _give(user, two.south, *Role)
    out = two.client()
    for client in (out, two.client(user=user)):
        wrong = []
        for route in ADMIN:
            answer = call(client, "get", route.url(two.north))
            shut = answer.status == 302 and "login" in answer.location
            # Who is signed in already would be sent to and fro by a page that is not the admin's.
            shut |= answer.status == 403 and route.name == "metrics" and client is not out
            if not shut and route.name not in ("admin:login", "admin:logout"):
                wrong.append(f"{route}: {answer.status}")
        tell([each for each in wrong if not each.endswith(": 405")])


def test_the_administration_opens_to_superusers(two):
    client = two.client(user=User.objects.create_superuser("root"))
    right = (*DONE, 403, 404, NO_SUCH_METHOD)
    answers = {route: call(client, "get", route.url(two.north)).status for route in ADMIN}
    tell([f"{route}: {given}" for route, given in answers.items() if given not in right])


def test_refusals_are_pages_in_words(two):
    client = two.client(Role.VIEWER)
    for url, given in ((reverse("work_order_new"), 403), ("/no-such-page/", 404)):
        answer = call(client, "get", url)
        assert answer.status == given
        assert b"<h1" in answer.content


def _give(user: User, plant: Any, *roles: Role) -> None:
    Membership.objects.bulk_create(
        Membership(user=user, site=plant.site, role=role, recorded_at=plant.now) for role in roles
    )
