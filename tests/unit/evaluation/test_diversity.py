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


async def test_a_measure_that_answers_are_too_short_for_is_no_failure() -> None:
    """Answers of two words have no three in a row: of one group there is nothing to say, and the method says so."""
    short = [("one two three four", "yes sir")] * 2 + [("one two three four", "a b c d")] * 2
    metrics = await Diversity(group_size=2).evaluate(evidence([(f"{b} {n}", a) for n, (b, a) in enumerate(short)]))
    for metric in metrics:
        assert metric.failed == 0
    before, *_ = of(metrics, "distinct_3")
    assert before.n + before.method.count("without any") in (1, 2)
    silent = await Diversity(group_size=2).evaluate(evidence([("", "a b c"), ("", "d e f")]))
    assert of(silent, "distinct_1") == []


async def test_few_groups_have_an_interval_and_no_test() -> None:
    """Five signs that are all alike have a p-value of .0625: to call a total collapse chance would be wrong."""
    *_, difference = of(await Diversity(group_size=9).evaluate(evidence(COLLAPSED)), "distinct_1")
    assert (difference.n, difference.p_value) == (5, None)
    assert difference.high < -0.2
    assert "too few for a sign-flip test" in difference.method
    *_, difference = of(await Diversity(group_size=7).evaluate(evidence(COLLAPSED)), "distinct_1")
    assert (difference.n, difference.p_value) == (6, 2 / 64)
