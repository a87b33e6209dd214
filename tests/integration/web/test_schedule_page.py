"""The schedule's page and the changes a planner makes on it."""

import csv
import datetime as dt
import io
import json
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import translation

from maintenance.choices import OperationKind, ScheduleState, WorkOrderState
from maintenance.models import Absence, Assignment, Operation, Schedule, User, WorkOrder
from maintenance.queries.places import best_places
from tests.integration.web.plant import Plant, small_plant, with_draft

PAGE = "/schedule/"
AS_HTMX = {"HX-Request": "true"}
MADRID = ZoneInfo("Europe/Madrid")


@pytest.fixture
def draft(drafted: Plant) -> Schedule:
    assert drafted.schedule is not None
    return drafted.schedule


@pytest.fixture
def place(draft: Schedule) -> Assignment:
    """The last place of the draft: nothing comes after it that a move could push against."""
    found = draft.assignments.order_by("-starts_at").first()
    assert found is not None
    return found


def send(client: Client, draft: Schedule, name: str, **body: Any) -> HttpResponse:
    url = reverse(f"schedule_{name}", args=[draft.pk])
    given = {"revision": Schedule.objects.get(pk=draft.pk).revision, **body}
    answer: HttpResponse = client.post(url, json.dumps(given), content_type="application/json")
    return answer


def at_night(place: Assignment) -> str:
    return place.starts_at.astimezone(MADRID).strftime("%Y-%m-%dT03:00")


def crew(place: Assignment) -> list[int]:
    return sorted(technician.pk for technician in place.technicians.all())


def moved_at_night(client: Client, place: Assignment, **body: Any) -> HttpResponse:
    return send(
        client,
        place.schedule,
        "move",
        work_order=place.work_order_id,
        start=at_night(place),
        technicians=crew(place),
        **body,
    )


def test_the_page_shows_figures_list_and_what_the_script_needs(
    planner: Client, draft: Schedule
) -> None:
    html = planner.get(PAGE).content.decode()
    assert f"{draft.assignments.count()} work orders scheduled" in html
    assert "Saves €" in html
    assert 'id="schedule-settings"' in html
    assert html.count("agenda-card") == draft.assignments.count()
    assert "style=" not in html


def test_without_a_schedule_the_page_says_how_to_get_one(planner: Client) -> None:
    html = planner.get(PAGE).content.decode()
    assert "No schedule yet" in html
    assert reverse("schedule_optimise") in html


def test_a_schedule_that_does_not_exist_is_not_found(planner: Client, draft: Schedule) -> None:
    assert planner.get(PAGE, {"schedule": "999"}).status_code == 404
    assert planner.get(PAGE, {"schedule": "x"}).status_code == 404


def test_events_are_rows_bars_and_grey_spans_in_the_sites_clock(
    viewer: Client, draft: Schedule, place: Assignment
) -> None:
    told = viewer.get(reverse("schedule_events", args=[draft.pk])).json()
    assert len(told["resources"]) == 4
    bars = {e["id"]: e for e in told["events"] if e.get("display") != "background"}
    bar = bars[str(place.work_order_id)]
    assert bar["start"] == place.starts_at.astimezone(MADRID).strftime("%Y-%m-%dT%H:%M")
    assert sorted(map(int, bar["resourceIds"])) == crew(place)
    kinds = {e["classNames"][0] for e in told["events"] if e.get("display") == "background"}
    assert kinds == {"off-shift", "absent"}


@pytest.mark.parametrize("by", ["asset", "tool", "nonsense"])
def test_the_same_work_is_grouped_by_what_is_asked(
    viewer: Client, draft: Schedule, by: str
) -> None:
    told = viewer.get(reverse("schedule_events", args=[draft.pk]), {"by": by}).json()
    rows = {row["id"] for row in told["resources"]}
    bars = [e for e in told["events"] if e.get("display") != "background"]
    assert len(bars) == draft.assignments.count()
    assert all(set(bar["resourceIds"]) <= rows for bar in bars)


