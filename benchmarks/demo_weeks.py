"""The loop turns by itself: weeks of the simulated plant through every stage, judged by its truth.

    python -m benchmarks.demo_weeks --weeks 8 [--assets 64] [--recalibrate-week 4] [--json]

Readings, forecasts, proposals, schedules, work, failures that were missed, labels, watch and
training, in a database and a folder of their own that are thrown away. What is promoted is judged
on the week that follows by the simulator's true risk, against the version it replaced
(`benchmarks.weeks_judged`). `--recalibrate-week` changes what six sensors say at the start of that
week, drawn by the seed from all assets in service, each on another asset: `drift_alert_days` is how
long the watch takes to name each, whether its asset was repaired lately or not. Without it no
sensor changes; seasons, wear and what maintenance makes of it still pass.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

END = "2025-11-17T00:00:00+01:00"


def main() -> None:
    """Read the arguments, live and measure, and print JSON last."""
    parser = argparse.ArgumentParser(prog="benchmarks.demo_weeks", description=__doc__)
    parser.add_argument("--weeks", type=int, default=8)
    parser.add_argument("--assets", type=int, default=64)
    parser.add_argument("--days", type=int, default=540, help="of history before the weeks")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=4.0, help="limit of each solve")
    parser.add_argument("--recalibrate-week", type=int, help="recalibrate sensors then")
    parser.add_argument("--end", default=END, help="the midnight at which the weeks end")
    parser.add_argument("--json", action="store_true", help="print the figures alone")
    options = vars(parser.parse_args())
    alone = options.pop("json")
    with tempfile.TemporaryDirectory(prefix="vigia-weeks-") as folder:
        found = _measured(Path(folder), options, quiet=alone)
    print(json.dumps(found, indent=None if alone else 1))


def _measured(folder: Path, options: dict[str, Any], *, quiet: bool) -> dict[str, Any]:
    """Settings are read once, from the environment: what needs them is loaded after it is set."""
    for name in [name for name in os.environ if name.startswith("VIGIA_")]:
        del os.environ[name]
    os.environ |= {
        "DATABASE_URL": f"sqlite:///{folder / 'weeks.sqlite3'}",
        "CELERY_BROKER_URL": "filesystem://localhost",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "VIGIA_LOG_LEVEL": "WARNING",
        "VIGIA_VAR_DIR": str(folder),
    }
    django: Any = importlib.import_module("django")
    django.setup()
    importlib.import_module("django.core.management").call_command("migrate", verbosity=0)
    judged: Any = importlib.import_module("benchmarks.weeks_judged")
    found: dict[str, Any] = judged.run(**options, tell=None if quiet else print)
    return found


if __name__ == "__main__":
    main()
