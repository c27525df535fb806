"""Where several models stand."""

import math

import pytest

from solon.statistics.standings import Met, standings


def _prompts(*counts: tuple[Met, int]) -> list[list[Met]]:
    """Each comparison on as many prompts as it says, one comparison a prompt."""
    return [[met] for met, count in counts for _ in range(count)]


def test_of_two_the_strength_is_their_share_of_wins() -> None:
    """75 of 100; without a prior the fitted probability is the share itself."""
    found = standings(2, _prompts(((1, 0, 1.0), 75), ((1, 0, 0.0), 25)), prior=1e-9)
    assert found.beats_first[1].value == pytest.approx(0.75, abs=1e-6)
    assert found.beats_first[0].value == 0.5


def test_the_interval_of_independent_comparisons_is_the_logit_s() -> None:
    """The deviation of a log-odds is sqrt(1 / (n p (1 - p))): .2309 for 75 of 100, times t of 99 and sqrt(100 / 99)."""
    estimate = standings(2, _prompts(((1, 0, 1.0), 75), ((1, 0, 0.0), 25)), prior=1e-9).beats_first[1]
    half = 1.984217 * math.sqrt(1 / (100 * 0.75 * 0.25)) * math.sqrt(100 / 99)
    low, high = (1 / (1 + math.exp(-(math.log(3) + sign * half))) for sign in (-1, 1))
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=1e-4)


def test_comparisons_of_one_prompt_do_not_count_as_if_they_were_of_many() -> None:
    """Ten of one prompt that all say the same tell as much as one: the interval is about as wide as that of ten."""
    many = standings(2, [[(1, 0, 1.0)]] * 75 + [[(1, 0, 0.0)]] * 25).beats_first[1]
    tens = [[(1, 0, 1.0)] * 10] * 8 + [[(1, 0, 0.0)] * 10] * 2
    few = standings(2, tens).beats_first[1]
    assert few.high - few.low > 2 * (many.high - many.low)


def test_whoever_never_lost_has_an_interval_that_ends_below_one() -> None:
    """The prior's: nothing varies from prompt to prompt, and 20 wins are no certainty."""
    estimate = standings(2, _prompts(((1, 0, 1.0), 20))).beats_first[1]
    assert 0.9 < estimate.value < estimate.high < 1
    assert estimate.low < estimate.value


def test_one_that_beats_whoever_beats_the_first_stands_above_it() -> None:
    """Strengths go through others: the third never met the first."""
    found = standings(3, _prompts(((1, 0, 1.0), 30), ((1, 0, 0.0), 10), ((2, 1, 1.0), 30), ((2, 1, 0.0), 10)))
    assert found.beats_first[2].value > found.beats_first[1].value > 0.5


@pytest.mark.parametrize(("options", "prompts"), [(1, [[(0, 0, 1.0)]]), (2, []), (2, [[]])])
def test_without_two_options_and_a_comparison_nobody_stands_anywhere(options: int, prompts: list[list[Met]]) -> None:
    """There is nothing to fit."""
    with pytest.raises(ValueError, match="two options"):
        standings(options, prompts)


def test_all_ties_are_no_certainty() -> None:
    """Nothing varies, and yet nobody knows that they are even to the last digit."""
    estimate = standings(2, [[(1, 0, 0.5)]] * 50).beats_first[1]
    assert estimate.value == pytest.approx(0.5)
    assert estimate.low < 0.48 < 0.52 < estimate.high
