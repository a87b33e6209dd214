"""People of a plant at their browsers, who notice what the page complains of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from tests.browser.chromium import ARGUMENTS, PATIENCE_MS
from tests.browser.plant import Plant

# Refusals the pages are made for: the browser itself mentions them in the console.
MEANT = re.compile(r"status of (409|412|422)")
LOCALES = {"en": "en-GB", "es": "es-ES"}
DESK = {"viewport": {"width": 1440, "height": 1000}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@contextmanager
def browsing(chromium_path: str) -> Iterator[Browser]:
    playwright: Playwright
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE_MS)
        browser = playwright.chromium.launch(executable_path=chromium_path, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def at_work(
    browser: Browser,
    plant: Plant,
    address: str,
    who: str,
    *,
    language: str = "en",
    device: Mapping[str, Any] = DESK,
) -> Iterator[Page]:
    """A browser of their own in which they are signed in. At the end nothing went wrong in it."""
    context = browser.new_context(
        base_url=address,
        locale=LOCALES[language],
        timezone_id="Europe/Madrid",
        reduced_motion="reduce",
        **device,
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    heard: list[str] = []
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on(
        "console",
        lambda message: (
            heard.append(message.text) if _is_complaint(message.text, message.type) else None
        ),
    )
    sign_in(page, who, plant.passwords[who])
    yield page
    context.close()
    assert heard == []


def sign_in(page: Page, who: str, password: str) -> None:
    page.goto("/login/")
    page.locator("[name=username]").fill(who)
    page.locator("[name=password]").fill(password)
    page.locator("[name=password]").press("Enter")
    expect(page.locator(".user-button")).to_be_visible()


def go_to(page: Page, section: str) -> None:
    """By the menu, as people do."""
    page.locator("#side").get_by_role("link", name=re.compile(f"^{section}")).click()
    expect(page.locator("h1")).to_contain_text(section)


def is_accessible(page: Page) -> None:
    """The page as it stands breaks no rule of accessibility."""
    found = Axe().run(page).response["violations"]
    broken = [(one["id"], [node["target"] for node in one["nodes"]]) for one in found]
    assert broken == [], page.url


def _is_complaint(text: str, kind: str) -> bool:
    return kind in {"error", "warning"} and not MEANT.search(text)
