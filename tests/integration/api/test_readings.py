import gzip
import json
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from maintenance import store
from maintenance.api import readings
from maintenance.choices import ImportDoor, ImportState, TokenScope
from maintenance.models import Import, MeasurementPoint, RejectedRow, Site
from tests.factories import (
    NOW,
    SECRET,
    ApiTokenFactory,
    AssetFactory,
    MeasurementPointFactory,
    SiteFactory,
)

pytestmark = pytest.mark.django_db

URL = "/api/v1/readings"
GOOD = {"asset": "P-1", "point": "vibration", "at": "2026-01-01T00:00:00Z", "value": 1.5}


@pytest.fixture
def site() -> Site:
    return SiteFactory.create()


@pytest.fixture
def point(site: Site) -> MeasurementPoint:
    asset = AssetFactory.create(site=site, code="P-1")
    return MeasurementPointFactory.create(asset=asset, code="vibration")


@pytest.fixture
def token(site: Site) -> None:
    ApiTokenFactory.create(site=site)


def post(body: Any, secret: str = SECRET, **headers: str) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {secret}", **headers}
    return Client().post(URL, data, content_type="application/json", headers=headers)


def rows(*changes: dict[str, Any]) -> dict[str, Any]:
    return {"readings": [{**GOOD, **change} for change in changes]}


def stored(point: MeasurementPoint) -> list[float]:
    return store.read([point.pk], 0, 2**62)[point.pk][1].tolist()


def test_readings_are_stored_and_the_request_is_recorded(
    token: None, point: MeasurementPoint
) -> None:
    answer = post(rows({}, {"at": "2026-01-01T01:00:00+01:00", "value": 2}, {}))
    batch = Import.objects.get()
    assert answer.status_code == 200
    assert answer.json() == {
        "received": 3,
        "accepted": 3,
        "new": 1,
        "duplicate": 2,
        "errors": [],
        "import_id": batch.pk,
    }
    assert (batch.door, batch.state, batch.received) == (ImportDoor.REST, ImportState.DONE, 3)
    assert stored(point) == [1.5]


def test_a_repeated_request_changes_nothing_and_says_so(
    token: None, point: MeasurementPoint
) -> None:
    post(rows({}))
    answer = post(rows({}))
    assert (answer.json()["new"], answer.json()["duplicate"]) == (0, 1)


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"asset": "P-9"}, "asset", "'P-9' is unknown"),
        ({"point": "vibratoin"}, "point", "the nearest known: vibration"),
        ({"point": None}, "point", "is missing"),
        ({"point": 7}, "point", "is not a text"),
        ({"point": "vib\x00"}, "point", "contains a NUL character"),
        ({"point": "vib\ud800"}, "point", "lone surrogate"),
        ({"asset": "P" * 5000}, "asset", "longer than 120"),
        ({"at": "01/01/2026"}, "at", "is not a date and time as expected"),
        ({"at": "2026-01-01T00:00:00"}, "at", "has no offset from UTC"),
        ({"at": "2126-01-01T00:00:00Z"}, "at", "in the future"),
        ({"at": "1926-01-01T00:00:00Z"}, "at", "before 1970"),
        ({"value": "high"}, "value", '"high" is not a number'),
        ({"value": True}, "value", "true is not a number"),
        ({"value": None}, "value", "is missing"),
        ({"value": float("nan")}, "value", "is not a finite number"),
        ({"value": 10**400}, "value", "is not a finite number"),
    ],
)
def test_a_bad_row_is_refused_by_name_and_the_rest_is_stored(
    token: None, point: MeasurementPoint, change: dict[str, Any], field: str, reason: str
) -> None:
    answer = post(rows({}, change, {"at": "2026-01-01T02:00:00Z", "value": 3}))
    assert answer.status_code == 200
    [error] = answer.json()["errors"]
    assert (error["row"], error["field"]) == (2, field)
    assert reason in error["reason"]
    assert stored(point) == [1.5, 3.0]
    kept = RejectedRow.objects.get()
    assert (kept.row, kept.field, kept.reason) == (2, field, error["reason"])