def test_only_the_days_in_view_are_sent(viewer: Client, draft: Schedule) -> None:
    url = reverse("schedule_events", args=[draft.pk])
    last = (draft.ends_at - dt.timedelta(days=1)).astimezone(MADRID).date()
    whole = viewer.get(url).json()["events"]
    few = viewer.get(url, {"start": last.isoformat(), "end": "nonsense"}).json()["events"]
    assert 0 < len(few) < len(whole)


def test_a_move_against_rules_is_refused_with_all_of_them_in_words(
    planner: Client, place: Assignment
) -> None:
    answer = moved_at_night(planner, place)
    assert answer.status_code == 409
    told = json.loads(answer.content)
    name = place.technicians.get().name
    assert f"{name} is not on shift all that time." in told["broken"]
    assert str(place.work_order.number) in told["title"]
    assert Assignment.objects.get(pk=place.pk).starts_at == place.starts_at


def test_the_planner_may_move_it_anyway_and_it_is_pinned(
    planner: Client, draft: Schedule, place: Assignment
) -> None:
    answer = moved_at_night(planner, place, anyway=True)
    assert answer.status_code == 200
    told = json.loads(answer.content)
    assert told["event"]["start"] == at_night(place)
    assert told["event"]["extendedProps"]["pinned"] is True
    assert (told["revision"], told["undo"]) == (2, True)
    kept = draft.assignments.get(work_order=place.work_order_id)
    assert kept.pinned


def test_a_lawful_move_is_kept_and_can_be_taken_back(
    planner: Client, draft: Schedule, place: Assignment
) -> None:
    best = best_places(draft, place.work_order)[0]
    answer = send(
        planner,
        draft,
        "move",
        work_order=place.work_order_id,
        start=best.clock,
        technicians=list(best.technician_ids),
    )
    assert answer.status_code == 200, answer.content
    assert draft.assignments.get(work_order=place.work_order_id).starts_at == best.starts_at
    undone = send(planner, draft, "undo")
    assert undone.status_code == 200
    assert json.loads(undone.content)["undo"] is False
    assert draft.assignments.get(work_order=place.work_order_id).starts_at == place.starts_at


def test_two_browsers_move_the_same_work_and_the_second_is_told(
    planner: Client, place: Assignment
) -> None:
    assert moved_at_night(planner, place, revision=1, anyway=True).status_code == 200
    answer = moved_at_night(planner, place, revision=1, anyway=True)
    assert answer.status_code == 412
    told = json.loads(answer.content)
    assert "Another planner changed this schedule a moment ago." in told["message"]
    assert told["reload"] is True


def test_work_without_a_named_crew_gets_whoever_is_able_and_free(
    planner: Client, draft: Schedule, place: Assignment
) -> None:
    before = crew(place)
    start = place.starts_at.astimezone(MADRID).strftime("%Y-%m-%dT%H:%M")
    send(planner, draft, "remove", work_order=place.work_order_id)
    assert draft.left_out.filter(work_order=place.work_order_id).exists()
    answer = send(
        planner, draft, "move", work_order=place.work_order_id, start=start, technicians=[]
    )
    assert answer.status_code == 200, answer.content
    kept = draft.assignments.get(work_order=place.work_order_id)
    assert len(crew(kept)) == len(before)


