"""Intervals and tests against published tables, exact sums and, for the bootstrap, simulation."""

import math
import re
import sys
from collections.abc import Callable, Sequence
from random import Random

import pytest

from solon.errors import MissingExtra
from solon.statistics.estimates import Estimate, mcnemar, mean_bca, mean_t, newcombe, sign_test, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3 (score without correction)
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_is_as_published(successes: int, n: int, low: float, high: float) -> None:
    """The four examples of the paper that compared the methods."""
    estimate = wilson(successes, n)
    assert (round(estimate.low, 4), round(estimate.high, 4)) == (low, high)
    assert estimate.value == successes / n


def test_wilson_at_both_ends_reaches_the_end_and_keeps_its_width() -> None:
    """20 of 20 is not certainty: by symmetry with 0 of 20 the lower end is 1 - .1611."""
    estimate = wilson(20, 20)
    assert (estimate.value, estimate.high, round(estimate.low, 4)) == (1.0, 1.0, 0.8389)
    assert wilson(0, 20).low == 0.0


def test_wilson_of_nothing_is_everything() -> None:
    """Its n says that the value means nothing."""
    assert wilson(0, 0) == Estimate(0.0, 0.0, 1.0, "nothing measured")


def test_wilson_refuses_more_successes_than_trials() -> None:
    """It would be a bug of the caller, and the root of a negative number."""
    for successes, n in ((3, 2), (-1, 2)):
        with pytest.raises(ValueError, match="successes of 2"):
            wilson(successes, n)


def test_wilson_covers_about_95_percent_at_30_percent_of_100() -> None:
    """Summed exactly over all 101 outcomes of a binomial, no simulation needed."""
    p, n = 0.3, 100
    covered = sum(
        math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1) if wilson(k, n).low <= p <= wilson(k, n).high
    )
    assert 0.93 < covered < 0.97


def test_newcombe_is_as_published() -> None:
    """Airway reactivity of 21 children before and after: Fagerland et al. 2014 give -0.507 to -0.026."""
    estimate = newcombe(both=1, only_after=1, only_before=7, neither=12)
    assert estimate.value == pytest.approx(-6 / 21)
    assert (round(estimate.low, 3), round(estimate.high, 3)) == (-0.507, -0.026)


def test_newcombe_turns_its_sign_with_before_and_after() -> None:
    """The same children, the other way round."""
    one, other = newcombe(3, 9, 2, 16), newcombe(3, 2, 9, 16)
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))


@pytest.mark.parametrize("table", [(5, 0, 0, 0), (0, 0, 0, 5), (0, 5, 0, 0), (0, 0, 5, 0), (1, 0, 0, 0), (0, 0, 0, 0)])
def test_newcombe_stays_within_its_range_where_all_pairs_agree(table: tuple[int, int, int, int]) -> None:
    """A normal interval would be of no width here."""
    estimate = newcombe(*table)
    assert -1 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimate.high - estimate.low > 0.2


def test_newcombe_covers_the_true_difference_in_about_95_percent_of_samples() -> None:
    """2,000 samples of 60 pairs with cells .30, .35, .10, .25: the difference is .25."""
    random, covered = Random(7), 0
    for _ in range(2_000):
        cells = random.choices(range(4), (0.30, 0.35, 0.10, 0.25), k=60)
        estimate = newcombe(*(cells.count(cell) for cell in range(4)))
        covered += estimate.low <= 0.25 <= estimate.high
    assert 0.93 < covered / 2_000 < 0.97


def test_the_sign_test_is_a_sum_of_binomials() -> None:
    """1 of 8: 2 (1 + 8) / 256. 0 of 5: 2 / 32. 3 of 6: more than 1, so 1."""
    assert sign_test(1, 7) == sign_test(7, 1) == 18 / 256
    assert sign_test(5, 0) == 2 / 32
    assert sign_test(3, 3) == 1.0
    assert sign_test(0, 0) == 1.0


def test_the_sign_test_is_the_binomial_test_of_scipy() -> None:
    """For numbers as large as evaluations have, and larger."""
    binomtest = pytest.importorskip("scipy.stats").binomtest
    for wins, losses in ((40, 61), (200, 151), (0, 30), (5_000, 5_200)):
        assert sign_test(wins, losses) == pytest.approx(binomtest(wins, wins + losses).pvalue, rel=1e-9)


def test_a_p_value_too_small_for_a_float_is_zero() -> None:
    """And no overflow."""
    assert sign_test(0, 5_000) == 0.0


def test_mcnemar_looks_at_the_pairs_that_changed() -> None:
    """Stem cell example: 1 against 7 of 8, 2 (1 + 8) / 256 = .0703, as published."""
    assert round(mcnemar(1, 7), 4) == 0.0703


def test_the_t_interval_of_five_numbers_by_hand() -> None:
    """1..5: mean 3, standard deviation sqrt(2.5), t(4) = 2.776445, half 2.776445 sqrt(2.5 / 5) = 1.963243."""
    estimate = mean_t([1, 2, 3, 4, 5])
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((3, 3 - 1.963243, 3 + 1.963243), abs=1e-5)


def test_one_value_and_equal_values_have_no_interval_and_say_so() -> None:
    """A bootstrap of equal values is no interval, and scipy would warn and give NaN."""
    assert mean_t([2.0]) == Estimate(2.0, 2.0, 2.0, "one value, no interval")
    assert mean_bca([0.5] * 9) == Estimate(0.5, 0.5, 0.5, "all values equal, no interval")


@pytest.mark.parametrize("values", [[0, 1], [0, 0, 1], [1.0] * 59 + [0.5], [0.0] * 500 + [1e-9], [-1e6, 1e6, 3]])
def test_the_bootstrap_of_awkward_values_is_still_numbers(values: list[float]) -> None:
    """Two values, one outlier, hardly any spread."""
    estimate = mean_bca(values)
    assert all(map(math.isfinite, (estimate.low, estimate.high)))
    assert estimate.low <= estimate.value <= estimate.high


def test_the_bootstrap_is_the_same_for_the_same_seed() -> None:
    """Nothing is random without its seed."""
    values = [float(number % 7) for number in range(50)]
    assert mean_bca(values, seed=3) == mean_bca(values, seed=3)
    assert mean_bca(values, seed=3) != mean_bca(values, seed=4)


def test_the_mean_of_nothing_is_an_error() -> None:
    """Callers leave such a metric out."""
    for mean in (mean_t, mean_bca):
        with pytest.raises(ValueError, match="no values"):
            mean([])


@pytest.mark.parametrize("mean", [mean_t, mean_bca])
def test_a_mean_without_scipy_says_what_to_install(
    mean: Callable[[Sequence[float]], Estimate], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shares are computed all the same."""
    for module in ("scipy", "scipy.special", "scipy.stats"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=re.escape("pip install 'solon[report]'")):
        mean([1.0, 2.0])
    assert wilson(1, 2).value == 0.5


@pytest.mark.slow
def test_the_bootstrap_covers_the_true_mean_in_about_95_percent_of_samples() -> None:
    """1,000 samples of 60 differences of win, tie and loss with mean .25."""
    random, covered = Random(11), 0
    for _ in range(1_000):
        values = random.choices((1.0, 0.0, -1.0), (0.45, 0.35, 0.20), k=60)
        estimate = mean_bca(values, resamples=999)
        covered += estimate.low <= 0.25 <= estimate.high
    assert 0.93 < covered / 1_000 < 0.97
