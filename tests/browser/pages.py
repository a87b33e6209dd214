"""Every page that people see, who sees it, and what has to be there before it is looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from playwright.async_api import Page as Tab

PLANNER, ENGINEER, TECHNICIAN = "planner", "engineer", "technician"
NEWCOMER, GUEST, TRAINEE, ADMINISTRATOR = "newcomer", "guest", "trainee", "administrator"
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


async def another_fault_is_chosen(tab: Tab) -> None:
    await tab.locator(".my-choice:has([value=other_fault])").click()
    await tab.locator("[name=failure_mode]").wait_for()


async def closing_is_refused(tab: Tab) -> None:
    """Nothing was said of what was found."""
    await tab.locator(".my-send button").click()
    await tab.locator("[role=alert]").wait_for()


async def care_is_offered(tab: Tab) -> None:
    await tab.locator(".alert-actions summary").first.click()
    await tab.locator(".alert-actions [name=note]").first.wait_for()


async def change_of_what_serves_is_asked(tab: Tab) -> None:
    await tab.locator(".page-head [data-bs-toggle=modal]").click()
    await tab.locator(".modal.show [name=reason]").wait_for()


async def rhythm_is_refused(tab: Tab) -> None:
    await tab.locator("[name=time]").fill("")
    await tab.locator("[name=rhythm]").select_option("weekly")
    await tab.get_by_role("main").locator("form .btn-primary").click()
    await tab.locator(".field-error").first.wait_for()


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
    Page("work-orders-in-progress", "/work-orders/?state=in_progress", ready="table"),
    Page("work-orders-done", "/work-orders/?state=done", ready="table"),
    Page("work-orders-empty", "/work-orders/", who=NEWCOMER),
    Page("work-order", "planned"),
    Page("work-order-closed", "closed"),
    Page("work-order-dismissal", "proposed", then=dismissal_is_asked, dialog=True),
    Page("work-order-new", "/work-orders/new/"),
    Page("schedule", "draft", then=timeline_is_drawn),
    Page("schedule-panel", "draft", then=panel_is_open, dialog=True),
    Page("schedule-panel-waiting", "draft", then=waiting_panel_is_open, dialog=True),
    Page("schedule-publish", "draft", then=publishing_is_asked, dialog=True),
    Page("schedule-published", "published", then=timeline_is_drawn),
    Page("schedule-empty", "/schedule/", who=NEWCOMER),
    Page("my-work", "/my-work/", who=TECHNICIAN),
    Page("my-work-without-work", "/my-work/", who=TRAINEE),
    Page("my-work-order", "my-waiting", who=TECHNICIAN),
    Page("my-work-closing", "my-closing", who=TECHNICIAN),
    Page("my-work-other-fault", "my-closing", who=TECHNICIAN, then=another_fault_is_chosen),
    Page(
        "my-work-closing-refused",
        "my-closing",
        who=TECHNICIAN,
        then=closing_is_refused,
        status=422,
    ),
    Page("my-work-closed", "my-closed", who=TECHNICIAN),
    Page("inbox", "/inbox/", who=ENGINEER, ready="table"),
    Page("inbox-care", "/inbox/", who=ENGINEER, ready="table", then=care_is_offered),
    Page("inbox-mine", "/inbox/?state=mine", who=ENGINEER, ready="table"),
    Page("inbox-silenced", "/inbox/?state=silenced", who=ENGINEER, ready="table"),
    Page("inbox-closed", "/inbox/?state=closed", who=ENGINEER, ready="table"),
    Page("inbox-none-found", "/inbox/?state=mine&kind=drift", who=ENGINEER),
    Page("inbox-empty", "/inbox/", who=NEWCOMER),
    Page("models", "/models/", who=ENGINEER, ready="table"),
    Page("models-empty", "/models/", who=NEWCOMER),
    Page("model", "model", who=ENGINEER, ready="table"),
    Page(
        "model-roll-back", "model", who=ENGINEER, then=change_of_what_serves_is_asked, dialog=True
    ),
    Page("model-champion", "champion", who=ENGINEER, ready="table"),
    Page("model-challenger", "challenger", who=ENGINEER, ready="table"),
    Page(
        "model-promote",
        "challenger",
        who=ENGINEER,
        then=change_of_what_serves_is_asked,
        dialog=True,
    ),
    Page("models-served", "/models/served/", who=ENGINEER, ready="table"),
    Page("models-served-nothing", "/models/served/?day=2001-01-01", who=ENGINEER),
    Page("training", "training", who=ENGINEER, ready="progress"),
    Page("timetable", "/timetable/", who=ADMINISTRATOR, ready="table"),
    Page("timetable-entry", "timetable-entry", who=ADMINISTRATOR),
    Page(
        "timetable-entry-refused",
        "timetable-entry",
        who=ADMINISTRATOR,
        then=rhythm_is_refused,
        status=422,
    ),
    Page("data", "/data/", who=ENGINEER, ready="table"),
    Page("data-empty", "/data/", who=NEWCOMER),
    Page("point", "point", who=ENGINEER, ready="[data-drawn=yes]"),
    Page("import", "import", who=ENGINEER, ready="table"),
    Page("operation", "operation"),
    Page("keyboard-help", "/work-orders/", then=keys_are_shown, dialog=True),
    Page("not-found", "/nothing-is-here/", status=404),
)
