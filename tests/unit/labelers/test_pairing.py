"""Who meets whom, for every number of players that a prompt may have."""

from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest

from solon.labelers.pairing import Pairing, Round, expected_matches, meet

SIZES = range(18)


async def rounds_of(pairing: Pairing, players: int, seed: int, winner: str = "higher") -> list[Round]:
    """Plays a whole schedule in which the higher number wins, or nobody does."""
    rounds: list[Round] = []

    async def play(pairs: Round) -> Sequence[int | None]:
        rounds.append(pairs)
        return [max(pair) if winner == "higher" else None for pair in pairs]

    await meet(pairing, players, Random(seed), play)
    return rounds


@pytest.mark.parametrize("pairing", ["tournament", "best_against_rest", "all"])
@pytest.mark.parametrize("winner", ["higher", "nobody"])
async def test_no_two_players_meet_twice_and_none_meets_itself(pairing: Pairing, winner: str) -> None:
    """A second meeting would be paid for twice and count twice."""
    for players in SIZES:
        met = Counter(frozenset(pair) for pairs in await rounds_of(pairing, players, 3, winner) for pair in pairs)
        assert all(len(pair) == 2 for pair in met)
        assert set(met.values()) <= {1}


@pytest.mark.parametrize("winner", ["higher", "nobody"])
async def test_a_tournament_has_one_match_fewer_than_players(winner: str) -> None:
    """Each match puts one out, and one is left."""
    for players in SIZES:
        rounds = await rounds_of("tournament", players, 1, winner)
        assert sum(map(len, rounds)) == max(0, players - 1) == expected_matches("tournament", players)


async def test_in_a_tournament_a_loser_does_not_come_back() -> None:
    """Only winners and the odd one out go on to the next round."""
    out: set[int] = set()
    for pairs in await rounds_of("tournament", 13, 5):
        for pair in pairs:
            assert not out & set(pair)
        out |= {min(pair) for pair in pairs}
    assert out == set(range(12))


async def test_nobody_waits_twice_before_everyone_else_has_played() -> None:
    """One of an odd number waits, and opens the next round. The best of 17 plays floor(log2 17) = 4 matches or more."""
    for seed in range(200):
        rounds = await rounds_of("tournament", 17, seed)
        played = Counter(player for pairs in rounds for pair in pairs for player in pair)
        assert played[16] >= 4


async def test_the_best_meets_everyone_against_the_rest() -> None:
    """The highest number wins every match, so it is the champion, and meets the 10 others once each."""
    rounds = await rounds_of("best_against_rest", 11, 2)
    assert sorted(min(pair) for pairs in rounds for pair in pairs if 10 in pair) == list(range(10))


async def test_best_against_rest_is_never_more_than_expected_and_sometimes_just_that() -> None:
    """``plan`` must not promise less than is spent. For 4 players: 3 matches and the one it has not met, 4."""
    for players in SIZES:
        counts = {sum(map(len, await rounds_of("best_against_rest", players, seed))) for seed in range(60)}
        assert max(counts) == expected_matches("best_against_rest", players)
    assert expected_matches("best_against_rest", 4) == 4


async def test_all_is_every_pair_in_one_round() -> None:
    """They can all be asked at the same time."""
    assert await rounds_of("all", 4, 0) == [[(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]]
    assert [expected_matches("all", players) for players in range(6)] == [0, 0, 1, 3, 6, 10]


async def test_the_same_seed_draws_the_same_bracket_and_coins() -> None:
    """Nothing is random without its seed."""
    assert await rounds_of("tournament", 9, 7, "nobody") == await rounds_of("tournament", 9, 7, "nobody")
    assert len({str(await rounds_of("tournament", 9, seed, "nobody")) for seed in range(20)}) > 1


async def test_fewer_than_two_players_meet_nobody() -> None:
    """There is nothing to ask, not even an empty round."""
    for pairing in ("tournament", "best_against_rest", "all"):
        assert [await rounds_of(pairing, players, 0) for players in (0, 1)] == [[], []]
