"""The pages of work orders, as the browser asks for them."""

import csv
import datetime as dt
import io
import re
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from maintenance.choices import DismissReason, Priority, Role, WorkOrderState, WorkOrderType
from maintenance.flow import advise
from maintenance.models import AuditEntry, Membership, User, WorkOrder
from maintenance.web.csv_download import harmless
from tests.integration.web.a_plant import a_user
from tests.integration.web.plant import Plant, small_plant

LIST = "/work-orders/"
AS_HTMX = {"HX-Request": "true"}


def listed(html: str) -> list[int]:
    return [int(number) for number in re.findall(r'class="figures">(\d{4})</span>', html)]


def text(client: Client, url: str, **query: object) -> str:
    answer = client.get(url, query)
    assert answer.status_code == 200
    return answer.content.decode()


def state_of(work_order: WorkOrder) -> str:
    return WorkOrder.objects.get(pk=work_order.pk).state


def proposed(plant: Plant) -> list[WorkOrder]:
    return [w for w in plant.work_orders if w.state == WorkOrderState.PROPOSED]


def test_the_list_ranks_proposals_by_what_they_save(planner: Client, plant: Plant) -> None:
    numbers = listed(text(planner, LIST))
    worth = {w.number: w.saving or Decimal(-1) for w in proposed(plant)}
    assert set(numbers) == set(worth)
    assert [worth[n] for n in numbers] == sorted(worth.values(), reverse=True)


def test_each_tab_shows_its_state_and_all_tabs_count(planner: Client, plant: Plant) -> None:
    html = text(planner, LIST, state="accepted")
    accepted = {w.number for w in plant.work_orders if w.state == WorkOrderState.ACCEPTED}
    assert set(listed(html)) == accepted
    assert re.findall(r'class="count">(\d+)<', html) == ["4", "2", "0", "0", "0", "0", "0"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"q": "pmp-002 bearing"}, {1002}),
        ({"q": "1005"}, {1005}),
        ({"type": "preventive"}, {1005}),
        ({"priority": "2"}, {1002}),
        ({"kind": "CNV", "state": "accepted"}, {1004}),
        ({"q": "nothing like it"}, set()),
    ],
)
def test_filters_narrow_the_list(
    planner: Client, plant: Plant, query: dict[str, str], expected: set[int]
) -> None:
    WorkOrder.objects.filter(number=1002).update(priority=Priority.HIGH)
    WorkOrder.objects.exclude(number=1002).update(priority=Priority.NORMAL)
    assert set(listed(text(planner, LIST, **query))) == expected


def test_a_filter_that_makes_no_sense_asks_for_nothing(planner: Client) -> None:
    html = text(planner, LIST, state="nonsense", type="x", priority="y", sort="z", page="99")
    assert len(listed(html)) == 4


def test_an_empty_filter_result_offers_the_way_back(planner: Client) -> None:
    assert "Clear the filter" in text(planner, LIST, q="zzz")


def test_htmx_gets_the_table_alone(planner: Client) -> None:
    html = planner.get(LIST, headers=AS_HTMX).content.decode()
    assert "<html" not in html
    assert len(listed(html)) == 4


def test_chosen_proposals_are_accepted_together(planner: Client, plant: Plant) -> None:
    chosen = proposed(plant)[:2]
    body = {"chosen": [w.pk for w in chosen], "decision": "accept", "next": LIST + "?sort=number"}
    answer = planner.post("/work-orders/decide/", body)
    assert answer["Location"] == LIST + "?sort=number"
    assert {state_of(w) for w in chosen} == {WorkOrderState.ACCEPTED}
    assert "2 work orders were accepted." in text(planner, LIST)


def test_dismissing_together_needs_a_reason(planner: Client, plant: Plant) -> None:
    chosen = proposed(plant)[:2]
    body = {"chosen": [w.pk for w in chosen], "decision": "dismiss"}
    planner.post("/work-orders/decide/", body)
    assert {state_of(w) for w in chosen} == {WorkOrderState.PROPOSED}
    planner.post("/work-orders/decide/", {**body, "reason": "false_alarm", "note": "new sensor"})
    kept = WorkOrder.objects.filter(pk__in=[w.pk for w in chosen])
    assert {(w.state, w.dismiss_reason, w.dismiss_note) for w in kept} == {
        ("dismissed", "false_alarm", "new sensor")
    }


def test_what_cannot_be_accepted_is_named_and_the_rest_is_done(
    planner: Client, plant: Plant
) -> None:
    accepted = next(w for w in plant.work_orders if w.state == WorkOrderState.ACCEPTED)
    free = proposed(plant)[0]
    body = {"chosen": [accepted.pk, free.pk], "decision": "accept"}
    html = planner.post("/work-orders/decide/", body, follow=True).content.decode()
    assert state_of(free) == WorkOrderState.ACCEPTED
    assert f"Left as they were: {accepted.number}." in html


