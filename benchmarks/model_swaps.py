"""What serves is swapped safely: under kill -9, and under load.

    python -m benchmarks.model_swaps --kills 20 [--json]

- Training, rollback and promotion are killed so many times each, on the embedded set-up and on
  PostgreSQL with RabbitMQ, while the versions that serve are watched from outside
  (`benchmarks.swaps_killed`).
- On a demo plant behind the web server as it is deployed, forecasts are asked for at a steady pace
  while versions are promoted and rolled back (`benchmarks.swaps_served`).

Each plant has a folder, a database and processes of its own, which are thrown away. The queues of
the broker have fixed names: nothing else may use its virtual host meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import swaps_killed, swaps_served
from tests.installation import Installation, database

POSTGRES = "postgresql://postgres@127.0.0.1:5432/postgres"
RABBITMQ = "amqp://guest:guest@127.0.0.1:5672//"
PARTS = ("embedded", "rabbitmq", "serving")


def main() -> None:
    """Read the arguments, kill, ask and measure, and print JSON last."""
    parser = argparse.ArgumentParser(prog="benchmarks.model_swaps", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="of each operation, on each set-up")
    parser.add_argument("--rate", type=int, default=50, help="forecasts asked for a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="of asking at that rate")
    parser.add_argument("--assets", type=int, default=32, help="of the plant that is asked about")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=PARTS, help="one part alone")
    parser.add_argument("--json", action="store_true", help="print the figures alone")
    options = parser.parse_args()
    tell = (lambda _words: None) if options.json else print
    found: dict[str, Any] = {}
    for part in PARTS:
        if options.only in (None, part):
            with _plant(part) as plant:
                found[part] = _measured(part, plant, options, tell)
    print(json.dumps(found, indent=None if options.json else 1))


def _measured(
    part: str, plant: Installation, options: argparse.Namespace, tell: swaps_killed.Tell
) -> dict[str, Any]:
    if part == "serving":
        return swaps_served.run(
            plant, assets=options.assets, rate=options.rate, seconds=options.seconds, tell=tell
        )
    return swaps_killed.run(plant, kills=options.kills, seed=options.seed, tell=tell)


@contextmanager
def _plant(part: str) -> Iterator[Installation]:
    with tempfile.TemporaryDirectory(prefix="vigia-swaps-") as folder:
        if part != "rabbitmq":
            yield Installation(Path(folder), {})
            return
        server = os.environ.get("VIGIA_TEST_POSTGRES_URL", POSTGRES)
        broker = os.environ.get("VIGIA_TEST_RABBITMQ_URL", RABBITMQ)
        with database(server, f"vigia_swaps_{os.getpid()}") as address:
            yield Installation(Path(folder), {"DATABASE_URL": address, "CELERY_BROKER_URL": broker})


if __name__ == "__main__":
    main()
