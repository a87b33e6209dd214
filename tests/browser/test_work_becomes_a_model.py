"""Once round the loop, by taps and clicks: work done, a label, a challenger, served and taken back.

In both languages; the technician with a phone, the others at a desk.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.people import PHONE, at_work, browsing, go_to, is_accessible
from tests.browser.plant import Plant
from tests.browser.serving import night, served, working
from tests.browser.timeline import wait_until_drawn

pytestmark = pytest.mark.browser

MOST_INPUTS = 4
NIGHT_SECONDS = 60.0


@dataclass(frozen=True)
class Words:
    """What the pages call things."""

    publish_ask: str
    publish: str
    close: str
    confirmed: str
    done: str
    not_known_yet: str
    censored: str
    work_orders: str
    schedule: str
    models: str
    retrain: str
    promote_ask: str
    promote: str
    roll_back_ask: str
    roll_back: str
    rollback: str
    promotion: str


WORDS = {
    "en": Words(
        publish_ask="Publish…",
        publish="Publish",
        close="Close",
        confirmed="The predicted fault, confirmed",
        done="Done",
        not_known_yet="Not known yet",
        censored="Censored",
        work_orders="Work orders",
        schedule="Schedule",
        models="Models",
        retrain="Retrain",
        promote_ask="Promote…",
        promote="Promote",
        roll_back_ask="Roll back to version 1",
        roll_back="Roll back",
        rollback="Rollback",
        promotion="Promotion",
    ),
    "es": Words(
        publish_ask="Publicar…",
        publish="Publicar",
        close="Cerrar",
        confirmed="La avería prevista, confirmada",
        done="Hecha",
        not_known_yet="Aún no se sabe",
        censored="Censurada",
        work_orders="Órdenes de trabajo",
        schedule="Programa",
        models="Modelos",
        retrain="Volver a entrenar",
        promote_ask="Promover…",
        promote="Promover",
        roll_back_ask="Volver a la versión 1",
        roll_back="Volver atrás",
        rollback="Vuelta atrás",
        promotion="Promoción",
    ),
}
NOTE = "Outer race pitted, grease black."


@pytest.mark.parametrize("language", WORDS)
def test_work_done_on_a_phone_becomes_a_label_and_a_model_that_serves_and_is_taken_back(
    chromium_path: str, demo_plant: Plant, language: str
) -> None:
    words = WORDS[language]
    with ExitStack() as on:
        address = on.enter_context(served(demo_plant))
        on.enter_context(working(demo_plant))
        browser = on.enter_context(browsing(chromium_path))
        work = partial(at_work, browser, demo_plant, address, language=language)
        with work("planner") as planner:
            publish(planner, words)
            with work("technician", device=PHONE) as technician:
                number = close_the_first_work(technician, words)
            see_it_done(planner, words, number)
            night(demo_plant)
            see_its_label(planner, words)
        with work("engineer") as engineer:
            retrain(engineer, words)
            compare(engineer)
            promote(engineer, words)
            roll_back(engineer, words)


def publish(planner: Page, words: Words) -> None:
    go_to(planner, words.schedule)
    wait_until_drawn(planner)
    planner.get_by_role("button", name=words.publish_ask).click()
    planner.get_by_role("dialog").get_by_role("button", name=words.publish, exact=True).click()
    expect(planner.locator("#messages .tone-low")).to_be_visible()


class Hand:
    """Counts what somebody has to do."""

    def __init__(self) -> None:
        self.inputs = 0

    def tap(self, target: Locator) -> None:
        self.inputs += 1
        target.tap()

    def write(self, target: Locator, text: str) -> None:
        self.inputs += 1
        target.fill(text)


def close_the_first_work(technician: Page, words: Words) -> str:
    """They come to their own work without looking for it; the answers most likely stand ready."""
    expect(technician).to_have_url(re.compile(r"/my-work/$"))
    is_accessible(technician)
    hand = Hand()
    card = technician.locator(".my-card:has(.badge-tone)").first
    hand.tap(card.get_by_role("link", name=words.close))
    number = technician.locator(".page-head p").inner_text().partition(" ")[0]
    is_accessible(technician)
    hand.tap(technician.get_by_role("radio", name=re.compile(words.confirmed)))
    hand.write(technician.locator("[name=note]"), NOTE)
    hand.tap(technician.locator(".my-send button"))
    expect(technician.locator("#messages .tone-low")).to_contain_text(number)
    assert hand.inputs <= MOST_INPUTS
    expect(technician.locator(".my-done li")).to_have_count(1)
    expect(technician.locator(".my-done li")).to_contain_text(words.confirmed)
    return number


def see_it_done(planner: Page, words: Words, number: str) -> None:
    """What was found, and a label that nobody can give yet."""
    go_to(planner, words.work_orders)
    planner.get_by_role("link", name=re.compile(rf"^{words.done} \d")).click()
    row = planner.locator("table.work-orders tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text(words.confirmed)
    row.get_by_role("link", name=re.compile(number)).click()
    report = report_of(planner)
    expect(report).to_contain_text(NOTE)
    expect(report).to_contain_text(words.not_known_yet)
    is_accessible(planner)


def see_its_label(planner: Page, words: Words) -> None:
    """Renewed before it failed: nobody will ever know whether it would have held."""
    again_until(planner, lambda: words.censored in report_of(planner).inner_text())
    expect(report_of(planner)).not_to_contain_text(words.not_known_yet)


def report_of(page: Page) -> Locator:
    return page.locator(".card:has(#report-title)")


def again_until(page: Page, is_there: Callable[[], bool]) -> None:
    until = time.monotonic() + NIGHT_SECONDS
    while not is_there():
        assert time.monotonic() < until, f"{page.url} shows nothing new"
        page.reload()


def retrain(engineer: Page, words: Words) -> None:
    """The line of progress tells how far it is, and the page draws itself anew at the end."""
    go_to(engineer, words.models)
    is_accessible(engineer)
    rows = engineer.locator("table tbody tr")
    versions = rows.locator("td a[href*='/models/versions/']:has(.badge-tone):not([href$=drift])")
    before = hrefs(versions)
    engineer.get_by_role("button", name=words.retrain).click()
    progress = engineer.locator("#operation .operation progress")
    expect(progress).to_be_visible()
    expect(progress).to_have_attribute("value", re.compile(r"0\.[1-9]"))
    expect(progress).to_be_hidden()
    expect(rows.first).to_be_visible()
    assert not set(before) & set(hrefs(versions))


def hrefs(links: Locator) -> list[str]:
    return [link.get_attribute("href") or "" for link in links.all()]


def compare(engineer: Page) -> None:
    """A challenger that the gate refused, beside the champion and the baseline, and why."""
    refused = engineer.locator("td a[href*='/models/versions/']:has(.tone-neutral)")
    for address in hrefs(refused):
        engineer.goto(address)
        if engineer.locator(".models-against").count() == 2:
            break
    expect(engineer.locator(".models-against")).to_have_count(2)
    expect(engineer.locator(".models-scores thead th")).to_have_count(4)
    expect(engineer.locator(".calibration polyline")).to_be_visible()
    expect(engineer.locator("main .notice")).to_be_visible()
    assert engineer.locator("main .notice [lang=en]").count() == 0
    is_accessible(engineer)


def promote(engineer: Page, words: Words) -> None:
    engineer.get_by_role("button", name=words.promote_ask).click()
    say_why(engineer, "Seen on the floor: it is right.", words.promote)
    expect(engineer.locator("#messages .tone-low")).to_contain_text("2")
    expect(engineer.get_by_role("button", name=words.promote_ask)).to_have_count(0)


def roll_back(engineer: Page, words: Words) -> None:
    """Version 1 serves again; who changed what serves stands there with the reason."""
    engineer.locator(".breadcrumb a").last.click()
    engineer.get_by_role("button", name=words.roll_back_ask).click()
    say_why(engineer, "Too many alarms.", words.roll_back)
    expect(engineer.locator("#messages .tone-low")).to_contain_text("1")
    served = engineer.locator(".card:has(#served-title) tbody tr")
    expect(served).to_have_count(3)
    expect(served.nth(0)).to_contain_text(re.compile(f"{words.rollback}.*Too many alarms", re.S))
    expect(served.nth(1)).to_contain_text(re.compile(f"{words.promotion}.*Seen on the floor", re.S))
    is_accessible(engineer)


def say_why(engineer: Page, why: str, verb: str) -> None:
    dialog = engineer.get_by_role("dialog")
    dialog.locator("[name=reason]").fill(why)
    dialog.get_by_role("button", name=verb, exact=True).click()
