"""Large files of readings through the API, whatever is in them."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from django.test import Client
from django.utils import timezone

from maintenance import operations, store, tasks
from maintenance.api import tokens
from maintenance.choices import ImportDoor, ImportState, TokenScope
from maintenance.models import ApiToken, Import, MeasurementPoint, Operation, Site
from maintenance.sources import csv_pieces, ndjson_pieces, parquet_pieces, spool, uploads
from tests.factories import (
    SECRET,
    ApiTokenFactory,
    AssetFactory,
    MeasurementPointFactory,
    SiteFactory,
)

pytestmark = pytest.mark.django_db

URL = "/api/v1/uploads"
LONG = "asset,point,at,value\n"
GOOD = "P-1,vibration,2026-01-01T00:00:00Z,1.5\n"


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path / "uploads"


@pytest.fixture
def site() -> Site:
    return SiteFactory.create()


@pytest.fixture
def points(site: Site) -> dict[str, MeasurementPoint]:
    """Two points of each of two pumps, by "asset point"."""
    return {
        f"{asset.code} {code}": MeasurementPointFactory.create(asset=asset, code=code)
        for asset in (AssetFactory.create(site=site, code=f"P-{i}") for i in (1, 2))
        for code in ("vibration", "pressure")
    }


@pytest.fixture(autouse=True)
def token(site: Site) -> Any:
    return ApiTokenFactory.create(site=site)


def send(body: bytes | str, kind: str = "text/csv", secret: str = SECRET, **query: str) -> Any:
    data = body.encode() if isinstance(body, str) else body
    address = f"{URL}?" + "&".join(f"{name}={value}" for name, value in query.items())
    headers = {"authorization": f"Bearer {secret}"}
    return Client().post(address, data, content_type=kind, headers=headers)


def perform() -> None:
    """As a worker does, without the heart: its own connection does not see a test's rows."""
    for operation in Operation.objects.open():
        run = operations.lease(operation_id=operation.pk, clock=timezone.now)
        assert run is not None
        tasks.STAGES[run.kind](run)
        run.finish()


def taken(body: bytes | str, kind: str = "text/csv", **query: str) -> dict[str, Any]:
    """Send, let a worker do it, and ask what became of it."""
    answer = send(body, kind, **query)
    assert answer.status_code == 202, answer.content
    perform()
    return state(answer.json()["id"])


def state(number: int) -> dict[str, Any]:
    answer = Client().get(f"{URL}/{number}", headers={"authorization": f"Bearer {SECRET}"})
    assert answer.status_code == 200, answer.content
    return answer.json()


def limit(token: ApiToken, point: MeasurementPoint) -> None:
    token.limited = True
    token.save()
    token.points.add(point)


def counts(told: dict[str, Any]) -> tuple[int, int, int, int]:
    return told["received"], told["new"], told["duplicate"], told["refused"]


def of(point: MeasurementPoint) -> list[float]:
    return store.read([point.pk], 0, 2**62)[point.pk][1].tolist()


def refused(told: dict[str, Any]) -> list[tuple[int, str]]:
    return [(error["row"], error["field"]) for error in told["errors"]]


def test_a_file_is_answered_when_it_is_safe_and_taken_by_a_worker(points: Any) -> None:
    answer = send(LONG + GOOD, name="plant.csv")
    assert answer.status_code == 202
    told = answer.json()
    assert (told["state"], told["progress"], told["file_name"]) == ("queued", 0.0, "plant.csv")
    perform()
    done = state(told["id"])
    assert (done["state"], done["progress"]) == ("done", 1.0)
    assert counts(done) == (1, 1, 0, 0)
    assert of(points["P-1 vibration"]) == [1.5]
    assert Import.objects.get().door == ImportDoor.UPLOAD


def test_the_same_file_sent_again_changes_nothing_and_says_so(points: Any) -> None:
    first = taken(LONG + GOOD)
    answer = send(gzip.compress((LONG + GOOD).encode()))
    assert answer.status_code == 200
    assert answer.json() == {**first, "repeated": True}
    assert Operation.objects.open().count() == 0
    assert Import.objects.count() == 1


