"""Work is started, paused, finished with its finding, or cancelled: all of it, or nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Sum

from maintenance.choices import AsFound, Role, StockMove, WorkOrderState, WorkOrderType
from maintenance.flow import advise, execute
from maintenance.models import (
    AuditEntry,
    Downtime,
    Failure,
    Installation,
    ReportPhoto,
    SparePart,
    StockEntry,
    WorkOrder,
    WorkReport,
    WorkSpell,
)
from tests.plants import MONDAY, Plant, forecast, tiny, work_order

pytestmark = pytest.mark.django_db

HOUR = dt.timedelta(hours=1)
NINE = MONDAY + 9 * HOUR
JPEG = b"\xff\xd8\xff\xe0" + b"a picture" * 8
PNG = b"\x89PNG\r\n\x1a\n" + b"a picture" * 8
WEBP = b"RIFF\x10\x00\x00\x00WEBPVP8 " + b"a picture" * 8


@pytest.fixture
def plant() -> Plant:
    return tiny()


@pytest.fixture
def scheduled(plant: Plant) -> WorkOrder:
    return work_order(plant, "P-1", "bearing", state=WorkOrderState.SCHEDULED)


@pytest.fixture
def uploads(settings: Any, tmp_path: Path) -> Iterator[Path]:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def finish(work: WorkOrder, **more: Any) -> WorkReport:
    known = {
        "as_found": AsFound.CONFIRMED,
        "failure_mode": None,
        "renewed": False,
        "parts": {},
        "note": "",
        "by": None,
        "now": NINE + 3 * HOUR,
    }
    return execute.finish(work_order=work, **{**known, **more})


def fresh(work: WorkOrder) -> WorkOrder:
    return WorkOrder.objects.get(pk=work.pk)


def ledger(part: SparePart) -> int:
    return part.entries.aggregate(sum=Sum("quantity"))["sum"] or 0


def life(plant: Plant, asset: str = "P-1", component: str = "bearing") -> list[tuple[Any, Any]]:
    of = Installation.objects.filter(component__asset=plant.asset(asset), component__code=component)
    return list(of.order_by("installed_at").values_list("installed_at", "removed_at"))


def photo(content: bytes, name: str = "photo.jpg") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type="text/html")


class TestMoving:
    def test_work_is_started_paused_gone_on_with_and_finished(self, plant, scheduled):
        ana = plant.user(Role.TECHNICIAN)
        execute.start(work_order=scheduled, by=ana, now=NINE)
        execute.pause(work_order=scheduled, by=ana, now=NINE + HOUR)
        execute.start(work_order=scheduled, by=ana, now=NINE + 2 * HOUR)
        report = finish(scheduled, by=ana)
        assert fresh(scheduled).state == WorkOrderState.DONE
        assert report.worked_minutes == 120
        spells = WorkSpell.objects.values_list("started_at", "ended_at")
        assert list(spells) == [(NINE, NINE + HOUR), (NINE + 2 * HOUR, NINE + 3 * HOUR)]

    def test_every_change_is_in_the_audit_trail(self, plant, scheduled):
        ana = plant.user(Role.TECHNICIAN)
        execute.start(work_order=scheduled, by=ana, now=NINE)
        finish(scheduled, by=ana)
        told = AuditEntry.objects.filter(subject=f"work order {scheduled.number}").order_by("at")
        assert [(e.by, e.before["state"], e.after["state"]) for e in told] == [
            (ana, "scheduled", "in_progress"),
            (ana, "in_progress", "done"),
        ]

    @pytest.mark.parametrize("state", ["proposed", "done", "cancelled", "dismissed"])
    def test_what_is_not_decided_or_is_closed_cannot_be_started(self, plant, state):
        why = "other" if state == "dismissed" else ""
        work = work_order(plant, "P-1", state=state, dismiss_reason=why)
        with pytest.raises(execute.NotAllowed):
            execute.start(work_order=work, by=None, now=NINE)
        assert not WorkSpell.objects.exists()

    def test_work_in_progress_cannot_be_started_again(self, scheduled):
        execute.start(work_order=scheduled, by=None, now=NINE)
        with pytest.raises(execute.NotAllowed):
            execute.start(work_order=scheduled, by=None, now=NINE + HOUR)
        assert WorkSpell.objects.count() == 1

    def test_what_was_not_started_cannot_be_paused(self, scheduled):
        with pytest.raises(execute.NotAllowed):
            execute.pause(work_order=scheduled, by=None, now=NINE)

    def test_a_work_order_is_finished_once(self, scheduled):
        finish(scheduled)
        with pytest.raises(execute.NotAllowed):
            finish(scheduled)
        assert WorkReport.objects.count() == 1

    def test_cancelling_ends_the_spell_and_says_why(self, plant, scheduled):
        execute.start(work_order=scheduled, by=None, now=NINE)
        planner = plant.user(Role.PLANNER)
        execute.cancel(work_order=scheduled, note="line sold", by=planner, now=NINE + HOUR)
        gone = fresh(scheduled)
        assert (gone.state, gone.decided_by, gone.is_open) == ("cancelled", planner, False)
        assert WorkSpell.objects.get().ended_at == NINE + HOUR
        assert AuditEntry.objects.filter(by=planner).get().after["note"] == "line sold"

    def test_a_proposal_is_dismissed_not_cancelled(self, plant):
        work = work_order(plant, "P-1", "bearing")
        with pytest.raises(execute.NotAllowed):
            execute.cancel(work_order=work, note="", by=None, now=NINE)


class TestTimes:
    def test_work_that_nobody_started_takes_its_usual_time(self, scheduled):
        report = finish(scheduled)
        spell = WorkSpell.objects.get()
        assert report.worked_minutes == scheduled.job_plan.duration_p50_minutes == 180
        assert (spell.started_at, spell.ended_at) == (NINE, NINE + 3 * HOUR)

    def test_or_the_time_that_is_told(self, scheduled):
        assert finish(scheduled, started_at=NINE + 2 * HOUR).worked_minutes == 60

    def test_the_end_may_lie_before_the_telling(self, scheduled):
        execute.start(work_order=scheduled, by=None, now=NINE)
        report = finish(scheduled, finished_at=NINE + HOUR)
        assert (report.finished_at, report.recorded_at) == (NINE + HOUR, NINE + 3 * HOUR)
        assert report.worked_minutes == 60

    @pytest.mark.parametrize(
        ("field", "hours", "more"),
        [
            ("finished_at", 4, {}),
            ("finished_at", -1, {}),
            ("started_at", 4, {"unstarted": True}),
        ],
    )
    def test_times_that_cannot_be_are_refused_by_name(self, plant, field, hours, more):
        work = work_order(plant, "P-2", "bearing", state=WorkOrderState.ACCEPTED)
        if not more:
            execute.start(work_order=work, by=None, now=NINE)
        with pytest.raises(execute.Refusal) as refused:
            finish(work, **{field: NINE + hours * HOUR})
        assert refused.value.field == field
        assert not WorkReport.objects.exists()

    def test_it_cannot_end_before_a_pause(self, scheduled):
        execute.start(work_order=scheduled, by=None, now=NINE)
        execute.pause(work_order=scheduled, by=None, now=NINE + 2 * HOUR)
        with pytest.raises(execute.Refusal, match="went on until"):
            finish(scheduled, finished_at=NINE + HOUR)

    def test_the_asset_stood_still_while_it_was_worked_on(self, plant, scheduled):
        execute.start(work_order=scheduled, by=None, now=NINE)
        execute.pause(work_order=scheduled, by=None, now=NINE + HOUR)
        execute.start(work_order=scheduled, by=None, now=NINE + 2 * HOUR)
        finish(scheduled)
        stood = Downtime.objects.filter(asset=plant.asset("P-1"))
        assert list(stood.values_list("starts_at", "ends_at", "planned")) == [
            (NINE, NINE + HOUR, True),
            (NINE + 2 * HOUR, NINE + 3 * HOUR, True),
        ]

    def test_a_repair_is_no_planned_stop(self, plant):
        work = work_order(plant, "P-1", type=WorkOrderType.CORRECTIVE, state="accepted")
        finish(work)
        assert not Downtime.objects.get().planned

    def test_work_without_a_length_stops_nothing(self, scheduled):
        execute.start(work_order=scheduled, by=None, now=NINE)
        finish(scheduled, now=NINE)
        assert not Downtime.objects.exists()


class TestFinding:
    @pytest.mark.parametrize("as_found", [AsFound.CONFIRMED, AsFound.EARLY_SIGNS])
    def test_the_fault_that_was_foreseen_has_the_code_of_the_work_order(
        self, plant, scheduled, as_found
    ):
        report = finish(scheduled, as_found=as_found, failure_mode=plant.mode("seal"))
        assert report.failure_mode == plant.mode("bearing")

    def test_nothing_found_has_no_code(self, plant, scheduled):
        report = finish(scheduled, as_found=AsFound.NOTHING_FOUND, failure_mode=plant.mode("seal"))
        assert report.failure_mode is None

    def test_another_fault_has_its_own_and_is_no_failure(self, plant, scheduled):
        seal = plant.mode("seal")
        report = finish(scheduled, as_found=AsFound.OTHER_FAULT, failure_mode=seal)
        assert report.failure_mode == seal
        assert not Failure.objects.exists()

    def test_a_failure_mode_of_another_class_is_refused(self, plant, scheduled):
        other = tiny("other").mode("seal")
        with pytest.raises(execute.Refusal) as refused:
            finish(scheduled, as_found=AsFound.OTHER_FAULT, failure_mode=other)
        assert refused.value.field == "failure_mode"


class TestRenewing:
    def test_one_life_ends_and_the_next_begins(self, plant, scheduled):
        begun = plant.asset("P-1").commissioned_at
        finish(scheduled, renewed=True, finished_at=NINE)
        assert life(plant) == [(begun, NINE), (NINE, None)]
        assert life(plant, component="seal") == [(begun, None)]
        assert Installation.objects.get(installed_at=NINE).recorded_at == NINE + 3 * HOUR

    def test_what_was_not_renewed_lives_on(self, plant, scheduled):
        finish(scheduled)
        assert len(life(plant)) == 1

    def test_of_another_fault_its_own_component_is_renewed(self, plant, scheduled):
        seal = plant.mode("seal")
        finish(scheduled, as_found=AsFound.OTHER_FAULT, failure_mode=seal, renewed=True)
        assert (len(life(plant)), len(life(plant, component="seal"))) == (1, 2)

    def test_work_without_a_failure_mode_renews_what_its_job_plan_is_for(self, plant):
        finish(work_order(plant, "P-1", state="accepted"), renewed=True)
        assert len(life(plant, component="seal")) == 2

    def test_without_any_there_is_nothing_to_renew(self, plant):
        work = work_order(plant, "P-1", state="accepted")
        work.job_plan.failure_mode = None
        work.job_plan.save()
        with pytest.raises(execute.Refusal) as refused:
            finish(work, renewed=True)
        assert refused.value.field == "renewed"

    def test_a_renewal_before_the_last_one_is_refused(self, plant, scheduled):
        plant.take("replacements", [{"asset": "P-1", "component": "bearing", "replaced_at": NINE}])
        with pytest.raises(execute.Refusal, match="was put in on"):
            finish(scheduled, renewed=True, finished_at=NINE - HOUR)
        assert fresh(scheduled).state == WorkOrderState.SCHEDULED
        assert not WorkSpell.objects.exists()

    def test_the_forecast_of_the_same_day_does_not_propose_it_again(self, plant):
        forecast(plant, "P-1", "bearing", risk=0.6)
        advise.propose_work(site=plant.site, as_of=MONDAY, now=MONDAY)
        work = advise.accept(work_order=WorkOrder.objects.get(), by=None, now=MONDAY)
        finish(work, renewed=True)
        advice = advise.propose_work(site=plant.site, as_of=MONDAY, now=NINE + 4 * HOUR)
        assert (advice.proposed, WorkOrder.objects.count()) == (0, 1)

    def test_where_nothing_was_found_the_same_is_not_proposed_for_two_weeks(self, plant, scheduled):
        finish(scheduled, as_found=AsFound.NOTHING_FOUND)
        assert fresh(scheduled).snoozed_until == NINE + 3 * HOUR + dt.timedelta(days=14)

    def test_a_fault_that_was_left_may_be_proposed_at_once(self, scheduled):
        finish(scheduled)
        assert fresh(scheduled).snoozed_until is None


class TestStock:
    def test_what_is_used_leaves_the_store_by_the_ledger(self, plant, scheduled):
        bearing = plant.part("brg")
        ana = plant.user(Role.TECHNICIAN)
        finish(scheduled, parts={bearing: 2, plant.part("sea"): 0}, by=ana, finished_at=NINE)
        bearing.refresh_from_db()
        assert bearing.stock == ledger(bearing) == 0
        entry = StockEntry.objects.get(kind=StockMove.ISSUE)
        assert (entry.quantity, entry.work_order, entry.by, entry.at) == (-2, scheduled, ana, NINE)

    def test_more_than_there_is_cannot_be_used_and_nothing_is_done(self, plant, scheduled):
        parts = {plant.part("sea"): 1, plant.part("brg"): 3}
        with pytest.raises(execute.Refusal, match="Bearing 6205: 3 used, but the store has 2"):
            finish(scheduled, parts=parts, renewed=True)
        assert fresh(scheduled).state == WorkOrderState.SCHEDULED
        assert plant.part("sea").stock == 5
        assert len(life(plant)) == 1
        assert not WorkReport.objects.exists()
        assert not StockEntry.objects.filter(kind=StockMove.ISSUE).exists()

    @pytest.mark.parametrize("quantity", [-1, 1])
    def test_parts_of_another_store_or_fewer_than_none_are_refused(
        self, plant, scheduled, quantity
    ):
        part = plant.part("brg") if quantity < 0 else tiny("other").part("brg")
        with pytest.raises(execute.Refusal) as refused:
            finish(scheduled, parts={part: quantity})
        assert refused.value.field == "parts"

    def test_an_import_that_sets_the_stock_counts_it_in_the_ledger(self, plant):
        for stock in (7, 7, 1):
            plant.take("parts", [{"code": "brg", "stock": stock}])
        bearing = plant.part("brg")
        assert bearing.stock == ledger(bearing) == 1
        counted = bearing.entries.values_list("kind", "quantity")
        assert list(counted) == [("count", 2), ("count", 5), ("count", -6)]

    def test_an_import_of_a_name_counts_nothing(self, plant):
        plant.take("parts", [{"code": "brg", "name": "Bearing"}])
        assert plant.part("brg").entries.count() == 1


class TestPhotos:
    def test_a_photo_is_known_by_its_content_and_kept_once(self, scheduled, uploads):
        photos = [photo(JPEG, "../../a.html"), photo(PNG), photo(WEBP), photo(JPEG, "again.jpg")]
        finish(scheduled, photos=photos)
        kept = ReportPhoto.objects.order_by("pk")
        assert [row.content_type for row in kept] == ["image/jpeg", "image/png", "image/webp"]
        for row, content in zip(kept, (JPEG, PNG, WEBP), strict=True):
            path = Path(row.file.path)
            assert path.read_bytes() == content
            assert uploads in path.parents
            assert path.stem == row.sha256[:32]

    @pytest.mark.parametrize(
        "content", [b"", b"<svg onload='alert(1)'/>", b"GIF89a", b"RIFF0000WAVE", b"%PDF-1.7"]
    )
    def test_what_is_no_picture_is_refused_by_name(self, scheduled, uploads, content):
        with pytest.raises(execute.Refusal, match=r"odd\.jpg is no JPEG"):
            finish(scheduled, photos=[photo(content, "odd.jpg")])
        assert fresh(scheduled).state == WorkOrderState.SCHEDULED

    def test_too_large_and_too_many_are_refused(self, scheduled, uploads, monkeypatch):
        monkeypatch.setattr(execute.photos, "MOST_PHOTO_BYTES", 50)
        for photos in ([photo(JPEG)], [photo(JPEG[:10])] * 7):
            with pytest.raises(execute.Refusal) as refused:
                finish(scheduled, photos=photos)
            assert refused.value.field == "photos"

    def test_no_file_stays_behind_when_the_report_cannot_be_kept(
        self, scheduled, uploads, monkeypatch
    ):
        save = ReportPhoto.save

        def fail_on_png(self, *args, **kwargs):
            if self.content_type == "image/png":
                raise OSError("no room")
            save(self, *args, **kwargs)

        monkeypatch.setattr(ReportPhoto, "save", fail_on_png)
        with pytest.raises(OSError, match="no room"):
            finish(scheduled, photos=[photo(JPEG), photo(PNG)])
        assert [path for path in uploads.rglob("*") if path.is_file()] == []
        assert fresh(scheduled).state == WorkOrderState.SCHEDULED
