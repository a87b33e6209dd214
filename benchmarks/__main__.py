"""Runs the benchmarks and writes `docs/benchmarks.md`: the figures are never typed by hand.

    python -m benchmarks $VIGIA_DATA [NAME ...]

Each benchmark is a program that prints JSON last. What it printed is kept in
`var/benchmarks/NAME.json`, so a run that was stopped goes on with what is missing (`--again`
measures everything anew).
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "var" / "benchmarks"
PAGE = ROOT / "docs" / "benchmarks.md"
QUALITY_KINDS = (
    "stale",
    "flat",
    "out_of_range",
    "spike",
    "conflict",
    "clock_skew",
    "unit_mismatch",
)


@dataclass(frozen=True)
class Benchmark:
    """A module of this package, its arguments (`{data}` is the data folder), what it answers."""

    name: str
    arguments: tuple[str, ...]
    question: str
    figures: tuple[str, ...]
    kept_as: str = ""

    @property
    def title(self) -> str:
        """The name, or another where one module answers two questions."""
        return self.kept_as or self.name


INGEST_ON = ("postgresql", "sqlite")
INGEST = (
    "json_10k_vs_anchor",
    "json_10k_vs_anchor_in_batches",
    "json_10k_columns_vs_anchor",
    "csv_time_major_vs_anchor",
    "csv_point_major_vs_anchor",
    "json_10k_vs_drf",
    "disk_vs_narrow",
    "bytes_a_reading",
    "chart_vs_narrow",
    "chart_cpu_ms",
    "history_vs_victoriametrics",
    "history_vs_victoriametrics_lines",
    "disk_vs_victoriametrics",
    "resent_new",
    "resent_vs_first",
    "file_again_vs_first",
)
FAULTS = (
    "kills",
    "database_kills",
    "mqtt_kills",
    "upload_kills",
    "acknowledged",
    "lost",
    "doubled",
    "wrong_values",
    "never_sent",
    "unaccounted",
)

BENCHMARKS = (
    Benchmark(
        name="azure_pdm",
        arguments=("{data}/azure_pdm", "--split", "2015-08-01"),
        question=(
            "Failures within 24 hours by component, decided daily, with everything chosen before "
            "the split; and risk within 7 days in September by a model frozen on 31 August, "
            "beside a Weibull model of age alone. The data set is simulated."
        ),
        figures=(
            "micro_precision",
            "micro_recall",
            "micro_f1",
            "weibull_micro_f1",
            "within_7_days.hazard.average_precision",
            "within_7_days.weibull.average_precision",
            "within_7_days.hazard.brier",
            "within_7_days.weibull.brier",
            "skill_7d",
            "skill_30d",
            "seconds",
        ),
    ),
    Benchmark(
        name="demo_weeks",
        arguments=("--weeks", "8"),
        question=(
            "Eight weeks of the simulated plant through every stage, with nobody at the pages: "
            "retrainings (the first training aside), verdicts by failure mode, labels, what failed "
            "and what was prevented. Each promoted model is judged on the following week by the "
            "simulator's true risk, against the one before it."
        ),
        figures=(
            "weeks",
            "retrainings",
            "promotions",
            "rejected",
            "promoted_not_worse",
            "labels",
            "censored",
            "failures",
            "prevented",
            "prevented_labelled_negative",
            "alerts",
            "drift_alerts",
            "cpu_seconds",
        ),
    ),
    Benchmark(
        name="demo_weeks",
        kept_as="demo_weeks_recalibrated",
        arguments=("--weeks", "5", "--recalibrate-week", "4"),
        question=(
            "The same plant; at the beginning of the fourth week six sensors, drawn at random, "
            "each on another asset, say 1.4 times what they said. How many days the watch takes to "
            "name each, how long before its asset had been repaired, and what else it tells."
        ),
        figures=(
            "alerted_within_7_days",
            "first_sensor_drift_alert_days",
            "drift_alert_days",
            "days_since_repair",
            "drift_alerts_without_cause",
            "drift_alerts",
            "alerts",
        ),
    ),
    Benchmark(
        name="model_swaps",
        arguments=("--kills", "20"),
        question=(
            "kill -9 during training, rollback and promotion, 20 times each, on the embedded "
            "set-up and on PostgreSQL with RabbitMQ: how many versions of a failure mode served at "
            "any moment, how many operations were in effect exactly once, which files were left "
            "half written. Then 50 forecasts a second of 32 assets from the deployed web server "
            "(two processes), with two promotions and two rollbacks in those 20 seconds; the load "
            "comes from the same machine. Latency counts from the instant a request is due."
        ),
        figures=(
            "embedded.kills",
            "embedded.champions_seen_min",
            "embedded.champions_seen_max",
            "embedded.operations_done_once",
            "embedded.half_artefacts",
            "embedded.flipped_byte_refused",
            "rabbitmq.kills",
            "rabbitmq.champions_seen_min",
            "rabbitmq.champions_seen_max",
            "rabbitmq.operations_done_once",
            "rabbitmq.half_artefacts",
            "rabbitmq.flipped_byte_refused",
            "serving.rollback_to_forecast_seconds",
            "serving.requests",
            "serving.requests_per_second",
            "serving.swaps",
            "serving.failures",
            "serving.stale_answers",
            "serving.server_cpu_ms",
            "serving.p50_ms",
            "serving.p99_ms",
        ),
    ),
    Benchmark(
        name="quality",
        arguments=(),
        question=(
            "Seven kinds of faults planted in readings of simulated plants: the share that the "
            "checks of data quality find (half of its readings flagged with its kind), and the "
            "share of clean readings flagged for nothing (of silence: of what is a sensor's habit)."
        ),
        figures=(
            *(f"recall.{kind}" for kind in QUALITY_KINDS),
            "least_recall",
            *(f"false_flags_by_kind.{kind}" for kind in QUALITY_KINDS),
            "false_flags",
            "clean_readings",
            "cpu_seconds",
        ),
    ),
    Benchmark(
        name="ingest",
        arguments=(),
        question=(
            "Readings through the doors beside the fastest that the database can do: a binary COPY "
            "into a plain table (SQLite: executemany into one WITHOUT ROWID), the naive way "
            "(Django REST framework and bulk_create) and VictoriaMetrics. Ratios are of rows per "
            "processor second of application and backend; disk and charts are beside a table of "
            "point, instant and value, thirty days at one reading a minute."
        ),
        figures=tuple(f"{database}.{figure}" for database in INGEST_ON for figure in INGEST),
    ),
    Benchmark(
        name="ingest_faults",
        arguments=("--kills", "100"),
        question=(
            "Web processes, the process that seals days and the listener to a broker killed at "
            "random while readings come in, a worker ten times in the middle of a file, and the "
            "PostgreSQL server five times: what was acknowledged must be there once, with its "
            "value; received = stored + already known + refused + kept as dead letters."
        ),
        figures=tuple(f"{database}.{figure}" for database in INGEST_ON for figure in FAULTS),
    ),
    Benchmark(
        name="fleet",
        arguments=(),
        question=(
            "A day of 10,000 assets of 20 points at one reading a minute through append, fold and "
            "read on PostgreSQL, beside a tenth of that fleet: processor time a reading, and the "
            "memory of the process."
        ),
        figures=(
            "1x.cpu_us_a_reading",
            "10x.cpu_us_a_reading",
            "10x.readings",
            "10x.wrong_values",
            "10x.sealed_bytes_a_reading",
            "cost_ratio",
            "peak_memory_mb",
        ),
    ),
)


def main() -> None:
    """Run what is asked for, then write the page from everything that is kept."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("data", type=Path, help="the folder of public data sets")
    parser.add_argument("names", nargs="*", choices=[[], *(one.title for one in BENCHMARKS)])
    parser.add_argument("--again", action="store_true", help="measure even what is kept")
    options = parser.parse_args()
    KEPT.mkdir(parents=True, exist_ok=True)
    for one in BENCHMARKS:
        wanted = not options.names or one.title in options.names
        if wanted and (options.again or not _kept(one).exists()):
            _kept(one).write_text(json.dumps(measure(one, options.data)))
    PAGE.write_text(page())
    print(f"Written: {PAGE.relative_to(ROOT)}")