def test_another_token_with_the_same_file_has_an_import_of_its_own(site: Site, points: Any) -> None:
    taken(LONG + GOOD)
    ApiTokenFactory.create(site=site, secret="vg_other")
    assert send(LONG + GOOD, secret="vg_other").status_code == 202
    perform()
    assert counts(state(Import.objects.latest("pk").pk)) == (1, 0, 1, 0)


def test_a_file_can_be_taken_once_more_after_a_missing_point_was_made(
    site: Site, points: Any
) -> None:
    body = LONG + GOOD + "P-9,vibration,2026-01-01T00:00:00Z,2\n"
    assert counts(taken(body)) == (2, 1, 0, 1)
    asset = AssetFactory.create(site=site, code="P-9")
    point = MeasurementPointFactory.create(asset=asset, code="vibration")
    assert counts(taken(body, again="true")) == (2, 1, 1, 0)
    assert of(point) == [2.0]


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("layout", ["long", "wide"])
@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
def test_every_form_of_a_table_gives_the_same_readings(
    points: Any, kind: str, layout: str, pack: Callable[[bytes], bytes]
) -> None:
    wide = pd.DataFrame(
        {
            "asset": ["P-1", "P-2", "P-1"],
            "at": pd.to_datetime(["2026-01-01T00:00Z", "2026-01-01T00:00Z", "2026-01-01T00:01Z"]),
            "vibration": [1.5, np.nan, 2.5],
            "pressure": [4.0, 5.0, 6.0],
        }
    )
    frame = wide
    if layout == "long":
        frame = wide.melt(["asset", "at"], var_name="point", value_name="value").dropna()
    done = taken(pack(_written(frame, kind)), name=f"plant.{kind}", kind="application/octet-stream")
    assert (counts(done), done["error"]) == ((5, 5, 0, 0), "")
    assert of(points["P-1 vibration"]) == [1.5, 2.5]
    assert of(points["P-2 vibration"]) == []
    assert of(points["P-1 pressure"]) == [4.0, 6.0]
    assert of(points["P-2 pressure"]) == [5.0]


