"""Strengths from comparisons, against cases solved by hand and a logistic regression of the same comparisons."""

import math
from random import Random

import pytest

from solon.statistics.bradley_terry import PRIOR, Strengths, bradley_terry


def test_two_players_win_as_often_as_they_won() -> None:
    """3 of 4: the likeliest P is 3/4, so s0 - s1 = log 3, and the sum is 0."""
    fitted = bradley_terry([[0, 3], [1, 0]], prior=0)
    assert fitted.log == pytest.approx((math.log(3) / 2, -math.log(3) / 2))
    assert fitted.beats(0, 1) == pytest.approx(0.75)
    assert fitted.beats(1, 0) == pytest.approx(0.25)


def test_odds_multiply_along_a_chain() -> None:
    """0 : 1 is 3 : 1 and 1 : 2 is 2 : 1; no pair is met twice over, so 0 : 2 is 6 : 1 though they never met."""
    fitted = bradley_terry([[0, 3, 0], [1, 0, 2], [0, 1, 0]], prior=0)
    assert fitted.beats(0, 1) == pytest.approx(3 / 4)
    assert fitted.beats(1, 2) == pytest.approx(2 / 3)
    assert fitted.beats(0, 2) == pytest.approx(6 / 7)
    assert fitted.shares() == pytest.approx(((3 / 4 + 6 / 7) / 2, (1 / 4 + 2 / 3) / 2, (1 / 7 + 1 / 3) / 2))


def test_a_circle_makes_all_equal() -> None:
    """Each beats the next 2 : 1; by symmetry nobody is stronger."""
    fitted = bradley_terry([[0, 2, 1], [1, 0, 2], [2, 1, 0]], prior=0)
    assert fitted.log == pytest.approx((0, 0, 0))
    assert fitted.shares() == pytest.approx((0.5, 0.5, 0.5))


@pytest.mark.parametrize(("wins", "prior"), [(1.0, 0.6), (2.0, 1.2), (0.5, 0.3)])
def test_the_prior_holds_back_whoever_never_lost(wins: float, prior: float) -> None:
    """With s0 = u = -s1 and x = e^u the best x solves w / (1 + x^2) = p (x - 1) / (x + 1): 5p/3 wins give x = 2.

    P is then x^2 / (1 + x^2) = 4/5.
    """
    fitted = bradley_terry([[0, wins], [0, 0]], prior=prior)
    assert fitted.beats(0, 1) == pytest.approx(0.8)
    assert fitted.log == pytest.approx((math.log(2), -math.log(2)))


@pytest.mark.parametrize(("wins", "share"), [(1, 0.82), (4, 0.93)])
def test_the_usual_prior_says_what_its_documentation_says(wins: int, share: float) -> None:
    """One win of one, four of four."""
    assert round(bradley_terry([[0, wins], [0, 0]]).beats(0, 1), 2) == share
    assert PRIOR == 0.5


def test_results_read_backwards_give_the_strengths_backwards() -> None:
    """A prior that favours winners would not."""
    wins = [[0, 3, 1, 0], [1, 0, 2, 2], [0, 0, 0, 4], [0, 1, 0, 0]]
    turned = [[wins[j][i] for j in range(4)] for i in range(4)]
    assert bradley_terry(turned).log == pytest.approx(tuple(-at for at in bradley_terry(wins).log))


def test_who_met_nobody_is_in_the_middle() -> None:
    """Nothing is known of 2, so its strength is that of the imaginary opponent; the sum is 0 already."""
    fitted = bradley_terry([[0, 2, 0], [0, 0, 0], [0, 0, 0]])
    assert fitted.log[2] == pytest.approx(0)
    assert fitted.beats(0, 2) == pytest.approx(1 - fitted.beats(1, 2))


def test_alone_there_is_nobody_to_beat() -> None:
    """One option, no comparison."""
    assert bradley_terry([[0]]) == Strengths((0.0,))
    assert bradley_terry([[0]]).shares() == (0.5,)
    assert bradley_terry([[0]], prior=0).shares() == (0.5,)


