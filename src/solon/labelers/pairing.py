"""Which completions of a prompt meet: rounds of matches, each decided before the next is drawn up.

Nothing here knows of judges: whoever calls says how a round is played, and may play its matches at the same time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Literal, TypeAlias, assert_never

Pairing = Literal["tournament", "best_against_rest", "all"]
Round: TypeAlias = list[tuple[int, int]]
Play: TypeAlias = Callable[[Round], Awaitable[Sequence[int | None]]]


async def meet(pairing: Pairing, players: int, rng: Random, play: Play) -> None:
    """Lets players ``0 .. players - 1`` meet. No two meet twice.

    Args:
        pairing: ``tournament`` is a knockout in an order drawn from ``rng``, n - 1 matches; ``best_against_rest`` lets
            its champion also meet everyone it has not met; ``all`` is every pair once, in one round.
        players: how many there are; fewer than two meet nobody.
        rng: draws the order, and the coin that lets one player of an undecided match advance.
        play: plays one round and returns its winners, one a pair; ``None`` for a match without a winner.
    """
    if players < 2:
        return
    match pairing:
        case "tournament":
            await _knockout(players, rng, play)
        case "best_against_rest":
            champion, played = await _knockout(players, rng, play)
            met = {player for match in played if champion in match for player in match}
            rest = [player for player in range(players) if player not in met]
            if rest:
                await play([(champion, player) for player in rest])
        case "all":
            await play([(first, second) for first in range(players) for second in range(first + 1, players)])
        case _:
            assert_never(pairing)


async def _knockout(players: int, rng: Random, play: Play) -> tuple[int, Round]:
    """Plays until one is left; returns it and all matches."""
    standing = list(range(players))
    rng.shuffle(standing)
    played: Round = []
    while len(standing) > 1:
        pairs = list(zip(standing[::2], standing[1::2], strict=False))
        # an odd one out waits and opens the next round, so that nobody waits twice in a row
        waiting = standing[2 * len(pairs) :]
        winners = await play(pairs)
        played += pairs
        standing = waiting + [
            rng.choice(pair) if winner is None else winner for pair, winner in zip(pairs, winners, strict=True)
        ]
    (champion,) = standing
    return champion, played


def expected_matches(pairing: Pairing, players: int) -> int:
    """How many matches there will be: exact, but for ``best_against_rest`` the most that the draw can make it."""
    if players < 2:
        return 0
    match pairing:
        case "tournament":
            return players - 1
        case "best_against_rest":
            # the champion of a knockout has met at least floor(log2 n) others on its way
            return 2 * (players - 1) - (players.bit_length() - 1)
        case "all":
            return players * (players - 1) // 2
        case _:
            assert_never(pairing)
