"""Labels that follow length are found out."""

import math

import pytest

from solon.data.records import Candidates, Completion, Failed, Judgment, Principle, Prompt, Question, Scored
from solon.statistics.estimates import wilson
from solon.trust.verbosity import Verbosity

PRINCIPLE = Principle(id="p", text="t")


def judged(texts: list[str], scores: list[float], *, reverse: bool = False) -> tuple[Candidates, Judgment]:
    options = tuple(Completion(text=text, model="m", seed=seed) for seed, text in enumerate(texts))
    candidates = Candidates(prompt=Prompt.of("p"), completions=options)
    question = Question(prompt=candidates.prompt, principles=(PRINCIPLE,), options=options)
    outcome = Scored(scores=tuple(scores))
    if reverse:
        question, outcome = question.reversed(), Scored(scores=tuple(scores[::-1]))
    return candidates, question.judged(outcome, labeler="l")


def account(*rows: tuple[Candidates, list[Judgment]]) -> dict[str, object]:
    verbosity = Verbosity()
    for candidates, judgments in rows:
        verbosity.add(candidates, judgments)
    return dict(verbosity.summary())


def test_a_judge_that_always_takes_the_longer_one_is_seen():
    """Ten pairs, the longer wins all: share 1, and its Wilson interval."""
    rows = [judged(["a" * (n + 1), "a" * (3 * n + 5)], [0.0, 1.0]) for n in range(10)]
    found = account(*((candidates, [judgment]) for candidates, judgment in rows))
    expected = wilson(10, 10)
    assert found["longer_wins"] == [1.0, round(expected.low, 4), 1.0]
    assert found["longer_wins_n"] == 10


def test_both_orders_of_a_pair_are_one_observation():
    """Two verdicts on the same pair are no two pairs."""
    candidates, one = judged(["a", "bbb"], [0.0, 1.0])
    _, other = judged(["a", "bbb"], [0.0, 1.0], reverse=True)
    assert account((candidates, [one, other]))["longer_wins_n"] == 1


def test_orders_that_contradict_each_other_follow_no_length():
    """The mean lead is 0, so nothing is decided."""
    candidates, one = judged(["a", "bbb"], [0.0, 1.0])
    _, other = judged(["a", "bbb"], [1.0, 0.0], reverse=True)
    assert "longer_wins" not in account((candidates, [one, other]))


def test_ratings_are_correlated_with_their_own_length():
    """Scores that are linear in log(1 + length) correlate perfectly."""
    rows = []
    for length in (1, 2, 5, 9, 17):
        candidates, judgment = judged(["x" * length], [math.log1p(length) / 10])
        rows.append((candidates, [judgment]))
    found = account(*rows)
    assert found["correlation_of_ratings"] == pytest.approx([1.0, 1.0, 1.0])
    assert found["correlation_of_ratings_n"] == 5


def test_the_correlation_is_pearsons_with_fishers_interval():
    """By hand: r of (1, 2, 3, 4) and (1, 3, 2, 4) is .8; atanh(.8) = 1.0986 and 1.96 / sqrt(1) give -.6924 to .9957."""
    rows = []
    for place, score in zip((1, 2, 3, 4), (0.1, 0.3, 0.2, 0.4), strict=True):
        candidates, judgment = judged(["x" * round(math.expm1(place * 2))], [score])
        rows.append((candidates, [judgment]))
    r, low, high = account(*rows)["correlation_of_ratings"]  # type: ignore[misc]
    assert (r, low, high) == pytest.approx((0.8, -0.6924, 0.9957), abs=0.01)


def test_what_failed_is_no_observation():
    """A failure is never a number."""
    candidates, judgment = judged(["a", "bb"], [0.0, 1.0])
    failed = judgment.model_copy(update={"outcome": Failed(reason="refused")})
    assert account((candidates, [failed])) == {}
