import gzip
import json
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from maintenance import store
from maintenance.api import readings, tokens, told
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
        "refused": 0,
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
    settings.MAX_READINGS_BYTES = 100
    answer = post(b" " * 101)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("value", [1, "x"])
def test_too_many_rows_are_refused(
    token: None, monkeypatch: pytest.MonkeyPatch, value: object
) -> None:
    monkeypatch.setattr(told, "MOST_ROWS", 2)
    answer = post(rows({}, {}, {"value": value}))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_rows")


def test_other_types_and_packings_are_refused(token: None) -> None:
    sent = Client().post(
        URL, b"a,b", content_type="text/csv", headers={"authorization": f"Bearer {SECRET}"}
    )
    assert (sent.status_code, sent.json()["code"]) == (415, "wrong_type")
    assert post(rows({}), **{"content-encoding": "br"}).json()["code"] == "wrong_encoding"


def test_other_methods_are_not_answered(token: None) -> None:
    assert Client().delete(URL).status_code == 405


COLUMNS = {
    "times": "epoch_ms",
    "columns": [
        {
            "asset": "P-1",
            "at": [1767225600000, 1767225660000, 1767225720000],
            "values": {"vibration": [1.5, None, 2.5], "pressure": [6.0, 6.1, 6.2]},
        },
        {"asset": "P-2", "at": [1767225600000], "values": {"vibration": [9]}},
    ],
}


@pytest.fixture
def plant(point: MeasurementPoint) -> MeasurementPoint:
    """Two assets, one of them with two points; the last of them."""
    MeasurementPointFactory.create(asset=point.asset, code="pressure")
    second = AssetFactory.create(site=point.asset.site, code="P-2")
    return MeasurementPointFactory.create(asset=second, code="vibration")


def test_columns_are_stored_and_a_null_is_no_reading(
    token: None, point: MeasurementPoint, plant: MeasurementPoint
) -> None:
    answer = post(COLUMNS).json()
    assert (answer["received"], answer["new"], answer["errors"]) == (6, 6, [])
    assert (stored(point), stored(plant)) == ([1.5, 2.5], [9.0])


def test_rows_and_columns_say_the_same(
    token: None, point: MeasurementPoint, plant: MeasurementPoint
) -> None:
    post(COLUMNS)
    again = post(rows({}, {"at": "2026-01-01T00:02:00Z", "value": 2.5}))
    assert (again.json()["new"], again.json()["duplicate"]) == (0, 2)


@pytest.mark.parametrize(
    ("block", "errors"),
    [
        ({"asset": "P-9"}, [(1, "asset", "unknown"), (2, "asset", "unknown")]),
        (
            {"values": {"vibratoin": [1, 2]}},
            [(1, "point", "nearest known: vibration"), (2, "point", "nearest known: vibration")],
        ),
        ({"values": {"vibration": [1, "high"]}}, [(2, "values.vibration", "is not a number")]),
        ({"values": {"vibration": [1, float("nan")]}}, [(2, "values.vibration", "not a finite")]),
        ({"values": {"vibration": [10**400, 1]}}, [(1, "values.vibration", "not a finite")]),
        ({"at": [1767225600000, 1e30]}, [(2, "at", "out of range")]),
        ({"at": [1767225600000, True]}, [(2, "at", "true is not a number")]),
        ({"at": ["2026-01-01T00:00:00Z", 1767225600000]}, [(1, "at", "is not a number")]),
        ({"at": [1767225600000, 4102444800000]}, [(2, "at", "in the future")]),
    ],
)
def test_a_bad_value_of_a_column_is_refused_by_its_instant_and_point(
    token: None,
    point: MeasurementPoint,
    block: dict[str, Any],
    errors: list[tuple[int, str, str]],
) -> None:
    whole = {
        "asset": "P-1",
        "at": [1767225600000, 1767225660000],
        "values": {"vibration": [1, 2]},
        **block,
    }
    answer = post({"times": "epoch_ms", "columns": [whole]}).json()
    assert answer["refused"] == len(errors)
    assert answer["accepted"] == 2 - len(errors)
    for told_error, (row, field, reason) in zip(answer["errors"], errors, strict=True):
        assert (told_error["row"], told_error["field"]) == (row, field)
        assert reason in told_error["reason"]


