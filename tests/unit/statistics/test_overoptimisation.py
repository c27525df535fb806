"""Curves of a gold reward whose top is known."""

import math
from random import Random

import pytest
from scipy.optimize import isotonic_regression

from solon.statistics.overoptimisation import _squares, gao, turn

TOP = math.exp(0.5)


def curve(distance: float, start: float = 0.2, alpha: float = 1.2, beta: float = 0.8) -> float:
    """Gao et al.'s form above a start; its top is at exp(1.2 / .8 - 1) = exp(.5)."""
    return start + distance * (alpha - beta * math.log(distance)) if distance else start


def test_a_curve_without_noise_is_found_again() -> None:
    """Its top is where the derivative, alpha - beta log d - beta, is 0."""
    distances = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    found = gao(distances, [curve(distance) for distance in distances])
    assert found is not None
    assert (found.start, found.alpha, found.beta) == pytest.approx((0.2, 1.2, 0.8))
    assert (found.peak, found.explained) == (pytest.approx(TOP), pytest.approx(1.0))
    assert (found.at(2.0), found.at(0.0)) == (pytest.approx(curve(2.0)), pytest.approx(0.2))


def test_a_straight_line_has_no_top_that_is_bounded() -> None:
    """It is bent nowhere, but by chance."""
    random = Random(1)
    distances = [0.2 * n for n in range(15)]
    found = gao(distances, [0.5 * distance + random.gauss(0, 0.05) for distance in distances])
    assert found is not None
    assert (found.low, found.high) == (None, None)


def test_what_cannot_be_fitted_is_none() -> None:
    """Five points, or all at one distance."""
    assert gao([0, 1, 2, 3, 4], [0, 1, 1, 1, 0]) is None
    assert turn([0, 1, 2, 3, 4], [0, 1, 1, 1, 0]) is None
    assert gao([1.0] * 9, [float(n) for n in range(9)]) is None
    for fit in (gao, turn):
        with pytest.raises(ValueError, match="9 distances and 8 rewards"):
            fit([1.0] * 9, [0.0] * 8)


def test_a_turn_is_found_whatever_the_form() -> None:
    """Up to 1 and then down to a floor, as Gao et al.'s form is not: highest at 1, .3 lower at the end."""
    random = Random(3)
    distances = [0.25 * n for n in range(33)]
    rewards = [0.6 + 0.3 * d if d <= 1 else max(0.6, 0.95 - 0.05 * d) for d in distances]
    found = turn(distances, [reward + random.gauss(0, 0.01) for reward in rewards])
    assert found is not None
    assert found.sure
    assert found.low <= 1.0 <= found.high
    assert found.high - found.low < 1.3
    assert found.fall == pytest.approx(0.3, abs=0.03)
    form = gao(distances, rewards)
    assert form is not None
    assert form.explained < 0.9


def test_the_order_of_the_points_does_not_matter_and_the_seed_does_the_rest() -> None:
    """Steps come in the order of time, and a policy may come back."""
    distances = [0.2 * n for n in range(14)]
    rewards = [curve(distance) for distance in distances]
    pairs = list(zip(distances, rewards, strict=True))
    Random(1).shuffle(pairs)
    assert turn(*zip(*pairs, strict=True)) == turn(distances, rewards) == turn(distances, rewards)


def test_a_reward_that_only_rises_has_not_turned() -> None:
    """Its last point is the highest, and nothing fell."""
    found = turn([float(n) for n in range(10)], [float(n) for n in range(10)])
    assert found is not None
    assert (found.distance, found.fall, found.sure) == (9.0, 0.0, False)


def test_the_squares_of_all_tops_are_those_of_fits_made_one_by_one() -> None:
    """Rising up to the top and falling after it, each by scipy; with ties, too."""
    random = Random(2)
    for n in (1, 2, 7, 24):
        for digits in (0, 1, 15):
            rewards = [round(random.gauss(0, 1), digits) for _ in range(n)]
            expected = []
            for top in range(n):
                rise, fall = rewards[: top + 1], rewards[top + 1 :]
                fits = [isotonic_regression(rise).x, *([isotonic_regression(fall, increasing=False).x] if fall else [])]
                parts = zip((rise, fall), fits, strict=False)
                expected.append(sum(((part - fit) ** 2).sum() for part, fit in parts))
            assert _squares(rewards) == pytest.approx(expected, abs=1e-12)


@pytest.mark.slow
def test_chance_alone_rarely_makes_a_turn() -> None:
    """Rewards that rise, or stay, with noise: 5 of 100 may be called sure, and these are 100 of either."""
    random = Random(0)
    distances = [0.15 * n for n in range(20)]
    for slope in (0.0, 0.1):
        sure = 0
        for _ in range(100):
            found = turn(distances, [slope * distance + random.gauss(0, 0.1) for distance in distances])
            assert found is not None
            sure += found.sure
        assert sure / 100 <= 0.09


@pytest.mark.slow
def test_the_intervals_of_a_top_hold_it() -> None:
    """93 to 97 of 100 are wanted: of Fieller's, exact for normal noise where it is bounded, and of the turn's."""
    random, held, told = Random(0), 0, 0
    distances = [0.15 * n for n in range(24)]
    for _ in range(1000):
        found = gao(distances, [curve(distance) + random.gauss(0, 0.08) for distance in distances])
        assert found is not None
        if found.low is None or found.high is None:
            continue
        told += 1
        held += found.low <= TOP <= found.high
    assert told > 950
    assert 0.93 <= held / told <= 0.97


@pytest.mark.slow
def test_the_interval_of_a_turn_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """93 to 97 of 100 are wanted, whatever the noise; the p-value, which resamples, is not asked for."""
    monkeypatch.setattr("solon.statistics.overoptimisation._RESAMPLES", 1)
    random = Random(1)
    distances = [0.15 * n for n in range(24)]
    for noise in (0.03, 0.08, 0.2):
        held = 0
        for _ in range(1000):
            found = turn(distances, [curve(d) + random.gauss(0, noise) for d in distances])
            assert found is not None
            held += found.low <= TOP <= found.high
        assert 0.93 <= held / 1000 <= 0.97
