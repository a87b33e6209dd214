"""The store against a dictionary, with readings late and early and the days folded in between."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from django.db import transaction
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from maintenance import store
from maintenance.instants import to_us
from tests.factories import MeasurementPointFactory

NOW = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
MINUTE_US = 60_000_000
SPAN_MINUTES = 50 * 24 * 60
POINTS = 4
WHICH = st.integers(0, POINTS - 1)
MINUTES = st.integers(-SPAN_MINUTES, 24 * 60)
VALUES = st.floats(allow_nan=False, allow_infinity=False)


class StoreMachine(RuleBasedStateMachine):
    """What is appended, folded, replaced and dropped, told to the store and to a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self._example = transaction.atomic()
        self._example.__enter__()
        self.points = [
            MeasurementPointFactory(sampling_seconds=seconds).pk for seconds in (None, 60, 3600, 10)
        ]
        self.told: dict[tuple[int, int], float] = {}

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self._example.__exit__(None, None, None)

    def _at(self, minutes: int) -> int:
        return to_us(NOW) + minutes * MINUTE_US

    @rule(rows=st.lists(st.tuples(WHICH, MINUTES, VALUES), max_size=10))
    def append(self, rows: list[tuple[int, int, float]]) -> None:
        keys = [(self.points[which], self._at(minutes)) for which, minutes, _ in rows]
        appended = store.append(
            np.array([point for point, _ in keys], np.int64),
            np.array([at for _, at in keys], np.int64),
            np.array([value for _, _, value in rows], np.float64),
            now=NOW,
        )
        before = len(self.told)
        for key, (_, _, value) in zip(keys, rows, strict=True):
            self.told.setdefault(key, value)
        assert appended.new == len(self.told) - before
        assert appended.new + appended.duplicate == len(rows)

    @rule(which=WHICH, first=MINUTES, count=st.integers(1, 400), step=st.sampled_from([1, 30]))
    def append_a_stretch(self, which: int, first: int, count: int, step: int) -> None:
        self.append([(which, first + step * i, float(i)) for i in range(count)])

    @rule(minutes=st.integers(-SPAN_MINUTES, 3 * 24 * 60))
    def fold(self, minutes: int) -> None:
        for shard in {point % store.SHARDS for point in self.points}:
            store.fold(shard, before_us=self._at(minutes))

    @rule(value=VALUES)
    def replace(self, value: float) -> None:
        chosen = sorted(self.told)[:: max(1, len(self.told) // 3)] if self.told else []
        keys = [*chosen, (self.points[0], self._at(-7) + 1)]
        replaced = store.replace(
            np.array([point for point, _ in keys], np.int64),
            np.array([at for _, at in keys], np.int64),
            np.full(len(keys), value, np.float64),
        )
        expected = [(*key, self.told[key], value) for key in chosen if self.told[key] != value]
        assert [(r.point_id, r.at_us, r.old, r.new) for r in replaced] == expected
        self.told.update(dict.fromkeys(chosen, value))

    @rule(which=WHICH, minutes=MINUTES)
    def retain(self, which: int, minutes: int) -> None:
        point, after_us = self.points[which], self._at(minutes)
        gone = {key for key in self.told if key[0] == point and key[1] < after_us}
        assert store.retain([point], after_us=after_us) == len(gone)
        self.told = {key: value for key, value in self.told.items() if key not in gone}

    @rule(first=MINUTES, minutes=st.integers(0, 60 * 24 * 60))
    def read(self, first: int, minutes: int) -> None:
        start, end = self._at(first), self._at(first + minutes)
        assert self._read(start, end) == {
            key: value for key, value in self.told.items() if start <= key[1] < end
        }

    @invariant()
    def everything_is_there_once_and_in_order(self) -> None:
        assert self._read(-(2**61), 2**61) == self.told
        assert store.count() == len(self.told)
        newest = {point: max(at for p, at in self.told if p == point) for point, _ in self.told}
        assert store.last_at_us(self.points) == newest
        assert list(store.verify()) == []

    def _read(self, start: int, end: int) -> dict[tuple[int, int], float]:
        found = store.read(self.points, start, end)
        assert all((np.diff(at_us) > 0).all() for at_us, _ in found.values())
        return {
            (point, at): value
            for point, (at_us, values) in found.items()
            for at, value in zip(at_us.tolist(), values.tolist(), strict=True)
        }


@pytest.mark.django_db
def test_whatever_comes_in_whatever_order_the_store_holds_what_a_dictionary_would():
    run_state_machine_as_test(
        StoreMachine, settings=settings(max_examples=25, stateful_step_count=12, deadline=None)
    )
