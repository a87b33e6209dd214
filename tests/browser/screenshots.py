"""Writes a picture of every page, and says what is wrong with any: `make screenshots`.

    python -m tests.browser.screenshots [--to FOLDER] [--page NAME ...] [--readme] [--assets N]

Each page is looked at in a wide and in a narrow window, light and dark, in each language. An
accessibility rule broken, a complaint in the console, a policy violated or a page wider than its
window makes it fail.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.browser.looking import LANGUAGES, THEMES, WIDTHS, Looker, Sight, chromium
from tests.browser.pages import PAGES, Page
from tests.browser.plant import ASSETS, ROOT, demo_plant, furnished
from tests.browser.serving import served
from tests.conftest import CHROMIUM

README_PAGES = ("fleet", "schedule", "asset")
README_FOLDER = ROOT / "docs" / "images"


def main() -> int:
    asked = _arguments()
    wanted = [page for page in PAGES if not asked.page or page.name in asked.page]
    chromium_path = os.environ.get("VIGIA_CHROMIUM") or next(
        filter(None, map(shutil.which, CHROMIUM)), None
    )
    if chromium_path is None:
        _say("No pictures: Chromium is not installed (or set VIGIA_CHROMIUM).")
        return 1
    asked.to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="vigia-pictures-") as scratch:
        _say("Filling a plant ...")
        plant = furnished(
            demo_plant(Path(scratch) / "demo", assets=asked.assets), Path(scratch) / "plant"
        )
        with served(plant) as address:
            _say(f"Looking at {len(wanted)} pages ...")
            looker = Looker(address, plant, asked.to)
            seen = asyncio.run(_look(chromium_path, looker, wanted, readme=asked.readme))
    _say(table(seen))
    faulty = sum(bool(sight.faults) for sight in seen)
    _say(f"{len(seen)} pictures in {asked.to}, {faulty} with faults.")
    return 1 if faulty else 0


async def _look(
    chromium_path: str, looker: Looker, pages: Sequence[Page], *, readme: bool
) -> list[Sight]:
    async with chromium(chromium_path) as browser:
        if readme:
            README_FOLDER.mkdir(exist_ok=True)
            for page in PAGES:
                if page.name in README_PAGES:
                    await looker.portray(browser, page, README_FOLDER / f"{page.name}.png")
        return await looker.look(browser, pages)


def table(seen: Sequence[Sight]) -> str:
    """A line a page, a column a way of looking at it; below, what is wrong."""
    ways = list(itertools.product(WIDTHS, THEMES, LANGUAGES))
    names = list(dict.fromkeys(sight.page for sight in seen))
    faults = {(s.page, s.width, s.theme, s.language): len(s.faults) for s in seen}
    wide = max(map(len, names), default=4)
    head = " ".join(f"{width}-{theme}-{language}" for width, theme, language in ways)
    lines = [f"{'page':{wide}} {head}"]
    for name in names:
        cells = []
        for way in ways:
            count = faults.get((name, *way))
            word = "-" if count is None else "ok" if count == 0 else str(count)
            cells.append(f"{word:>{len('-'.join(map(str, way)))}}")
        lines.append(f"{name:{wide}} {' '.join(cells)}")
    lines += [f"{sight.name}: {fault}" for sight in seen for fault in sight.faults]
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--to", type=Path, default=ROOT / "var" / "screenshots")
    parser.add_argument("--page", nargs="*", choices=[page.name for page in PAGES], default=[])
    parser.add_argument("--assets", type=int, default=ASSETS, help="how large the plant is")
    parser.add_argument("--readme", action="store_true", help="renew docs/images as well")
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
