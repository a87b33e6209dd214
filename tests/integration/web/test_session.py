"""Signing in and out, and choosing a language and a site."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from maintenance.choices import Role
from maintenance.models import Site, User
from maintenance.web.session import client_address
from tests.integration.web.a_plant import a_site, a_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def north() -> Site:
    return a_site("north")


@pytest.fixture
def ana(north: Site) -> User:
    return a_user("ana", roles=[(north, Role.VIEWER)])


def test_a_stranger_is_sent_to_sign_in_and_back(client: Client) -> None:
    response = client.get("/assets/1/")
    assert response.status_code == 302
    assert response["Location"] == "/login/?next=/assets/1/"


def test_the_right_password_opens_the_fleet(client: Client, ana: User) -> None:
    given = {"username": "ana", "password": "a long password"}
    assert client.post(reverse("login"), given)["Location"] == reverse("fleet")


def test_who_does_the_work_begins_with_their_own(client: Client, north: Site) -> None:
    a_user("tom", roles=[(north, Role.TECHNICIAN)])
    given = {"username": "tom", "password": "a long password"}
    assert client.post(reverse("login"), given)["Location"] == reverse("my_work")


def test_who_plans_as_well_begins_with_the_fleet(client: Client, north: Site) -> None:
    a_user("eva", roles=[(north, Role.TECHNICIAN), (north, Role.PLANNER)])
    given = {"username": "eva", "password": "a long password"}
    assert client.post(reverse("login"), given)["Location"] == reverse("fleet")


def test_a_wrong_password_is_refused_in_words(client: Client, ana: User) -> None:
    response = client.post(reverse("login"), {"username": "ana", "password": "guess"})
    assert response.status_code == 200
    assert 'role="alert"' in response.content.decode()


RIGHT, WRONG = "a long password", "guess"


def sign_in(client: Client, name: str = "ana", password: str = WRONG, **more: Any) -> Any:
    return client.post(reverse("login"), {"username": name, "password": password}, **more)


def guess(client: Client, times: int, **more: Any) -> int:
    """The status of the last answer."""
    return [sign_in(client, **more).status_code for _ in range(times)][-1]


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "Try again in 15 minutes."), ("es", "Inténtelo de nuevo dentro de 15 minutos.")],
)
def test_the_tenth_wrong_password_in_a_row_is_told_to_wait(
    client: Client, ana: User, language: str, words: str
) -> None:
    assert guess(client, 9) == 200
    answer = sign_in(client, headers={"Accept-Language": language})
    assert (answer.status_code, answer["Retry-After"]) == (429, "900")
    assert words in answer.content.decode()


def test_from_then_on_not_even_the_right_password_opens(client: Client, ana: User) -> None:
    guess(client, 10)
    assert sign_in(client, password=RIGHT).status_code == 429
    assert client.get(reverse("fleet")).status_code == 302


def test_who_waited_is_let_in_however_often_they_tried_meanwhile(client: Client, ana: User) -> None:
    guess(client, 10)
    AccessAttempt.objects.update(attempt_time=timezone.now() - dt.timedelta(minutes=14))
    assert guess(client, 3) == 429
    AccessAttempt.objects.update(attempt_time=timezone.now() - dt.timedelta(minutes=16))
    assert sign_in(client, password=RIGHT).status_code == 302


def test_a_right_password_forgets_the_wrong_ones(client: Client, ana: User) -> None:
    guess(client, 9)
    sign_in(client, password=RIGHT)
    client.post(reverse("logout"))
    assert guess(client, 9) == 200


def test_a_name_that_nobody_has_waits_like_any_other(client: Client) -> None:
    assert guess(client, 10, name="nobody") == 429


def test_others_and_other_addresses_do_not_wait(client: Client, ana: User, north: Site) -> None:
    a_user("luis", roles=[(north, Role.VIEWER)])
    guess(client, 10)
    assert sign_in(client, "luis", RIGHT).status_code == 302
    client.post(reverse("logout"))
    assert sign_in(client, password=RIGHT, REMOTE_ADDR="10.0.0.9").status_code == 302


def test_the_administration_has_the_same_brake(client: Client, ana: User) -> None:
    guess(client, 10)
    told = {"username": "ana", "password": RIGHT}
    assert client.post(reverse("admin:login"), told).status_code == 429


@pytest.mark.parametrize(
    ("behind_proxy", "forwarded", "address"),
    [
        (False, "10.0.0.1", "127.0.0.1"),
        (True, "10.0.0.1", "10.0.0.1"),
        (True, "6.6.6.6, 10.0.0.1", "10.0.0.1"),
        (True, "2001:DB8::1", "2001:db8::1"),
        (True, "nonsense", "127.0.0.1"),
        (True, "", "127.0.0.1"),
    ],
)
def test_who_asks_is_the_last_that_the_proxy_names(
    rf: RequestFactory, settings: Any, behind_proxy: bool, forwarded: str, address: str
) -> None:
    """What stands before it, the asker may have written."""
    settings.BEHIND_PROXY = behind_proxy
    request = rf.get("/", headers={"X-Forwarded-For": forwarded})
    assert client_address(request) == address


def test_signing_in_leads_nowhere_outside(client: Client, ana: User) -> None:
    given = {"username": "ana", "password": "a long password", "next": "https://example.org/"}
    assert client.post(reverse("login"), given)["Location"] == reverse("fleet")


def test_signing_out_asks_for_a_post(client: Client, ana: User) -> None:
    client.force_login(ana)
    assert client.get(reverse("logout")).status_code == 405
    client.post(reverse("logout"))
    assert client.get(reverse("fleet"))["Location"].startswith(reverse("login"))


def test_a_stranger_may_choose_the_language(client: Client) -> None:
    client.post(reverse("language"), {"language": "es", "next": reverse("login")})
    assert '<html lang="es">' in client.get(reverse("login")).content.decode()


def test_choosing_a_language_leads_nowhere_outside(client: Client) -> None:
    response = client.post(reverse("language"), {"language": "es", "next": "//example.org"})
    assert response["Location"] == "/"


def test_a_chosen_site_stays_for_the_visit(client: Client, ana: User, north: Site) -> None:
    south = a_site("south")
    both = a_user("luis", roles=[(north, Role.VIEWER), (south, Role.VIEWER)])
    client.force_login(both)
    assert client.get(reverse("fleet")).wsgi_request.site == north  # type: ignore[attr-defined]
    client.post(reverse("site"), {"site": south.pk})
    assert client.get(reverse("fleet")).wsgi_request.site == south  # type: ignore[attr-defined]


@pytest.mark.parametrize("site", ["", "x", "99999", "-1"])
def test_a_site_that_is_not_there_is_not_found(client: Client, ana: User, site: str) -> None:
    client.force_login(ana)
    assert client.post(reverse("site"), {"site": site}).status_code == 404


def test_a_site_of_others_is_not_found(client: Client, ana: User) -> None:
    client.force_login(ana)
    assert client.post(reverse("site"), {"site": a_site("south").pk}).status_code == 404


def test_the_site_menu_is_there_only_for_a_choice(client: Client, ana: User, north: Site) -> None:
    client.force_login(ana)
    assert 'id="side-site"' not in client.get(reverse("fleet")).content.decode()
    a_user("luis", roles=[(north, Role.VIEWER), (a_site("south"), Role.VIEWER)])
    client.force_login(User.objects.get(username="luis"))
    assert 'id="side-site"' in client.get(reverse("fleet")).content.decode()


def test_an_unknown_page_says_so_in_the_frame(client: Client, ana: User) -> None:
    client.force_login(ana)
    response = client.get("/no-such-page/")
    assert response.status_code == 404
    assert "There is nothing here" in response.content.decode()


@pytest.mark.parametrize("page", ["400", "403", "403_csrf", "404"])
def test_each_refusal_has_its_page(page: str, rf: RequestFactory) -> None:
    html = render_to_string(f"{page}.html", request=rf.get("/"))
    assert "Back to the fleet" in html


def test_the_page_of_a_fault_needs_no_request() -> None:
    assert "Something broke" in render_to_string("500.html")