def measure(one: Benchmark, data: Path) -> dict[str, Any]:
    """Run a benchmark in a process of its own: what it found, when and on what."""
    arguments = [argument.format(data=data) for argument in one.arguments]
    command = [sys.executable, "-m", f"benchmarks.{one.name}", *arguments, "--json"]
    print("Running", " ".join(command[1:]), flush=True)
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603
    return {
        "found": json.loads(done.stdout.strip().splitlines()[-1]),
        "on": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": machine(),
        "load": round(os.getloadavg()[0], 1),
    }


def machine() -> str:
    """Enough to judge a figure by."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, Python " + (
        platform.python_version()
    )


def page() -> str:
    """`docs/benchmarks.md`, from what is kept."""
    told = [(one, json.loads(_kept(one).read_text())) for one in BENCHMARKS if _kept(one).exists()]
    sections = [_section(one, kept) for one, kept in told]
    head = (
        "# Benchmarks\n\nWritten by `make bench`; do not edit. Each figure comes from one run of "
        "`python -m benchmarks.NAME`.\n"
    )
    return "\n".join([head, *sections])


def _section(one: Benchmark, kept: dict[str, Any]) -> str:
    rows = [f"| `{name}` | {_shown(_at(kept['found'], name))} |" for name in one.figures]
    ran = f"Measured on {kept['on']}: {kept['machine']}, load {kept['load']} at the end."
    table = "\n".join(["| figure | value |", "|---|---|", *rows])
    return f"## {one.title}\n\n{one.question}\n\n{table}\n\n{ran}\n"


def _at(found: dict[str, Any], name: str) -> Any:
    value: Any = found
    for part in name.split("."):
        value = value[part]
    return value


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _kept(one: Benchmark) -> Path:
    return KEPT / f"{one.title}.json"


if __name__ == "__main__":
    main()
