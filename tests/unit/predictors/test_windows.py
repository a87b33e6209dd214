import numpy as np

from predictors.schema import DAY_US, HOUR_US, Series
from predictors.windows import block_moments, segment_means, trailing_moments


def _series(random: np.random.Generator, offset: float = 0.0) -> Series:
    at_us = np.sort(random.integers(1, 10 * DAY_US, 300))
    return Series(at_us, offset + random.normal(size=300))


def test_blocks_merged_are_the_window_reduced_at_once() -> None:
    series = _series(np.random.default_rng(3))
    blocks = block_moments(series, np.arange(11) * DAY_US)
    ((_, window),) = trailing_moments([blocks], np.array([9]), depths=[7], block_days=1)
    inside = series.at_us > 3 * DAY_US
    values, days = series.values[inside], series.at_us[inside] / DAY_US
    slope = np.polyfit(days, values, 1)[0]
    expected = [values.mean(), values.std(ddof=1), values.min(), values.max(), slope, values.size]
    names = ("mean", "std", "min", "max", "slope", "count")
    found = [window.statistic(name)[0, 0] for name in names]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_small_deviation_on_a_large_mean_is_kept() -> None:
    series = _series(np.random.default_rng(4), offset=1e9)
    blocks = block_moments(series, np.arange(11) * DAY_US)
    ((_, window),) = trailing_moments([blocks], np.array([9]), depths=[10], block_days=1)
    np.testing.assert_allclose(window.statistic("std")[0, 0], series.values.std(ddof=1), rtol=1e-6)


def test_a_window_without_readings_says_so() -> None:
    series = Series(np.array([HOUR_US]), np.array([5.0]))
    blocks = block_moments(series, np.arange(5) * DAY_US)
    ((_, window),) = trailing_moments([blocks], np.array([0, 3]), depths=[1], block_days=1)
    assert window.statistic("count").tolist() == [[1, 0]]
    assert np.isnan(window.statistic("mean")[0, 1])
    assert np.isnan(window.statistic("max")[0, 1])
    assert np.isnan(window.statistic("std")).all()
    assert np.isnan(window.statistic("slope")).all()


def test_a_series_without_readings_has_empty_blocks() -> None:
    nothing = Series(np.empty(0, dtype=np.int64), np.empty(0))
    assert block_moments(nothing, np.arange(4) * DAY_US).count.tolist() == [0, 0, 0]


def test_a_reading_on_an_edge_belongs_to_the_block_that_ends_there() -> None:
    series = Series(np.array([DAY_US]), np.array([5.0]))
    assert block_moments(series, np.arange(4) * DAY_US).count.tolist() == [1, 0, 0]


def test_segments_may_overlap_and_be_empty() -> None:
    values = np.arange(5.0)
    means = segment_means(values, np.array([0, 1, 5]), np.array([5, 3, 5]))
    np.testing.assert_array_equal(means, [2.0, 1.5, np.nan])
    assert segment_means(values, np.array([], dtype=int), np.array([], dtype=int)).size == 0
