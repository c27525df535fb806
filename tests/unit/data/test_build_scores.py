"""Scores become labels: logits as they are, thresholds and quantiles, and a band between good and bad."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from build_cases import BRIEF, SAFE, best, built, labels, logit, pairs, scores, share
from solon.data.build import Build
from solon.data.ratings import sigmoid
from solon.errors import PluginError


def test_logits_stay_raw_and_their_sigmoid_decides():
    """The raw `nothate` logit is the reward; desirable from a sigmoid of .5 on, which is a logit of 0."""
    result = built("abc", [logit("a", 3.5), logit("b", 0.0), logit("c", -2.0)])
    assert scores(result) == [("a", 3.5), ("b", 0.0), ("c", -2.0)]
    assert labels(result) == [("a", True), ("b", True), ("c", False)]
    assert [row.score for row in result.unpaired.train] == [3.5, 0.0, -2.0]
    assert best(result) == ["a"]


def test_the_margin_of_two_logits_is_that_of_their_difference():
    """Bradley and Terry: p = sigmoid(d), 2p - 1 = tanh(d / 2). For d = 2: .761594."""
    result = built("ab", [logit("a", 3.0), logit("b", 1.0)])
    assert pairs(result) == [("a", "b", pytest.approx(0.761594, abs=1e-6))]
    assert 2 * sigmoid(2.0) - 1 == pytest.approx(math.tanh(1.0))


def test_logits_whose_shares_are_rounded_to_one_are_still_told_apart():
    """The sigmoid of 40 and of 50 is 1.0 to a float: the larger logit wins all the same, and is the one to imitate."""
    result = built("ab", [logit("a", 40.0), logit("b", 50.0)])
    assert pairs(result) == [("b", "a", pytest.approx(math.tanh(5)))]
    assert best(result) == ["b"]


def test_a_logit_beside_a_share_of_the_same_response_goes_through_the_sigmoid():
    """(sigmoid(0) + .9) / 2 = .7. Another response with logits alone keeps its own."""
    result = built("ab", [logit("a", 0.0), share("a", 0.9), logit("b", -4.0)])
    assert scores(result) == [("a", pytest.approx(0.7)), ("b", -4.0)]
    assert pairs(result) == [("a", "b", round(0.7 - sigmoid(-4.0), 9))]


def test_logits_are_weighed_as_they_are():
    """Polite (1) 4, brief (3) 0: 1."""
    assert scores(built("a", [logit("a", 4.0), logit("a", 0.0, by=BRIEF)])) == [("a", 1.0)]


def test_a_vetoed_logit_is_below_all_that_are_not():
    """Safe at -.5 (a share of .38) vetoes b: its reward is that logit; a has less, and wins by its share."""
    judgments = [logit("a", -3.0), logit("b", 9.0), logit("b", -0.5, by=SAFE)]
    result = built("ab", judgments)
    assert scores(result) == [("a", -3.0), ("b", -0.5)]
    assert pairs(result) == [("a", "b", round(sigmoid(-3.0), 9))]
    assert labels(built("ab", judgments, Build(held_out=0, desirable_at=0))) == [("a", True), ("b", False)]
    two = built("ab", [logit("a", -1.0, by=SAFE), logit("b", -2.0, by=SAFE)])
    assert (scores(two), pairs(two), two.drops["preference"]) == ([("a", -1.0), ("b", -2.0)], [], {"tie_balanced": 1})


def test_what_is_no_logit_is_the_labelers_fault():
    """An infinite reward would break a training a day later."""
    with pytest.raises(PluginError, match=r"'classifier' rated one option and gave \(inf,\): one finite number"):
        built("a", [logit("a", math.inf)])


def test_all_pairs_of_ratings_on_request():
    """Scores 1, .5, .5, 0: five pairs with a winner and one tie, in the order of the responses."""
    ratings = [share(text, score) for text, score in zip("abcd", (1.0, 0.5, 0.5, 0.0), strict=True)]
    result = built("abcd", ratings, Build(held_out=0, pairs="all"))
    assert pairs(result) == [
        ("a", "b", 0.5), ("a", "c", 0.5), ("a", "d", 1.0), ("b", "d", 0.5), ("c", "d", 0.5),
    ]  # fmt: skip
    assert result.drops["preference"] == {"tie_balanced": 1}


# ---------------------------------------------------------------- desirable and undesirable

TEN = [share(text, number / 10) for number, text in enumerate("abcdefghij")]  # 0, .1, ... .9


def test_what_lies_between_undesirable_and_desirable_is_left_out():
    """Below .3: a, b, c. From .8 on: i, j. The five between are counted, and still have their reward."""
    result = built("abcdefghij", TEN, Build(held_out=0, desirable_at=0.8, undesirable_at=0.3))
    assert labels(result) == [("a", False), ("b", False), ("c", False), ("i", True), ("j", True)]
    assert result.drops["unpaired"] == {"undecided": 5}
    assert len(result.reward.train) == 10


@pytest.mark.parametrize(
    ("settings_", "undesirable", "desirable"),
    [
        ({"desirable_at": 0.7}, "abcdefg", "hij"),  # the upper three of ten
        ({"desirable_at": 0.7, "undesirable_at": 0.2}, "ab", "hij"),
        ({"desirable_at": 0.0}, "", "abcdefghij"),
        ({"desirable_at": 1.0}, "abcdefghi", "j"),  # of all below it, the highest is left
    ],
)
def test_a_quantile_is_a_share_of_the_responses(settings_, undesirable, desirable):
    """Whatever the scores mean: of a judge that gives everything .9 or more, half is still the better half."""
    high = [share(text, 0.9 + number / 1000) for number, text in enumerate("abcdefghij")]
    for judgments in (TEN, high):
        result = built("abcdefghij", judgments, Build(held_out=0, desirable_by="quantile", **settings_))
        assert "".join(text for text, label in labels(result) if not label) == undesirable
        assert "".join(text for text, label in labels(result) if label) == desirable


def test_responses_with_the_score_of_the_cut_are_on_the_same_side():
    """Equal scores must not be told apart by their place: with one half of 0, 1, 1, 1 the cut is 1."""
    judgments = [share("a", 0.0), *(share(text, 1.0) for text in "bcd")]
    result = built("abcd", judgments, Build(held_out=0, desirable_by="quantile", desirable_at=0.5))
    assert labels(result) == [("a", False), ("b", True), ("c", True), ("d", True)]


def test_quantiles_of_large_logits_are_told_apart():
    """Their shares are all 1 to a float."""
    judgments = [logit(text, 40.0 + number) for number, text in enumerate("abcd")]
    result = built("abcd", judgments, Build(held_out=0, desirable_by="quantile", desirable_at=0.5))
    assert labels(result) == [("a", False), ("b", False), ("c", True), ("d", True)]


@settings(deadline=None, derandomize=True, database=None)
@given(st.lists(st.floats(-60, 60), min_size=2, max_size=2), st.sampled_from(["logit", "share"]))
def test_the_better_score_is_chosen_and_its_margin_is_in_range(values, scale):
    """Of any two numbers, logits or shares of them."""
    one, other = values if scale == "logit" else map(sigmoid, values)
    make = logit if scale == "logit" else share
    found = pairs(built("ab", [make("a", one), make("b", other)]))
    if one == other:
        assert found == []
    else:
        ((chosen, _, margin),) = found
        assert chosen == ("a" if one > other else "b")
        assert 0 <= margin <= 1
