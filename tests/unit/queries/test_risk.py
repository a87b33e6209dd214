"""Risks of several failure modes joined into the risk of their asset."""

import pytest

from maintenance.queries import risk


def test_an_asset_fails_when_the_first_of_its_modes_does() -> None:
    assert risk.of_any([0.5, 0.2]) == pytest.approx(0.6)


def test_without_failure_modes_there_is_no_risk() -> None:
    assert risk.of_any([]) == 0


def test_the_joint_curve_is_never_below_a_single_one() -> None:
    one, other = [0, 0.1, 0.4], [0, 0.3, 0.3]
    joint = risk.of_any_by_day([one, other])
    assert all(j >= max(a, b) for j, a, b in zip(joint, one, other, strict=True))


def test_the_joint_curve_covers_the_days_that_all_have() -> None:
    assert len(risk.of_any_by_day([[0, 0.1, 0.2], [0, 0.1]])) == 2


def test_the_median_lies_between_two_days() -> None:
    assert risk.median_days([0, 0.4, 0.6]) == pytest.approx(1.5)


def test_a_median_beyond_the_curve_is_not_known() -> None:
    assert risk.median_days([0, 0.1, 0.2]) is None


def test_nothing_has_no_median() -> None:
    assert risk.median_days([]) is None
