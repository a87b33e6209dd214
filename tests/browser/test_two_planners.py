"""Two planners move the same work at the same time."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.people import at_work, browsing
from tests.browser.plant import Plant
from tests.browser.serving import served
from tests.browser.timeline import bars_of, label_of, movable, move_by_form, open_timeline

pytestmark = pytest.mark.browser


def test_the_second_of_two_planners_is_told_and_sees_what_the_first_did(
    chromium_path: str, demo_plant: Plant
) -> None:
    with (
        served(demo_plant) as address,
        browsing(chromium_path) as browser,
        at_work(browser, demo_plant, address, "planner") as first,
        at_work(browser, demo_plant, address, "supervisor") as second,
    ):
        for page in (first, second):
            open_timeline(page)
        work_order = movable(first)
        before = label_of(second, work_order)

        with first.expect_response("**/move/**") as answered:
            move_by_form(first, work_order)
        assert answered.value.status == 200

        with second.expect_response("**/move/**") as answered:
            move_by_form(second, work_order)
        assert answered.value.status == 412
        expect(second.locator("#toasts")).to_contain_text("Another planner changed this schedule")
        after = label_of(first, work_order)
        assert after != before
        expect(bars_of(second, work_order).first).to_have_attribute("aria-label", after)