def test_instants_of_further_blocks_are_counted_on(
    token: None, point: MeasurementPoint, plant: MeasurementPoint
) -> None:
    later = {"asset": "P-2", "at": [1767225660000], "values": {"vibration": ["x"]}}
    answer = post({**COLUMNS, "columns": [*COLUMNS["columns"], later]}).json()
    assert (answer["new"], answer["refused"], answer["errors"][0]["row"]) == (6, 1, 5)


def test_a_refused_value_is_kept_so_that_it_can_be_sent_again(
    token: None, point: MeasurementPoint
) -> None:
    block = {"asset": "P-1", "at": ["2026-01-01T00:00:00Z"], "values": {"vibratoin": [1.5]}}
    post({"columns": [block]})
    raw = json.loads(RejectedRow.objects.get().raw)
    assert raw == {**GOOD, "point": "vibratoin"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"columns": [{"asset": "P-1", "at": [1], "values": {"vibration": [1, 2]}}]}, "2 values"),
        ({"columns": [{"asset": "P-1", "at": 1, "values": {}}]}, "Send"),
        ({"columns": [{"asset": "P-1", "at": [], "values": []}]}, "Send"),
        ({"columns": {}}, "Send"),
        ({"columns": [], "readings": []}, "Send"),
        ({"times": "unix", "readings": []}, "epoch_ms"),
        ({"times": [], "readings": []}, "epoch_ms"),
    ],
)
def test_a_body_of_another_shape_is_refused_whole(
    token: None, point: MeasurementPoint, body: dict[str, Any], words: str
) -> None:
    answer = post(body)
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed")
    assert words in answer.json()["message"]


@pytest.mark.parametrize(
    ("at", "refused"),
    [
        ("2026-03-29T02:30:00Z", ""),
        ("2026-03-29 02:30:00.123456789+01:00", ""),
        ("2026-03-29T02:30-0330", ""),
        ("2026-03-29T02:30:00", "no offset"),
        ("2026-10-25T02:30:00", "no offset"),
        ("2026-03-29", "no offset"),
        ("29/03/2026 02:30", "not a date and time"),
        ("03/29/2026 02:30 PM", "not a date and time"),
        ("29.03.2026 02:30", "not a date and time"),
        ("20260329T023000Z", "not a date and time"),
        ("2026-W13-7T02:30:00Z", "not a date and time"),
        ("2026-088T02:30:00Z", "not a date and time"),
        ("Sun, 29 Mar 2026 02:30:00 GMT", "not a date and time"),
        ("1774751400000", "not a date and time"),
        ("2026-02-30T00:00:00Z", "no date of the calendar"),
        ("2026-03-29T25:00:00Z", "no date of the calendar"),
    ],
)
def test_an_instant_is_written_in_one_way_or_refused_with_its_reason(
    token: None, point: MeasurementPoint, at: str, refused: str
) -> None:
    answer = post(rows({}, {"at": at})).json()
    assert answer["accepted"] == (1 if refused else 2)
    assert [refused in error["reason"] for error in answer["errors"]] == ([True] if refused else [])


def test_the_hour_that_comes_twice_is_two_hours(token: None, point: MeasurementPoint) -> None:
    ambiguous = "2025-10-26T02:30:00"
    sent = rows({"at": f"{ambiguous}+02:00"}, {"at": f"{ambiguous}+01:00", "value": 2})
    assert post(sent).json()["new"] == 2
    assert stored(point) == [1.5, 2.0]


