"""The expected calibration error."""

import pytest

from solon.statistics.calibration import calibration


def test_the_error_is_the_weighted_distance_of_confidence_and_accuracy():
    """By hand: two at .95, one right (|.95 - .5| = .45); two at .65, both right (.35): (2 x .45 + 2 x .35) / 4 = .4."""
    found = calibration([(0.95, True), (0.95, False), (0.65, True), (0.65, True)])
    assert found.ece == pytest.approx(0.4)
    assert [(one.n, one.accuracy) for one in found.bins] == [(2, 1.0), (2, 0.5)]


def test_a_perfectly_calibrated_judge_has_no_error():
    """Three of four statements at .75 came true."""
    assert calibration([(0.75, True)] * 3 + [(0.75, False)]).ece == pytest.approx(0.0)


def test_certainty_falls_into_the_last_bin():
    """1.0 has no bin of its own."""
    assert calibration([(1.0, True), (0.95, True)]).bins[0].n == 2


def test_what_is_no_probability_is_refused():
    """It would fall into some bin all the same."""
    for statements in ([], [(1.5, True)], [(float("nan"), True)]):
        with pytest.raises(ValueError, match="probability in"):
            calibration(statements)
