from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installation import Installation
from tests.integration.mqtt.broker import Plant


@pytest.fixture
def plant(tmp_path: Path, mqtt_url: str) -> Iterator[Plant]:
    plant = Plant(Installation(tmp_path), mqtt_url)
    plant.fill()
    yield plant
    plant.forget()
