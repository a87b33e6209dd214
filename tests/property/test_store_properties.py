"""The store against a dictionary: whatever batches come, the first value of each instant stays."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from maintenance import store
from tests.factories import MeasurementPointFactory

NOW = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
POINTS = 3
INSTANTS = st.integers(-5, 20)
VALUES = st.floats(allow_nan=False, allow_infinity=False)
BATCH = st.lists(st.tuples(st.integers(0, POINTS - 1), INSTANTS, VALUES), max_size=12)


class TestTheStore(TestCase):
    pytestmark = pytest.mark.django_db

    @settings(max_examples=40)
    @given(batches=st.lists(BATCH, max_size=4), start=INSTANTS, end=INSTANTS)
    def test_it_keeps_what_a_dictionary_of_first_values_would(self, batches, start, end):
        points = [MeasurementPointFactory().pk for _ in range(POINTS)]
        model: dict[tuple[int, int], float] = {}
        for batch in batches:
            appended = store.append(
                np.array([points[which] for which, _, _ in batch], np.int64),
                np.array([at for _, at, _ in batch], np.int64),
                np.array([value for _, _, value in batch], np.float64),
                now=NOW,
            )
            before = len(model)
            for which, at, value in batch:
                model.setdefault((points[which], at), value)
            assert appended.new == len(model) - before
            assert appended.new + appended.duplicate == len(batch)
        found = store.read(points, start, end)
        told = {
            (point, int(at)): float(value)
            for point, (at_us, values) in found.items()
            for at, value in zip(at_us, values, strict=True)
        }
        assert told == {key: v for key, v in model.items() if start <= key[1] < end}
        assert all((np.diff(at_us) > 0).all() for at_us, _ in found.values())