def test_pinning_and_unpinning(planner: Client, draft: Schedule, place: Assignment) -> None:
    for pinned in (True, False):
        answer = send(planner, draft, "pin", work_order=place.work_order_id, pinned=pinned)
        assert json.loads(answer.content)["event"]["extendedProps"]["pinned"] is pinned
        order = WorkOrder.objects.get(pk=place.work_order_id)
        assert order.is_pinned is pinned


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("move", "not json", "JSON"),
        ("move", "[]", "JSON object"),
        ("move", '{"revision": 1, "work_order": 1, "start": "x", "technicians": []}', "start"),
        ("move", '{"revision": 1, "work_order": 1, "start": "2026-01-05T06:00"}', "technicians"),
        ("move", '{"revision": true, "work_order": 1}', "revision"),
        ("pin", '{"revision": 1, "work_order": 1, "pinned": "yes"}', "pinned"),
        ("remove", '{"revision": 1, "work_order": -4}', "work_order"),
        ("undo", "{}", "revision"),
    ],
)
def test_a_body_that_is_not_what_the_page_sends_is_refused_by_its_field(
    planner: Client, draft: Schedule, name: str, body: str, field: str
) -> None:
    url = reverse(f"schedule_{name}", args=[draft.pk])
    answer = planner.post(url, body, content_type="application/json")
    assert answer.status_code == 422
    assert field in json.loads(answer.content)["message"]


def test_a_published_schedule_is_not_changed_in_place(
    planner: Client, draft: Schedule, place: Assignment
) -> None:
    planner.post(reverse("schedule_publish", args=[draft.pk]), {"revision": "1"})
    answer = moved_at_night(planner, place, anyway=True)
    assert answer.status_code == 409
    assert "not a draft any more" in json.loads(answer.content)["message"]


def test_the_panel_offers_seats_the_best_places_and_the_form(
    planner: Client, draft: Schedule, place: Assignment
) -> None:
    query = {"schedule": draft.number, "part": "work_order", "work_order": place.work_order_id}
    html = planner.get(PAGE, query, headers=AS_HTMX).content.decode()
    assert "<html" not in html
    assert "Best free places" in html
    assert "data-move-form" in html
    assert place.technicians.get().name in html


def test_the_panel_of_waiting_work_says_why_and_what_would_bring_it_in(
    planner: Client, draft: Schedule, plant: Plant
) -> None:
    Absence.objects.all().delete()
    part = plant.work_orders[0].job_plan.parts.get().part
    part.deliveries.all().delete()
    part.stock = 0
    part.save()
    drafted_again = optimised(plant)
    waiting = drafted_again.left_out.filter(work_order__job_plan__parts__part=part).select_related(
        "work_order"
    )
    query = {"part": "work_order", "work_order": waiting[0].work_order_id}
    html = planner.get(PAGE, query, headers=AS_HTMX).content.decode()
    assert "What would bring it in" in html
    assert "Have the part delivered in time" in html
    assert f"{part.name}: 1 needed by then, only 0 will be there." in html


def optimised(plant: Plant) -> Schedule:
    schedule = with_draft(plant, plant.site.recorded_at, seconds=1).schedule
    assert schedule is not None
    return schedule


def test_a_viewer_sees_the_panel_without_its_form(
    viewer: Client, draft: Schedule, place: Assignment
) -> None:
    query = {"part": "work_order", "work_order": place.work_order_id}
    html = viewer.get(PAGE, query, headers=AS_HTMX).content.decode()
    assert "data-move-form" not in html
    assert "Publish…" not in viewer.get(PAGE).content.decode()


@pytest.mark.parametrize("name", ["move", "pin", "remove", "undo", "edit", "publish"])
def test_a_viewer_changes_nothing(viewer: Client, draft: Schedule, name: str) -> None:
    assert send(viewer, draft, name).status_code == 403


@pytest.mark.parametrize("name", ["move", "pin", "remove", "undo", "edit", "publish", "events"])
def test_another_sites_schedule_does_not_exist(
    draft: Schedule, now: dt.datetime, as_user: Callable[[User], Client], name: str
) -> None:
    elsewhere = as_user(small_plant(now, code="south").planner)
    url = reverse(f"schedule_{name}", args=[draft.pk])
    answer = elsewhere.get(url) if name == "events" else elsewhere.post(url)
    assert answer.status_code == 404


