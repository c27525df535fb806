"""What judgments say as rewards: ratings as `build` writes them, comparisons as the share of the others beaten."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from opinions import PROMPT, SHORT, said
from solon.data.build import Build, build
from solon.data.records import Candidates, Constitution, Failed, Judgment, Principle, Question, Scored
from solon.trainers.scoring import Scored as Reward
from solon.trainers.scoring import numbers, scored

HARD = Principle(id="hard", text="Harm nobody.", severity="hard")
PRINCIPLES = {one.id: one for one in (SHORT, HARD)}


def judged(outcome: Scored | Failed, *texts: str, principle: Principle = SHORT) -> Judgment:
    """A judgment on these completions."""
    question = Question(prompt=PROMPT, principles=(principle,), options=tuple(map(said, texts)))
    return question.judged(outcome, labeler="judge")


def compared(first: str, second: str, share: float) -> list[Judgment]:
    """Both orders of two completions, of which the first is better with this probability."""
    one, other = Scored(scores=(share, 1 - share)), Scored(scores=(1 - share, share))
    return [judged(one, first, second), judged(other, second, first)]


def scores(copies: dict[str, int], judgments: Sequence[Judgment], options: int) -> dict[str, float]:
    """The scores by text."""
    by_completion = {said(text): count for text, count in copies.items()}
    found = scored(by_completion, judgments, PRINCIPLES, options=options, veto_below=0.5)
    return {text: one.score for text, one in found.items()}


def test_ratings_are_scored_as_the_reward_dataset_scores_them() -> None:
    """Soft .8 and .4 are .6; what a hard principle vetoes is 0; of two judgments one failed counts the other."""
    judgments = [
        judged(Scored(scores=(0.8,)), "a"),
        judged(Scored(scores=(0.4,)), "a", principle=HARD.model_copy(update={"severity": "soft", "id": "soft"})),
        judged(Scored(scores=(0.9,)), "b"),
        judged(Scored(scores=(0.1,)), "b", principle=HARD),
        judged(Scored(scores=(0.7,)), "c"),
        judged(Failed(reason="refused"), "d"),
    ]
    soft = Principle(id="soft", text="Be soft.")
    principles = {**PRINCIPLES, "soft": soft}
    copies = {said(text): 1 for text in "abcd"}
    found = scored(copies, judgments, principles, options=1, veto_below=0.5)
    assert {text: one.score for text, one in found.items()} == {"a": pytest.approx(0.6), "b": 0.0, "c": 0.7}

    constitution = Constitution(name="both", principles=(SHORT, HARD, soft))
    candidates = [Candidates(prompt=PROMPT, completions=tuple(copies))]
    rows = build(candidates, judgments, constitution, Build(held_out=0), 0).reward.train
    assert {row.completion: row.score for row in rows} == {text: one.score for text, one in found.items()}


def test_comparisons_score_the_share_of_the_others_that_is_beaten() -> None:
    """A beats b and c: 1. b beats c and loses to a: 1/2. c loses twice: 0."""
    judgments = [*compared("a", "b", 1.0), *compared("b", "c", 1.0), *compared("a", "c", 1.0)]
    assert scores(dict.fromkeys("abc", 1), judgments, 2) == {"a": 1.0, "b": 0.5, "c": 0.0}


def test_a_text_that_was_written_twice_ties_with_its_copy() -> None:
    """A twice and b once: each a beats b (1) and ties (1/2), .75; b loses to both, 0."""
    assert scores({"a": 2, "b": 1}, compared("a", "b", 1.0), 2) == {"a": 0.75, "b": 0.0}
    assert scores({"a": 3}, [], 2) == {"a": 0.5}


def test_an_order_dependent_comparison_is_a_tie() -> None:
    """A judge that always says the first prefers neither."""
    judgments = [judged(Scored(scores=(1.0, 0.0)), "a", "b"), judged(Scored(scores=(1.0, 0.0)), "b", "a")]
    assert scores({"a": 1, "b": 1}, judgments, 2) == {"a": 0.5, "b": 0.5}


def test_what_could_not_be_judged_has_no_score() -> None:
    """Not 0, and not 1/2 for its copies: a comparison with one order missing, a response alone in its group."""
    half = [judged(Scored(scores=(1.0, 0.0)), "a", "b"), judged(Failed(reason="unavailable"), "b", "a")]
    assert scores({"a": 2, "b": 1}, half, 2) == {}
    assert scores({"a": 1}, [], 2) == {}
    assert scores({"a": 2}, [], 1) == {}


def test_a_ranking_scores_by_how_far_apart_it_puts_two() -> None:
    """Scores 1, .5 and 0: the first is 1 - .5 and 1 - 0 ahead, so p is .75 and 1, their mean .875."""
    judgments = [judged(Scored(scores=(1.0, 0.5, 0.0)), "a", "b", "c")]
    assert scores(dict.fromkeys("abc", 1), judgments, 0) == {"a": 0.875, "b": 0.5, "c": 0.125}


def test_logits_stay_logits_unless_some_are_shares() -> None:
    """sigmoid(ln 3) is 3/4: the two are only comparable as shares."""
    logit, share = Reward(math.log(3), "logit"), Reward(0.5, "share")
    assert numbers([logit, None]) == (math.log(3), None)
    assert numbers([logit, None, share]) == (pytest.approx(0.75), None, 0.5)
