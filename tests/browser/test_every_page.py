"""Every page, at every width, in every theme and language, as `make screenshots` pictures it."""

from __future__ import annotations

import asyncio

import pytest

from tests.browser.looking import Looker, Sight, chromium
from tests.browser.plant import Plant
from tests.browser.serving import served

pytestmark = pytest.mark.browser


async def look(chromium_path: str, looker: Looker) -> list[Sight]:
    async with chromium(chromium_path) as browser:
        return await looker.look(browser)


def test_every_page_is_accessible_quiet_and_fits_its_window(
    chromium_path: str, furnished_plant: Plant
) -> None:
    with served(furnished_plant) as address:
        seen = asyncio.run(look(chromium_path, Looker(address, furnished_plant)))
    assert [f"{sight.name}: {fault}" for sight in seen for fault in sight.faults] == []
