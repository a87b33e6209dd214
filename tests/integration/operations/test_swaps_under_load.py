"""Promotions and rollbacks while forecasts are asked for: nobody is refused or told the old."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import swaps_served
from tests.installation import Installation, once

pytestmark = [
    once,
    pytest.mark.skipif(not Path("/proc/self").exists(), reason="reads processor time in /proc"),
]


def test_a_swap_counts_from_the_next_request_on_and_fails_none(tmp_path: Path) -> None:
    plant = Installation(tmp_path, {})
    found = swaps_served.run(plant, assets=12, rate=15, seconds=5, tell=print)
    assert (found["requests"], found["swaps"]) == (75, 4)
    assert (found["failures"], found["stale_answers"]) == (0, 0)
    assert found["rollback_to_forecast_seconds"] < 2
