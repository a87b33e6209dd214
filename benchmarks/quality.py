"""Do the checks of data quality find planted faults, and do they leave good readings alone?

    python -m benchmarks.quality [--seeds 21 22 23] [--assets 48] [--days 90] [--json]

Faults of seven kinds in readings of the simulated plant (`benchmarks.planted_faults`), and as many
clean points of other plants, with what is no fault: readings sent twice or late, nights without a
reading, machines at rest, set points. Readings arrive hour by hour: the clock is judged on arrival
(one that is ahead by less than the time between batches cannot be seen), conflicts by the store's
own arithmetic, the rest by one check of what was stored, with limits learnt from those same
readings, faults and all. A fault is found when at least half of its readings are flagged with its
kind (of a silence, half of its time). `false_flags` is the share of clean readings flagged for any
reason; of silence, the share of that which a sensor keeps by habit. Thresholds were tuned on
seeds 1 to 3 and 11 to 13.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import tempfile
from typing import Any

SEEDS = (21, 22, 23)


def main() -> None:
    """Read the arguments, measure and print JSON last."""
    parser = argparse.ArgumentParser(prog="benchmarks.quality", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--assets", type=int, default=48)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--minutes", type=int, default=10, help="from one reading to the next")
    parser.add_argument("--json", action="store_true", help="print the figures alone")
    options = vars(parser.parse_args())
    alone = options.pop("json")
    with tempfile.TemporaryDirectory(prefix="vigia-quality-") as folder:
        found = _measured(folder, options, quiet=alone)
    print(json.dumps(found, indent=None if alone else 1))


def _measured(folder: str, options: dict[str, Any], *, quiet: bool) -> dict[str, Any]:
    """The store's arithmetic wants settings, though no database: they are read when loaded."""
    for name in [name for name in os.environ if name.startswith("VIGIA_")]:
        del os.environ[name]
    os.environ |= {"DJANGO_SETTINGS_MODULE": "config.settings", "VIGIA_VAR_DIR": folder}
    django: Any = importlib.import_module("django")
    django.setup()
    judged: Any = importlib.import_module("benchmarks.quality_judged")
    found: dict[str, Any] = judged.measure(**options, tell=None if quiet else print)
    return found


if __name__ == "__main__":
    main()
