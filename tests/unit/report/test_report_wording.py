"""Numbers in words."""

from __future__ import annotations

import math

import pytest

from solon.data.records import Metric, Usage
from solon.report.labeled import Share
from solon.report.rows import Row
from solon.report.wording import (
    change,
    coefficient,
    correlation,
    difference,
    dollars,
    label,
    number,
    p_value,
    share_of,
    short,
    span,
    tokens,
)


def metric(value, low, high, unit="share", of="after"):
    return Metric(name="m", of=of, value=value, low=low, high=high, n=600, unit=unit)


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.28333, "share", "28.3%"),
        (1.0, "share", "100.0%"),
        (11.84, "nats", "11.8 nats"),
        (24.9, "tokens", "24.9 tokens"),
        (3.4159, "score", "3.42"),
        (-3.4159, "score", "−3.42"),
        (-0.34, "nats", "−0.3 nats"),
        (-0.04, "nats", "0.0 nats"),
        (-0.0, "tokens", "0.0 tokens"),
        (-0.0001, "share", "0.0%"),
        (0.5, "usd", "$0.50"),
        (math.nan, "share", "–"),
        (None, "share", "–"),
    ],
)
def test_a_value_is_written_in_its_unit(value, unit, words):
    """One decimal for shares, and a dash where there is no number."""
    assert number(value, unit) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.714, ".71"), (-0.05, "−.05"), (-0.001, ".00"), (1.0, "1.00"), (-1.0, "−1.00"), (None, "–"), (math.nan, "–")],
)
def test_a_coefficient_has_two_digits_and_no_zero_before_them(value, words):
    """It cannot be above 1."""
    assert coefficient(value) == words


def test_a_share_and_a_correlation_carry_their_intervals():
    """Where there is one; a dash where nothing was measured."""
    assert share_of(Share(value=0.92, low=0.91, high=0.929, n=9)) == "92.0% [91.0 to 92.9]"
    assert share_of(Share(value=0.92)) == "92.0%"
    assert share_of(Share()) == "–"
    assert correlation(Share(value=0.21, low=-0.17, high=0.24, n=9)) == ".21 [−.17 to .24]"
    assert correlation(Share(value=0.21)) == ".21"


def test_a_win_rate_at_equal_length_is_called_so():
    """Its name begins with what was done to it."""
    assert label("length_controlled/win_rate") == "Win rate over untrained at equal length"
    assert label("length_controlled/win_rate/greedy") == "Greedy win rate over untrained at equal length"


def test_an_interval_is_written_without_its_unit_and_not_at_all_when_it_is_a_point():
    """The unit stands beside the value already."""
    assert span(metric(0.283, 0.249, 0.321)) == "24.9 to 32.1"
    assert span(metric(11.8, 11.2, 12.5, "nats")) == "11.2 to 12.5"
    assert span(metric(0.5, 0.5, 0.5)) == ""


@pytest.mark.parametrize(
    ("before", "after", "unit", "words"),
    [
        (170 / 600, 577 / 600, "share", "+67.8 points"),
        (0.990, 0.987, "share", "−0.3 points"),
        (0.5, 0.4999, "share", "0.0 points"),
        (14.2, 24.9, "tokens", "+10.7 tokens"),
        (3.5, 3.25, "score", "−0.25"),
    ],
)
def test_a_change_is_signed_and_shares_change_by_points(before, after, unit, words):
    """407 of 600 is 67.83 points; what rounds to nothing has no sign."""
    row = Row("m", metric(before, before, before, unit, "before"), metric(after, after, after, unit))
    assert change(row) == words


def test_the_interval_of_a_difference_is_in_points_and_signed():
    """-.0148 to .0079."""
    row = Row("m", metric(0.99, 0, 1, of="before"), metric(0.987, 0, 1), metric(-0.003, -0.0148, 0.0079, of="pair"))
    assert difference(row) == "−1.5 to +0.8"


@pytest.mark.parametrize(
    ("p", "words"),
    [(1e-40, "p < .001"), (0.0123, "p = .012"), (0.6875, "p = .69"), (0.999, "p = 1"), (None, ""), (math.nan, "")],
)
def test_p_values_have_two_digits_that_count(p, words):
    """And none is ever written as zero."""
    assert p_value(p) == words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("compliance", "Compliance"),
        ("compliance/one_line", "Compliance: one line"),
        ("accuracy/greedy", "Greedy accuracy"),
        ("compliance/greedy/format", "Greedy compliance: format"),
        ("my_own", "My own"),
    ],
)
def test_metrics_have_names_for_people(name, words):
    """Also those of other people's evaluators."""
    assert label(name) == words


@pytest.mark.parametrize(
    ("usd", "words"),
    [(0, "$0.00"), (0.0042, "$0.0042"), (0.00001, "under $0.0001"), (12.345, "$12.35"), (1234, "$1,234.00")],
)
def test_money_is_never_rounded_to_nothing(usd, words):
    """A cost below a cent keeps two digits."""
    assert dollars(usd) == words


@pytest.mark.parametrize(
    ("count", "words"), [(999, "999"), (1000, "1.0k"), (999_960, "1.0M"), (1_845_600, "1.8M"), (3_000_000_000, "3.0G")]
)
def test_large_counts_are_short(count, words):
    """999,960 would round to 1000.0k."""
    assert short(count) == words


def test_cached_tokens_are_a_share_of_the_input():
    """60 of 100."""
    assert tokens(Usage(input_tokens=100, output_tokens=7, cached_tokens=60)) == "100 in (60% cached), 7 out"
