"""A technician's day on the phone, and what the planner sees of it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from maintenance.choices import AsFound, Role, ScheduleState, WorkOrderState
from maintenance.flow import execute
from maintenance.models import (
    Assignment,
    FailureMode,
    Membership,
    ReportPhoto,
    Schedule,
    SparePart,
    User,
    WorkOrder,
    WorkReport,
)
from tests.integration.web.plant import Plant

HOUR = dt.timedelta(hours=1)
JPEG = b"\xff\xd8\xff\xe0 a picture"


@pytest.fixture
def technician(plant: Plant) -> User:
    """The first technician of the plant, with a user."""
    person = plant.technicians[0]
    person.user = plant.technician_user
    person.save()
    return plant.technician_user


@pytest.fixture
def phone(technician: User, as_user: Callable[[User], Client]) -> Client:
    return as_user(technician)


@pytest.fixture
def give(plant: Plant, technician: User, now: dt.datetime) -> Callable[..., WorkOrder]:
    """Give the technician the next work order, in a published schedule."""
    schedule = Schedule.objects.create(
        site=plant.site,
        number=99,
        state=ScheduleState.PUBLISHED,
        starts_at=now,
        ends_at=now + 14 * 24 * HOUR,
        as_of=now,
        status="optimal",
        cost={},
        cost_minor=0,
        cost_unscheduled_minor=0,
        seed=1,
        inputs_hash="",
        problem={},
        recorded_at=now,
        published_at=now,
    )
    left = [each for each in plant.work_orders if each.job_plan.failure_mode_id]

    def given(starts_at: dt.datetime | None = None) -> WorkOrder:
        work = left.pop(0)
        work.state = WorkOrderState.SCHEDULED
        work.save()
        work.assigned_to.set(plant.technicians[:1])
        at = starts_at or now + HOUR
        place = Assignment.objects.create(
            schedule=schedule, work_order=work, starts_at=at, ends_at=at + 2 * HOUR
        )
        place.technicians.set(plant.technicians[:1])
        return work

    return given


def page(client: Client, name: str, *args: Any, **more: Any) -> str:
    answer = client.get(reverse(name, args=args), **more)
    assert answer.status_code == 200
    return answer.content.decode()


def send(client: Client, name: str, work: WorkOrder, **body: Any) -> Any:
    return client.post(reverse(name, args=[work.pk]), body)


def answers(client: Client, work: WorkOrder, **more: Any) -> dict[str, Any]:
    """What the browser would send if the finding alone was chosen."""
    html = page(client, "my_work_close", work.pk)
    parts = re.findall(r'name="(part_\d+)"[^>]* value="(\d+)"', html)
    renewed = re.search(r'name="renewed" value="(\w+)"[^>]*checked', html)
    prefilled = {**dict(parts), "note": "", "other_quantity": 1}
    return {**prefilled, **({"renewed": renewed[1]} if renewed else {}), **more}


def state_of(work: WorkOrder) -> str:
    return WorkOrder.objects.get(pk=work.pk).state


class TestTheBoard:
    def test_it_shows_what_runs_today_and_the_next_days_in_order(self, phone, give, now):
        late = give(now - 30 * HOUR)
        later = give(now + 49 * HOUR)
        running = give()
        execute.start(work_order=running, by=None, now=now - HOUR)
        html = page(phone, "my_work")
        places = [html.index(f'id="work-{work.pk}"') for work in (running, late, later)]
        assert places == sorted(places)
        assert "Was to begin" in html
        assert re.search(r'data-minutes="60"', html)

    def test_only_own_work_is_there(self, phone, give, plant):
        own, other = give(), plant.work_orders[-1]
        html = page(phone, "my_work")
        assert f'id="work-{own.pk}"' in html
        assert f'id="work-{other.pk}"' not in html

    def test_what_was_done_stays_for_a_week(self, phone, give, now):
        recent, old = give(), give()
        for work, days in ((recent, 1), (old, 9)):
            at = now - days * 24 * HOUR
            execute.finish(
                work_order=work,
                as_found=AsFound.CONFIRMED,
                failure_mode=None,
                renewed=False,
                parts={},
                note="",
                by=None,
                now=now,
                finished_at=at,
            )
        html = page(phone, "my_work")
        assert reverse("my_work_order", args=[recent.pk]) in html
        assert reverse("my_work_order", args=[old.pk]) not in html
        assert "Nothing to do" in html

    def test_a_user_who_is_no_technician_is_told_what_to_do(self, plant, as_user):
        user = User.objects.create_user("new")
        Membership.objects.create(
            user=user, site=plant.site, role=Role.TECHNICIAN, recorded_at=plant.site.recorded_at
        )
        assert "not among the technicians yet" in page(as_user(user), "my_work")

    def test_the_number_of_questions_to_the_database_does_not_grow(
        self, phone, give, django_assert_max_num_queries
    ):
        give()
        page(phone, "my_work")
        give(), give()
        with django_assert_max_num_queries(32):
            page(phone, "my_work")


class TestMoving:
    def test_start_pause_and_go_on(self, phone, give):
        work = give()
        assert send(phone, "my_work_start", work)["Location"] == reverse("my_work")
        assert state_of(work) == WorkOrderState.IN_PROGRESS
        send(phone, "my_work_pause", work)
        assert "Go on" in page(phone, "my_work")
        back = send(phone, "my_work_start", work, **{"from": "work_order"})
        assert back["Location"] == reverse("my_work_order", args=[work.pk])
        assert state_of(work) == WorkOrderState.IN_PROGRESS

    def test_a_second_tap_is_told_and_changes_nothing(self, phone, give):
        work = give()
        send(phone, "my_work_start", work)
        send(phone, "my_work_start", work)
        assert "is in progress by now" in page(phone, "my_work")
        assert work.spells.count() == 1

    @pytest.mark.parametrize("name", ["my_work_order", "my_work_close"])
    def test_the_work_of_others_is_not_there(self, phone, plant, name):
        other = plant.work_orders[0]
        assert phone.get(reverse(name, args=[other.pk])).status_code == 404
        for verb in ("my_work_start", "my_work_pause", "my_work_close"):
            assert send(phone, verb, other, as_found="confirmed").status_code == 404
        assert not WorkReport.objects.exists()

    def test_a_planner_has_no_work_of_their_own(self, planner, plant):
        assert planner.get(reverse("my_work")).status_code == 403


class TestClosing:
    def test_one_answer_closes_it(self, phone, give, technician):
        work = give()
        need = work.job_plan.parts.get()
        before = need.part.stock
        sent = send(phone, "my_work_close", work, **answers(phone, work, as_found="confirmed"))
        assert sent["Location"] == reverse("my_work")
        report = WorkReport.objects.get(work_order=work)
        assert (report.by, report.renewed, report.as_found) == (technician, True, "confirmed")
        assert SparePart.objects.get(pk=need.part_id).stock == before - need.quantity
        assert f"Work order {work.number} is closed." in page(phone, "my_work")

    def test_another_fault_takes_its_code_and_another_part(self, phone, give, plant):
        work = give()
        planned = work.job_plan.parts.get().part
        other = FailureMode.objects.filter(asset_class=work.asset.asset_class).exclude(
            pk=work.failure_mode_id
        )[0]
        part = SparePart.objects.filter(site=plant.site, stock__gt=2).exclude(pk=planned.pk)[0]
        more = {
            "as_found": "other_fault",
            "failure_mode": other.pk,
            "renewed": "no",
            f"part_{planned.pk}": 0,
            "other_part": part.pk,
            "other_quantity": 2,
        }
        send(phone, "my_work_close", work, **answers(phone, work, **more))
        report = WorkReport.objects.get(work_order=work)
        assert (report.failure_mode, report.renewed) == (other, False)
        used = work.stock_entries.values_list("part", "quantity")
        assert list(used) == [(part.pk, -2)]

    def test_without_a_finding_it_stays_open_and_keeps_what_was_written(self, phone, give):
        work = give()
        answer = send(phone, "my_work_close", work, note="all greased")
        assert answer.status_code == 422
        html = answer.content.decode()
        assert "Say what you found." in html
        assert "all greased" in html
        assert state_of(work) == WorkOrderState.SCHEDULED

    def test_a_part_the_store_has_not_is_named(self, phone, give):
        work = give()
        part = work.job_plan.parts.get().part
        body = answers(phone, work, as_found="confirmed") | {f"part_{part.pk}": 500}
        answer = send(phone, "my_work_close", work, **body)
        assert answer.status_code == 422
        assert f"{part.name}: 500 used, but the store has {part.stock}." in answer.content.decode()

    @pytest.mark.parametrize(("hours", "status"), [(-1, 302), (1, 422)])
    def test_the_end_is_told_in_the_time_of_the_plant_and_not_ahead(
        self, phone, give, now, hours, status
    ):
        work = give()
        wall = (now + hours * HOUR).astimezone(ZoneInfo("Europe/Madrid"))
        told = {"as_found": "confirmed", "finished_at": f"{wall:%Y-%m-%dT%H:%M}"}
        answer = send(phone, "my_work_close", work, **answers(phone, work, **told))
        assert answer.status_code == status
        if status == 302:
            kept = WorkReport.objects.get().finished_at
            assert abs(kept - (now - HOUR)) < dt.timedelta(minutes=1)
        else:
            assert "That is in the future." in answer.content.decode()

    def test_sent_twice_it_is_kept_once(self, phone, give):
        work = give()
        body = answers(phone, work, as_found="nothing_found")
        send(phone, "my_work_close", work, **body)
        again = send(phone, "my_work_close", work, **body)
        assert again["Location"] == reverse("my_work_order", args=[work.pk])
        assert WorkReport.objects.count() == 1
        assert "Found and done" in page(phone, "my_work_order", work.pk)


class TestPhotos:
    @pytest.fixture
    def kept(self, phone, give, settings, tmp_path: Path) -> ReportPhoto:
        settings.MEDIA_ROOT = tmp_path
        work = give()
        told = {"as_found": "confirmed", "photos": SimpleUploadedFile("a.jpg", JPEG, "text/html")}
        send(phone, "my_work_close", work, **answers(phone, work, **told))
        return ReportPhoto.objects.get()

    def test_those_who_see_the_work_see_its_photos(self, phone, planner, viewer, kept):
        for client in (phone, planner, viewer):
            answer = client.get(reverse("report_photo", args=[kept.pk]))
            assert answer.content == JPEG

    def test_a_photo_can_only_be_looked_at(self, planner, kept):
        headers = planner.get(reverse("report_photo", args=[kept.pk])).headers
        assert headers["Content-Type"] == "image/jpeg"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert headers["Cache-Control"].startswith("private")
        assert headers["Content-Disposition"] == f'inline; filename="photo-{kept.pk}.jpg"'

    def test_nobody_else_sees_it(self, kept, as_user, plant):
        stranger = User.objects.create_user("stranger")
        mate = User.objects.create_user("mate")
        Membership.objects.create(
            user=mate, site=plant.site, role=Role.TECHNICIAN, recorded_at=plant.site.recorded_at
        )
        url = reverse("report_photo", args=[kept.pk])
        assert [as_user(user).get(url).status_code for user in (stranger, mate)] == [404, 404]
        assert Client().get(url).status_code == 302

    def test_a_lost_file_is_not_there(self, planner, kept):
        Path(kept.file.path).unlink()
        assert planner.get(reverse("report_photo", args=[kept.pk])).status_code == 404

    def test_what_is_no_picture_is_told_at_its_field(self, phone, give):
        work = give()
        svg = SimpleUploadedFile("x.jpg", b"<svg/>", "image/jpeg")
        body = answers(phone, work, as_found="confirmed", photos=svg)
        answer = send(phone, "my_work_close", work, **body)
        assert answer.status_code == 422
        assert "x.jpg is no JPEG, PNG or WebP picture." in answer.content.decode()


class TestThePlanner:
    def test_sees_what_runs_and_what_was_found(self, phone, planner, give):
        running, done = give(), give()
        send(phone, "my_work_start", running)
        send(phone, "my_work_start", done)
        told = answers(phone, done, as_found="early_signs", note="Grease was dry")
        send(phone, "my_work_close", done, **told)
        in_progress = page(planner, "work_orders", data={"state": "in_progress"})
        assert str(running.number) in in_progress
        finished = page(planner, "work_orders", data={"state": "done"})
        assert str(done.number) in finished
        assert "Early signs of it" in finished
        html = page(planner, "work_order", done.pk)
        for words in ("Found and done", "Grease was dry", "Renewed", "Worked on", "Closed"):
            assert words in html

    def test_paused_work_stands_with_what_is_in_progress(self, phone, planner, give):
        work = give()
        send(phone, "my_work_start", work)
        send(phone, "my_work_pause", work)
        assert str(work.number) in page(planner, "work_orders", data={"state": "paused"})

    def test_the_export_tells_the_finding(self, phone, planner, give):
        work = give()
        send(phone, "my_work_close", work, **answers(phone, work, as_found="nothing_found"))
        answer = planner.get(reverse("work_orders_csv"), {"state": "done"})
        assert "Nothing found" in answer.content.decode("utf-8-sig")

    def test_cancels_with_a_reason(self, planner, give):
        work = give()
        send(planner, "work_order_cancel", work)
        assert state_of(work) == WorkOrderState.SCHEDULED
        send(planner, "work_order_cancel", work, note="The line was sold")
        assert state_of(work) == WorkOrderState.CANCELLED
        assert "The line was sold" in page(planner, "work_order", work.pk)
        assert str(work.number) in page(planner, "work_orders", data={"state": "cancelled"})

    def test_cannot_cancel_what_is_done(self, phone, planner, give):
        work = give()
        send(phone, "my_work_close", work, **answers(phone, work, as_found="confirmed"))
        send(planner, "work_order_cancel", work, note="too late")
        assert state_of(work) == WorkOrderState.DONE
        html = page(planner, "work_order", work.pk)
        assert "is done by now; nothing was changed." in html
        assert "Cancel the work…" not in html

    def test_a_viewer_cannot_cancel(self, viewer, give):
        assert send(viewer, "work_order_cancel", give(), note="x").status_code == 403
