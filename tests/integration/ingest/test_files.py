import csv
import datetime as dt
import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from maintenance import store
from maintenance.choices import ImportDoor, ImportState
from maintenance.flow import ingest
from maintenance.models import (
    Asset,
    ErrorEvent,
    Failure,
    FailureMode,
    Import,
    Installation,
    MeasurementPoint,
    RejectedRow,
    Site,
)
from maintenance.operations import Overtaken, unfenced, unreported
from maintenance.sources import delimited, files, templates
from tests.factories import NOW, AssetFactory, MeasurementPointFactory, SiteFactory

pytestmark = pytest.mark.django_db

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def point() -> MeasurementPoint:
    site = SiteFactory.create(code="plant", time_zone="Europe/Madrid")
    asset = AssetFactory.create(site=site, code="P-1")
    return MeasurementPointFactory.create(asset=asset, code="vibration")


def write(folder: Path, name: str, *lines: str) -> None:
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def import_data(folder: Path, *options: str) -> dict[str, Any]:
    """The answer; the command ends as it must: with 3 where rows were refused, else well."""
    out, ended = StringIO(), 0
    errors = str(folder / "refused.csv")
    try:
        call_command("import_data", str(folder), "--json", "--errors", errors, *options, stdout=out)
    except CommandError as error:
        if error.returncode != 3:
            raise
        ended = error.returncode
    assert ended == (3 if json.loads(out.getvalue())["refused"] else 0)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def stored(point: MeasurementPoint) -> tuple[list[int], list[float]]:
    at_us, values = store.read([point.pk], 0, 2**62)[point.pk]
    return (at_us // 3_600_000_000).tolist(), values.tolist()


def hour(*when: int) -> int:
    return int(dt.datetime(*when, tzinfo=dt.UTC).timestamp()) // 3600  # type: ignore[misc]


def test_a_folder_of_templates_makes_a_plant(folder: Path) -> None:
    templates.write(folder)
    for table in ("sites", "asset_classes", "failure_modes", "assets", "points"):
        path = folder / f"{table}.csv"
        path.write_text(path.read_text().replace("# ", "").replace("L1", ""), encoding="utf-8")
    write(folder, "readings.csv", "asset,point,at,value", "P-101,vibration,2026-01-31T12:00,2.4")
    answer = import_data(folder)
    assert (answer["site"], answer["new"], answer["changed"]) == ("plant", 5, 1)
    site = Site.objects.get()
    assert (site.time_zone, site.currency) == ("Europe/Madrid", "EUR")
    assert stored(MeasurementPoint.objects.get()) == ([hour(2026, 1, 31, 11)], [2.4])
    assert import_data(folder)["new"] == 0


def test_bad_rows_of_a_file_are_written_with_their_line_and_the_rest_is_stored(
    folder: Path, point: MeasurementPoint
) -> None:
    write(
        folder,
        "readings.csv",
        "asset,point,at,value",
        "P-1,vibration,2026-01-01T01:00,1",
        "P-1,vibratoin,2026-01-01T02:00,2",
        "P-1,vibration,2026-01-01T02:00,NaN",
        "P-1,vibration,2026-01-01T02:00,high",
        "P-1,vibration,01.01.2026 02:00,2",
        "P-1,vibra\x00tion,2026-01-01T02:00,2",
        '"P-1,vibration,2026-01-01T02:00,2',
        "P-1,vibration,2026-01-01T02:00,1e999",
        "P-1,vibration,2026-01-01T03:00,3",
        "P-1,vibra",
    )
    answer = import_data(folder)
    assert (answer["received"], answer["new"], answer["refused"]) == (10, 2, 8)
    assert stored(point)[1] == [1.0, 3.0]
    with (folder / "refused.csv").open(newline="") as file:
        told = list(csv.DictReader(file))
    assert [(row["row"], row["field"], row["reason"].split(";")[0]) for row in told] == [
        ("3", "point", "'vibratoin' is unknown"),
        ("4", "value", "'NaN' is no value"),
        ("5", "value", "'high' is not a number"),
        (
            "6",
            "at",
            "'01.01.2026 02:00' is not a date and time as expected: 2026-01-31T23:59:00+01:00",
        ),
        ("7", "point", "contains a NUL character"),
        ("8", "asset", "a quote is opened and never closed"),
        ("9", "value", "'1e999' is too large"),
        ("11", "point", "the line has 2 fields, the header 4"),
    ]
    assert told[0]["raw"] == "P-1,vibratoin,2026-01-01T02:00,2"
    assert {row["file"] for row in told} == {"readings.csv"}
    assert RejectedRow.objects.count() == 8


def test_a_mapping_says_how_another_file_is_written(folder: Path, point: MeasurementPoint) -> None:
    write(
        folder,
        "mine.toml",
        "delimiter = ';'",
        "decimal_comma = true",
        "date_format = '%d.%m.%Y'",
        "stamped = 'start'",
        "period = '1d'",
        "[[tables]]",
        "table = 'readings_wide'",
        "file = 'export.txt'",
        "[tables.columns]",
        "asset = { column = 'Machine', values = { 'Feed pump' = 'P-1' } }",
        "at = 'Day'",
        "[tables.points]",
        "vibration = { column = 'Vib um/s', scale = 0.001 }",
    )
    write(
        folder,
        "export.txt",
        "Machine;Day;Vib um/s;Note",
        "Feed pump;31.01.2026;1500,5;a",
        "Feed pump;01.02.2026;;b",
        "Feed pump;02.02.2026;x;c",
    )
    answer = import_data(folder, "--mapping", str(folder / "mine.toml"), "--site", "plant")
    assert (answer["received"], answer["new"], answer["refused"]) == (2, 1, 1)
    # The mean of 31 January is known at the next midnight of the plant.
    assert stored(point) == ([hour(2026, 1, 31, 23)], [1.5005])
    assert RejectedRow.objects.get().field == "Vib um/s"


def test_a_dry_run_counts_the_same_and_changes_nothing(
    folder: Path, point: MeasurementPoint
) -> None:
    write(folder, "parts.csv", "code,stock", "6205,4", "6206,x")
    write(folder, "readings.csv", "asset,point,at,value", "P-1,vibration,2026-01-01T01:00,1")
    dry = import_data(folder, "--dry-run")
    assert stored(point) == ([], [])
    assert not Import.objects.exists()
    wet = import_data(folder)
    assert {**wet, "dry_run": True} == dry
    assert (wet["new"], wet["refused"]) == (2, 1)


def test_a_dry_run_makes_no_site(folder: Path) -> None:
    write(folder, "sites.csv", "code,name", "north,North")
    write(folder, "parts.csv", "code,stock", "6205,4")
    assert import_data(folder, "--dry-run")["site"] == "north"
    assert not Site.objects.exists()


@pytest.mark.parametrize(
    ("lines", "options", "words"),
    [
        (["asset,point,at", "a,b,c"], (), "readings.csv has no column 'value'; it has 'asset'"),
        (["asset,point,at,value"], ("--site", "north"), "There is no site 'north'"),
        ([""], (), "readings.csv is empty"),
        (["asset,point,at,value"], ("--mapping", "lost"), "There is no mapping 'lost'"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_read(
    folder: Path, point: MeasurementPoint, lines: list[str], options: tuple[str, ...], words: str
) -> None:
    write(folder, "readings.csv", *lines)
    with pytest.raises(CommandError) as refusal:
        import_data(folder, *options)
    assert words in str(refusal.value)
    assert not Import.objects.exists()


def test_a_file_that_the_mapping_needs_is_named(folder: Path) -> None:
    with pytest.raises(CommandError, match=r"no file 'PdM_machines.csv' \(table assets\)"):
        import_data(folder, "--mapping", "azure_pdm")


def test_a_folder_without_any_of_the_files_is_named(folder: Path) -> None:
    with pytest.raises(CommandError, match="holds none of the files of templates"):
        import_data(folder)


def test_without_a_site_the_data_are_for_nobody(folder: Path) -> None:
    write(folder, "parts.csv", "code", "6205")
    with pytest.raises(CommandError, match="Which site are the data for"):
        import_data(folder)


def test_a_site_of_several_must_be_chosen(folder: Path, point: MeasurementPoint) -> None:
    SiteFactory.create(code="other")
    write(folder, "parts.csv", "code", "6205")
    with pytest.raises(CommandError, match=r"Say --site CODE \(one of other, plant\)"):
        import_data(folder)
    assert import_data(folder, "--site", "other")["new"] == 1


def test_without_json_the_command_tells_a_table(folder: Path, point: MeasurementPoint) -> None:
    write(folder, "parts.csv", "code,stock", "6205,x")
    out, progress = StringIO(), StringIO()
    errors = folder / "refused.csv"
    with pytest.raises(CommandError) as refusal:
        call_command(
            "import_data", str(folder), "--errors", str(errors), stdout=out, stderr=progress
        )
    assert str(refusal.value) == f"1 row was refused: see {errors}."
    assert refusal.value.returncode == 3
    assert "Refused rows are in" in out.getvalue()
    assert "100%  parts.csv" in progress.getvalue()


# An upload, as its operation takes it


def upload(point: MeasurementPoint, settings: Settings, lines: list[str], **details: Any) -> Import:
    folder = Path(settings.MEDIA_ROOT) / "1"
    folder.mkdir(parents=True, exist_ok=True)
    write(folder, "kept.csv", *lines)
    return ingest.open_batch(
        site=point.asset.site,
        door=ImportDoor.UPLOAD,
        table="readings",
        file_name="mine.csv",
        mapping="templates",
        now=NOW,
        **details,
    )


def run(batch: Import, path: str = "1/kept.csv", fence: files.Fence = unfenced) -> Import:
    files.run_import(
        import_id=batch.pk, path=path, language="en", report=unreported, fence=fence, now=NOW
    )
    batch.refresh_from_db()
    return batch


@pytest.fixture
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


LINES = [
    "asset,point,at,value",
    *(f"P-1,vibration,{(START + dt.timedelta(hours=i)).isoformat()},{i}" for i in range(40)),
]


def test_an_upload_is_taken_and_its_file_is_gone(
    point: MeasurementPoint, settings: Settings, media: Path
) -> None:
    batch = run(upload(point, settings, LINES))
    assert (batch.state, batch.new, batch.refused) == (ImportState.DONE, 40, 0)
    assert not (media / "1/kept.csv").exists()


def test_the_file_of_an_upload_is_kept_while_rows_are_refused(
    point: MeasurementPoint, settings: Settings, media: Path
) -> None:
    assert run(upload(point, settings, [*LINES, "half"])).refused == 1
    assert (media / "1/kept.csv").exists()


def test_a_dry_upload_is_recorded_and_changes_nothing(
    point: MeasurementPoint, settings: Settings, media: Path
) -> None:
    batch = run(upload(point, settings, LINES, dry_run=True))
    assert (batch.state, batch.new) == (ImportState.DONE, 40)
    assert stored(point) == ([], [])


@pytest.mark.parametrize(
    ("path", "words"),
    [("1/lost.csv", "is gone"), ("../../etc/passwd", "is no upload"), ("1/kept.csv", "no column")],
)
def test_an_upload_that_cannot_be_read_fails_and_says_why(
    point: MeasurementPoint, settings: Settings, media: Path, path: str, words: str
) -> None:
    batch = run(upload(point, settings, ["a,b", "1,2"]), path)
    assert batch.state == ImportState.FAILED
    assert words in batch.error


def test_an_interrupted_upload_is_taken_up_where_its_record_ends(
    point: MeasurementPoint, settings: Settings, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "CHUNK_CHARACTERS", 512)
    batch = upload(point, settings, [*LINES[:20], "P-1,lost,2026-01-01,1", *LINES[20:]])
    blocks_left = iter(range(2))

    def killed(_result: dict[str, Any]) -> None:
        if next(blocks_left, None) is None:
            raise Overtaken

    with pytest.raises(Overtaken):
        run(batch, fence=killed)
    batch.refresh_from_db()
    assert batch.state == ImportState.RUNNING
    assert 0 < batch.received < 41
    run(batch)
    assert (batch.state, batch.received, batch.new) == (ImportState.DONE, 41, 40)
    assert (batch.duplicate, batch.refused, batch.rejected_rows.count()) == (0, 1, 1)


def test_an_upload_that_is_done_is_not_done_again(
    point: MeasurementPoint, settings: Settings, media: Path
) -> None:
    batch = run(upload(point, settings, LINES))
    assert run(batch).received == 40


# The public data set, as it is


@pytest.mark.data("azure_pdm")
def test_the_azure_files_come_in_whole_and_twice_they_add_nothing(
    folder: Path, data_dir: Path
) -> None:
    azure = data_dir / "azure_pdm"
    out = StringIO()
    call_command("import_data", str(azure), "--mapping", "azure_pdm", "--json", stdout=out)
    answer = json.loads(out.getvalue())
    assert answer["refused"] == 0
    assert Asset.objects.count() == 100
    assert FailureMode.objects.count() == 16
    assert (ErrorEvent.objects.count(), Failure.objects.count()) == (2925, 581)
    assert store.count() == 4 * 27_300
    # 400 components: the life since commissioning, and one since each replacement.
    assert Installation.objects.count() == 400 + 2554
    assert Installation.objects.open().count() == 400
    point = MeasurementPoint.objects.get(asset__code="1", code="volt")
    first = store.read([point.pk], 0, 2**62)[point.pk][0][0]
    # The mean of 1 January is not known before that day is over.
    assert first == int(dt.datetime(2015, 1, 2, tzinfo=dt.UTC).timestamp() * 1_000_000)
    again = StringIO()
    call_command("import_data", str(azure), "--mapping", "azure_pdm", "--json", stdout=again)
    counts = json.loads(again.getvalue())
    assert (counts["new"], counts["changed"]) == (0, 0)
    assert counts["duplicate"] == counts["received"] == answer["received"]


def test_long_series_are_stored_whole(point: MeasurementPoint) -> None:
    at_us = np.arange(200_000, dtype=np.int64) * 60_000_000 + 1_600_000_000_000_000
    values = np.sin(at_us / 1e10)
    series = [ingest.Series("P-1", "vibration", at_us, values)]
    outcome = ingest.take_series(site=point.asset.site, series=series, now=NOW)
    assert outcome.new == 200_000