def test_a_number_beyond_all_numbers_is_refused_by_name(
    token: None, point: MeasurementPoint
) -> None:
    body = json.dumps(rows({}, {"value": 7})).replace("7}", "1e999}").encode()
    assert post(body).json()["errors"] == [
        {"row": 2, "field": "value", "reason": "is not a finite number"}
    ]


def test_a_row_that_is_no_object_is_refused(token: None, point: MeasurementPoint) -> None:
    assert post({"readings": [GOOD, 5]}).json()["errors"][0]["field"] == "row"


def test_when_every_row_is_bad_the_request_is_refused(token: None, point: MeasurementPoint) -> None:
    answer = post(rows({"point": "x"}))
    assert answer.status_code == 422
    assert answer.json()["accepted"] == 0
    assert Import.objects.get().refused == 1


def test_no_rows_are_no_mistake(token: None) -> None:
    assert post({"readings": []}).status_code == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"readings": [{"asset": "P-1", "poi', "malformed_json"),
        (b"\xff\xfe", "malformed_json"),
        (b"[" * 100_000, "malformed_json"),
        (b"[]", "malformed"),
        (b'{"rows": []}', "malformed"),
    ],
)
def test_a_body_that_is_no_list_of_readings_is_refused_whole(
    token: None, point: MeasurementPoint, body: bytes, code: str
) -> None:
    answer = post(body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert not Import.objects.exists()


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"authorization": ""}, "no_token"),
        ({"authorization": "Basic abc"}, "no_token"),
        ({"authorization": "Bearer vg_other"}, "wrong_token"),
    ],
)
def test_without_a_token_that_is_known_nothing_is_read(
    token: None, point: MeasurementPoint, headers: dict[str, str], code: str
) -> None:
    answer = post(rows({}), **headers)
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer["WWW-Authenticate"] == "Bearer"
    assert stored(point) == []


@pytest.mark.parametrize("ended", [{"revoked_at": NOW}, {"expires_at": NOW}])
def test_a_token_that_ended_is_wrong(site: Site, ended: dict[str, Any]) -> None:
    ApiTokenFactory.create(site=site, **ended)
    assert post(rows({})).json()["code"] == "wrong_token"


def test_a_token_for_something_else_is_not_enough(site: Site, point: MeasurementPoint) -> None:
    ApiTokenFactory.create(site=site, scopes=[TokenScope.READ_ASSETS.value])
    answer = post(rows({}))
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong_scope")


def test_a_token_opens_its_own_site_alone(point: MeasurementPoint) -> None:
    ApiTokenFactory.create()
    assert post(rows({})).json()["errors"][0]["field"] == "asset"
    assert stored(point) == []


def test_a_packed_body_is_unpacked(token: None, point: MeasurementPoint) -> None:
    packed = gzip.compress(json.dumps(rows({})).encode())
    assert post(packed, **{"content-encoding": "gzip"}).json()["new"] == 1


def test_a_body_is_unpacked_no_further_than_the_limit(token: None, settings: Settings) -> None:
    settings.MAX_BODY_BYTES = 10_000
    packed = gzip.compress(b"[" + b" " * 1_000_000 + b"]")
    answer = post(packed, **{"content-encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    "packed", [b"no gzip", gzip.compress(b"{}", mtime=0)[:-4], gzip.compress(b"", mtime=0) + b"x"]
)
def test_a_broken_packing_is_refused(token: None, packed: bytes) -> None:
    answer = post(packed, **{"content-encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (422, "broken_gzip")


def test_too_many_bytes_are_refused(token: None, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    answer = post(b" " * 101)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("value", [1, "x"])
def test_too_many_rows_are_refused(
    token: None, monkeypatch: pytest.MonkeyPatch, value: object
) -> None:
    monkeypatch.setattr(readings, "MOST_ROWS", 2)
    answer = post(rows({}, {}, {"value": value}))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_rows")


def test_other_types_and_packings_are_refused(token: None) -> None:
    sent = Client().post(
        URL, b"a,b", content_type="text/csv", headers={"authorization": f"Bearer {SECRET}"}
    )
    assert (sent.status_code, sent.json()["code"]) == (415, "wrong_type")
    assert post(rows({}), **{"content-encoding": "br"}).json()["code"] == "wrong_encoding"


def test_only_post_is_answered(token: None) -> None:
    assert Client().get(URL).status_code == 405
