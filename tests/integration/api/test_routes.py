from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver
from django.urls.resolvers import URLPattern, URLResolver

from maintenance.api import describe, readings, told
from maintenance.choices import ImportDoor, TokenScope
from maintenance.flow import ingest
from maintenance.models import Site
from tests.factories import (
    LONG_AGO,
    NOW,
    SECRET,
    ApiTokenFactory,
    AssetFactory,
    SiteFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def site() -> Site:
    site = SiteFactory.create()
    scopes = [TokenScope.READ_ASSETS.value, TokenScope.READ_WORK.value]
    ApiTokenFactory.create(site=site, scopes=scopes)
    return site


def get(path: str, secret: str = SECRET) -> Any:
    return Client().get(f"/api/v1{path}", headers={"authorization": f"Bearer {secret}"})


def test_assets_are_those_of_the_site_page_by_page(site: Site) -> None:
    for code in ("P-2", "P-1", "P-3"):
        AssetFactory.create(site=site, code=code, attributes={"rated_kw": 11.0})
    AssetFactory.create(code="elsewhere")
    answer = get("/assets?limit=2&offset=1").json()
    assert answer["count"] == 3
    assert [asset["code"] for asset in answer["items"]] == ["P-2", "P-3"]
    first = answer["items"][0]
    assert first["attributes"] == {"rated_kw": 11.0}
    assert first["commissioned_at"] == LONG_AGO.isoformat().replace("+00:00", "Z")


def test_an_asset_without_forecasts_has_none(site: Site) -> None:
    AssetFactory.create(site=site, code="L1/P-1")
    assert get("/assets/L1/P-1/forecasts").json() == []


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/assets/P-1/forecasts", "no_asset"),
        ("/schedule", "no_schedule"),
        ("/imports/1", "no_import"),
    ],
)
def test_what_is_not_there_or_not_yours_is_not_found(site: Site, path: str, code: str) -> None:
    AssetFactory.create(code="P-1")
    answer = get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, code)


def test_work_orders_are_filtered_by_state(site: Site) -> None:
    assert get("/work-orders?state=proposed").json() == {"count": 0, "items": []}
    assert get("/work-orders?state=lost").json()["code"] == "wrong_parameter"


def test_an_import_tells_what_became_of_it(site: Site) -> None:
    outcome = ingest.take_rows(
        site=site, table="parts", rows=[{"code": "a"}, {"code": ""}], source="t", now=NOW
    )
    batch = ingest.take_whole(
        site=site, door=ImportDoor.UPLOAD, table="parts", outcome=outcome, now=NOW
    )
    answer = get(f"/imports/{batch.pk}").json()
    assert (answer["state"], answer["new"], answer["refused"]) == ("done", 1, 1)
    assert answer["errors"] == [{"row": 2, "field": "code", "reason": "is missing"}]
    assert (answer["errors_kept"], answer["progress"], answer["dead_lettered"]) == (1, None, 0)


def test_refused_rows_of_an_import_come_page_by_page(site: Site) -> None:
    rows = [{"code": ""}] * 5
    outcome = ingest.take_rows(site=site, table="parts", rows=rows, source="t", now=NOW)
    batch = ingest.take_whole(
        site=site, door=ImportDoor.UPLOAD, table="parts", outcome=outcome, now=NOW
    )
    answer = get(f"/imports/{batch.pk}?limit=2&offset=2").json()
    assert [error["row"] for error in answer["errors"]] == [3, 4]
    assert answer["errors_kept"] == 5


@pytest.mark.parametrize("path", ["/assets", "/assets/x/forecasts", "/work-orders", "/schedule"])
def test_each_endpoint_wants_its_scope(path: str) -> None:
    ApiTokenFactory.create(scopes=[])
    assert get(path).status_code == 403
    assert get(path, secret="vg_other").status_code == 401
    assert Client().get(f"/api/v1{path}").status_code == 401


def described() -> dict[str, Any]:
    answer: dict[str, Any] = Client().get("/api/v1/openapi.json").json()
    return answer


def routes() -> list[URLPattern]:
    found: list[URLPattern] = []
    for entry in get_resolver().url_patterns:
        if isinstance(entry, URLResolver):
            found += _under(entry, str(entry.pattern))
    return found


def _under(resolver: URLResolver, prefix: str) -> list[URLPattern]:
    found: list[URLPattern] = []
    for entry in resolver.url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            found += _under(entry, path)
        elif path.startswith("api/v1/"):
            found.append(entry)
    return found


def test_every_route_is_described() -> None:
    own = {"openapi-json", "openapi-view", "api-root"}
    operations = [method for path in described()["paths"].values() for method in path]
    assert len(routes()) == len(operations) + len(own)


def test_every_route_carries_a_mark() -> None:
    marks = {route.name: getattr(route.callback, "access", None) for route in routes()}
    assert marks.pop("openapi-json") == "public"
    assert marks.pop("api-root") == "public"
    assert marks.pop("openapi-view") == "signed-in"
    assert set(marks.values()) == {"token"}


def test_the_description_of_the_readings_is_what_the_view_takes_and_answers() -> None:
    schema = described()
    sent = schema["paths"]["/api/v1/readings"]["post"]
    names = schema["components"]["schemas"]
    assert set(names["Reading"]["required"]) == set(told.Reading.__struct_fields__)
    assert set(names["Columns"]["required"]) == set(told.Columns.__struct_fields__)
    assert set(names["Answer"]["required"]) == set(readings.Answer.__struct_fields__)
    ApiTokenFactory.create()
    examples = sent["requestBody"]["content"]["application/json"]["examples"]
    for example in examples.values():
        answer = Client().post(
            "/api/v1/readings",
            example["value"],
            content_type="application/json",
            headers={"authorization": f"Bearer {SECRET}"},
        )
        assert str(answer.status_code) in sent["responses"]
        assert set(answer.json()) == set(names["Answer"]["properties"])


def test_every_refusal_of_the_readings_is_described() -> None:
    answers = described()["paths"]["/api/v1/readings"]["post"]["responses"]
    refusals = {"401", "403", "408", "411", "413", "415", "422", "429", "503"}
    assert set(answers) == {"200", *refusals}
    assert "Retry-After" in answers["503"]["headers"]


def test_the_page_of_the_api_names_every_endpoint(client: Client) -> None:
    assert client.get("/api/v1/docs").status_code == 302
    client.force_login(UserFactory.create())
    page = client.get("/api/v1/docs").content.decode()
    for endpoint in describe.endpoints(described()):
        assert endpoint.path.replace("{", "{") in page
    assert "<script>" not in page
