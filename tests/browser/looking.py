"""Looks at pages as readers see them: what is wrong with each, and a picture of it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    StorageState,
    async_playwright,
)
from playwright.async_api import Error as BrowserError
from playwright.async_api import Page as Tab

from tests.browser.chromium import ARGUMENTS, PATIENCE_MS
from tests.browser.pages import PAGES, Page
from tests.browser.plant import Plant

WIDTHS = {1440: 900, 390: 844}
THEMES = ("light", "dark")
LANGUAGES = ("en", "es")
WINDOWS_AT_ONCE = 4

TELL_OF_POLICY = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} keeps ${event.blockedURI} out`));
"""
WIDER_THAN_THE_WINDOW = """() => {
  const room = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= room) return [];
  const wide = [...document.body.querySelectorAll("*")]
    .filter((node) => node.getBoundingClientRect().right > room + 1 && node.checkVisibility())
    .map((node) => `${node.tagName.toLowerCase()}.${node.className}`);
  return wide.length ? wide.slice(0, 5) : ["the page"];
}"""
TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@dataclass(frozen=True)
class Sight:
    """A page at a width, in a theme and a language, and what is wrong with it."""

    page: str
    width: int
    theme: str
    language: str
    faults: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.page}-{self.width}-{self.theme}-{self.language}"


@dataclass(frozen=True)
class Looker:
    """Looks at the pages of one served plant; puts pictures in a folder when given one."""

    address: str
    plant: Plant
    pictures: Path | None = None

    async def look(self, browser: Browser, pages: Collection[Page] = PAGES) -> list[Sight]:
        """Each page at each width, in each theme and language; who sees several keeps their cache.

        Several people look at the same time, each at one page after the other.
        """
        people = sorted({page.who for page in pages})
        signed_in = {who: await self._sign_in(browser, who) for who in people}
        free = asyncio.Semaphore(WINDOWS_AT_ONCE)

        async def visits(who: str, width: int, language: str) -> list[Sight]:
            own = [page for page in pages if page.who == who]
            async with free, self._window(browser, signed_in[who], width, language) as window:
                found = [await self._visit(window, page, width, language) for page in own]
            return list(itertools.chain.from_iterable(found))

        ways = itertools.product(people, WIDTHS, LANGUAGES)
        found = await asyncio.gather(*itertools.starmap(visits, ways))
        order = {page.name: place for place, page in enumerate(pages)}
        seen = itertools.chain.from_iterable(found)
        return sorted(seen, key=lambda sight: order[sight.page])

    async def portray(self, browser: Browser, page: Page, path: Path) -> None:
        """What fits in a wide window, light and in English."""
        state = await self._sign_in(browser, page.who)
        async with self._window(browser, state, max(WIDTHS), "en") as window:
            tab = await window.new_page()
            await self._open(tab, page)
            await tab.evaluate(TWO_FRAMES)
            await tab.screenshot(path=path)

    @asynccontextmanager
    async def _window(
        self, browser: Browser, state: StorageState | None, width: int, language: str
    ) -> AsyncIterator[BrowserContext]:
        context = await browser.new_context(
            base_url=self.address,
            storage_state=state,
            viewport={"width": width, "height": WIDTHS[width]},
            locale={"en": "en-GB", "es": "es-ES"}[language],
            timezone_id="Europe/Madrid",
            reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE_MS)
        await context.add_init_script(TELL_OF_POLICY)
        try:
            yield context
        finally:
            await context.close()

    async def _sign_in(self, browser: Browser, who: str) -> StorageState | None:
        if not who:
            return None
        async with self._window(browser, None, max(WIDTHS), "en") as window:
            tab = await window.new_page()
            await tab.goto("/login/")
            await tab.locator("[name=username]").fill(who)
            await tab.locator("[name=password]").fill(self.plant.passwords[who])
            await tab.locator("[name=password]").press("Enter")
            await tab.locator(".user-button").wait_for()
            return await window.storage_state()

    async def _visit(
        self, window: BrowserContext, page: Page, width: int, language: str
    ) -> list[Sight]:
        """One load for both themes: the page follows the device when that changes."""
        tab = await window.new_page()
        heard = _listen(tab, page)
        seen = []
        try:
            await self._open(tab, page)
            for theme in THEMES:
                await _show_in(tab, theme)
                await self._picture(tab, page, f"{page.name}-{width}-{theme}-{language}")
                faults = [*await _too_wide(tab), *await broken_rules(tab), *heard]
                seen.append(Sight(page.name, width, theme, language, tuple(faults)))
        except BrowserError as error:
            fault = str(error).partition("\nCall log")[0]
            seen.append(Sight(page.name, width, THEMES[len(seen)], language, (fault, *heard)))
        await tab.close()
        return seen

    async def _open(self, tab: Tab, page: Page) -> None:
        path = self.plant.paths.get(page.path, page.path)
        await tab.goto(path, wait_until="networkidle")
        await tab.locator(page.ready).first.wait_for()
        if page.then is not None:
            await page.then(tab)
            await tab.wait_for_load_state("networkidle")

    async def _picture(self, tab: Tab, page: Page, name: str) -> None:
        if self.pictures is not None:
            whole = not page.dialog
            await tab.screenshot(path=self.pictures / f"{name}.png", full_page=whole)


async def _show_in(tab: Tab, theme: str) -> None:
    await tab.emulate_media(
        color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce"
    )
    await tab.evaluate(TWO_FRAMES)


async def _too_wide(tab: Tab) -> list[str]:
    wide = await tab.evaluate(WIDER_THAN_THE_WINDOW)
    return [f"wider than the window: {', '.join(wide)}"] if wide else []


async def broken_rules(tab: Tab) -> list[str]:
    """The accessibility rules that the page breaks as it stands."""
    results = await Axe().run(tab)
    return [
        f"axe: {violation['id']} ({violation['impact']}) at "
        + "; ".join(" ".join(map(str, node["target"])) for node in violation["nodes"][:3])
        for violation in results.response["violations"]
    ]


def _listen(tab: Tab, page: Page) -> list[str]:
    """What the page complains of, as it comes; its own status, when meant, is no complaint."""
    heard: list[str] = []

    def console(message: ConsoleMessage) -> None:
        meant = page.status != 200 and f"status of {page.status}" in message.text
        if message.type in {"error", "warning"} and not meant:
            heard.append(f"console: {message.text}")

    tab.on("console", console)
    tab.on("pageerror", lambda error: heard.append(f"script: {error}"))
    tab.on("requestfailed", lambda request: heard.append(f"not loaded: {request.url}"))
    return heard


@asynccontextmanager
async def chromium(path: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()
