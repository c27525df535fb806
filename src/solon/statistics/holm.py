"""Many tests at once: which of them still count."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p-values, in the order given: one below .05 counts although so many tests were made.

    The chance of even one false alarm among all of them is then at most 5 %, however the tests depend on each other
    (Holm 1979, Scandinavian Journal of Statistics 6:65).

    Args:
        p_values: of all tests that were made, each in [0, 1]; leaving some out would make the others too small.
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for place, test in enumerate(sorted(range(len(p_values)), key=lambda test: p_values[test])):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[test]))
        adjusted[test] = largest
    return tuple(adjusted)
