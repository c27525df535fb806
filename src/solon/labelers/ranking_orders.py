"""In which orders a judge sees the options that it ranks, so that no option owes its rank to where it stood."""

from __future__ import annotations

import math
from random import Random


def shuffled_orders(n: int, count: int, rng: Random, *, turns: bool = True) -> list[tuple[int, ...]]:
    """Different orders of ``0 .. n - 1`` in which each option stands in every region about equally often.

    A shuffled order is turned like a wheel, by equal parts, so that each option comes through the whole list (a cyclic
    Latin square when there are n turns). Each turn is also read backwards, so that of any two options either comes
    first as often as the other. When a shuffled order has no more turns, there is another one.

    Args:
        n: how many options; at least 1.
        count: how many orders; there are no more than n factorial.
        rng: shuffles.
        turns: whether an order is turned; without it there is a new one for every two.
    """
    wanted = min(count, _most(n, count))
    found: dict[tuple[int, ...], None] = {}
    while len(found) < wanted:
        wheel = list(range(n))
        rng.shuffle(wheel)
        steps = min(n, math.ceil((wanted - len(found)) / 2)) if turns else 1
        for step in range(steps):
            start = step * n // steps
            turned = tuple(wheel[start:] + wheel[:start])
            for order in (turned, turned[::-1]):
                if len(found) < wanted:
                    found[order] = None
    return list(found)


def windows(n: int, most: int) -> list[range]:
    """Places of an order of n that are shown at once: all of them, or as few windows of ``most`` as overlap by half.

    Args:
        n: how many there are.
        most: how many may be shown at once; at least 2.
    """
    if n <= most:
        return [range(n)]
    count = 1 + math.ceil((n - most) / math.ceil(most / 2))
    starts = (index * (n - most) // (count - 1) for index in range(count))
    return [range(start, start + most) for start in starts]


def questions_of(n: int, count: int, most: int) -> int:
    """How many questions so many orders of n options make."""
    return min(count, _most(n, count)) * len(windows(n, most))


def _most(n: int, count: int) -> int:
    """How many orders there are, or ``count`` where that is less; a large factorial is not computed."""
    orders = 1
    for number in range(2, n + 1):
        orders *= number
        if orders >= count:
            return count
    return orders
