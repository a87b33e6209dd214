"""Every page that people see, who sees it, and what has to be there before it is looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from playwright.async_api import Page as Tab

PLANNER, ENGINEER, TECHNICIAN = "planner", "engineer", "technician"
NEWCOMER, GUEST = "newcomer", "guest"
ROOMY = 768  # From this width on the schedule is a timeline; below it is a list by day.


@dataclass(frozen=True)
class Page:
    """`path` is a name among the plant's paths, or a path; nobody signs in where `who` is empty.

    `ready` comes to be visible once the page is drawn; `then` is done before it is looked at.
    Of a page under a dialog only what is in the window is pictured.
    """

    name: str
    path: str
    who: str = PLANNER
    ready: str = "main, h1"
    then: Callable[[Tab], Awaitable[None]] | None = None
    dialog: bool = False
    status: int = 200


async def timeline_is_drawn(tab: Tab) -> None:
    size = tab.viewport_size
    if size and size["width"] >= ROOMY:
        await tab.locator("#timeline[data-drawn=yes]").wait_for()
    else:
        await tab.locator(".agenda").wait_for()


async def panel_is_open(tab: Tab) -> None:
    await timeline_is_drawn(tab)
    await tab.locator(".bar-button:visible, .agenda-card button:visible").first.click()
    await tab.locator("#work-order.show:not(.showing) [data-move-form]").wait_for()


async def waiting_panel_is_open(tab: Tab) -> None:
    await timeline_is_drawn(tab)
    await tab.locator(".waiting-card button").first.click()
    await tab.locator("#work-order.show:not(.showing) #why-waits").wait_for()


async def publishing_is_asked(tab: Tab) -> None:
    await timeline_is_drawn(tab)
    await tab.locator("[data-bs-target='#publish']").click()
    await tab.locator("#publish.show .change-figures").wait_for()


async def dismissal_is_asked(tab: Tab) -> None:
    await tab.locator("[data-bs-toggle=modal][data-bs-target^='#dismiss']").first.click()
    await tab.locator(".modal.show [name=reason]").first.wait_for()


async def keys_are_shown(tab: Tab) -> None:
    await tab.locator("h1").click()
    await tab.keyboard.press("?")
    await tab.locator("#keyboard-help.show").wait_for()


async def sign_in_is_refused(tab: Tab) -> None:
    await tab.locator("[name=username]").fill("nobody")
    await tab.locator("[name=password]").fill("nothing")
    await tab.locator("[name=password]").press("Enter")
    await tab.locator("[role=alert]").wait_for()


PAGES = (
    Page("login", "/login/", who=""),
    Page("login-refused", "/login/", who="", then=sign_in_is_refused),
    Page("fleet", "/", ready="table"),
    Page("fleet-none-found", "/?q=no+such+asset"),
    Page("fleet-empty", "/", who=NEWCOMER),
    Page("no-site", "/", who=GUEST),
    Page("asset", "asset", ready="canvas"),
    Page("work-orders-proposed", "/work-orders/", ready="table"),
    Page("work-orders-accepted", "/work-orders/?state=accepted", ready="table"),
    Page("work-orders-scheduled", "/work-orders/?state=scheduled", ready="table"),
    Page("work-orders-dismissed", "/work-orders/?state=dismissed", ready="table"),
    Page("work-orders-of-technician", "/work-orders/?state=scheduled", who=TECHNICIAN),
    Page("work-orders-empty", "/work-orders/", who=NEWCOMER),
    Page("work-order", "planned"),
    Page("work-order-dismissal", "proposed", then=dismissal_is_asked, dialog=True),
    Page("work-order-new", "/work-orders/new/"),
    Page("schedule", "draft", then=timeline_is_drawn),
    Page("schedule-panel", "draft", then=panel_is_open, dialog=True),
    Page("schedule-panel-waiting", "draft", then=waiting_panel_is_open, dialog=True),
    Page("schedule-publish", "draft", then=publishing_is_asked, dialog=True),
    Page("schedule-published", "published", then=timeline_is_drawn),
    Page("schedule-empty", "/schedule/", who=NEWCOMER),
    Page("data", "/data/", who=ENGINEER, ready="table"),
    Page("data-empty", "/data/", who=NEWCOMER),
    Page("point", "point", who=ENGINEER, ready="[data-drawn=yes]"),
    Page("import", "import", who=ENGINEER, ready="table"),
    Page("operation", "operation"),
    Page("keyboard-help", "/work-orders/", then=keys_are_shown, dialog=True),
    Page("not-found", "/nothing-is-here/", status=404),
)
