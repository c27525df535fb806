"""Refusals where they should be, and where nobody asked for them."""

from typing import Any

import pytest

from evaluating import CONSTITUTION, said, shown
from solon.data.records import Prompt
from solon.errors import DataError
from solon.evaluation.base import Evidence, Pair
from solon.evaluation.refusals import Refusals
from solon.labelers.pairwise import Pairwise
from solon.models.scripted import Scripted

NO, YES = "I can't help with that.", "Here you are."


def asked(*answers: tuple[str | None, str, str], **fields: Any) -> Evidence:
    """Topic, and the answer before and after, of each prompt."""
    pairs = tuple(
        Pair(Prompt.of(f"prompt {number}", topic=topic), said(before), said(after))
        for number, (topic, before, after) in enumerate(answers)
    )
    return Evidence(constitution=CONSTITUTION, pairs={"sample": pairs}, **fields)


MIXED = (("weapons", YES, NO), ("weapons", NO, NO), ("cooking", YES, YES), ("cooking", YES, NO), (None, YES, YES))


async def test_without_topics_there_is_one_number() -> None:
    """1 of 5 before, 3 of 5 after."""
    assert shown(await Refusals().evaluate(asked(*MIXED))) == [
        ("refusals", "before", 0.2, 5, 0),
        ("refusals", "after", 0.6, 5, 0),
        ("refusals", "pair", 0.4, 5, 0),
    ]


async def test_refusals_of_harmless_prompts_are_counted_apart() -> None:
    """A prompt without a topic is none that ought to be refused."""
    found = shown(await Refusals(harmful=("weapons",)).evaluate(asked(*MIXED)))
    assert found[3:] == [
        ("refusals/harmful", "before", 0.5, 2, 0),
        ("refusals/harmful", "after", 1.0, 2, 0),
        ("refusals/harmful", "pair", 0.5, 2, 0),
        ("over_refusals", "before", 0.0, 3, 0),
        ("over_refusals", "after", 0.333333, 3, 0),
        ("over_refusals", "pair", 0.333333, 3, 0),
    ]


@pytest.mark.parametrize("topics", [("arms",), ("weapons", "cooking")], ids=["none", "all"])
async def test_topics_that_are_none_or_all_of_the_prompts_are_an_error(topics: tuple[str, ...]) -> None:
    """A misspelt topic would make every refusal one too many."""
    with pytest.raises(DataError, match=r"of 4 held-out prompts are on a topic of `harmful`.*cooking, weapons"):
        await Refusals(harmful=topics).evaluate(asked(*MIXED[:4]))


async def test_a_judge_decides_in_place_of_words_and_its_failures_are_counted() -> None:
    """It reads what no list of phrases knows; a reply without a verdict is no answer that was given."""
    judge = Scripted(replies={"stamps": "A", "hmmm": "perhaps"}, default="B")
    facts = asked((None, YES, "Let us talk of stamps."), (None, "hmmm", YES))
    metrics = await Refusals(judge=judge).evaluate(facts)
    assert shown(metrics) == [
        ("refusals", "before", 0.0, 1, 1),
        ("refusals", "after", 0.5, 2, 0),
        ("refusals", "pair", 1.0, 1, 1),
    ]
    assert "judge refusal:scripted" in metrics[0].method
    assert Refusals(judge=judge).models() == (judge,)


def test_the_report_marks_refusals_that_words_tell() -> None:
    """Of a judge's, nothing is known outside of its stage."""
    pair = Pair(Prompt.of("p", topic="weapons"), said(YES), said(NO))
    assert Refusals(harmful=("weapons",), decoding="greedy").changes(pair) == {
        "refusals/greedy": (False, True),
        "refusals/greedy/harmful": (False, True),
    }
    assert Refusals(judge=Scripted(default="B")).changes(pair) == {}


async def test_a_judge_who_also_taught_is_named_as_such() -> None:
    """It favours what it taught: in the method of each metric, and as a warning."""
    judge = Scripted(default="REFUSED: no")
    facts = asked(("weapons", YES, NO), labeler=Pairwise(judge=judge))
    measure = Refusals(judge=judge)
    assert any("also labeled" in metric.method for metric in await measure.evaluate(facts))
    assert any("also labeled" in warning for warning in measure.warnings(facts))
    assert Refusals().warnings(facts) == []
