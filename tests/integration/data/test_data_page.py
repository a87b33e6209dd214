import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from maintenance import store, tasks
from maintenance.choices import ImportDoor, ImportState, OperationState, Role
from maintenance.flow import ingest
from maintenance.models import Import, MeasurementPoint, Operation, Site
from maintenance.queries import data as queries
from tests.factories import (
    NOW,
    AssetFactory,
    MeasurementPointFactory,
    MembershipFactory,
    SiteFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def site() -> Site:
    return SiteFactory.create()


@pytest.fixture
def point(site: Site) -> MeasurementPoint:
    asset = AssetFactory.create(site=site, code="P-1")
    return MeasurementPointFactory.create(asset=asset, code="vibration", sampling_seconds=600)


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def engineer(site: Site) -> Client:
    return as_role(site, Role.RELIABILITY_ENGINEER)


def as_role(site: Site, role: Role) -> Client:
    client = Client()
    client.force_login(MembershipFactory.create(site=site, role=role).user)
    return client


def send(client: Client, content: bytes, **changes: Any) -> Any:
    file = SimpleUploadedFile("mine.csv", content, content_type="text/csv")
    form = {"table": "readings", "mapping": "templates", "file": file, **changes}
    return client.post("/data/upload/", form)


GOOD = b"asset,point,at,value\nP-1,vibration,2026-01-01T01:00Z,1\n"


def perform() -> None:
    operation = Operation.objects.get()
    assert tasks.perform(operation_id=operation.pk, clock=timezone.now)


def test_an_upload_becomes_an_import_that_a_worker_takes(
    engineer: Client,
    point: MeasurementPoint,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    woken: list[int] = []
    monkeypatch.setattr("maintenance.operations.wake", lambda pk, _kind: woken.append(pk))
    with django_capture_on_commit_callbacks(execute=True):
        answer = send(engineer, GOOD)
    batch = Import.objects.get()
    assert answer.status_code == 302
    assert answer["Location"] == f"/data/imports/{batch.pk}/"
    assert (batch.door, batch.state) == (ImportDoor.UPLOAD, ImportState.RUNNING)
    assert woken == [Operation.objects.get().pk]
    assert "hx-trigger" in engineer.get(f"/data/imports/{batch.pk}/").content.decode()
    perform()
    batch.refresh_from_db()
    assert (batch.state, batch.new) == (ImportState.DONE, 1)
    assert store.last_at_us([point.pk])
    page = engineer.get(f"/data/imports/{batch.pk}/").content.decode()
    assert "No row was refused" in page


def test_refused_rows_are_shown_downloaded_corrected_and_sent_again(
    engineer: Client, point: MeasurementPoint
) -> None:
    bad = b'P-1,vibration,2026-01-01T02:00Z,high\nP-1,"vibration,2026-01-01T03:00Z,3\nP-1,=1+1,'
    send(engineer, GOOD + bad)
    perform()
    batch = Import.objects.get()
    assert (batch.new, batch.refused) == (1, 3)
    page = engineer.get(f"/data/imports/{batch.pk}/").content.decode()
    assert "&#x27;high&#x27; is not a number" in page
    told = engineer.get(f"/data/imports/{batch.pk}/errors.csv").content.decode("utf-8-sig")
    assert told.splitlines()[0] == "row,field,reason,row as it came"
    assert "3,value,'high' is not a number" in told.replace("''", "'")
    retry = engineer.get(f"/data/imports/{batch.pk}/errors.csv?as=retry").content.decode()
    assert retry.splitlines() == [
        "asset,point,at,value",
        "P-1,vibration,2026-01-01T02:00Z,high",
        'P-1,"vibration,2026-01-01T03:00Z,3',
        "P-1,=1+1,",
    ]
    fixed = (
        retry.replace("high", "2").replace('"', "").replace("=1+1,", "vibration,2026-01-01T04Z,4")
    )
    Operation.objects.all().delete()
    send(engineer, fixed.encode())
    perform()
    assert Import.objects.latest("pk").new == 2


def test_a_retry_needs_the_file_it_came_from(engineer: Client, site: Site) -> None:
    batch = ingest.take_whole(
        site=site, door=ImportDoor.REST, table="readings", outcome=ingest.Outcome(), now=NOW
    )
    assert engineer.get(f"/data/imports/{batch.pk}/errors.csv?as=retry").status_code == 404
    assert engineer.get(f"/data/imports/{batch.pk}/").status_code == 200


def test_an_import_by_a_mapping_of_ones_own_has_its_page_too(engineer: Client, site: Site) -> None:
    batch = ingest.open_batch(
        site=site, door=ImportDoor.COMMAND, table="readings", mapping="our-historian", now=NOW
    )
    assert engineer.get(f"/data/imports/{batch.pk}/").status_code == 200
    assert engineer.get(f"/data/imports/{batch.pk}/errors.csv?as=retry").status_code == 404


def test_a_file_without_a_header_has_a_page_that_says_so(engineer: Client, site: Site) -> None:
    answer = send(engineer, b"\n\n")
    perform()
    page = engineer.get(answer["Location"])
    assert page.status_code == 200
    assert "there is no line with the names of the columns" in page.content.decode()


def test_an_upload_is_kept_under_a_name_of_ours(engineer: Client, site: Site, media: Path) -> None:
    file = SimpleUploadedFile("../../evil.csv", GOOD)
    engineer.post("/data/upload/", {"table": "readings", "mapping": "templates", "file": file})
    [kept] = [path for path in media.rglob("*") if path.is_file()]
    assert kept.parent == media / str(site.pk)
    assert Import.objects.get().file_name == "evil.csv"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"file": ""}, "This field is required"),
        ({"table": "lost"}, "Select a valid choice"),
        ({"mapping": "azure_pdm", "table": "parts"}, "reads no such table from a file"),
        ({"file": SimpleUploadedFile("empty.csv", b"")}, "file is empty"),
    ],
)
def test_a_form_that_makes_no_sense_is_shown_again(
    engineer: Client, change: dict[str, Any], words: str
) -> None:
    answer = send(engineer, GOOD, **change)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Import.objects.exists()


