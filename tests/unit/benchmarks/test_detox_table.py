"""What the detox benchmark says of a change."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest

from benchmark_programs import program
from solon.data.records import Metric


@pytest.fixture
def detox() -> Iterator[ModuleType]:
    """The program."""
    with program("detox") as module:
        yield module


def metric(value: float, low: float = 0.0, high: float = 1.0) -> Metric:
    """One of 300 dialogues."""
    return Metric(name="toxicity", of="pair", value=value, low=low, high=high, n=300)


@pytest.mark.parametrize(
    ("after", "less", "shown"),
    [
        (0.1, (0.6, 0.5, 0.7), "0.250 -> 0.100 (-60.0% [-70.0% -50.0%])"),
        (0.275, (-0.1, -0.25, 0.05), "0.250 -> 0.275 (+10.0% [-5.0% +25.0%])"),
        (0.25, (0.0, -0.05, 0.05), "0.250 -> 0.250 (+0.0% [-5.0% +5.0%])"),
    ],
    ids=["less", "more", "the same"],
)
def test_a_change_has_its_own_sign_and_its_interval_goes_up(
    detox: ModuleType, after: float, less: tuple[float, float, float], shown: str
) -> None:
    """A reduction of -10 % is a rise of 10 %, and the upper end of the one is the lower end of the other."""
    assert detox.changed(metric(0.25), metric(after), metric(*less)) == shown


def test_gains_and_losses_are_counted_by_the_thresholds_of_the_published_work(detox: ModuleType) -> None:
    """Strongly is more than .3 up or more than .2 down; on the threshold is not beyond it, and 0 is neither."""
    changes = (0.31, 0.3, 0.01, 0.0, -0.01, -0.2, -0.21)
    some = [detox.Sample(plan=None, before="", after="", change=change) for change in changes]
    assert detox.counted(some) == (3, 1, 3, 1)
