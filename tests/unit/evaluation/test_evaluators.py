"""Each evaluator on evidence small enough to count by hand."""

import math
from collections.abc import Sequence

import pytest
from pydantic import ValidationError

from evaluating import CONSTITUTION, MATHS, POLITE, SHORT, Compares, evidence, said, shown
from solon.data.records import Completion, Constitution, Prompt, Usage
from solon.errors import DataError
from solon.evaluation.accuracy import Accuracy
from solon.evaluation.agreement import Agreement
from solon.evaluation.base import Evidence, Pair
from solon.evaluation.compliance import Compliance
from solon.evaluation.examiner import SAME_JUDGE
from solon.evaluation.kl import KL
from solon.evaluation.length import Length
from solon.evaluation.win_rate import WinRate
from solon.labelers.rules import Rules

RULES = {"polite": {"forbidden": ["duh"]}, "right": {"answer": "contains"}}
POLITE_RULES = {"kind": "rules", "rules": {"polite": RULES["polite"]}}


async def test_compliance_counts_each_rule_and_all_of_them() -> None:
    """Polite: 1 of 4, then 4. Right, where there is a reference: 2 of 3, then 3. Both: 1 of 3, then 3."""
    facts = evidence([("duh 5", "5"), ("6", "6"), ("duh", "7"), ("duh", "x")], references=["5", "6", "7", None])
    metrics = await Compliance.model_validate({"rules": RULES}).evaluate(facts)
    assert shown(metrics) == [
        ("compliance", "before", round(1 / 3, 6), 3, 1),
        ("compliance", "after", 1.0, 3, 1),
        ("compliance", "pair", round(2 / 3, 6), 3, 1),
        ("compliance/polite", "before", 0.25, 4, 0),
        ("compliance/polite", "after", 1.0, 4, 0),
        ("compliance/polite", "pair", 0.75, 4, 0),
        ("compliance/right", "before", round(2 / 3, 6), 3, 1),
        ("compliance/right", "after", 1.0, 3, 1),
        ("compliance/right", "pair", round(1 / 3, 6), 3, 1),
    ]


async def test_compliance_tests_the_pairs_that_changed() -> None:
    """Three became polite and none the reverse: exact McNemar 2 / 2**3 = .25. Intervals are Wilson's and Newcombe's."""
    facts = evidence([("duh", "a"), ("duh", "b"), ("duh", "c"), ("d", "d")])
    metrics = await Compliance.model_validate({"rules": {"polite": RULES["polite"]}}).evaluate(facts)
    before, after, pair = metrics[:3]
    assert (before.p_value, after.p_value, pair.p_value) == (None, None, 0.25)
    assert (before.method, pair.method) == ("Wilson", "Newcombe, paired; after less before; exact McNemar test")
    assert all(metric.low <= metric.value <= metric.high for metric in metrics)


async def test_greedy_answers_have_metrics_of_their_own() -> None:
    """A recipe may measure both decodings side by side."""
    measure = Compliance.model_validate({"rules": {"polite": RULES["polite"]}, "decoding": "greedy"})
    metrics = await measure.evaluate(evidence([("a", "b")], decoding="greedy"))
    assert measure.needs == ("greedy",)
    assert list(dict.fromkeys(metric.name for metric in metrics)) == ["compliance/greedy", "compliance/greedy/polite"]
    assert Accuracy(decoding="greedy").needs == ("greedy",)


def test_no_rule_may_be_called_greedy() -> None:
    """Two metrics would have one name."""
    with pytest.raises(ValidationError, match="cannot be called 'greedy'"):
        Compliance.model_validate({"rules": {"greedy": {"regex": "x"}}})


async def test_accuracy_counts_prompts_with_a_reference_answer() -> None:
    """Right: 1 of 2 before, 2 of 2 after; the third prompt has no reference answer and is not counted at all."""
    facts = evidence([("5", "5."), ("five", "It is 6"), ("x", "y")], references=["5", "6", None])
    assert shown(await Accuracy().evaluate(facts)) == [
        ("accuracy", "before", 0.5, 2, 0),
        ("accuracy", "after", 1.0, 2, 0),
        ("accuracy", "pair", 0.5, 2, 0),
    ]
    assert (await Accuracy(match="exact").evaluate(facts))[1].value == 0.5


