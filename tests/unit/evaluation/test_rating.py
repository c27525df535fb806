"""Scores of answers, as a whole and under each principle."""

import pytest

from evaluating import POLITE, SHORT, Compares, evidence, shown
from opinions import Opinion
from solon.data.records import Constitution, Failed, Principle, Question, Scored
from solon.errors import DataError
from solon.evaluation.rating import Rating


def words(question: Question) -> Scored | Failed:
    """Under ``short`` 1 for one word, else 0; under ``polite`` 0 for "duh", else 1; a question mark is unreadable."""
    text = question.options[0].text
    if "?" in text:
        return Failed(reason="unparseable")
    (principle,) = question.principles
    good = len(text.split()) == 1 if principle.id == "short" else "duh" not in text
    return Scored(scores=(float(good),))


class EachAlone(Opinion):
    """Asks under one principle at a time."""

    def questions(self, candidates, constitution):  # type: ignore[no-untyped-def]
        """One a completion and principle."""
        for principle in constitution.principles:
            for option in candidates.completions:
                yield Question(prompt=candidates.prompt, principles=(principle,), options=(option,))


BOTH = Constitution(name="c", principles=(SHORT, POLITE))


def judge() -> Opinion:
    """A judge that rates by ``words``."""
    return EachAlone(says=words, shown=1)


async def test_scores_are_means_as_a_whole_and_under_each_principle() -> None:
    """By hand: whole .5 and 0 before, 1 and .5 after; short 0, 0 and 1, 0; polite 1, 0 and 1, 1."""
    facts = evidence([("so long", "short"), ("duh it is", "so it is")], constitution=BOTH)
    assert shown(await Rating(judge=judge()).evaluate(facts)) == [
        ("rating", "before", 0.25, 2, 0),
        ("rating", "after", 0.75, 2, 0),
        ("rating", "pair", 0.5, 2, 0),
        ("rating/short", "before", 0.0, 2, 0),
        ("rating/short", "after", 0.5, 2, 0),
        ("rating/short", "pair", 0.5, 2, 0),
        ("rating/polite", "before", 0.5, 2, 0),
        ("rating/polite", "after", 1.0, 2, 0),
        ("rating/polite", "pair", 0.5, 2, 0),
    ]


async def test_a_hard_principle_vetoes_the_whole_and_is_itself_a_mean() -> None:
    """As in the reward dataset: "duh" is worth nothing, however short; under the principle alone nothing is cut."""
    hard = Constitution(name="c", principles=(SHORT, Principle(id="polite", text="Be polite.", severity="hard")))
    metrics = await Rating(judge=judge()).evaluate(evidence([("duh", "fine"), ("duh", "duh")], constitution=hard))
    assert shown(metrics)[:2] == [("rating", "before", 0.0, 2, 0), ("rating", "after", 0.5, 2, 0)]


async def test_an_answer_that_could_not_be_rated_is_a_failure_and_no_zero() -> None:
    """It leaves its side and the difference."""
    metrics = await Rating(judge=judge()).evaluate(evidence([("what?", "short"), ("two words", "short")]))
    assert shown(metrics)[:3] == [
        ("rating", "before", 0.0, 1, 1),
        ("rating", "after", 1.0, 2, 0),
        ("rating", "pair", 1.0, 1, 1),
    ]


async def test_equal_answers_are_asked_about_once() -> None:
    """They get one score."""
    asked = []

    def remembers(question: Question) -> Scored:
        asked.append(question.options[0].text)
        return Scored(scores=(0.5,))

    metrics = await Rating(judge=Opinion(says=remembers, shown=1)).evaluate(evidence([("same", "same")]))
    assert asked == ["same"]
    assert [metric.value for metric in metrics] == [0.5, 0.5, 0.0]


async def test_a_judge_that_compares_is_refused() -> None:
    """It gives no score."""
    measure = Rating(judge=Compares())
    assert "rates one answer at a time" in measure.problems()[0]
    with pytest.raises(DataError, match="rates one answer at a time"):
        await measure.evaluate(evidence([("a", "b")]))


async def test_without_a_judge_the_labeler_rates_and_it_is_said() -> None:
    """It favours what it taught."""
    facts = evidence([("a b", "a")], labeler=judge())
    metrics = await Rating().evaluate(facts)
    assert all("which also labeled or rewarded" in metric.method for metric in metrics)
    assert Rating().warnings(facts)
    with pytest.raises(DataError, match="no labeler to fall back on"):
        await Rating().evaluate(evidence([("a", "b")]))


async def test_prompts_without_a_principle_are_left_out() -> None:
    """Of all of them, there is nothing to say."""
    maths = Constitution(name="c", principles=(Principle(id="maths", text="Show it.", topics=("maths",)),))

    class Topical(EachAlone):
        def questions(self, candidates, constitution):  # type: ignore[no-untyped-def]
            return (one for one in super().questions(candidates, constitution) if candidates.prompt.topic == "maths")

    with pytest.raises(DataError, match="no principle applies"):
        await Rating(judge=Topical(says=words, shown=1)).evaluate(evidence([("a", "b")], constitution=maths))


async def test_the_veto_is_where_the_recipe_has_it() -> None:
    """A hard principle kept at .4 is broken below .5 and kept below .3: the mean of 1 and .4 is .7."""
    hard = Constitution(name="c", principles=(SHORT, Principle(id="polite", text="Be polite.", severity="hard")))

    def says(question: Question) -> Scored:
        return Scored(scores=(0.4 if question.principles[0].id == "polite" else 1.0,))

    measure = Rating(judge=EachAlone(says=says, shown=1))
    usual = await measure.evaluate(evidence([("a", "b")], constitution=hard))
    lower = await measure.evaluate(evidence([("a", "b")], constitution=hard, veto_below=0.3))
    assert shown(usual)[0] == ("rating", "before", 0.0, 1, 0)
    assert shown(lower)[0] == ("rating", "before", 0.7, 1, 0)
