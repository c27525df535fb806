"""Agreement of two rankings, against values counted by hand and against scipy."""

from random import Random

import pytest

from solon.statistics.kendall import kendall_tau


def test_the_same_order_is_one_and_the_opposite_minus_one() -> None:
    """Whatever the numbers: only their order counts."""
    assert kendall_tau([1, 2, 3], [10, 20, 300]) == 1
    assert kendall_tau([1, 2, 3], [3, 2, 1]) == -1


def test_it_is_the_share_of_pairs_in_order_less_those_out_of_it() -> None:
    """1 2 3 4 against 1 3 2 4: of 6 pairs one is out of order, (5 - 1) / 6."""
    assert kendall_tau([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(4 / 6)


def test_shared_places_are_corrected_for() -> None:
    """1 1 2 against 1 2 3: two of two told pairs agree, of 2 and 3 that are told: 2 / sqrt(6)."""
    assert kendall_tau([1, 1, 2], [1, 2, 3]) == pytest.approx(2 / 6**0.5)


@pytest.mark.parametrize(("one", "other"), [([1, 1], [1, 2]), ([1, 2], [3, 3]), ([1], [1]), ([], [])])
def test_where_nothing_is_told_apart_nothing_is_known(one: list[float], other: list[float]) -> None:
    """0 would say that they disagree as often as not."""
    assert kendall_tau(one, other) is None


def test_rankings_of_different_things_are_refused() -> None:
    """A bug of the caller."""
    with pytest.raises(ValueError, match="3 and 2"):
        kendall_tau([1, 2, 3], [1, 2])


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_tau_b_of_scipy(seed: int) -> None:
    """Ten things in seven places."""
    stats = pytest.importorskip("scipy.stats")
    rng = Random(seed)
    one, other = ([rng.randrange(7) for _ in range(10)] for _ in range(2))
    assert kendall_tau(one, other) == pytest.approx(stats.kendalltau(one, other).statistic)
