"""Orders and windows in which options are shown, and a sort whose number of questions is bounded."""

import asyncio
import math
from collections import Counter
from itertools import pairwise, permutations
from random import Random

import pytest

from solon.labelers.ranking_orders import questions_of, shuffled_orders, windows
from solon.labelers.tournament import merge_sorted, most_comparisons


@pytest.mark.parametrize("n", [4, 5, 8])
def test_as_many_pairs_of_orders_as_options_make_a_latin_square(n: int) -> None:
    """Each option stands at each place twice in 2n orders: once in a turn, once in a turn read backwards."""
    orders = shuffled_orders(n, 2 * n, Random(1))
    assert len(set(orders)) == 2 * n
    for place in range(n):
        assert set(Counter(order[place] for order in orders).values()) == {2}


def test_four_orders_of_four_put_each_option_once_at_each_place() -> None:
    """The default, on the usual number of completions."""
    orders = shuffled_orders(4, 4, Random(5))
    assert [sorted(order[place] for order in orders) for place in range(4)] == [[0, 1, 2, 3]] * 4


@pytest.mark.parametrize(("n", "count"), [(4, 4), (8, 4), (7, 6), (12, 2)])
def test_of_any_two_options_either_comes_first_as_often(n: int, count: int) -> None:
    """Every order is read backwards too, so who stands in front of whom cancels."""
    orders = shuffled_orders(n, count, Random(0))
    for one in range(n):
        for other in range(one):
            assert sum(order.index(one) < order.index(other) for order in orders) == count / 2


@pytest.mark.parametrize(("n", "count", "given"), [(3, 4, 4), (3, 20, 6), (4, 24, 24), (2, 5, 2), (1, 3, 1), (8, 5, 5)])
def test_orders_are_different_and_no_more_than_there_are(n: int, count: int, given: int) -> None:
    """The same order again would be the same request, and its answer counted twice."""
    orders = shuffled_orders(n, count, Random(2))
    assert len(orders) == len(set(orders)) == given
    assert set(orders) <= set(permutations(range(n)))


def test_the_seed_decides_the_orders() -> None:
    """The same again with the same, others with another."""
    assert shuffled_orders(6, 4, Random("a")) == shuffled_orders(6, 4, Random("a"))
    assert shuffled_orders(6, 4, Random("a")) != shuffled_orders(6, 4, Random("b"))


def test_without_turns_every_two_orders_are_shuffled_anew() -> None:
    """Turned windows would hold the same neighbours in every order."""
    orders = shuffled_orders(9, 6, Random(3), turns=False)
    assert [order[::-1] for order in orders[::2]] == orders[1::2]
    wheels = {tuple(order[(order.index(0) + step) % 9] for step in range(9)) for order in orders[::2]}
    assert len(wheels) == 3


@pytest.mark.parametrize(("n", "most", "count"), [(3, 8, 1), (8, 8, 1), (9, 8, 2), (12, 8, 2), (13, 8, 3), (26, 3, 13)])
def test_windows_cover_all_and_overlap_by_half(n: int, most: int, count: int) -> None:
    """So that every two neighbouring windows compare some options in common."""
    found = windows(n, most)
    assert len(found) == count
    assert sorted({place for window in found for place in window}) == list(range(n))
    assert all(len(window) == min(n, most) for window in found)
    assert all(len(set(one) & set(other)) >= most // 2 for one, other in pairwise(found))


def test_questions_are_orders_times_windows() -> None:
    """And three options have six orders."""
    assert (questions_of(4, 4, 8), questions_of(12, 4, 8), questions_of(3, 9, 8)) == (4, 8, 6)


async def sorted_by_value(players: list[int], met: list[tuple[int, int]]) -> list[int]:
    """Sorts numbers, the larger being the better."""

    async def better(one: int, other: int) -> bool:
        met.append((one, other))
        await asyncio.sleep(0)
        return one > other

    return await merge_sorted(players, better)


@pytest.mark.parametrize("n", range(7))
async def test_every_order_is_sorted_within_the_bound(n: int) -> None:
    """All permutations of up to six; the worst of them needs exactly the bound."""
    worst = 0
    for players in permutations(range(n)):
        met: list[tuple[int, int]] = []
        assert await sorted_by_value(list(players), met) == list(reversed(range(n)))
        assert len({frozenset(pair) for pair in met}) == len(met)
        worst = max(worst, len(met))
    assert worst == most_comparisons(n)


async def test_neighbours_of_the_result_have_met() -> None:
    """This is what connects all options."""
    players = list(range(40))
    Random(0).shuffle(players)
    met: list[tuple[int, int]] = []
    result = await sorted_by_value(players, met)
    assert {frozenset(pair) for pair in pairwise(result)} <= {frozenset(pair) for pair in met}
    assert len(met) <= most_comparisons(40)


@pytest.mark.parametrize(
    ("n", "bound"), [(0, 0), (1, 0), (2, 1), (3, 3), (4, 5), (5, 8), (8, 17), (16, 49), (1000, 8977)]
)
def test_the_bound_is_n_log_n(n: int, bound: int) -> None:
    """With k = log2 n rounded up it is n k - 2^k + 1: for 1,000, 10,000 - 1,024 + 1."""
    assert most_comparisons(n) == bound
    assert n < 2 or bound < n * math.log2(n)
