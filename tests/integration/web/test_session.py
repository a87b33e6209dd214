"""Signing in and out, and choosing a language and a site."""

from __future__ import annotations

import pytest
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.urls import reverse

from maintenance.choices import Role
from maintenance.models import Site, User
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


def test_a_wrong_password_is_refused_in_words(client: Client, ana: User) -> None:
    response = client.post(reverse("login"), {"username": "ana", "password": "guess"})
    assert response.status_code == 200
    assert 'role="alert"' in response.content.decode()


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
