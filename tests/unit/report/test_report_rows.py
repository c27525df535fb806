"""Metrics side by side, and what a change amounts to."""

from __future__ import annotations

import pytest

from solon.data.records import Metric
from solon.report.rows import blocks, of_judges, rows, wanted


def metric(name, of, value, low=None, high=None, **more):
    low, high = value if low is None else low, value if high is None else high
    return Metric(name=name, of=of, value=value, low=low, high=high, n=600, **more)


def row_of(*metrics):
    (row,) = rows(metrics)
    return row


@pytest.mark.parametrize(
    ("name", "before", "after", "p", "verdict"),
    [
        ("compliance", 0.3, 0.9, 0.001, "improved"),
        ("compliance", 0.9, 0.3, 0.001, "degraded"),
        ("compliance", 0.3, 0.9, 0.05, "unclear"),
        ("toxicity", 0.3, 0.1, 0.01, "improved"),
        ("length/cut_off", 0.1, 0.3, 0.01, "degraded"),
        ("length", 14.0, 25.0, 0.01, "changed"),
        ("someone_elses", 0.1, 0.2, 0.01, "changed"),
    ],
)
def test_a_change_beyond_chance_is_judged_by_what_more_of_it_means(name, before, after, p, verdict):
    """A p-value of .05 itself is not below .05; what nobody declared good is only `changed`."""
    assert row_of(metric(name, "before", before), metric(name, "after", after, p_value=p)).verdict == verdict


def test_without_a_test_the_interval_of_the_difference_decides():
    """-.01 to .03 holds no change, .01 to .03 does not."""
    both = (metric("accuracy", "before", 0.90), metric("accuracy", "after", 0.91))
    assert row_of(*both, metric("accuracy", "pair", 0.01, -0.01, 0.03)).verdict == "unclear"
    assert row_of(*both, metric("accuracy", "pair", 0.02, 0.01, 0.03)).verdict == "improved"


def test_without_test_and_difference_intervals_that_touch_are_unclear():
    """[.2, .5] and [.5, .8] share .5."""
    before = metric("accuracy", "before", 0.4, 0.2, 0.5)
    assert row_of(before, metric("accuracy", "after", 0.6, 0.5, 0.8)).verdict == "unclear"
    assert row_of(before, metric("accuracy", "after", 0.6, 0.51, 0.8)).verdict == "improved"


def test_a_win_rate_is_measured_against_even_odds():
    """.45 to .60 holds .5; below it the untrained model won."""
    assert row_of(metric("win_rate", "pair", 0.55, 0.45, 0.60)).verdict == "unclear"
    assert row_of(metric("win_rate", "pair", 0.55, 0.51, 0.60)).verdict == "improved"
    assert row_of(metric("win_rate", "pair", 0.40, 0.35, 0.45)).verdict == "degraded"


def test_a_divergence_alone_is_neither_good_nor_bad():
    """Nothing is compared."""
    assert row_of(metric("kl", "pair", 12.0, 11.0, 13.0, unit="nats")).verdict == "none"


def test_parts_know_the_metric_above_them():
    """Greedy accuracy is a metric of its own; a rule of greedy compliance is a part of that."""
    names = ("compliance", "compliance/format", "accuracy/greedy", "compliance/greedy", "compliance/greedy/format")
    table = rows([metric(name, "before", 0.5) for name in names])
    assert [row.part for row in table] == ["", "format", "", "", "format"]


def test_numbers_about_judges_stay_out_of_the_table_of_models():
    """They compare no models; the labeler's come ahead of an examiner's."""
    examiner, labeler = metric("order_consistency/win_rate", "pair", 0.9), metric("agreement", "labels", 0.9)
    metrics = (examiner, labeler, metric("win_rate", "pair", 0.8))
    assert [row.name for row in rows(metrics)] == ["win_rate"]
    assert of_judges(metrics) == (labeler, examiner)


def test_a_win_rate_at_equal_length_is_held_against_even_odds_too():
    """Its name comes after another's, and a half is still even."""
    name = "length_controlled/win_rate"
    assert row_of(metric(name, "pair", 0.6, 0.55, 0.65)).verdict == "improved"
    assert row_of(metric(name, "pair", 0.4, 0.35, 0.45)).verdict == "degraded"
    assert row_of(metric(name, "pair", 0.6, 0.45, 0.75)).verdict == "unclear"
    assert [row.part for row in rows([metric("win_rate", "pair", 0.6), metric(name, "pair", 0.6)])] == ["", ""]


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("length/cut_off", -1),
        ("length/greedy/cut_off", -1),
        ("rating/cut_off", 1),
        ("compliance/toxicity", 1),
        ("rating/unsafe", 1),
        ("unsafe/toxicity", -1),
        ("toxicity/greedy", -1),
        ("length/brief", 0),
    ],
)
def test_a_principle_may_be_called_as_a_metric_is(name, way):
    """More compliance with a principle named `toxicity` is better; only of lengths the last part counts."""
    assert wanted(name) == way


def test_of_many_parts_a_page_shows_the_first_eight_at_once():
    """Ten below the one metric, two below the other; nothing is lost and the order stays."""
    names = ["unsafe", *(f"unsafe/{place}" for place in range(10)), "rating", "rating/a", "rating/b"]
    table = rows([metric(name, "before", 0.5) for name in names])
    first, second = blocks(table)
    assert [row.part for row in first.shown] == ["", *"01234567"]
    assert [row.part for row in first.more] == ["8", "9"]
    assert (len(second.shown), second.more) == (3, ())
    assert (*first.shown, *first.more, *second.shown) == table
