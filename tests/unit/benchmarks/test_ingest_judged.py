"""What the benchmarks of ingest say must follow from what they saw."""

from typing import Any

import numpy as np

from benchmarks.ingest_faults import Sent, _judged
from benchmarks.ingest_plant import Rates, Rows, wander
from benchmarks.served import Cost

ROWS = Rows(np.array([1, 1, 2]), np.array([10, 20, 10]), np.array([0.5, 1.5, 2.5]))


def sent() -> Sent:
    told = Sent()
    told.acknowledged.update(told.told(ROWS))
    return told


def state(**changes: Any) -> dict[str, Any]:
    return {
        "count": 3,
        "faults": [],
        "imports": [["rest", "done", 4, 3, 0, 0, 1, 0]],
        "readings": {"1": [[10, 20], [0.5, 1.5]], "2": [[10], [2.5]]},
        **changes,
    }


def wrong(**changes: Any) -> dict[str, int]:
    judged = _judged(state(**changes), sent())
    figures = {name: judged[name] for name in judged if name not in ("acknowledged", "stored")}
    return {name: figure for name, figure in figures.items() if figure and name != "received"}


def test_what_is_all_there_is_not_complained_of() -> None:
    assert wrong() == {}


def test_each_kind_of_loss_is_seen() -> None:
    assert wrong(count=4) == {"doubled": 1, "unaccounted": 1}
    assert wrong(readings={"1": [[10, 20], [0.5, 1.5]]}) == {"lost": 1, "doubled": 1}
    assert wrong(readings={"1": [[10, 20], [0.5, 9]], "2": [[10], [2.5]]}) == {"wrong_values": 1}
    assert wrong(faults=["late"]) == {"store_faults": 1}
    assert wrong(imports=[["rest", "done", 5, 3, 0, 0, 1, 0]]) == {"unaccounted": 1}
    more = {"1": [[10, 20, 30], [0.5, 1.5, 0]], "2": [[10], [2.5]]}
    assert wrong(count=4, readings=more) == {"never_sent": 1, "unaccounted": 1}


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    rates = Rates()
    for ours in (1.0, 2.0, 8.0):
        rates.add("ours", 10, Cost(cpu=ours, wall=ours))
        rates.add("anchor", 10, Cost(cpu=1.0, wall=1.0))
    assert rates.ratio("ours", "anchor") == 0.5


def test_what_a_point_says_can_be_told_again() -> None:
    points, at_us = np.array([7, 8] * 500), np.arange(1000) * 60_000_000
    values = wander(points, at_us)
    assert np.array_equal(values[10:20], wander(points[10:20], at_us[10:20]))
    assert np.array_equal(values, np.round(values, 3))
    assert len(np.unique(values)) > 500


def test_rows_are_copied_as_postgresql_wants_them() -> None:
    copied = ROWS.copied()
    assert copied.startswith(b"PGCOPY\n\xff\r\n\x00")
    assert copied.endswith(b"\xff\xff")
    assert len(copied) == 19 + 3 * (2 + 3 * 12) + 2
