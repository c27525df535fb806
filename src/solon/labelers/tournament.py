"""Sorting by comparisons: how n options are ranked by O(n log n) questions about two of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

Better: TypeAlias = Callable[[int, int], Awaitable[bool]]


async def merge_sorted(players: Sequence[int], better: Better) -> list[int]:
    """The players from the best to the worst, by merge sort.

    Both halves are sorted at the same time. No two players meet twice, and every two that end up beside each other have
    met, so the comparisons connect them all. Qin et al. (2023, arXiv:2306.17563) let a language model sort by such
    questions, with heapsort.

    Args:
        players: in the order to begin with; which one decides who meets whom.
        better: whether the first of two goes ahead of the second; asked ``most_comparisons`` times at most.
    """
    if len(players) < 2:
        return list(players)
    middle = len(players) // 2
    left, right = await asyncio.gather(merge_sorted(players[:middle], better), merge_sorted(players[middle:], better))
    merged: list[int] = []
    i = j = 0
    while i < len(left) and j < len(right):
        if await better(left[i], right[j]):
            merged.append(left[i])
            i += 1
        else:
            merged.append(right[j])
            j += 1
    return merged + left[i:] + right[j:]


def longest_order(players: int) -> list[int]:
    """The place in the result of each of so many players, for which ``merge_sorted`` asks ``most_comparisons`` times.

    A merge is longest when the last two of it come from different halves: so it is where the halves take turns.
    """

    def taking_turns(places: list[int]) -> list[int]:
        return places if len(places) < 2 else taking_turns(places[1::2]) + taking_turns(places[0::2])

    return taking_turns(list(range(players)))


def most_comparisons(players: int) -> int:
    """The most that ``merge_sorted`` needs: n k - 2^k + 1 with k = log2 n rounded up (Knuth, TAOCP 3, 5.2.4)."""
    if players < 2:
        return 0
    rounds = (players - 1).bit_length()
    return players * rounds - (1 << rounds) + 1
