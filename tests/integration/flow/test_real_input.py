"""Real input, in two commands: a year of readings and failures to a published schedule."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.installation import Installation, once

pytestmark = [once, pytest.mark.data("azure_pdm")]


def test_a_public_data_set_becomes_a_published_schedule(tmp_path: Path, data_dir: Path):
    plant = Installation(tmp_path)
    plant.manage("migrate", "--verbosity", "0")
    plant.manage("import_data", str(data_dir / "azure_pdm"), "--mapping", "azure_pdm")
    printed = plant.manage(
        "run_loop", "--as-of", "2015-09-01T00:00:00Z", "--workforce", "demo", "--json"
    )
    told = json.loads(printed.strip().splitlines()[-1])
    assert told["state"] == "published"
    assert told["as_of"] == "2015-09-01T00:00:00+00:00"
    assert told["scheduled"] >= 5
    assert told["violations"] == 0
    assert told["unexplained"] == 0
    assert told["expected_cost"] < told["expected_cost_unscheduled"]
    assert told["bound"] <= told["expected_cost"]
    assert "hazard" in {model["family"] for model in told["models"]}
