from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installation import Installation
from tests.integration.mqtt.broker import Plant, filled_database


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled_database(tmp_path_factory.mktemp("filled"))


@pytest.fixture
def plant(tmp_path: Path, mqtt_url: str, filled: Path) -> Iterator[Plant]:
    plant = Plant(Installation(tmp_path), mqtt_url)
    plant.fill(filled)
    yield plant
    plant.forget()
