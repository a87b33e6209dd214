"""From a file of readings to the technician who sees the published work, by clicks alone."""

from __future__ import annotations

import datetime as dt
import re
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.people import at_work, browsing, go_to
from tests.browser.plant import Plant
from tests.browser.serving import served, working
from tests.browser.timeline import (
    bars_of,
    drag,
    drag_to_somebody_absent,
    label_of,
    movable,
    move_by_form,
    wait_until_drawn,
)

pytestmark = pytest.mark.browser


def test_readings_become_forecasts_proposals_a_schedule_and_somebodys_work(
    chromium_path: str, demo_plant: Plant, tmp_path: Path
) -> None:
    with ExitStack() as on:
        address = on.enter_context(served(demo_plant))
        browser = on.enter_context(browsing(chromium_path))
        with at_work(browser, demo_plant, address, "engineer") as engineer:
            upload(engineer, readings_file(demo_plant, tmp_path))
            on.enter_context(working(demo_plant))
            the_bad_row_is_named_and_the_others_are_kept(engineer)
        with at_work(browser, demo_plant, address, "planner") as planner:
            forecast(planner)
            accept_a_proposal(planner)
            optimise(planner)
            a_drag_that_breaks_rules_is_refused_then_made_anyway_then_taken_back(planner)
            moved = move_one_without_dragging(planner)
            publish(planner)
            assert bars_of(planner, moved).count() > 0
            given = work_given_to(planner, technician_name(demo_plant))
        see_ones_own_work(browser, demo_plant, address, given)


def readings_file(plant: Plant, folder: Path) -> Path:
    asset, point = plant.rows(
        "select a.code, p.code from maintenance_measurementpoint p"
        " join maintenance_asset a on a.id = p.asset_id order by p.id"
    )[0]
    hour_ago = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    path = folder / "readings.csv"
    path.write_text(
        "asset,point,at,value\n"
        f"{asset},{point},{hour_ago:%Y-%m-%dT%H:%M:%SZ},2.4\n"
        f"{asset},{point},{hour_ago:%Y-%m-%dT%H:%M:%SZ},a lot\n"
        f"{asset},{point},{hour_ago:%Y-%m-%dT%H:10:%SZ},2.5\n"
    )
    return path


def upload(engineer: Page, path: Path) -> None:
    """No worker runs yet: what is shown is an import that waits."""
    go_to(engineer, "Data")
    engineer.get_by_label("What the file holds").select_option("readings")
    engineer.get_by_label("CSV file").set_input_files(path)
    engineer.get_by_role("button", name="Bring it in").click()
    expect(engineer.locator("#import-state progress")).to_be_visible()


def the_bad_row_is_named_and_the_others_are_kept(engineer: Page) -> None:
    expect(engineer.locator("#import-state progress")).to_be_hidden()
    facts = engineer.locator("#import-state .facts")
    expect(facts).to_have_text(re.compile(r"Received\s*3\s*New\s*2\s*.*Refused\s*1", re.DOTALL))
    engineer.get_by_role("link", name="Show the refused rows").click()
    row = engineer.locator("#refused-rows tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("value")
    expect(row).to_contain_text("a lot")


def forecast(planner: Page) -> None:
    """The page draws itself anew when the forecast is there."""
    go_to(planner, "Fleet")
    subtitle = planner.locator(".page-head-words p")
    before = subtitle.inner_text()
    planner.get_by_role("button", name="Forecast now").click()
    expect(planner.locator("#operation .operation")).to_contain_text("Forecast")
    expect(subtitle).not_to_have_text(before)


def accept_a_proposal(planner: Page) -> None:
    go_to(planner, "Work orders")
    planner.locator("table.work-orders tbody th a, table.work-orders tbody a").first.click()
    planner.get_by_role("button", name="Accept").click()
    expect(planner.get_by_role("status").filter(has_text="was accepted")).to_be_visible()


def optimise(planner: Page) -> None:
    go_to(planner, "Schedule")
    before = planner.locator("h1").inner_text()
    planner.get_by_role("button", name="Optimise").click()
    expect(planner.locator("#operation .operation progress")).to_be_visible()
    expect(planner.locator("h1")).not_to_have_text(before)
    wait_until_drawn(planner)


def a_drag_that_breaks_rules_is_refused_then_made_anyway_then_taken_back(planner: Page) -> None:
    wanted = drag_to_somebody_absent(planner)
    before = label_of(planner, wanted.work_order)
    with planner.expect_response("**/move/**") as answered:
        drag(planner, wanted)
    assert answered.value.status == 409
    refusal = planner.locator("#refusal")
    expect(refusal.locator("li")).to_have_text(answered.value.json()["broken"])
    assert label_of(planner, wanted.work_order) == before

    bar = bars_of(planner, wanted.work_order).first
    refusal.get_by_role("button", name="Move anyway and pin").click()
    expect(refusal).to_be_hidden()
    expect(bar).to_have_attribute("aria-label", re.compile("pinned$"))
    assert label_of(planner, wanted.work_order) != before

    planner.locator("#undo").click()
    expect(bar).to_have_attribute("aria-label", before)


def move_one_without_dragging(planner: Page) -> str:
    work_order = movable(planner)
    with planner.expect_response("**/move/**") as answered:
        move_by_form(planner, work_order)
    assert answered.value.status == 200
    bar = bars_of(planner, work_order).first
    expect(bar).to_have_attribute("aria-label", re.compile("pinned$"))
    return work_order


def publish(planner: Page) -> None:
    planner.get_by_role("button", name="Publish…").click()
    dialog = planner.get_by_role("dialog", name=re.compile("^Publish schedule"))
    dialog.get_by_role("button", name="Publish", exact=True).click()
    expect(planner.get_by_role("status").filter(has_text="is published")).to_be_visible()
    expect(planner.locator("h1")).to_contain_text("Published")
    wait_until_drawn(planner)


def technician_name(plant: Plant) -> str:
    """Who signs in as technician."""
    rows = plant.rows(
        "select t.name from maintenance_technician t"
        " join maintenance_user u on u.id = t.user_id where u.username = 'technician'"
    )
    return str(rows[0][0])


def work_given_to(planner: Page, name: str) -> set[str]:
    """Numbers of the work orders on the bars that name somebody."""
    bars = planner.locator("#timeline .bar-button").all()
    labels = [bar.get_attribute("aria-label") or "" for bar in bars]
    return {label.partition(" ")[0] for label in labels if name in label}


def see_ones_own_work(browser: Browser, plant: Plant, address: str, given: set[str]) -> None:
    assert given
    with at_work(browser, plant, address, "technician") as technician:
        go_to(technician, "Work orders")
        technician.get_by_role("link", name=re.compile("^Scheduled")).click()
        shown = technician.locator("table.work-orders tbody tr")
        expect(shown).to_have_count(len(given))
        numbers = {re.findall(r"\d+", text)[0] for text in shown.all_inner_texts()}
        assert numbers == given