def test_a_shipped_mapping_reads_its_own_files(engineer: Client, site: Site) -> None:
    asset = AssetFactory.create(site=site, code="1")
    point = MeasurementPointFactory.create(asset=asset, code="volt")
    rows = b"date,machineID,volt,rotate,pressure,vibration\n2015-01-01,1.0,170.6,,,\n"
    send(engineer, rows, table="readings_wide", mapping="azure_pdm")
    perform()
    assert Import.objects.get().new == 1
    assert store.read([point.pk], 0, 2**62)[point.pk][0].tolist() == [
        int(dt.datetime(2015, 1, 2, tzinfo=dt.UTC).timestamp() * 1_000_000)
    ]


def test_a_check_alone_keeps_nothing(engineer: Client, point: MeasurementPoint) -> None:
    send(engineer, GOOD, dry_run="on")
    perform()
    batch = Import.objects.get()
    assert (batch.dry_run, batch.new) == (True, 1)
    assert store.count() == 0
    assert "check only" in engineer.get("/data/").content.decode()


def test_only_those_who_may_import_are_offered_the_form(site: Site) -> None:
    viewer = as_role(site, Role.VIEWER)
    assert "data_upload" not in viewer.get("/data/").content.decode()
    assert "/data/upload/" not in viewer.get("/data/").content.decode()
    assert send(viewer, GOOD).status_code == 403


def test_who_may_import_elsewhere_may_not_import_here(site: Site) -> None:
    client = as_role(site, Role.RELIABILITY_ENGINEER)
    other = SiteFactory.create()
    user = MembershipFactory.create(
        site=other, role=Role.VIEWER, user_id=client.session["_auth_user_id"]
    ).user
    assert user.memberships.count() == 2
    session = client.session
    session["site"] = other.pk
    session.save()
    assert send(client, GOOD).status_code == 403


