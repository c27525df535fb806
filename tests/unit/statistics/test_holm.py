"""Many tests at once."""

import pytest

from solon.statistics.holm import holm


def test_the_smallest_is_multiplied_by_all_the_next_by_one_less() -> None:
    """.01 x 3, .02 x 2, .04 x 1."""
    assert holm([0.02, 0.01, 0.04]) == pytest.approx((0.04, 0.03, 0.04))


def test_a_larger_p_value_is_never_adjusted_below_a_smaller_one() -> None:
    """.03 x 2 = .06, and .04 x 1 would be below it."""
    assert holm([0.03, 0.04]) == pytest.approx((0.06, 0.06))


def test_nothing_goes_above_one() -> None:
    """It stays a probability."""
    assert holm([0.9, 0.8]) == (1.0, 1.0)


def test_a_single_test_needs_no_correction() -> None:
    """And no tests need none either."""
    assert holm([0.049]) == (0.049,)
    assert holm([]) == ()
