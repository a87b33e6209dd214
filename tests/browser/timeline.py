"""What a planner does with the bars of the timeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, Page, expect

# Where a bar and a grey span of somebody who is away or off shift lie one above the other, in view.
BAR_ABOVE_OR_BELOW_GREY = """() => {
  const view = document.getElementById("timeline").getBoundingClientRect();
  const floor = Math.min(view.bottom, innerHeight);
  const inView = (box) => box.top > view.top + 60 && box.bottom < floor;
  const heads = document.querySelector(".row-head").getBoundingClientRect();
  const boxes = (css) => [...document.querySelectorAll(`#timeline ${css}`)]
    .map((node) => ({ node, box: node.getBoundingClientRect() }));
  for (const bar of boxes(".ec-event.bar")) {
    if (!inView(bar.box) || bar.box.left < heads.right || bar.box.right > view.right) continue;
    for (const away of boxes(".absent, .off-shift")) {
      const beside = away.box.left < bar.box.left - 2 && away.box.right > bar.box.right + 2;
      if (!beside || !inView(away.box)) continue;
      return {
        workOrder: bar.node.querySelector(".bar-button").dataset.bar,
        from: [bar.box.left + bar.box.width / 2, bar.box.top + bar.box.height / 2],
        to: [bar.box.left + bar.box.width / 2, away.box.top + away.box.height / 2],
      };
    }
  }
  return null;
}"""

# The first work order in the timeline for which the panel offers a free place.
MOVABLE = """async () => {
  for (const bar of document.querySelectorAll("#timeline .bar-button")) {
    const more = `&work_order=${bar.dataset.bar}`;
    const url = vigia.schedule.part("work_order", more);
    const panel = await (await fetch(url, { headers: { "HX-Request": "true" } })).text();
    if (panel.includes("data-start=")) return bar.dataset.bar;
  }
  return null;
}"""


@dataclass(frozen=True)
class Drag:
    """A drag of the bar of a work order, from a point of the window to another."""

    work_order: str
    start: tuple[float, float]
    end: tuple[float, float]


def open_timeline(page: Page, path: str = "/schedule/") -> None:
    page.goto(path)
    wait_until_drawn(page)


def wait_until_drawn(page: Page) -> None:
    page.locator("#timeline[data-drawn=yes]").wait_for()
    expect(page.locator("#timeline .bar-button").first).to_be_visible()


def drag_to_somebody_absent(page: Page) -> Drag:
    found: dict[str, Any] | None = page.evaluate(BAR_ABOVE_OR_BELOW_GREY)
    assert found is not None, "no bar stands where somebody else is absent"
    return Drag(found["workOrder"], tuple(found["from"]), tuple(found["to"]))


def drag(page: Page, wanted: Drag) -> None:
    page.mouse.move(*wanted.start)
    page.mouse.down()
    # Nearly there first: a drag begins once the pointer has moved.
    page.mouse.move(wanted.end[0], wanted.end[1] + 4, steps=8)
    page.mouse.move(*wanted.end, steps=2)
    page.mouse.up()


def bars_of(page: Page, work_order: str) -> Locator:
    return page.locator(
        f"#timeline .ec-event:not(.ec-ghost, .ec-preview) [data-bar='{work_order}']"
    )


def label_of(page: Page, work_order: str) -> str:
    """Work, asset, people, time, as a screen reader says them."""
    return bars_of(page, work_order).first.get_attribute("aria-label") or ""


def movable(page: Page) -> str:
    found: str | None = page.evaluate(MOVABLE)
    assert found is not None, "no work order has another free place"
    return found


def move_by_form(page: Page, work_order: str) -> None:
    """To the best free place that the panel offers."""
    bars_of(page, work_order).first.click()
    page.locator("#work-order.show [data-move-form]").wait_for()
    page.locator("#work-order .places button").first.click()
