"""A demo plant, filled once a run; each test gets a copy."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import pytest

from tests.browser import plant as plants
from tests.browser.plant import Plant


@pytest.fixture(scope="session")
def filled_once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Plant:
    """Tests that run side by side share it: the first one fills it, the others wait."""
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "demo-plant"
    folder.mkdir(exist_ok=True)
    kept = folder / "passwords.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_text(json.dumps(plants.demo_plant(folder).passwords))
    return Plant(folder, passwords=json.loads(kept.read_text()))


@pytest.fixture
def demo_plant(filled_once: Plant, tmp_path: Path) -> Plant:
    """As `make demo` leaves it: forecasts, proposals and a first draft."""
    return filled_once.copied_to(tmp_path / "plant")


@pytest.fixture
def furnished_plant(filled_once: Plant, tmp_path: Path) -> Plant:
    """With something to see on every page."""
    return plants.furnished(filled_once, tmp_path / "plant")