def test_a_token_for_some_points_writes_those_alone(
    site: Site, point: MeasurementPoint, plant: MeasurementPoint
) -> None:
    ApiTokenFactory.create(site=site, limited=True).points.add(point)
    answer = post(rows({}, {"asset": "P-2"}, {"asset": "P-9"})).json()
    assert (answer["new"], answer["refused"]) == (1, 2)
    assert answer["errors"][0] == {
        "row": 2,
        "field": "point",
        "reason": "the token may not write this measurement point",
    }
    assert (stored(point), stored(plant)) == ([1.5], [])


def test_a_token_for_some_points_writes_none_when_the_last_is_gone(
    site: Site, point: MeasurementPoint, plant: MeasurementPoint
) -> None:
    ApiTokenFactory.create(site=site, limited=True).points.add(plant)
    plant.delete()
    answer = post(rows({})).json()
    assert (answer["new"], answer["refused"]) == (0, 1)
    assert stored(point) == []


def test_a_token_that_is_given_a_point_by_hand_stays_limited_to_its_points(
    site: Site, point: MeasurementPoint, admin_client: Client
) -> None:
    token = ApiTokenFactory.create(site=site)
    page = reverse("admin:maintenance_measurementpoint_change", args=[point.pk])
    form = admin_client.get(page).context["adminform"].form
    filled = {name: value for name, value in form.initial.items() if value is not None}
    answer = admin_client.post(page, {**filled, "tokens": [token.pk]})
    assert answer.status_code == 302
    token.refresh_from_db()
    assert token.limited
    assert list(token.points.all()) == [point]


def test_a_token_with_too_many_requests_in_work_is_told_to_wait(
    site: Site, point: MeasurementPoint, settings: Settings
) -> None:
    settings.TOKEN_REQUESTS_AT_ONCE = 1
    token = ApiTokenFactory.create(site=site)
    ApiTokenFactory.create(site=site, secret="vg_of_another")
    with tokens.one_more(token):
        answer = post(rows({}))
        assert post(rows({}), secret="vg_of_another").status_code == 200
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
    assert answer["Retry-After"] == "1"
    assert post(rows({})).status_code == 200


def broken(code: str) -> OperationalError:
    """As a driver tells it: PostgreSQL by a code, SQLite by a name."""
    error = OperationalError("the database says so")
    cause = Exception()
    setattr(cause, "sqlite_errorname" if code.startswith("SQLITE") else "sqlstate", code)
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (broken("53100"), "disk_full"),
        (broken("SQLITE_FULL"), "disk_full"),
        (broken("SQLITE_BUSY"), "database_busy"),
        (broken("40P01"), "database_busy"),
        (broken("57P01"), "database_away"),
        (InterfaceError("connection already closed"), "database_away"),
    ],
)
def test_while_the_database_cannot_store_a_request_is_told_when_to_come_again(
    token: None,
    point: MeasurementPoint,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    code: str,
) -> None:
    def fail(*_given: Any, **_named: Any) -> None:
        raise error

    monkeypatch.setattr(store, "append", fail)
    answer = post(rows({}))
    assert (answer.status_code, answer.json()["code"]) == (503, code)
    assert int(answer["Retry-After"]) > 0
    assert not Import.objects.exists()


def test_a_body_in_chunks_is_asked_for_its_length(token: None) -> None:
    answer = post(rows({}), **{"transfer-encoding": "chunked"})
    assert (answer.status_code, answer.json()["code"]) == (411, "no_length")


def test_an_answer_names_so_many_refused_rows_and_counts_all(
    token: None, point: MeasurementPoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readings, "MOST_ERRORS", 2)
    answer = post(rows({}, *[{"point": "x"}] * 3)).json()
    assert (answer["refused"], len(answer["errors"])) == (3, 2)
    assert RejectedRow.objects.count() == 3


def test_a_whole_number_of_very_many_digits_is_refused_by_name(
    token: None, point: MeasurementPoint
) -> None:
    body = json.dumps(rows({}, {"value": 7})).replace("7}", "9" * 10_000 + "}").encode()
    assert post(body).json()["errors"][0]["reason"] == "is not a finite number"
