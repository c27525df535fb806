"""How far labels can be trusted: whether they turn with the order, and agree with somebody else."""

from collections.abc import Sequence
from itertools import combinations

import pytest
from sklearn.metrics import cohen_kappa_score

from evaluating import CONSTITUTION, POLITE, SHORT, Compares, said, shown
from opinions import Opinion
from solon.data.records import Candidates, Constitution, Metric, Prompt, Question, Scored
from solon.errors import DataError
from solon.evaluation.agreement import Agreement
from solon.evaluation.base import Evidence
from solon.labelers.base import Labeler
from solon.labelers.rules import Rules


async def labels(
    labeler: Labeler, groups: Sequence[Sequence[str]], constitution: Constitution = CONSTITUTION
) -> Evidence:
    """Training data in which prompt n was answered with the texts ``groups[n]``."""
    candidates = tuple(
        Candidates(prompt=Prompt.of(f"prompt {number}"), completions=tuple(said(text) for text in texts))
        for number, texts in enumerate(groups)
    )
    judgments = [judgment for group in candidates for judgment in await labeler.examine(group, constitution)]
    return Evidence(
        constitution=constitution, pairs={}, labeler=labeler, candidates=candidates, judgments=tuple(judgments)
    )


def whole(metrics: Sequence[Metric]) -> list[Metric]:
    """Those that are no coefficient."""
    return [metric for metric in metrics if metric.name.split("/")[0] not in ("kappa", "alpha", "ac1")]


POLITE_RULES = {"kind": "rules", "rules": {"polite": {"forbidden": ["duh"]}}}


async def test_agreement_counts_pairs_on_which_both_prefer_one() -> None:
    """Both take 'a' over 'duh'; of 'polite' and 'duh' one takes the shorter; 'b' and 'cc' are a tie of the rules."""
    facts = await labels(Compares(), [("a", "duh"), ("polite", "duh"), ("b", "cc"), ("?", "duh")])
    consistency, slot, agreement = whole(await Agreement.model_validate({"with": POLITE_RULES}).evaluate(facts))
    assert shown([consistency, slot, agreement]) == [
        ("order_consistency", "labels", 1.0, 3, 1),
        ("first_slot_wins", "labels", 0.5, 6, 0),
        ("agreement", "labels", 0.5, 2, 1),
    ]
    assert "0 ties of the labels, 1 of the other" in agreement.method


async def test_a_labeler_that_prefers_a_slot_is_seen() -> None:
    """It wins every comparison, and no pair is decided."""
    facts = await labels(Compares(taste="slot"), [("a", "bb"), ("c", "dd")])
    consistency, slot, agreement = whole(await Agreement.model_validate({"with": POLITE_RULES}).evaluate(facts))
    assert (consistency.value, slot.value, slot.n, agreement.n) == (0.0, 1.0, 4, 0)


async def test_labels_that_rate_have_no_order() -> None:
    """Rules against a comparison: shorter is polite here, so both agree on every pair that rules decide."""
    rules = Rules.model_validate({"rules": {"polite": POLITE_RULES["rules"]["polite"]}})
    facts = await labels(rules, [("a", "duh", "bb"), ("x", "x")])
    (agreement,) = whole(await Agreement(**{"with": Compares()}).evaluate(facts))
    assert shown([agreement]) == [("agreement", "labels", 1.0, 2, 0)]


async def test_agreement_without_another_labeler_measures_the_order_only() -> None:
    """The default costs nothing."""
    facts = await labels(Compares(), [("a", "bb")])
    assert [metric.name for metric in await Agreement().evaluate(facts)] == ["order_consistency", "first_slot_wins"]
    assert Agreement().needs == ()


async def test_agreement_without_labels_is_a_clear_error() -> None:
    """A recipe that begins at a dataset has none."""
    with pytest.raises(DataError, match="this run has none"):
        await Agreement().evaluate(Evidence(constitution=CONSTITUTION, pairs={}))


async def test_coefficients_stand_beside_the_share_and_are_those_of_the_reference() -> None:
    """Labels by length against rules of politeness; scikit-learn counts the same verdicts.

    Each pair is seen from the lower id, which is by chance: in many files the better response stands first.
    """
    texts = [("a" * (1 + n % 4), "duh" if n % 3 else "so it is", "b" * (1 + n % 5)) for n in range(40)]
    facts = await labels(Compares(), texts)
    metrics = await Agreement.model_validate({"with": POLITE_RULES}).evaluate(facts)
    found = {metric.name: metric for metric in metrics}
    verdicts = []
    for group in facts.candidates:
        for pair in combinations(group.completions, 2):
            first, second = (one.text for one in sorted(pair, key=lambda one: one.id))
            rude = ("duh" in first) - ("duh" in second)
            if rude and len(first) != len(second):
                verdicts.append((len(first) < len(second), rude < 0))
    ours, theirs = zip(*verdicts, strict=True)
    agreement = found["agreement"]
    assert (agreement.n, agreement.value) == (len(verdicts), sum(a == b for a, b in verdicts) / len(verdicts))
    assert found["kappa/agreement"].value == pytest.approx(cohen_kappa_score(ours, theirs), abs=1e-6)
    for name in ("kappa/agreement", "alpha/agreement", "ac1/agreement"):
        assert found[name].n == agreement.n
        assert found[name].low < found[name].value < found[name].high
    assert "bootstrap" in found["kappa/agreement"].method


async def test_orders_that_contradict_each_other_have_a_coefficient_below_chance() -> None:
    """A judge that always takes the slot says the opposite in the other order."""
    facts = await labels(Compares(taste="slot"), [(str(n), f"{n} {n}") for n in range(12)])
    found = {metric.name: metric.value for metric in await Agreement().evaluate(facts)}
    assert found["order_consistency"] == 0.0
    assert found["alpha/order_consistency"] < 0
    assert found["kappa/order_consistency"] <= 0


async def test_agreement_is_told_under_each_principle_that_both_were_asked_about_alone() -> None:
    """Under ``short`` both take the shorter; under ``polite`` the other one takes what the labels do not."""

    def contrary(question: Question) -> Scored:
        shorter = len(question.options[0].text) < len(question.options[1].text)
        share = float(shorter == (question.principles[0].id == "short"))
        return Scored(scores=(share, 1 - share))

    class Contrary(Opinion):
        def questions(self, candidates, constitution):  # type: ignore[no-untyped-def]
            return Compares().questions(candidates, constitution)

    both = Constitution(name="c", principles=(SHORT, POLITE))
    facts = await labels(Compares(), [(str(n), f"{n} {n}") for n in range(6)], both)
    metrics = await Agreement(**{"with": Contrary(says=contrary)}).evaluate(facts)
    found = {metric.name: (metric.value, metric.n) for metric in whole(metrics)}
    assert found["agreement/short"] == (1.0, 6)
    assert found["agreement/polite"] == (0.0, 6)
    assert found["agreement"] == (0.0, 0)  # what it says of both principles cancels


async def test_pairs_of_one_prompt_tell_less_than_pairs_of_many() -> None:
    """As many pairs, all consistent, of four prompts and of twelve: each prompt is one item at most."""
    texts = ("a", "b b", "c  c c")
    few = [tuple(f"{text}{n}" for text in texts) for n in range(4)]
    many = [pair for one, two, three in few for pair in ((one, two), (two, three), (one, three))]
    of_few, *_ = await Agreement().evaluate(await labels(Compares(), few))
    of_many, *_ = await Agreement().evaluate(await labels(Compares(), many))
    assert (of_few.name, of_few.n, of_few.value) == (of_many.name, of_many.n, of_many.value)
    assert of_few.low < of_many.low
