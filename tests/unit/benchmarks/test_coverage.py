"""The intervals of every metric hold the truth about as often as they say."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest

from benchmark_programs import program

SCENARIOS = (
    "share",
    "share near 1",
    "paired shares",
    "share of clusters",
    "kappa",
    "alpha",
    "ac1",
    "mean",
    "mean difference",
    "mean of groups",
    "win rate",
    "win rate at equal length",
    "standing",
    "deviation",
    "change of a deviation",
    "95th percentile",
    "change of a percentile",
    "reduction of a mean",
    "reduction of a deviation",
)


@pytest.fixture
def coverage() -> Iterator[ModuleType]:
    """The program, not the tool of that name."""
    with program("coverage") as module:
        yield module


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_an_interval_holds_the_truth_as_often_as_it_says(coverage: ModuleType, scenario: str) -> None:
    """95 % are meant; 300 runs leave two points to chance to either side of the 93 to 97 % that 1,000 are held to."""
    assert 0.91 <= coverage.covered(coverage.scenarios()[scenario], runs=300) <= 0.99


@pytest.mark.slow
def test_every_scenario_is_tested(coverage: ModuleType) -> None:
    """One that is added is added here."""
    assert tuple(coverage.scenarios()) == SCENARIOS


def test_an_interval_that_is_too_narrow_is_seen(coverage: ModuleType) -> None:
    """Half of Wilson's width holds the truth about two times of three."""

    def half(random: object) -> object:
        whole = coverage._share(0.7, 200)(random)
        return coverage.Estimate(
            whole.value, (whole.value + whole.low) / 2, (whole.value + whole.high) / 2, "half as wide"
        )

    assert coverage.covered(coverage.Scenario("", "", 0.7, half), runs=300) < 0.8
