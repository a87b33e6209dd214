"""The benchmark of data quality on a plant of its own: small, yet whole."""

from benchmarks.quality_judged import measure


def test_planted_faults_are_found_and_good_readings_left_alone() -> None:
    found = measure(seeds=[31], assets=12, days=60, minutes=10)
    total = sum(found["planted"].values())
    hits = sum(found["recall"][kind] * found["planted"][kind] for kind in found["planted"])
    assert min(found["planted"].values()) > 0
    assert hits / total >= 0.95
    assert found["false_flags"] <= 0.01


def test_the_same_seed_gives_the_same_figures() -> None:
    first, second = (measure(seeds=[32], assets=4, days=30, minutes=30) for _time in range(2))
    assert {**first, "cpu_seconds": 0} == {**second, "cpu_seconds": 0}
