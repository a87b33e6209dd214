"""Whoever trains, promotes or rolls back is killed -9: one version serves, each order counts once.

One kill of each; `python -m benchmarks.model_swaps` does it twenty times.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from benchmarks import swaps_killed
from tests.installation import Installation, database, once

pytestmark = [
    once,
    pytest.mark.skipif(not Path("/proc/self").exists(), reason="finds processes in /proc"),
]


def one_champion_and_once(found: dict[str, Any]) -> None:
    assert found["wrong"] == []
    assert found["kills_by_operation"] == {"training": 1, "rollback": 1, "promotion": 1}
    assert found["operations_done_once"] == 3
    assert (found["champions_seen_min"], found["champions_seen_max"]) == (1, 1)
    assert found["looks"] > 100
    assert found["inconsistent_looks"] == 0
    assert found["servings_consistent"]
    assert found["half_artefacts"] == 0
    assert found["flipped_bytes"] > 2
    assert found["flipped_byte_refused"]


def test_embedded(tmp_path: Path) -> None:
    one_champion_and_once(swaps_killed.run(Installation(tmp_path, {}), kills=1, seed=1, tell=print))


@pytest.mark.service("postgresql", "rabbitmq")
def test_on_postgresql_and_rabbitmq(tmp_path: Path, postgres_url: str, rabbitmq_url: str) -> None:
    with database(postgres_url, f"vigia_killed_{os.getpid()}") as address:
        grown = {"DATABASE_URL": address, "CELERY_BROKER_URL": rabbitmq_url}
        plant = Installation(tmp_path, grown)
        one_champion_and_once(swaps_killed.run(plant, kills=1, seed=2, tell=print))