def test_imports_of_another_site_are_not_found(engineer: Client) -> None:
    elsewhere = SiteFactory.create()
    batch = ingest.take_whole(
        site=elsewhere, door=ImportDoor.REST, table="readings", outcome=ingest.Outcome(), now=NOW
    )
    for path in ("", "errors.csv"):
        assert engineer.get(f"/data/imports/{batch.pk}/{path}").status_code == 404


def test_a_site_without_data_is_told_how_to_begin(engineer: Client) -> None:
    page = engineer.get("/data/").content.decode()
    assert "Nothing was brought in yet" in page
    assert "No assets yet" in page


def test_somebody_without_a_site_is_shown_nothing() -> None:
    client = Client()
    client.force_login(UserFactory.create())
    assert client.get("/data/").status_code == 403


def test_the_imports_alone_are_asked_for_while_some_run(
    engineer: Client, point: MeasurementPoint
) -> None:
    send(engineer, GOOD)
    part = engineer.get("/data/?part=imports").content.decode()
    assert part.lstrip().startswith('<div id="imports"')
    assert "load delay:2s" in part
    perform()
    assert "load delay" not in engineer.get("/data/?part=imports").content.decode()


def test_of_what_machines_send_only_what_was_refused_is_listed(
    engineer: Client, site: Site
) -> None:
    refused = ingest.all_refused([ingest.RowError(1, "at", "is missing", "")])
    for outcome in (ingest.Outcome(received=1, new=1), refused):
        ingest.take_whole(
            site=site, door=ImportDoor.REST, table="readings", outcome=outcome, now=NOW
        )
    assert engineer.get("/data/").context["import_page"].paginator.count == 1


def test_templates_are_downloaded_by_table(engineer: Client) -> None:
    answer = engineer.get("/data/templates/assets.csv")
    assert answer.content.startswith(b"code,name,asset_class")
    assert "attachment" in answer["Content-Disposition"]
    assert engineer.get("/data/templates/lost.csv").status_code == 404


@pytest.mark.parametrize(
    ("hours", "state"), [(0.5, "fresh"), (5, "late"), (100, "silent"), (None, "never")]
)
def test_an_asset_is_as_fresh_as_its_last_reading(
    site: Site, point: MeasurementPoint, hours: float | None, state: str
) -> None:
    if hours is not None:
        at = int((NOW - dt.timedelta(hours=hours)).timestamp() * 1_000_000)
        store.append(np.array([point.pk]), np.array([at]), np.array([1.0]), now=NOW)
    [row] = queries.freshness(site.assets.all(), MeasurementPoint.objects.all(), now=NOW)
    assert row.state == state
    assert bool(row.behind) == (state != "fresh")


def test_the_most_silent_assets_stand_first_and_a_large_site_is_read_page_by_page(
    engineer: Client, site: Site, point: MeasurementPoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    sending = MeasurementPointFactory.create(asset__site=site, asset__code="A-0")
    now_us = int(timezone.now().timestamp() * 1_000_000)
    store.append(np.array([sending.pk]), np.array([now_us]), np.array([1.0]), now=timezone.now())
    page = engineer.get("/data/").content.decode()
    assert page.index(">P-1<") < page.index(">A-0<")
    monkeypatch.setattr(queries, "MOST_POINTS", 1)
    turned = engineer.get("/data/?page=1", headers={"hx-request": "true"}).content.decode()
    assert turned.lstrip().startswith('<div id="freshness"')
    assert turned.index(">P-1<") < turned.index(">A-0<")


def test_an_operation_that_failed_is_told_beside_its_import(site: Site) -> None:
    operation = Operation.objects.create(
        site=site,
        kind="import",
        state=OperationState.FAILED,
        error="its worker died",
        recorded_at=NOW,
        woken_at=NOW,
    )
    batch = ingest.open_batch(
        site=site, door=ImportDoor.UPLOAD, table="parts", operation=operation, now=NOW
    )
    row = queries.import_row(batch)
    assert (row.state, row.error, row.is_open) == ("failed", "its worker died", False)