def test_ties_are_half_wins() -> None:
    """4 ties are 2 : 2."""
    assert bradley_terry([[0, 2.0], [2.0, 0]]).log == pytest.approx((0, 0))
    assert bradley_terry([[0, 2.5], [0.5, 0]], prior=0).beats(0, 1) == pytest.approx(2.5 / 3)


@pytest.mark.parametrize(
    "wins", [[[0, 1], [0, 0]], [[0, 1, 0], [1, 0, 0], [0, 0, 0]], [[0, 1, 1], [1, 0, 1], [0, 0, 0]]]
)
def test_without_a_prior_strengths_that_would_be_infinite_are_refused(wins: list[list[float]]) -> None:
    """Never lost; never met; never won."""
    with pytest.raises(ValueError, match="without a prior"):
        bradley_terry(wins, prior=0)


@pytest.mark.parametrize(
    "wins", [[], [[0, 1]], [[0, 1], [1]], [[0, -1], [1, 0]], [[0, math.nan], [1, 0]], [[0, math.inf], [1, 0]], [[1]]]
)
def test_what_is_no_table_of_wins_is_refused(wins: list[list[float]]) -> None:
    """It would be a bug of the caller."""
    with pytest.raises(ValueError, match=r"square|finite|itself"):
        bradley_terry(wins)


def test_a_prior_below_zero_is_refused() -> None:
    """It would be an opponent who unlearns."""
    with pytest.raises(ValueError, match="prior"):
        bradley_terry([[0, 1], [1, 0]], prior=-1)


def drawn(seed: int, n: int, comparisons: int) -> list[list[float]]:
    """Comparisons of options whose true log-strengths are 0, 1/2, 1, ..."""
    rng = Random(seed)
    wins = [[0.0] * n for _ in range(n)]
    for _ in range(comparisons):
        i, j = rng.sample(range(n), 2)
        beats = rng.random() < 1 / (1 + math.exp((j - i) / 2))
        wins[i if beats else j][j if beats else i] += 1
    return wins


@pytest.mark.slow  # importing statsmodels takes seconds
@pytest.mark.parametrize("seed", range(3))
def test_without_a_prior_it_is_the_logistic_regression_of_statsmodels(seed: int) -> None:
    """Wins on +1 and -1 dummies without an intercept, the last option's strength being 0."""
    api = pytest.importorskip("statsmodels.api")
    n, wins = 5, drawn(seed, 5, 120)
    rows, outcomes = [], []
    for i in range(n):
        for j in range(i + 1, n):
            met = [1.0 if k == i else -1.0 if k == j else 0.0 for k in range(n)][:-1]
            for result, count in ((1, wins[i][j]), (0, wins[j][i])):
                rows += [met] * int(count)
                outcomes += [result] * int(count)
    theirs = [*api.Logit(outcomes, rows).fit(disp=0, tol=1e-12).params, 0.0]
    ours = bradley_terry(wins, prior=0).log
    assert [at - ours[-1] for at in ours] == pytest.approx(theirs, abs=1e-6)


def test_many_options_that_met_rarely_are_fitted() -> None:
    """A hundred in a chain, each beating the next once: the order comes out, and no step runs away."""
    n = 100
    wins = [[1.0 if j == i + 1 else 0.0 for j in range(n)] for i in range(n)]
    log = bradley_terry(wins).log
    assert list(log) == sorted(log, reverse=True)
    assert math.fsum(log) == pytest.approx(0, abs=1e-9)


def test_one_sided_results_by_the_thousand_stay_finite() -> None:
    """Newton's whole step would overshoot here."""
    fitted = bradley_terry([[0, 1e6], [0, 0]])
    assert 0.999 < fitted.beats(0, 1) < 1
    assert bradley_terry([[0, 1e6], [1e-3, 0]], prior=0).beats(0, 1) == pytest.approx(1e6 / (1e6 + 1e-3))