def test_optimising_asks_for_long_work_and_shows_how_far_it_is(
    planner: Client, plant: Plant
) -> None:
    html = planner.post(reverse("schedule_optimise"), headers=AS_HTMX).content.decode()
    operation = Operation.objects.get(kind=OperationKind.SCHEDULE)
    assert reverse("operation", args=[operation.pk]) in html
    planner.post(reverse("schedule_optimise"))
    assert Operation.objects.count() == 1
    assert "waiting for a worker" in planner.get(PAGE).content.decode()


def test_the_dialog_tells_what_changes_before_it_is_published(
    planner: Client, draft: Schedule, place: Assignment
) -> None:
    query = {"schedule": draft.number, "part": "publish"}
    html = planner.get(PAGE, query, headers=AS_HTMX).content.decode()
    assert "It is the first schedule to be published." in html
    planner.post(reverse("schedule_publish", args=[draft.pk]), {"revision": "1"})
    planner.post(reverse("schedule_edit", args=[draft.pk]))
    again = Schedule.objects.get(state=ScheduleState.DRAFT)
    moved_at_night(planner, again.assignments.get(work_order=place.work_order_id), anyway=True)
    query = {"schedule": again.number, "part": "publish"}
    html = planner.get(PAGE, query, headers=AS_HTMX).content.decode()
    assert f"It takes the place of schedule {draft.number}." in html
    figures = [int(n) for n in html.split("<dd>")[1:] for n in [n.split("<")[0]]]
    assert figures == [0, 1, 0, draft.assignments.count() - 1]


def test_publishing_tells_everybody_and_leads_to_what_is_published(
    planner: Client, draft: Schedule, place: Assignment
) -> None:
    url = reverse("schedule_publish", args=[draft.pk])
    answer = planner.post(url, {"revision": "1"}, headers=AS_HTMX)
    assert answer["HX-Redirect"] == f"{PAGE}?schedule={draft.number}"
    assert Schedule.objects.get(pk=draft.pk).state == ScheduleState.PUBLISHED
    assert WorkOrder.objects.get(pk=place.work_order_id).state == WorkOrderState.SCHEDULED


def test_publishing_against_a_rule_asks_once_more(
    planner: Client, draft: Schedule, place: Assignment
) -> None:
    moved_at_night(planner, place, anyway=True)
    url = reverse("schedule_publish", args=[draft.pk])
    answer = planner.post(url, {"revision": "2"}, headers=AS_HTMX)
    assert answer.status_code == 422
    assert "is not on shift all that time." in answer.content.decode()
    assert Schedule.objects.get(pk=draft.pk).state == ScheduleState.DRAFT
    planner.post(url, {"revision": "2", "anyway": "yes"})
    assert Schedule.objects.get(pk=draft.pk).state == ScheduleState.PUBLISHED


def test_what_the_dialog_showed_is_what_is_published(
    planner: Client, draft: Schedule, place: Assignment
) -> None:
    send(planner, draft, "pin", work_order=place.work_order_id, pinned=True)
    url = reverse("schedule_publish", args=[draft.pk])
    answer = planner.post(url, {"revision": "1"}, headers=AS_HTMX)
    assert answer.status_code == 422
    assert "Another planner changed the draft a moment ago." in answer.content.decode()


def test_the_export_holds_what_is_scheduled_and_what_waits(
    viewer: Client, planner: Client, draft: Schedule, place: Assignment
) -> None:
    send(planner, draft, "remove", work_order=place.work_order_id)
    answer = viewer.get(reverse("schedule_csv", args=[draft.pk]))
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == 6
    waiting = [row for row in rows if not row["Starts at"]]
    assert [int(row["Work order"]) for row in waiting] == [place.work_order.number]
    assert waiting[0]["Why it is left out"]


def test_the_page_speaks_the_language_of_its_reader(planner: Client, draft: Schedule) -> None:
    planner.cookies["django_language"] = "es"
    with translation.override("en"):
        html = planner.get(PAGE).content.decode()
    assert '<html lang="es"' in html