async def test_accuracy_of_an_extracted_part() -> None:
    """What stands in the answer's place counts, not the reasoning behind it."""
    facts = evidence([("Answer: 6, as 5 is odd", "Answer: 5")], references=["5"])
    metrics = await Accuracy(extract=r"Answer: (\w+)").evaluate(facts)
    assert [metric.value for metric in metrics] == [0.0, 1.0, 1.0]


async def test_accuracy_without_reference_answers_says_what_to_do() -> None:
    """An accuracy of 0 of 0 would be read as 0."""
    with pytest.raises(DataError, match="none of the 1 held-out prompts has one: give the prompts a `reference`"):
        await Accuracy().evaluate(evidence([("a", "b")]))


def test_the_changes_of_a_pair_are_what_the_metrics_count() -> None:
    """The report shows them beside each example."""
    (pair,) = evidence([("duh 5", "5")], references=["5"]).pairs["sample"]
    assert Compliance.model_validate({"rules": RULES}).changes(pair) == {
        "compliance": (False, True),
        "compliance/polite": (False, True),
        "compliance/right": (True, True),
    }
    assert Accuracy().changes(pair) == {"accuracy": (True, True)}
    assert Length().changes(pair) == {"length/cut_off": (False, False)}


async def test_length_is_in_tokens_and_counts_what_was_cut_off() -> None:
    """2, 4, 6 tokens became 3, 6, 9: 4 to 6, by 2 on average; one of three was cut off, then none."""
    pairs = tuple(
        Pair(
            Prompt.of(str(tokens)),
            said("x", usage=Usage(output_tokens=tokens), stop="length" if tokens == 6 else "end"),
            said("y", usage=Usage(output_tokens=tokens * 3 // 2)),
        )
        for tokens in (2, 4, 6)
    )
    metrics = await Length().evaluate(Evidence(constitution=CONSTITUTION, pairs={"sample": pairs}))
    assert shown(metrics) == [
        ("length", "before", 4.0, 3, 0),
        ("length", "after", 6.0, 3, 0),
        ("length", "pair", 2.0, 3, 0),
        ("length/cut_off", "before", round(1 / 3, 6), 3, 0),
        ("length/cut_off", "after", 0.0, 3, 0),
        ("length/cut_off", "pair", round(-1 / 3, 6), 3, 0),
    ]
    assert {metric.unit for metric in metrics[:3]} == {"tokens"}


async def test_answers_whose_tokens_were_not_counted_fail_in_length() -> None:
    """0 tokens of text is a server that says nothing of usage; an empty answer really has none."""
    metrics = await Length().evaluate(evidence([("some text", ""), ("more", "")]))
    assert shown(metrics)[:1] == [("length", "after", 0.0, 2, 0)]
    assert all(metric.name == "length/cut_off" for metric in metrics[1:])


async def test_kl_is_the_mean_difference_of_log_probabilities_of_the_trained_policys_completions() -> None:
    """Differences 1, 2 and 3: mean 2, standard deviation 1, t(2) = 4.302653, half 4.302653 / sqrt(3) = 2.484138."""

    def log_probs(of: str, drawn: Sequence[tuple[Prompt, Completion]]) -> list[float]:
        assert [completion.text for _, completion in drawn] == ["x", "y", "z"]
        return [-1.0, -1.0, -1.0] if of == "after" else [-2.0, -3.0, -4.0]

    (metric,) = await KL().evaluate(evidence([("a", "x"), ("b", "y"), ("c", "z")], log_probs=log_probs))
    assert (metric.name, metric.of, metric.value, metric.unit, metric.n) == ("kl", "pair", 2.0, "nats", 3)
    assert (metric.low, metric.high) == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-5)


async def test_kl_counts_what_has_no_finite_difference_as_failed() -> None:
    """One token of probability 0 would make the mean infinite, which is no number that can be written."""

    def log_probs(of: str, drawn: Sequence[tuple[Prompt, Completion]]) -> list[float]:
        return [-1.0, -1.0] if of == "after" else [-3.0, -math.inf]

    (metric,) = await KL().evaluate(evidence([("a", "x"), ("b", "y")], log_probs=log_probs))
    assert (metric.value, metric.n, metric.failed) == (2.0, 1, 1)


async def test_kl_of_completions_drawn_otherwise_says_that_it_is_biased() -> None:
    """The mean is an estimate of the divergence only over the policy's own distribution."""
    pair = Pair(Prompt.of("p"), said("a"), Completion(text="b", model="policy", temperature=0.5, stop="length"))
    facts = Evidence(
        constitution=CONSTITUTION, pairs={"sample": (pair,)}, log_probs=lambda _, drawn: [-1.0] * len(drawn)
    )
    (metric,) = await KL().evaluate(facts)
    assert "biased: drawn at temperature 0.5; 1 cut off" in metric.method


async def test_kl_without_weights_is_a_clear_error() -> None:
    """An endpoint's policy cannot be scored."""
    with pytest.raises(DataError, match="take kl out of `evaluate`"):
        await KL().evaluate(evidence([("a", "b")]))


async def test_every_evaluator_without_answers_says_so() -> None:
    """No metric is computed of nothing."""
    nothing = Evidence(constitution=CONSTITUTION, pairs={}, log_probs=lambda *_: [])
    measures = (Compliance.model_validate({"rules": RULES}), Accuracy(), Length(), KL(), WinRate(judge=Compares()))
    for measure in measures:
        with pytest.raises(DataError, match="has no held-out prompts with a sample answer of both models"):
            await measure.evaluate(nothing)


async def test_win_rate_counts_ties_half_and_failures_apart() -> None:
    """Shorter wins: 3 wins, 1 loss, 1 same text: (3 + .5) / 5 = .7; one failed; signs 3 to 1, 2 (1 + 4) / 16 = .625."""
    answers = [("aaa", "a"), ("bbb", "b"), ("ccc", "c"), ("d", "ddd"), ("same", "same"), ("eee", "?")]
    win_rate, consistency = await WinRate(judge=Compares()).evaluate(evidence(answers))
    assert shown([win_rate, consistency]) == [
        ("win_rate", "pair", 0.7, 5, 1),
        ("order_consistency/win_rate", "pair", 1.0, 4, 1),
    ]
    assert win_rate.p_value == 0.625
    assert "3 wins, 1 ties (1 of the same text), 1 losses; ties half" in win_rate.method
    assert win_rate.low < 0.7 < win_rate.high


async def test_a_judge_that_prefers_a_slot_gives_a_win_rate_of_one_half() -> None:
    """Each pair is asked in both orders, and an order-dependent verdict is a tie."""
    win_rate, consistency = await WinRate(judge=Compares(taste="slot")).evaluate(evidence([("a", "b"), ("c", "d")]))
    assert (win_rate.value, win_rate.n, win_rate.p_value, consistency.value) == (0.5, 2, 1.0, 0.0)


async def test_a_judge_that_says_nothing_gives_no_win_rate() -> None:
    """The n is 0 and the interval everything; all are counted as failed."""
    win_rate, consistency = await WinRate(judge=Compares(taste="mute")).evaluate(evidence([("a", "b"), ("c", "d")]))
    assert (win_rate.n, win_rate.failed, win_rate.low, win_rate.high, win_rate.p_value) == (0, 2, 0.0, 1.0, None)
    assert (consistency.n, consistency.failed) == (0, 2)


async def test_a_win_rate_of_one_is_not_certainty() -> None:
    """4 of 4: Wilson's low end is 4 / (4 + 1.96**2) = .5101; the bootstrap's would be 1."""
    win_rate, _ = await WinRate(judge=Compares()).evaluate(evidence([(f"long {n}", str(n)) for n in range(4)]))
    assert (win_rate.value, win_rate.high, round(win_rate.low, 4)) == (1.0, 1.0, 0.5101)


async def test_a_labeler_that_rates_is_a_judge_too() -> None:
    """The one with the higher score wins; there is no order to depend on."""
    judge = Rules.model_validate({"rules": {"polite": RULES["polite"]}})
    metrics = await WinRate(judge=judge).evaluate(evidence([("duh", "a"), ("b", "duh"), ("duh", "c"), ("d", "e")]))
    assert shown(metrics) == [("win_rate", "pair", 0.625, 4, 0)]


async def test_principles_asked_alone_have_a_win_rate_each() -> None:
    """And topics are respected: no prompt is about maths, so nobody is asked under it."""
    constitution = Constitution(name="c", principles=(SHORT, POLITE, MATHS))
    metrics = await WinRate(judge=Compares()).evaluate(evidence([("aa", "a"), ("b", "bb")], constitution=constitution))
    assert [metric.name for metric in metrics] == [
        "win_rate",
        "win_rate/short",
        "win_rate/polite",
        "order_consistency/win_rate",
    ]


async def test_prompts_to_which_no_principle_applies_are_left_out() -> None:
    """They are neither ties nor failures."""
    only_maths = Constitution(name="c", principles=(MATHS,))
    facts = evidence([("aa", "a")], constitution=only_maths)
    sums = Pair(Prompt.of("2+2", topic="maths"), said("four"), said("4"))
    facts = Evidence(constitution=only_maths, pairs={"sample": (*facts.pairs["sample"], sums)})
    win_rate, _ = await WinRate(judge=Compares()).evaluate(facts)
    assert (win_rate.value, win_rate.n, win_rate.failed) == (1.0, 1, 0)


async def test_a_judge_that_made_the_labels_is_named_as_such() -> None:
    """In the method of every metric, and as a warning; another judge is not."""
    facts = evidence([("aa", "a")], labeler=Compares())
    for measure, same in (
        (WinRate(), True),
        (WinRate(judge=Compares()), True),
        (WinRate(judge=Compares(taste="slot")), False),
    ):
        metrics = await measure.evaluate(facts)
        assert all((SAME_JUDGE in metric.method) == same for metric in metrics)
        assert bool(measure.warnings(facts)) == same


async def test_a_judge_that_rewarded_is_named_as_such() -> None:
    """Beside a labeler or without one: a policy that was trained on its rewards is bound to please it."""
    rewarded = {"labeler": Compares(taste="slot"), "rewards": (Compares(taste="longer"), Compares())}
    for teachers in (rewarded, {"rewards": (Compares(),)}):
        facts = evidence([("aa", "a")], **teachers)
        measure = WinRate(judge=Compares())
        assert all(SAME_JUDGE in metric.method for metric in await measure.evaluate(facts))
        (warning,) = measure.warnings(facts)
        assert "which also labeled or rewarded: it favours what it taught" in warning
    assert WinRate(judge=Compares(taste="mute")).warnings(evidence([("aa", "a")], **rewarded)) == []


async def test_win_rate_without_any_judge_is_an_error() -> None:
    """The recipe began at a dataset and names nobody."""
    with pytest.raises(DataError, match="so give `judge`"):
        await WinRate().evaluate(evidence([("a", "b")]))


def test_settings_of_every_evaluator_come_back_as_they_were() -> None:
    """``run.json`` holds them, and ``with`` keeps its name."""
    measures = [
        Compliance.model_validate({"rules": RULES}),
        Accuracy(extract="x(.)", match="exact", decoding="greedy"),
        WinRate.model_validate({"judge": POLITE_RULES}),
        KL(),
        Length(),
        Agreement.model_validate({"with": POLITE_RULES}),
    ]
    for measure in measures:
        settings = measure.settings()
        assert settings.pop("kind") == measure.kind
        assert type(measure).model_validate(settings).settings() == measure.settings()
        with pytest.raises(ValidationError):
            type(measure).model_validate({**settings, "unknown": 1})


async def test_win_rate_claims_nothing_at_equal_length_where_length_explains_it_all() -> None:
    """The judge prefers the shorter answer and nothing else: .75 by count, and no claim of what would be left."""
    answers = [(f"{'long' * 5} {n}", str(n)) for n in range(15)] + [(str(n), f"{'long' * 5} {n}") for n in range(5)]
    metrics = await WinRate(judge=Compares()).evaluate(evidence(answers))
    assert [one.name for one in metrics] == ["win_rate", "order_consistency/win_rate"]
    assert metrics[0].value == 0.75


async def test_win_rate_at_equal_length_is_given_where_it_can_be_told() -> None:
    """Three of four win at either length: length plays no part, so .75 stays."""
    good = Rules.model_validate({"rules": {"good": {"regex": "GOOD"}}})
    short, long = "x", "x" * 30
    won = [(f"GOOD {short} {n}", f"bad {long} {n}") for n in range(15)]
    won += [(f"GOOD {long} {n}", f"bad {short} {n}") for n in range(15)]
    lost = [(f"bad {short} {n}", f"GOOD {long} {n}") for n in range(5)]
    lost += [(f"bad {long} {n}", f"GOOD {short} {n}") for n in range(5)]
    win_rate, controlled = await WinRate(judge=good).evaluate(
        evidence([(before, after) for after, before in won + lost])
    )
    assert (controlled.name, controlled.n) == ("length_controlled/win_rate", 40)
    assert win_rate.value == 0.75
    assert controlled.value == pytest.approx(0.75, abs=0.01)
