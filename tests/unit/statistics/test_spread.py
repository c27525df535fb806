"""Deviations, quantiles and reductions with their intervals, against numbers derived by hand and by simulation."""

import math
from random import Random

import pytest

from solon.statistics.spread import (
    bootstrapped,
    deviation,
    difference,
    mean,
    quantile,
    quantile_by_rank,
    reduction,
    sign_flip,
)


def test_a_deviation_is_that_of_the_population() -> None:
    """Of 1, 2, 3 and 6 the mean is 3; the squares 4, 1, 0 and 9 sum to 14, over n - 1 = 3."""
    assert bootstrapped([[1.0, 2.0, 3.0, 6.0]], deviation).value == pytest.approx(math.sqrt(14 / 3))


def test_one_value_has_no_deviation_and_no_interval() -> None:
    """What stands below, n - 1, would be 0."""
    found = bootstrapped([[0.3]], deviation)
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)
    assert "no interval" in found.method


def test_a_quantile_lies_between_two_values() -> None:
    """Half-way between the second and the third of 0, 1, 5 and 9 is 3."""
    assert bootstrapped([[9.0, 0.0, 5.0, 1.0]], quantile(0.5), method="percentile").value == 3.0


def test_a_reduction_is_a_share_of_what_was_before() -> None:
    """From a mean of .4 to one of .1 are three quarters less; the deviation of .2 and .6 (.283) becomes 0."""
    before, after = [0.2, 0.6], [0.1, 0.1]
    assert bootstrapped([before, after], reduction(mean)).value == pytest.approx(0.75)
    assert bootstrapped([before, after], reduction(deviation)).value == 1.0
    assert bootstrapped([before, after], difference(mean)).value == pytest.approx(-0.3)


def test_rows_are_drawn_whole() -> None:
    """Where every pair differs by exactly 1, the difference of means cannot vary, however far the pairs spread."""
    before = [float(n * n) for n in range(20)]
    after = [value + 1 for value in before]
    found = bootstrapped([before, after], difference(mean), method="percentile", resamples=200)
    assert (found.low, found.high) == (pytest.approx(1.0), pytest.approx(1.0))


def test_the_same_values_give_the_same_interval() -> None:
    """Resampling is seeded."""
    values = [Random(1).gauss(0, 1) for _ in range(30)]
    assert bootstrapped([values], deviation, resamples=300) == bootstrapped([values], deviation, resamples=300)


def test_nothing_has_no_statistic() -> None:
    """Rather than a number of nothing."""
    with pytest.raises(ValueError, match="no values"):
        bootstrapped([[]], mean)


def test_a_test_of_five_equal_signs_is_exact() -> None:
    """All 2^5 turns of five equal differences: two of 32 are as far from 0, one to each side."""
    assert sign_flip([1.0] * 5) == pytest.approx(2 / 32)


def test_differences_that_cancel_are_nothing() -> None:
    """Nor is there anything to test where all are 0."""
    assert sign_flip([1.0, -1.0, 2.0, -2.0]) == 1.0
    assert sign_flip([0.0, 0.0]) == 1.0


def test_a_clear_difference_is_as_rare_as_the_resamples_can_tell() -> None:
    """Of 9,999 random turns and the one that was seen, none other is as far: at most twice 1 of 10,000."""
    assert sign_flip([1.0 + n / 100 for n in range(40)]) <= 2 / 10_000


def test_the_interval_of_a_median_lies_between_two_ranks() -> None:
    """Of 1 to 20, of which as many lie below as heads come of 20 coins.

    P(at most 5) = 21,700 / 2^20 = .0207, P(at most 6) = 60,460 / 2^20 = .0577, so that 2.5 % lie between ranks 6 and 7;
    the other end is as far from the other side.
    """
    low = 6 + (0.025 - 21_700 / 2**20) / (38_760 / 2**20)
    found = quantile_by_rank([float(n) for n in range(1, 21)], 0.5)
    assert (found.value, found.low, found.high) == (10.5, pytest.approx(low), pytest.approx(21 - low))


def test_too_few_values_have_no_interval_of_a_high_quantile() -> None:
    """All twenty lie below the 95th percentile in a third of all samples."""
    found = quantile_by_rank([float(n) for n in range(20)], 0.95)
    assert found.low == found.value == found.high
    assert "no interval" in found.method