def test_a_decision_never_leads_to_another_site(planner: Client, plant: Plant) -> None:
    url = reverse("work_order_accept", args=[proposed(plant)[0].pk])
    answer = planner.post(url, {"next": "https://evil.example/"})
    assert answer["Location"] == reverse("work_order", args=[proposed(plant)[0].pk])


def test_one_work_order_says_why_what_and_when(planner: Client, plant: Plant) -> None:
    work_order = next(w for w in plant.work_orders if w.forecast is not None)
    html = text(planner, reverse("work_order", args=[work_order.pk]))
    assert "Vibration, mean of 7 days" in html
    assert "6.40 mm/s, usually 2.20" in html
    assert "Isolate and lock out" in html
    assert "Proposed from the forecast" in html
    assert "No schedule has looked at it yet" in html


def test_a_draft_tells_where_the_work_stands(planner: Client, drafted: Plant) -> None:
    assert drafted.schedule is not None
    place = drafted.schedule.assignments.select_related("work_order").first()
    assert place is not None
    html = text(planner, reverse("work_order", args=[place.work_order_id]))
    assert f"?schedule={drafted.schedule.number}" in html
    assert place.technicians.get().name in html


def test_dismissed_work_stands_in_no_draft(planner: Client, drafted: Plant) -> None:
    assert drafted.schedule is not None
    proposed = WorkOrderState.PROPOSED
    place = drafted.schedule.assignments.filter(work_order__state=proposed).first()
    assert place is not None
    page = reverse("work_order", args=[place.work_order_id])
    in_draft = f"?schedule={drafted.schedule.number}"
    assert in_draft in text(planner, page)
    planner.post(
        reverse("work_order_dismiss", args=[place.work_order_id]), {"reason": "false_alarm"}
    )
    assert in_draft not in text(planner, page)


@pytest.mark.parametrize(
    ("role", "tab", "badge"),
    [(Role.PLANNER, "Proposed", True), (Role.TECHNICIAN, "Scheduled", False)],
)
def test_each_role_begins_with_what_it_may_act_on(
    plant: Plant, as_user: Callable[[User], Client], role: Role, tab: str, badge: bool
) -> None:
    html = text(as_user(a_user("somebody", roles=[(plant.site, role)])), LIST)
    assert re.search(rf'aria-current="page">{tab}', html)
    assert ('class="side-count"' in html) is badge


def test_accepting_dismissing_and_reopening_leave_a_history(planner: Client, plant: Plant) -> None:
    work_order = proposed(plant)[0]
    planner.post(reverse("work_order_accept", args=[work_order.pk]))
    planner.post(
        reverse("work_order_dismiss", args=[work_order.pk]),
        {"reason": "already_done", "note": "last night"},
    )
    assert state_of(work_order) == WorkOrderState.DISMISSED
    html = planner.post(
        reverse("work_order_reopen", args=[work_order.pk]), follow=True
    ).content.decode()
    assert state_of(work_order) == WorkOrderState.PROPOSED
    for words in ("Accepted", "Dismissed: Already done", "last night", "Proposed again"):
        assert words in html
    assert AuditEntry.objects.filter(subject=f"work order {work_order.number}").count() == 3


def test_the_second_planner_is_told_that_it_was_decided(
    planner: Client, plant: Plant, now: dt.datetime
) -> None:
    work_order = proposed(plant)[0]
    advise.dismiss(work_order=work_order, reason=DismissReason.OTHER, by=plant.planner, now=now)
    url = reverse("work_order_accept", args=[work_order.pk])
    assert "nothing was changed" in planner.post(url, follow=True).content.decode()
    assert state_of(work_order) == WorkOrderState.DISMISSED


def test_work_that_is_open_elsewhere_is_not_taken_back(
    planner: Client, plant: Plant, now: dt.datetime
) -> None:
    old = next(w for w in proposed(plant) if w.failure_mode is not None)
    advise.dismiss(work_order=old, reason=DismissReason.OTHER, by=plant.planner, now=now)
    again = WorkOrder.objects.get(pk=old.pk)
    again.pk, again.number, again.state, again.dismiss_reason = None, 2001, "proposed", ""
    again.save(force_insert=True)
    html = planner.post(reverse("work_order_reopen", args=[old.pk]), follow=True).content.decode()
    assert f"The same work is open in another work order; {old.number} stays dismissed." in html
    assert state_of(old) == WorkOrderState.DISMISSED


