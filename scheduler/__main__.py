"""``python -m scheduler PROBLEM.json > RESULT.json``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scheduler.errors import SchedulerError
from scheduler.problem import Problem
from scheduler.solve import solve


def main(arguments: list[str] | None = None) -> int:
    """Solve the problem in a file, or on standard input, and write the result."""
    options = _parser().parse_args(arguments)
    try:
        text = sys.stdin.read() if options.problem == "-" else _read(options.problem)
        problem = Problem.from_json(text)
    except (OSError, UnicodeDecodeError, SchedulerError) as error:
        print(f"{options.problem}: {error}", file=sys.stderr)
        return 2
    result = solve(
        problem,
        effort=options.effort,
        time_limit_seconds=options.seconds,
        seed=options.seed,
        workers=options.workers,
        grid_minutes=options.grid_minutes,
    )
    print(result.to_json())
    return 0


def _read(name: str) -> str:
    return Path(name).read_text(encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scheduler", description=main.__doc__)
    parser.add_argument("problem", help="a problem as in docs/reference/scheduler.md; - reads it")
    parser.add_argument("--effort", type=float, default=1.0, help="work to spend (default 1)")
    parser.add_argument("--seconds", type=float, default=60.0, help="longest run (default 60)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1, help="1 is repeatable")
    parser.add_argument("--grid-minutes", type=int, default=15)
    return parser


if __name__ == "__main__":
    sys.exit(main())
