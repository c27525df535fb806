"""The win rate at equal length."""

import math
from random import Random

import pytest

from solon.statistics.estimates import Estimate, Z
from solon.statistics.length_control import length_controlled, wald_p


def planted(theta: float, phi: float, n: int) -> tuple[list[float], list[float]]:
    """Wins drawn with P = sigmoid(theta + phi tanh(x / rms x)), x even over [-1, 1]."""
    rng = Random("planted")
    longer = [2 * (place + 0.5) / n - 1 for place in range(n)]
    rms = math.sqrt(sum(x * x for x in longer) / n)
    points = [float(rng.random() < 1 / (1 + math.exp(-theta - phi * math.tanh(x / rms)))) for x in longer]
    return points, longer


def test_what_was_planted_is_found():
    """sigmoid(.5) = .622; 20,000 draws leave an error of about .004."""
    found = length_controlled(*planted(0.5, 1.5, 20_000))
    assert found is not None
    assert found.value == pytest.approx(0.622, abs=0.012)
    assert found.low < 0.622 < found.high


def test_a_win_rate_that_comes_from_length_alone_is_a_half():
    """The policy writes longer, and the judge likes that and nothing else."""
    points, longer = planted(0.0, 4.0, 4_000)
    longer_ones = [(point, x) for point, x in zip(points, longer, strict=True) if x > -0.3]
    raw = sum(point for point, _ in longer_ones) / len(longer_ones)
    found = length_controlled(*map(list, zip(*longer_ones, strict=True)))
    assert raw > 0.6
    assert found is not None
    assert found.low < 0.5 < found.high


def test_without_an_influence_of_length_it_is_the_win_rate_itself():
    """Half of the wins at each length: the intercept is logit(.75)."""
    points = [1.0, 1.0, 1.0, 0.0] * 10
    longer = [1.0] * 20 + [-1.0] * 20
    found = length_controlled(points, longer)
    assert found is not None
    assert found.value == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("points", "longer"),
    [
        ([1.0, 0.0] * 9, [1.0, -1.0] * 9),  # 18 comparisons
        ([1.0, 0.0] * 20, [0.0] * 40),  # no difference
        ([1.0] * 40, [1.0, -1.0] * 20),  # nothing but wins
        ([1.0, 0.0] * 20, [1.0, -1.0] * 20),  # length separates completely
    ],
)
def test_what_cannot_be_told_is_not_told(points: list[float], longer: list[float]):
    """A number would be an artefact of the fit."""
    assert length_controlled(points, longer) is None


def test_the_p_value_goes_with_the_interval() -> None:
    """Wald: an interval that just ends at even odds has p = .05; one that is centred there has 1."""
    assert wald_p(Estimate(1 / (1 + math.exp(-Z)), 0.5, 1 / (1 + math.exp(-2 * Z)), "")) == pytest.approx(0.05)
    assert wald_p(Estimate(0.5, 0.4, 0.6, "")) == pytest.approx(1.0)