def test_a_viewer_sees_no_buttons_and_may_not_decide(viewer: Client, plant: Plant) -> None:
    work_order = proposed(plant)[0]
    html = text(viewer, reverse("work_order", args=[work_order.pk]))
    assert "Dismiss…" not in html
    assert viewer.post(reverse("work_order_accept", args=[work_order.pk])).status_code == 403


def test_another_sites_work_order_does_not_exist(
    plant: Plant, now: dt.datetime, as_user: Callable[[User], Client]
) -> None:
    elsewhere = as_user(small_plant(now, code="south").planner)
    work_order = proposed(plant)[0]
    assert elsewhere.get(reverse("work_order", args=[work_order.pk])).status_code == 404
    assert elsewhere.post(reverse("work_order_accept", args=[work_order.pk])).status_code == 404
    elsewhere.post("/work-orders/decide/", {"chosen": [work_order.pk], "decision": "accept"})
    assert state_of(work_order) == WorkOrderState.PROPOSED


def test_the_export_has_all_rows_and_no_cell_that_computes(planner: Client, plant: Plant) -> None:
    danger = proposed(plant)[0]
    WorkOrder.objects.filter(pk=danger.pk).update(title='=HYPERLINK("http://x")')
    answer = planner.get("/work-orders.csv", {"sort": "number"})
    assert answer["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [int(row["Number"]) for row in rows] == sorted(w.number for w in proposed(plant))
    titles = {int(row["Number"]): row["Title"] for row in rows}
    assert titles[danger.number].startswith("'=")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_that_a_spreadsheet_would_compute_is_quoted(start: str) -> None:
    assert harmless(f"{start}1+1") == f"'{start}1+1"
    assert harmless(-3) == -3


def asked(plant: Plant, **changes: object) -> dict[str, object]:
    first = plant.work_orders[0]
    return {
        "asset": first.asset_id,
        "job_plan": first.job_plan_id,
        "type": "corrective",
        "priority": "1",
        "title": "",
        "latest_at": "",
        "note": "It squeals",
        **changes,
    }


def test_a_requester_asks_for_work_and_sees_it(
    plant: Plant, as_user: Callable[[User], Client]
) -> None:
    requester = as_user(plant.requester)
    html = requester.post("/work-orders/new/", asked(plant), follow=True).content.decode()
    made = WorkOrder.objects.latest("pk")
    assert (made.state, made.type, made.requested_by) == (
        WorkOrderState.PROPOSED,
        WorkOrderType.CORRECTIVE,
        plant.requester,
    )
    assert made.title == made.job_plan.name
    assert "It squeals" in html
    assert listed(text(requester, LIST)) == [made.number]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"asset": ""}, "This field is required."),
        ({"job_plan": "999999"}, "Select a valid choice."),
        ({"latest_at": "2001-01-01T10:00"}, "That is in the past."),
    ],
)
def test_a_form_filled_in_badly_says_what_is_wrong(
    planner: Client, plant: Plant, wrong: dict[str, str], words: str
) -> None:
    answer = planner.post("/work-orders/new/", asked(plant, **wrong))
    assert answer.status_code == 422
    assert words in answer.content.decode()


def test_the_job_plans_on_offer_follow_the_asset(planner: Client, plant: Plant) -> None:
    pump, press = plant.work_orders[0], plant.work_orders[5]
    html = planner.get(
        "/work-orders/new/", {"asset": press.asset_id}, headers=AS_HTMX
    ).content.decode()
    assert "<html" not in html
    assert f'value="{press.job_plan_id}"' in html
    assert f'value="{pump.job_plan_id}"' not in html


def test_a_viewer_may_not_ask_for_work(viewer: Client) -> None:
    assert viewer.get("/work-orders/new/").status_code == 403


def test_a_reader_without_a_site_is_told_so(db: None, as_user: Callable[[User], Client]) -> None:
    stranger = as_user(User.objects.create_user("stranger"))
    assert "You do not belong to a site." in text(stranger, LIST)


def test_work_of_another_of_ones_sites_is_told_in_its_own_time(
    planner: Client, plant: Plant, now: dt.datetime
) -> None:
    far = small_plant(now, code="far")
    far.site.time_zone = "America/Mexico_City"
    far.site.save()
    Membership.objects.create(user=plant.planner, site=far.site, role="planner", recorded_at=now)
    session = planner.session
    session["site"] = plant.site.pk
    session.save()
    work_order = far.work_orders[0]
    work_order.best_at = dt.datetime(2030, 1, 15, 3, tzinfo=dt.UTC)
    work_order.save()
    html = planner.get(f"/work-orders/{work_order.pk}/").content.decode()
    assert "14 Jan 2030" in html
