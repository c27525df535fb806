"""Rankings become preferences: each two options of a ranking are a comparison, under the rules of comparisons."""

from __future__ import annotations

import pytest

from build_cases import BRIEF, SAFE, best, built, compared, labels, pairs, ranked, said
from solon.data.build import Build
from solon.data.records import Failed

ALL = Build(held_out=0, pairs="all")


def test_each_worse_response_stands_against_the_best_by_the_distance_of_their_scores():
    """Of a > b > c > d the scores are 1, 2/3, 1/3, 0: margins 1/3, 2/3 and 1."""
    result = built("abcd", [ranked({"a": 1, "b": 2 / 3, "c": 1 / 3, "d": 0})])
    assert pairs(result) == [("a", "b", pytest.approx(1 / 3)), ("a", "c", pytest.approx(2 / 3)), ("a", "d", 1.0)]
    assert (labels(result), best(result)) == ([("a", True), ("b", False), ("c", False), ("d", False)], ["a"])
    assert result.drops == {kind: {} for kind in result.drops}


def test_all_pairs_of_a_ranking_on_request():
    """Three of three, the clearest first among those that a limit keeps; the middle one is neither good nor bad."""
    ranking = [ranked({"b": 0.5, "c": 0, "a": 1})]
    assert pairs(built("abc", ranking, ALL)) == [("b", "c", 0.5), ("a", "b", 0.5), ("a", "c", 1.0)]
    assert built("abc", ranking, ALL).drops["unpaired"] == {"mixed": 1}
    limited = Build(held_out=0, pairs="all", max_pairs_per_prompt=1)
    assert pairs(built("abc", ranking, limited)) == [("a", "c", 1.0)]


def test_responses_that_share_the_best_place_take_turns():
    """Scores 3/4, 3/4, 0: a and b beat c and d; their tie is counted."""
    result = built("abcd", [ranked({"a": 5 / 6, "b": 5 / 6, "c": 1 / 6, "d": 1 / 6})])
    assert pairs(result) == [("a", "c", pytest.approx(2 / 3)), ("b", "d", pytest.approx(2 / 3))]
    assert result.drops["preference"] == {"tie_balanced": 1}


def test_rankings_under_several_principles_are_weighed_pair_by_pair():
    """Polite (1): a over b by 1. Brief (3): b over a by .5. (1 - 1.5) / 4 = -.125: b. Both put c between or below."""
    judgments = [ranked({"a": 1, "b": 0, "c": 0.5}), ranked({"a": 0.5, "b": 1, "c": 0}, by=BRIEF)]
    # a - c: (.5 + 3 x .5) / 4 = .5; b - c: (-.5 + 3 x 1) / 4 = .625
    assert pairs(built("abc", judgments)) == [("b", "a", 0.125), ("b", "c", 0.625)]


def test_a_hard_principle_overrules_a_ranking_under_a_soft_one():
    """Safe puts c at the top, by a hair; however polite a is, c wins by what safe says."""
    judgments = [ranked({"a": 1, "b": 0.5, "c": 0}), ranked({"a": 0.45, "b": 0.45, "c": 0.6}, by=SAFE)]
    assert pairs(built("abc", judgments)) == [("c", "a", 0.15), ("c", "b", 0.15)]


def test_a_ranking_that_failed_under_a_hard_principle_fails_every_pair():
    """It may have been the veto. Under a soft one it is left out."""
    soft = ranked({"a": 1, "b": 0.5, "c": 0})
    hard_failed = [soft, ranked(Failed(reason="unparseable"), by=SAFE, options="abc")]
    result = built("abc", hard_failed)
    assert (pairs(result), result.drops["preference"]) == ([], {"failed": 2})
    soft_failed = [soft, ranked(Failed(reason="unparseable"), by=BRIEF, options="abc")]
    assert pairs(built("abc", soft_failed)) == [("a", "b", 0.5), ("a", "c", 1.0)]


def test_preferences_that_cancel_in_a_circle_have_no_best():
    """Three rankers of equal weight: a - b is 1, -.5 and -.5, a mean of 0, and so round the circle."""
    circle = [
        ranked({"a": 1.0, "b": 0.0, "c": 0.5}, labeler="one"),
        ranked({"a": 0.5, "b": 1.0, "c": 0.0}, labeler="two"),
        ranked({"a": 0.0, "b": 0.5, "c": 1.0}, labeler="three"),
    ]
    result = built("abc", circle)
    assert (pairs(result), result.drops["preference"]) == ([], {"tie_balanced": 2})


def test_what_beats_the_best_is_not_made_to_lose():
    """Pairs of rankings over three at a time: a beats b, c and d, but e beats a; b, c and d beat e."""
    judgments = [
        ranked({"a": 1, "b": 0.5, "c": 0}),
        ranked({"a": 1, "b": 0.5, "d": 0}),
        ranked({"e": 1, "a": 0, "f": 0.5}),
        ranked({"b": 1, "c": 0.5, "e": 0}),
        ranked({"d": 1, "c": 0.5, "e": 0}),
    ]
    result = built("abcdef", judgments)
    # wins less losses: b +2, a +1, d -1, f 0 ...; the best is b, which beats c, d and e, lost to a, and never met f
    assert pairs(result) == [("b", "c", 0.5), ("b", "d", 0.5), ("b", "e", 1.0)]
    assert result.drops["preference"] == {"circular": 1, "failed": 1}
    assert best(result) == []
    assert result.drops["sft"] == {"no_best": 1}


def test_equal_texts_in_a_ranking_are_one_response():
    """Two samples of the same words: one of them is met, the other would be it again."""
    twin = said("b").model_copy(update={"seed": 1})
    ranking = ranked({"a": 1, "b": 0.5, "c": 0})
    with_twin = ranking.model_copy(update={"options": (*ranking.options[:2], twin.id)})
    result = built([*map(said, "abc"), twin], [with_twin])
    assert pairs(result) == [("a", "b", 0.5)]
    assert built([*map(said, "abc"), twin], [with_twin], ALL).drops["preference"] == {"identical": 1, "duplicate": 1}


def test_comparisons_beside_a_ranking_keep_their_pairs():
    """What was compared is a row; the ranking adds those that nobody compared, and weighs in where somebody did."""
    judgments = [*compared("b", "c", 0.5), ranked({"a": 1, "b": 0.5, "c": 0})]
    # b - c: the comparison says .5 and the ranking .5; a against the others from the ranking alone
    assert pairs(built("abc", judgments)) == [("b", "c", 0.5), ("a", "b", 0.5), ("a", "c", 1.0)]


def test_votes_are_never_labels():
    """Only what was made of them counts. A panel that failed leaves nothing, however clear its members were."""
    votes = tuple(compared("a", "b"))
    panel = [
        one.model_copy(update={"labeler": "panel", "votes": votes, "outcome": Failed(reason="disagreed")})
        for one in compared("a", "b")
    ]
    result = built("ab", panel)
    assert (pairs(result), labels(result), best(result)) == ([], [], [])
    assert result.drops["preference"] == {"failed": 1}
