import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from predictors.features import build_features
from predictors.schema import DAY_US, HOUR_US, AssetHistory, FeatureSet, Series

DECLARED = FeatureSet(
    "any",
    "1",
    quantities=("load",),
    error_codes=("E1",),
    modes=("seal",),
    statistics={"mean": (1, 3), "std": (3,), "slope": (3,), "max": (1,)},
    baseline_days=2,
)
instants = st.lists(st.integers(0, 12 * DAY_US), max_size=25).map(
    lambda found: np.array(sorted(found), dtype=np.int64)
)
loads = st.lists(
    st.tuples(
        st.integers(0, 12 * 24).map(lambda hours: hours * HOUR_US),
        st.floats(-1e6, 1e6, allow_subnormal=False),
    ),
    max_size=60,
)


def history(
    readings: list[tuple[int, float]],
    errors: np.ndarray,
    renewals: np.ndarray,
    failures: np.ndarray,
) -> AssetHistory:
    at_us = np.array([at for at, _ in readings], dtype=np.int64)
    values = np.array([value for _, value in readings], dtype=np.float64)
    return AssetHistory(
        "A",
        "any",
        commissioned_us=0,
        observed_until_us=12 * DAY_US,
        readings={"load": Series.from_unsorted(at_us, values)},
        events={"E1": errors},
        renewals={"seal": renewals},
        failures={"seal": failures},
    )


@settings(max_examples=150)
@given(loads, loads, instants, instants, instants, instants, st.integers(0, 12 * DAY_US))
def test_what_happens_after_an_origin_changes_nothing_in_its_row(
    readings: list[tuple[int, float]],
    more: list[tuple[int, float]],
    errors: np.ndarray,
    more_errors: np.ndarray,
    renewals: np.ndarray,
    failures: np.ndarray,
    origin: int,
) -> None:
    known = history(readings, errors, renewals, failures)
    later = history(
        [*readings, *((at + origin + 1, value) for at, value in more)],
        np.sort(np.append(errors, more_errors + origin + 1)),
        np.sort(np.append(renewals, more_errors + origin + 1)),
        np.sort(np.append(failures, more_errors + origin + 2)),
    )
    past = history(
        [(at, value) for at, value in readings if at <= origin],
        errors[errors <= origin],
        renewals[renewals <= origin],
        failures[failures <= origin],
    )
    rows = [
        build_features(one, np.array([origin]), DECLARED).view(np.int32)
        for one in (known, later, past)
    ]
    np.testing.assert_array_equal(rows[0], rows[1])
    np.testing.assert_array_equal(rows[0], rows[2])


@settings(max_examples=100)
@given(loads, instants, instants, st.lists(st.integers(0, 12 * DAY_US), min_size=1, max_size=12))
def test_company_changes_nothing_in_a_row(
    readings: list[tuple[int, float]],
    errors: np.ndarray,
    renewals: np.ndarray,
    origins: list[int],
) -> None:
    asset = history(readings, errors, renewals, np.empty(0, dtype=np.int64))
    together = build_features(asset, np.array(origins), DECLARED).view(np.int32)
    alone = [build_features(asset, np.array([one]), DECLARED).view(np.int32) for one in origins]
    np.testing.assert_array_equal(together, np.concatenate(alone))
