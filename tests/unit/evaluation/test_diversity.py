"""Groups of answers, before and after."""

from collections.abc import Sequence

from evaluating import evidence
from solon.data.records import Metric
from solon.evaluation.diversity import Diversity

COLLAPSED = [(f"answer number {n} to question {n * 37} is {n * n}", "I am happy to help with that.") for n in range(47)]


def of(metrics: Sequence[Metric], name: str) -> list[Metric]:
    """Before, after and the difference."""
    return [metric for metric in metrics if metric.name == name]


async def test_a_model_that_says_the_same_everywhere_is_seen_in_every_measure() -> None:
    """All answers are one, whatever was asked."""
    metrics = await Diversity(group_size=10).evaluate(evidence(COLLAPSED))
    names = ("distinct_1", "distinct_2", "distinct_3", "self_bleu", "compression", "word_entropy", "repeated_answers")
    assert [metric.name for metric in metrics] == [name for name in names for _ in range(3)]
    for name in ("self_bleu", "compression", "repeated_answers"):
        before, after, difference = of(metrics, name)
        assert before.value < after.value
        assert difference.low > 0
    for name in ("distinct_1", "distinct_2", "distinct_3", "word_entropy"):
        before, after, difference = of(metrics, name)
        assert before.value > after.value
        assert difference.high < 0
    before, after, _ = of(metrics, "repeated_answers")
    assert (before.value, after.value) == (0.0, 1.0)


async def test_a_group_is_an_item_and_prompts_that_fill_none_are_left_out() -> None:
    """47 prompts are four groups of ten; the same sizes can be compared between runs of more or fewer prompts."""
    (before, *_) = await Diversity(group_size=10).evaluate(evidence(COLLAPSED))
    assert (before.n, before.failed) == (4, 0)
    assert "groups of 10 answers" in before.method


async def test_fewer_prompts_than_a_group_are_one_without_an_interval() -> None:
    """Nothing says how far another group would be."""
    (before, *_) = await Diversity(group_size=20).evaluate(evidence(COLLAPSED[:7]))
    assert (before.n, before.low, before.high) == (1, before.value, before.value)
    assert "groups of 7 answers" in before.method


async def test_groups_do_not_depend_on_the_order_of_the_prompts() -> None:
    """They go by the hash."""
    facts = evidence(COLLAPSED)
    turned = evidence(COLLAPSED, decoding="sample")
    turned.pairs["sample"] = facts.pairs["sample"][::-1]
    assert await Diversity(group_size=10).evaluate(facts) == await Diversity(group_size=10).evaluate(turned)


async def test_answers_without_words_are_failures_where_nothing_can_be_counted() -> None:
    """Two silent models have no words to be distinct."""
    metrics = await Diversity(group_size=2).evaluate(evidence([("", "a b c"), ("", "d e f")]))
    assert not [metric for metric in of(metrics, "distinct_1") if metric.of == "before"]
    (after,) = of(metrics, "distinct_1")
    assert (after.of, after.value, after.n) == ("after", 1.0, 1)