def _written(frame: pd.DataFrame, kind: str) -> bytes:
    if kind == "parquet":
        file = io.BytesIO()
        frame.to_parquet(file)
        return file.getvalue()
    text = frame.assign(at=frame["at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    if kind == "csv":
        return text.to_csv(index=False).encode()
    return text.to_json(orient="records", lines=True).encode()


BAD_LINES = {
    "P-1,vibration,2026-01-01T00:01:00Z,abc": "value",
    "P-1,vibration,2026-01-01T00:01:00Z,": "value",
    "P-1,vibration,2026-01-01T00:01:00Z,1e999": "value",
    "P-1,vibration,2026-01-01T00:01:00Z,NaN": "value",
    "P-1,vibration,2026-01-01T00:01:00Z,1,2": "value",
    "P-1,vibration,2026-02-30T00:01:00Z,1": "at",
    "P-1,vibration,yesterday,1": "at",
    "P-1,vibration,2999-01-01T00:00:00Z,1": "at",
    "P-1,vibration,1969-12-31T00:00:00Z,1": "at",
    "P-1,temperature,2026-01-01T00:01:00Z,1": "point",
    "P-7,vibration,2026-01-01T00:01:00Z,1": "asset",
    f"{'P' * 5000},vibration,2026-01-01T00:01:00Z,1": "asset",
    "P-\x001,vibration,2026-01-01T00:01:00Z,1": "asset",
    '"P-1,vibration,2026-01-01T00:01:00Z,1': "asset",
    "": "",
    "#P-1,vibration,2026-01-01T00:01:00Z,1": "",
}


@pytest.mark.parametrize(("bad", "field"), BAD_LINES.items(), ids=range(len(BAD_LINES)))
def test_a_bad_line_is_named_and_the_others_are_kept(points: Any, bad: str, field: str) -> None:
    later = GOOD.replace("T00:00", "T02:00")
    done = taken(LONG + GOOD + bad + "\n" + later)
    assert refused(done) == ([(3, field)] if field else [])
    assert counts(done) == (2 + bool(field), 2, 0, bool(field))


def test_bytes_of_another_encoding_are_named_and_the_others_are_kept(points: Any) -> None:
    body = (LONG + GOOD).encode() + b"P-\xe11,vibration,2026-01-01T00:01:00Z,1\n"
    assert refused(taken(body)) == [(3, "asset")]
    assert of(points["P-1 vibration"]) == [1.5]


BAD_OBJECTS = {
    '{"asset": "P-1", "point": "vibration", "at": "2026-01-01T00:01:00Z"}': "value",
    '{"asset": "P-1", "point": "vibration", "at": "2026-01-01T00:01:00Z", "value": [1]}': "value",
    '{"asset": "P-1", "point": "vibration", "at": "2026-01-01T00:01:00Z", "value": 1e999}': "value",
    '{"asset": "P-1", "point": "vibration", "at": "2026-01-01T00:01:00Z", "value": NaN}': "value",
    '{"asset": "\\ud800", "point": "vibration", "at": "2026-01-01T00:01:00Z", "value": 1}': "asset",
    '{"asset": "P-1", "point": "vibration", "value": 1}': "at",
    '{"asset": "P-1", "point": "vib': "row",
    "[1, 2]": "row",
    "[" * 100_000: "row",
    "\x00": "row",
}


@pytest.mark.parametrize(("bad", "field"), BAD_OBJECTS.items(), ids=range(len(BAD_OBJECTS)))
def test_a_bad_object_is_named_and_the_others_are_kept(points: Any, bad: str, field: str) -> None:
    good = {"asset": "P-1", "point": "vibration", "at": "2026-01-01T00:00:00Z", "value": 1.5}
    later = {**good, "at": "2026-01-01T02:00:00Z"}
    done = taken("\n".join([json.dumps(good), bad, json.dumps(later)]), "application/x-ndjson")
    assert refused(done) == [(2, field)]
    assert counts(done) == (3, 2, 0, 1)


def test_the_rows_of_a_frame_that_cannot_be_taken_are_named(points: Any) -> None:
    frame = pd.DataFrame(
        {
            "asset": ["P-1", None, "P-1", "P-1", "P-7"],
            "point": "vibration",
            "at": pd.to_datetime(["2026-01-01T00:00Z"] * 3 + [None, "2026-01-01T00:00Z"]),
            "value": [1.5, 1.0, np.inf, 1.0, 1.0],
        }
    )
    done = taken(_written(frame, "parquet"), "application/vnd.apache.parquet")
    assert refused(done) == [(2, "asset"), (3, "value"), (4, "at"), (5, "asset")]
    assert counts(done) == (5, 1, 0, 4)


def test_refused_rows_can_be_downloaded(points: Any) -> None:
    done = taken(LONG + GOOD + "P-1,vibration,yesterday,1\n")
    answer = Client().get(done["errors_url"], headers={"authorization": f"Bearer {SECRET}"})
    lines = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "row,field,reason,raw"
    assert lines[1].startswith("3,at,")
    assert lines[1].endswith('"P-1,vibration,yesterday,1"')


@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_the_page_of_an_upload_gives_its_refused_rows(
    admin_client: Client, points: Any, kind: str
) -> None:
    frame = pd.DataFrame(
        {
            "asset": ["P-1"],
            "point": "heat",
            "at": pd.to_datetime(["2026-01-01T00:00Z"]),
            "value": 1.5,
        }
    )
    done = taken(_written(frame, kind), kind="text/plain", format=kind)
    page = admin_client.get(f"/data/imports/{done['id']}/")
    assert page.status_code == 200
    assert "heat" in page.content.decode()
    retry = admin_client.get(f"/data/imports/{done['id']}/errors.csv?as=retry")
    assert retry.status_code == (200 if kind == "csv" else 404)


def test_a_line_of_any_length_costs_little_memory_and_no_other_line(
    points: Any, monkeypatch: Any
) -> None:
    for module in (csv_pieces, ndjson_pieces):
        monkeypatch.setattr(module, "PIECE_BYTES", 4096)
        monkeypatch.setattr(module, "TEXT_BYTES", 1024)
    body = LONG + GOOD + "x" * 50_000 + "\n" + GOOD.replace("T00", "T02")
    done = taken(body)
    assert refused(done) == [(3, "asset")]
    assert counts(done) == (3, 2, 0, 1)


def test_a_file_larger_than_the_setting_is_refused_however_it_is_packed(
    settings: Any, points: Any
) -> None:
    settings.MAX_UPLOAD_BYTES = 100_000
    bomb = gzip.compress(b"\n" * 50_000_000)
    assert len(bomb) < settings.MAX_UPLOAD_BYTES
    for body in (bomb, b"x" * 100_001):
        answer = send(body)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert not list(settings.MEDIA_ROOT.glob("**/*.*"))


def test_parquet_that_tells_more_rows_than_fit_is_refused_by_its_import(
    settings: Any, points: Any
) -> None:
    settings.MAX_UPLOAD_BYTES = 2_000_000
    frame = pd.DataFrame(
        {"asset": ["P-1"] * 1_000_000, "point": "vibration", "at": 0, "value": 1.0}
    )
    body = _written(frame, "parquet")
    assert len(body) < settings.MAX_UPLOAD_BYTES
    done = taken(body, "application/vnd.apache.parquet")
    assert (done["state"], counts(done)) == ("failed", (0, 0, 0, 0))
    assert "unpacks to more" in done["error"]


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (gzip.compress((LONG + GOOD).encode(), mtime=0)[:-9], "text/csv", 422, "broken_gzip"),
        (b"\x1f\x8bnonsense", "text/csv", 422, "broken_gzip"),
        (b"PAR1 and no end", "application/x-parquet", 422, "broken_parquet"),
        (b"asset,point", "application/x-parquet", 422, "broken_parquet"),
        (b"x", "application/pdf", 415, "wrong_type"),
    ],
)
def test_a_file_that_cannot_be_kept_is_refused_at_once(
    settings: Any, body: bytes, kind: str, status: int, code: str
) -> None:
    answer = send(body, kind)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not Import.objects.exists()
    assert not list(settings.MEDIA_ROOT.glob("**/*.*"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("layout", "tall"),
        ("time_zone", "Mars/Olympus"),
        ("date_format", "soon"),
        ("decimal_comma", "perhaps"),
        ("name", "a%00b"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(name: str, value: str) -> None:
    answer = send(LONG, **{name: value})
    assert (answer.status_code, answer.json()["code"]) == (422, "wrong_parameter")


def test_an_empty_file_is_refused() -> None:
    answer = send(gzip.compress(b""))
    assert (answer.status_code, answer.json()["code"]) == (422, "empty")


def test_a_full_disk_is_told_and_leaves_nothing_behind(settings: Any, monkeypatch: Any) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool.os, "fsync", full)
    answer = send(LONG + GOOD)
    assert (answer.status_code, answer.json()["code"]) == (503, "disk_full")
    assert int(answer["Retry-After"]) > 0
    assert not list(settings.MEDIA_ROOT.glob("**/*.*"))


def test_a_file_without_the_columns_makes_a_failed_import_that_says_so(points: Any) -> None:
    done = taken("machine,value\n1,2\n", name="history.csv")
    assert done["state"] == "failed"
    assert done["error"].startswith("history.csv has no column 'asset', 'at'")


def test_a_failed_file_may_be_sent_again(points: Any) -> None:
    taken("machine,value\n1,2\n")
    assert send("machine,value\n1,2\n").status_code == 202


def test_a_token_of_some_points_writes_no_others(token: Any, points: Any) -> None:
    limit(token, points["P-1 vibration"])
    done = taken(LONG + GOOD + GOOD.replace("P-1", "P-2"))
    assert refused(done) == [(3, "point")]
    assert counts(done) == (2, 1, 0, 1)


def test_a_token_whose_last_point_is_gone_writes_nothing(token: Any, points: Any) -> None:
    limit(token, points["P-2 pressure"])
    points["P-2 pressure"].delete()
    assert counts(taken(LONG + GOOD)) == (1, 0, 0, 1)
    assert of(points["P-1 vibration"]) == []


@pytest.mark.parametrize("ended", ["revoked_at", "expires_at", "deleted"])
def test_a_file_whose_token_ended_before_it_was_taken_fails(
    token: Any, points: Any, ended: str
) -> None:
    assert send(LONG + GOOD).status_code == 202
    if ended == "deleted":
        token.delete()
    else:
        setattr(token, ended, timezone.now())
        token.save()
    perform()
    batch = Import.objects.get()
    assert batch.state == ImportState.FAILED
    assert batch.error == "The token of the upload was deleted or revoked, or it expired."
    assert of(points["P-1 vibration"]) == []


def test_a_token_with_too_many_requests_in_work_sends_no_file(token: Any, settings: Any) -> None:
    settings.TOKEN_REQUESTS_AT_ONCE = 1
    with tokens.one_more(token):
        answer = send(LONG + GOOD)
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
    assert not Import.objects.exists()
    assert send(LONG + GOOD).status_code == 202


def test_a_token_without_the_scope_sends_nothing(site: Site) -> None:
    scopes = [TokenScope.READ_READINGS.value]
    ApiTokenFactory.create(site=site, secret="vg_reader", scopes=scopes)
    assert send(LONG + GOOD, secret="vg_reader").status_code == 403


def test_an_upload_of_another_site_is_not_found(points: Any) -> None:
    done = taken(LONG + GOOD)
    ApiTokenFactory.create(secret="vg_elsewhere")
    headers = {"authorization": "Bearer vg_elsewhere"}
    for address in (f"{URL}/{done['id']}", f"{URL}/{done['id']}/errors.csv"):
        assert Client().get(address, headers=headers).status_code == 404


def test_times_without_offset_are_those_of_the_site_or_as_told(site: Site, points: Any) -> None:
    site.time_zone = "Europe/Madrid"
    site.save()
    taken(LONG + "P-1,vibration,2026-01-01 01:00,1\n")
    taken(LONG + "P-1,vibration,2026-01-01 01:00,2\n", time_zone="UTC")
    taken(LONG + "P-1,vibration,1767232800000,3\n", date_format="epoch_ms")
    taken("asset;point;at;value\nP-1;vibration;2026-01-01 03:00;4,5\n", decimal_comma="true",
          time_zone="UTC")  # fmt: skip
    hours = (store.read([points["P-1 vibration"].pk], 0, 2**62)[points["P-1 vibration"].pk][0]
             - 1767225600000000) / 3_600_000_000  # fmt: skip
    assert hours.tolist() == [0, 1, 2, 3]
    assert of(points["P-1 vibration"]) == [1.0, 2.0, 3.0, 4.5]


class TestBlocks:
    """Files of many pieces and blocks, one of which is interrupted."""

    ROWS = 3_000

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: Any) -> None:
        for module in (csv_pieces, ndjson_pieces):
            monkeypatch.setattr(module, "PIECE_BYTES", 8_192)
            monkeypatch.setattr(module, "TEXT_BYTES", 1_024)
        monkeypatch.setattr(parquet_pieces, "BATCH_CELLS", 800)
        monkeypatch.setattr(uploads, "BLOCK_ROWS", 500)

    def frame(self) -> pd.DataFrame:
        rng = np.random.default_rng(4)
        at = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(
            rng.integers(0, 100_000, self.ROWS), unit="s"
        )
        names = (
            rng.choice(["P-1", "P-2"], self.ROWS),
            rng.choice(["vibration", "pressure"], self.ROWS),
        )
        values = rng.normal(size=self.ROWS).round(3)
        return pd.DataFrame({"asset": names[0], "point": names[1], "at": at, "value": values})

    def body(self, kind: str) -> bytes:
        """With a bad row in the middle of the second block."""
        frame = self.frame()
        frame.loc[700, "asset"] = "P-7"
        if kind != "parquet":
            text = _written(frame, kind).decode().splitlines(keepends=True)
            place = 1234 + (kind == "csv")
            text[place] = text[place].replace("2026-", "today-")
            return "".join(text).encode()
        frame.loc[1234, "at"] = pd.NaT
        return _written(frame, kind)

    def expected(self) -> dict[tuple[str, str], dict[int, float]]:
        kept: dict[tuple[str, str], dict[int, float]] = {}
        for i, (asset, point, at, value) in enumerate(self.frame().itertuples(index=False)):
            if i not in (700, 1234):
                kept.setdefault((asset, point), {}).setdefault(at.value // 1000, value)
        return kept

    @pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
    @pytest.mark.parametrize("deaths", [0, 10])
    def test_each_row_is_counted_once_however_often_a_run_dies(
        self, points: Any, kind: str, deaths: int, monkeypatch: Any
    ) -> None:
        answer = send(self.body(kind), name=f"plant.{kind}", kind="application/octet-stream")
        operation = Operation.objects.get()
        for death in range(deaths):
            run = operations.lease(operation_id=operation.pk, clock=timezone.now)
            assert run is not None
            with pytest.raises(_Killed):
                tasks._upload(_dying(run, after=death % 2))
            Operation.objects.update(lease_until=timezone.now() - operations.LEASE)
        perform()
        done = state(answer.json()["id"])
        first = 2 if kind == "csv" else 1
        field = {"csv": "asset", "ndjson": "asset", "parquet": "asset"}[kind]
        assert refused(done) == [(700 + first, field), (1234 + first, "at")]
        kept = self.expected()
        new = sum(len(each) for each in kept.values())
        assert counts(done) == (self.ROWS, new, self.ROWS - 2 - new, 2)
        for (asset, code), readings in kept.items():
            point = points[f"{asset} {code}"]
            at_us, values = store.read([point.pk], 0, 2**62)[point.pk]
            assert dict(zip(at_us.tolist(), values.tolist(), strict=True)) == readings

    def test_a_file_that_was_given_up_goes_on_from_its_place_when_it_is_sent_again(
        self, points: Any
    ) -> None:
        body = self.body("csv")
        send(body)
        run = operations.lease(operation_id=Operation.objects.get().pk, clock=timezone.now)
        assert run is not None
        with pytest.raises(_Killed):
            tasks._upload(_dying(run, after=2))
        run.fail("the disk was full")
        half = Import.objects.get()
        assert 0 < half.received < self.ROWS
        answer = send(body)
        assert (answer.status_code, answer.json()["id"]) == (200, half.pk)
        perform()
        assert state(half.pk)["received"] == self.ROWS
        assert Import.objects.get().state == ImportState.DONE


class _Killed(BaseException):
    """Nothing is tidied up after it, as after kill -9."""


def _dying(run: operations.Run, *, after: int) -> operations.Run:
    """A run that dies once it has committed so many blocks, as it reports the next."""

    class Dying(operations.Run):
        left = after

        def fence(self, stage: str) -> operations.Fence:
            commit = super().fence(stage)

            def dies(result: dict[str, Any]) -> Operation | None:
                made = commit(result)
                if Dying.left == 0:
                    raise _Killed
                Dying.left -= 1
                return made

            return dies

    fields = {name: getattr(run, name) for name in operations.Run.__dataclass_fields__}
    return Dying(**fields)
