"""Files dropped into a watched folder: each taken once, whoever is killed when."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from django.core.management import CommandError, call_command

from maintenance import operations, store, tasks
from maintenance.choices import ImportDoor, ImportState
from maintenance.flow import ingest
from maintenance.management.commands import watch_folder
from maintenance.models import Import, MeasurementPoint
from maintenance.sources import spool
from maintenance.sources.folder import Folder
from tests.factories import AssetFactory, MeasurementPointFactory, SiteFactory

pytestmark = pytest.mark.django_db(transaction=True)

GOOD = "asset,point,at,value\nP-1,vibration,2026-01-01T00:00:00Z,1.5\n"
BAD = "P-9,vibration,2026-01-01T00:00:00Z,2\n"


class Killed(BaseException):
    """Nothing is tidied up after it, as after kill -9."""


@pytest.fixture(autouse=True)
def uploads(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "uploads"


@pytest.fixture
def point() -> MeasurementPoint:
    site = SiteFactory.create(code="north")
    asset = AssetFactory.create(site=site, code="P-1")
    return MeasurementPointFactory.create(asset=asset, code="vibration")


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


def watch(folder: Path, **options: Any) -> None:
    given: dict[str, Any] = {"site": "north", "once": True, "still_seconds": 0.0}
    call_command("watch_folder", folder, **{**given, **options})


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def values(point: MeasurementPoint) -> list[float]:
    return store.read([point.pk], 0, 2**62)[point.pk][1].tolist()


def test_a_file_is_taken_and_moved_to_done(point: MeasurementPoint, drop: Path) -> None:
    (drop / "history.csv").write_text(GOOD)
    watch(drop)
    assert files(drop) == {"done/history.csv"}
    assert values(point) == [1.5]
    batch = Import.objects.get()
    assert (batch.door, batch.state, batch.file_name) == (
        ImportDoor.FOLDER,
        ImportState.DONE,
        "history.csv",
    )


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "A.CSV", "a.ndjson", "a.parquet"])
def test_files_of_every_format_are_taken(point: MeasurementPoint, drop: Path, name: str) -> None:
    frame = pd.DataFrame(
        {"asset": ["P-1"], "point": "vibration", "at": ["2026-01-01T00:00:00Z"], "value": [1.5]}
    )
    if name.endswith("parquet"):
        frame.to_parquet(drop / name)
    elif name.endswith("ndjson"):
        frame.to_json(drop / name, orient="records", lines=True)
    else:
        text = GOOD.encode()
        (drop / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    watch(drop)
    assert files(drop) == {f"done/{name}"}
    assert values(point) == [1.5]


def test_what_is_no_file_of_readings_is_left_alone(point: MeasurementPoint, drop: Path) -> None:
    for name in ("history.csv.part", ".hidden.csv", "notes.pdf", "~lock.csv"):
        (drop / name).write_text(GOOD)
    (drop / "link.csv").symlink_to("/etc/passwd")
    watch(drop)
    assert files(drop) >= {"history.csv.part", ".hidden.csv", "notes.pdf", "~lock.csv"}
    assert not Import.objects.exists()


def test_the_refused_rows_stand_beside_the_file(point: MeasurementPoint, drop: Path) -> None:
    (drop / "history.csv").write_text(GOOD + BAD)
    watch(drop)
    assert files(drop) == {"done/history.csv", "done/history.csv.errors.csv"}
    head, row = (drop / "done/history.csv.errors.csv").read_text().splitlines()
    assert head == "row,field,reason,raw"
    assert row.startswith("3,asset,")
    assert row.endswith(f'"{BAD.strip()}"')


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"machine,value\n1,2\n"),
        ("a.csv", b""),
        ("a.csv", GOOD.splitlines()[0].encode() + b"\n" + BAD.encode()),
        ("a.csv.gz", gzip.compress(GOOD.encode(), mtime=0)[:-9]),
        ("a.parquet", b"PAR1 and no end"),
    ],
)
def test_a_file_of_which_nothing_can_be_taken_is_moved_to_failed_and_says_why(
    point: MeasurementPoint, drop: Path, name: str, content: bytes
) -> None:
    (drop / name).write_bytes(content)
    watch(drop)
    assert files(drop) == {f"failed/{name}", f"failed/{name}.errors.csv"}
    assert len((drop / f"failed/{name}.errors.csv").read_text().splitlines()) == 2
    assert Import.objects.get().new == 0


def test_a_file_of_the_same_name_stands_beside_the_earlier_one(
    point: MeasurementPoint, drop: Path
) -> None:
    for value in (1.5, 2.5):
        (drop / "history.csv").write_text(GOOD.replace("1.5", str(value)))
        watch(drop)
    newest = Import.objects.latest("pk").pk
    assert files(drop) == {"done/history.csv", f"done/history.{newest}.csv"}
    assert values(point) == [1.5]


def test_a_file_that_grows_is_left_until_it_is_still(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.prepare()
    path = tmp_path / "growing.csv"
    path.write_text("a")
    folder.claim(still_seconds=10, seconds=0)
    assert folder.waits
    path.write_text("ab")
    folder.claim(still_seconds=10, seconds=9)
    folder.claim(still_seconds=10, seconds=18)
    assert folder.claimed() == []
    folder.claim(still_seconds=10, seconds=19)
    assert [dropped.name for dropped in folder.claimed()] == ["growing.csv"]
    assert not folder.waits


def test_a_file_that_another_watcher_holds_is_left_to_it(
    point: MeasurementPoint, drop: Path
) -> None:
    (drop / "history.csv").write_text(GOOD)
    folder = Folder(drop)
    folder.prepare()
    folder.claim(still_seconds=0, seconds=0)
    [dropped] = folder.claimed()
    with folder.held(dropped) as file:
        assert file is not None
        watch(drop)
        assert not Import.objects.exists()
    watch(drop)
    assert files(drop) == {"done/history.csv"}


def test_a_file_that_grew_after_it_was_claimed_is_taken_again(
    point: MeasurementPoint, drop: Path, monkeypatch: Any
) -> None:
    (drop / "history.csv").write_text(GOOD)
    writer = (drop / "history.csv").open("a")
    ordinary = watch_folder.finished

    def appended(batch: Import) -> None:
        ordinary(batch)
        if not writer.closed:
            with writer:
                writer.write("P-1,vibration,2026-01-01T00:01:00Z,2.5\n")

    monkeypatch.setattr(watch_folder, "finished", appended)
    watch(drop)
    assert values(point) == [1.5]
    watch(drop)
    assert values(point) == [1.5, 2.5]
    assert files(drop) == {"done/history.csv"}


def killed(*_: Any, **__: Any) -> Any:
    raise Killed


def killed_after(function: Any) -> Any:
    def runs(*args: Any, **kwargs: Any) -> Any:
        function(*args, **kwargs)
        raise Killed

    return runs


MOMENTS = {
    "before it is copied": (spool, "keep", lambda _old: killed),
    "after it is copied": (spool, "keep", killed_after),
    "before its import is recorded": (tasks, "request_upload", lambda _old: killed),
    "after its import is recorded": (tasks, "request_upload", killed_after),
    "before it is taken": (tasks, "perform", lambda _old: killed),
    "before a block is committed": (ingest, "take_upload_block", lambda _old: killed),
    "after a block is committed": (ingest, "take_upload_block", killed_after),
    "before it is closed": (ingest, "close_batch", lambda _old: killed),
    "after it is taken": (tasks, "perform", killed_after),
    "before it is moved": (Path, "hardlink_to", lambda _old: killed),
    "while it is moved": (Path, "hardlink_to", killed_after),
    "after it is moved": (Folder, "leave", killed_after),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_watcher_killed_at_any_moment_loses_and_doubles_nothing(
    point: MeasurementPoint, drop: Path, moment: str, monkeypatch: Any
) -> None:
    (drop / "history.csv").write_text(GOOD + BAD)
    where, name, how = MOMENTS[moment]
    with monkeypatch.context() as patch:
        patch.setattr(where, name, how(getattr(where, name)))
        with pytest.raises(Killed):
            watch(drop)
    monkeypatch.setattr(operations, "_free", lambda operation, _now: operation.is_open)
    watch(drop)
    batch = Import.objects.get()
    assert (batch.state, batch.received, batch.new, batch.refused) == (ImportState.DONE, 2, 1, 1)
    assert files(drop) == {"done/history.csv", "done/history.csv.errors.csv"}
    assert values(point) == [1.5]


def test_a_site_that_is_unknown_and_a_folder_that_is_none_are_refused(
    point: MeasurementPoint, drop: Path
) -> None:
    with pytest.raises(CommandError, match="there is no site 'south'"):
        watch(drop, site="south")
    with pytest.raises(CommandError, match="is no folder"):
        watch(drop / "absent" / "folder")
    with pytest.raises(CommandError, match="no mapping"):
        watch(drop, mapping="absent.toml")


def test_a_mapping_says_how_a_historian_writes(point: MeasurementPoint, drop: Path) -> None:
    mapping = drop / "historian.toml"
    mapping.write_text(
        """
        delimiter = ";"
        decimal_comma = true
        encoding = "latin-1"
        date_format = "%d/%m/%Y %H:%M"
        [[tables]]
        table = "readings_wide"
        file = "historian.csv"
        [tables.columns]
        asset = "Máquina"
        at = "Fecha"
        [tables.points]
        vibration = { column = "VIB", scale = 10 }
        """
    )
    (drop / "a.csv").write_bytes("Máquina;Fecha;VIB\nP-1;01/02/2026 13:00;0,15\n".encode("latin-1"))
    watch(drop, mapping=os.path.relpath(mapping))
    assert values(point) == [1.5]
    assert Import.objects.get().table == "readings_wide"


def test_a_file_that_raises_something_unexpected_fails_and_the_next_one_is_taken(
    point: MeasurementPoint, drop: Path, monkeypatch: Any
) -> None:
    (drop / "a.csv").write_text(GOOD)
    (drop / "b.csv").write_text(GOOD.replace("1.5", "2.5"))
    ordinary, failed = ingest.take_upload_block, []

    def broken(*args: Any, **more: Any) -> Any:
        if not failed:
            failed.append(args)
            raise ZeroDivisionError("a mistake of ours")
        return ordinary(*args, **more)

    monkeypatch.setattr(ingest, "take_upload_block", broken)
    watch(drop)
    told = files(drop)
    assert len([name for name in told if name.startswith("failed/")]) == 2
    assert len([name for name in told if name.startswith("done/")]) == 1
    assert set(Import.objects.values_list("state", "error")) == {
        (ImportState.FAILED, "ZeroDivisionError"),
        (ImportState.DONE, ""),
    }
    assert len(values(point)) == 1
