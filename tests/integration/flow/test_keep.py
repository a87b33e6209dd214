"""Readings are sealed, deleted when they are old enough, corrected with a trace, and exported."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from maintenance import store, tasks
from maintenance.flow import keep
from maintenance.instants import to_us
from maintenance.models import (
    AuditEntry,
    MeasurementPoint,
    Reading,
    ReadingCorrection,
    ReadingSegment,
    Watermark,
)
from tests.factories import MeasurementPointFactory

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
HOUR_US = 3_600_000_000


@pytest.fixture
def point() -> MeasurementPoint:
    """Told every hour for ten days until now, by a store that began with them."""
    point: MeasurementPoint = MeasurementPointFactory(code="temperature", unit="°C")
    at_us = to_us(NOW) - np.arange(240, dtype=np.int64) * HOUR_US
    values = np.arange(240, dtype=np.float64)
    store.append(np.full(240, point.pk), at_us, values, now=NOW - dt.timedelta(days=10))
    return point


def _read(point: MeasurementPoint) -> tuple[list[int], list[float]]:
    at_us, values = store.read([point.pk], 0, to_us(NOW) + 1)[point.pk]
    return at_us.tolist(), values.tolist()


def test_sealing_moves_whole_days_and_changes_nothing_that_is_read(point):
    before = _read(point)
    moved = keep.seal(now=NOW)
    assert moved > 0
    assert Reading.objects.count() == 240 - moved
    assert Reading.objects.filter(at_us__lt=to_us(NOW.replace(hour=0)) - 48 * HOUR_US).count() == 0
    assert ReadingSegment.objects.exists()
    assert _read(point) == before
    assert keep.seal(now=NOW) == 0
    assert list(store.verify()) == []


def test_sealing_tells_how_far_it_is(point):
    told: list[tuple[int, int]] = []
    keep.seal(now=NOW, report=lambda done, total: told.append((done, total)))
    assert told[-1] == (store.SHARDS, store.SHARDS)


def test_a_reading_that_is_late_for_a_sealed_day_finds_its_segment(point):
    keep.seal(now=NOW)
    late = to_us(NOW) - 200 * HOUR_US + 1
    assert store.append(np.array([point.pk]), np.array([late]), np.array([7.5]), now=NOW).new == 1
    assert store.append(np.array([point.pk]), np.array([late]), np.array([8.5]), now=NOW).new == 0
    at_us, values = _read(point)
    assert values[at_us.index(late)] == 7.5
    assert not Reading.objects.filter(at_us=late).exists()


def test_without_a_limit_readings_are_kept_for_good(point):
    assert keep.retain(now=NOW + dt.timedelta(days=9_999)) == 0


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "hot"])
def test_readings_older_than_the_site_keeps_them_are_deleted(point, sealed):
    if sealed:
        keep.seal(now=NOW)
    site = point.asset.site
    site.keep_readings_days = 4
    site.save()
    assert keep.retain(now=NOW) == 240 - 97
    assert min(_read(point)[0]) == to_us(NOW) - 96 * HOUR_US
    assert list(store.verify()) == []


def test_a_point_says_for_itself_how_long_its_readings_are_kept(point):
    MeasurementPoint.objects.update(keep_days=100)
    point.asset.site.keep_readings_days = 4
    point.asset.site.save()
    assert keep.retain(now=NOW) == 0


def test_readings_are_kept_for_a_day_at_least(point):
    for row, field in ((point, "keep_days"), (point.asset.site, "keep_readings_days")):
        setattr(row, field, 0)
        with pytest.raises(ValidationError, match="greater than or equal to 1"):
            row.clean_fields()
        with pytest.raises(IntegrityError), transaction.atomic():
            row.save()


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "hot"])
def test_a_correction_replaces_the_value_and_keeps_the_old_one_with_its_reason(point, sealed):
    if sealed:
        keep.seal(now=NOW)
    at_us = to_us(NOW) - 150 * HOUR_US
    corrected = keep.correct(
        site=point.asset.site,
        point_ids=np.array([point.pk, point.pk]),
        at_us=np.array([at_us, at_us + 1]),
        values=np.array([-1.0, -1.0]),
        reason="the probe was in the air",
        by=None,
        now=NOW,
    )
    assert (corrected.replaced, corrected.left) == (1, 1)
    instants, values = _read(point)
    assert values[instants.index(at_us)] == -1.0
    kept = ReadingCorrection.objects.get()
    assert (kept.old, kept.new, kept.reason) == (150.0, -1.0, "the probe was in the air")
    assert AuditEntry.objects.get(action="readings corrected").after["readings"] == 1


def test_the_timetable_seals_and_deletes_every_night(point):
    tasks.keep_readings()
    assert Watermark.objects.filter(sealed_before_us__gt=to_us(NOW)).count() == store.SHARDS
    assert not Reading.objects.exists()


def test_the_store_is_proved_sound_or_its_faults_are_named(point, capsys):
    call_command("verify_store")
    assert "240 readings, no fault." in capsys.readouterr().out
    Watermark.objects.update(sealed_before_us=to_us(NOW))
    with pytest.raises(SystemExit):
        call_command("verify_store")
    assert "earlier than the watermark" in capsys.readouterr().err


def test_readings_are_exported_as_parquet_a_folder_a_day(point, tmp_path, capsys):
    keep.seal(now=NOW)
    site = point.asset.site
    for _again in range(2):
        call_command("export_readings", str(tmp_path), "--site", site.code)
    assert "240 readings of 11 days" in capsys.readouterr().out
    read = pd.read_parquet(tmp_path)
    assert len(read) == 240
    assert set(read["point"]) == {"temperature"}
    assert set(read["unit"]) == {"°C"}
    newest = read.sort_values("at").iloc[-1]
    assert (newest["at"].to_pydatetime(), newest["value"]) == (NOW, 0.0)


def test_an_export_of_some_days_holds_no_others(point, tmp_path):
    call_command(
        "export_readings",
        str(tmp_path),
        "--site",
        point.asset.site.code,
        "--from",
        "2026-03-05",
        "--to",
        "2026-03-06",
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["day=2026-03-05", "day=2026-03-06"]
    with pytest.raises(CommandError, match="later"):
        call_command(
            "export_readings", str(tmp_path), "--site", point.asset.site.code,
            "--from", "2026-03-06", "--to", "2026-03-05",
        )  # fmt: skip


def test_a_file_of_corrections_is_taken_and_its_bad_rows_are_named(point, tmp_path, capsys):
    asset, site = point.asset.code, point.asset.site.code
    (tmp_path / "right.csv").write_text(
        "asset,point,at,value\n"
        f"{asset},temperature,2026-03-10T12:00:00Z,-5\n"
        f"{asset},temperature,2026-03-10T12:00:01Z,-5\n"
        f"{asset},pressure,2026-03-10T11:00:00Z,-5\n"
    )
    with pytest.raises(SystemExit, match="3"):
        call_command(
            "correct_readings", str(tmp_path / "right.csv"), "--site", site, "--reason", "ice"
        )
    told = capsys.readouterr()
    assert "1 readings corrected; 1 rows" in told.out
    assert told.err.startswith("row 3, point: ")
    assert _read(point)[1][-1] == -5.0
    assert ReadingCorrection.objects.get().reason == "ice"


def test_points_of_another_site_are_not_corrected(point):
    other = MeasurementPointFactory()
    with pytest.raises(ValueError, match="of the site"):
        keep.correct(
            site=other.asset.site,
            point_ids=np.array([point.pk]),
            at_us=np.array([to_us(NOW)]),
            values=np.array([1.0]),
            reason="",
            by=None,
            now=NOW,
        )
