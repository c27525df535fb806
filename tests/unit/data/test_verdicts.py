"""Several judgments on a pair, one verdict: each rule of the module, with numbers worked out by hand."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solon.data.records import Failed, Judgment, Principle, Scored
from solon.data.verdicts import OrderConsistency, order_consistency, verdict, verdicts
from solon.errors import PluginError

REPEATABLE = settings(deadline=None, derandomize=True, database=None)
PRINCIPLES = {
    principle.id: principle
    for principle in (
        Principle(id="polite", text="Be polite."),
        Principle(id="brief", text="Be brief.", weight=3),
        Principle(id="safe", text="Be safe.", severity="hard"),
        Principle(id="legal", text="Be legal.", severity="hard"),
    )
}


def judged(first: str, second: str, p: float | None, *principles: str, labeler: str = "pairwise:judge") -> Judgment:
    """A judge saw ``first``, then ``second``, and gave the probability that the first is better, or failed."""
    outcome = Failed(reason="unparseable", raw="?") if p is None else Scored(scores=(p, 1 - p))
    return Judgment(
        prompt="p", principles=principles or ("polite",), options=(first, second), labeler=labeler, outcome=outcome
    )


def both(p_ab: float | None, p_ba: float | None, *principles: str, labeler: str = "pairwise:judge") -> list[Judgment]:
    """The comparison of a and b in both orders, each with P(the one shown first is better)."""
    return [judged("a", "b", p_ab, *principles, labeler=labeler), judged("b", "a", p_ba, *principles, labeler=labeler)]


def said(judgments: list[Judgment]) -> tuple[str, float, str]:
    given_verdict = verdict(judgments, PRINCIPLES)
    return given_verdict.outcome, pytest.approx(given_verdict.margin), given_verdict.reason


# ---------------------------------------------------------------- two orders of one question


def test_both_orders_are_averaged_for_the_same_completion():
    """P(a) is .9 and 1 - .3 = .7, so p = .8 and the margin 2 x .8 - 1 = .6."""
    assert said(both(0.9, 0.3)) == ("first", 0.6, "")


def test_the_margin_is_negative_when_the_second_wins():
    """P(a) is .2 and 1 - .8 = .2, so the margin is 2 x .2 - 1 = -.6."""
    assert said(both(0.2, 0.8)) == ("second", -0.6, "")
    assert verdict(both(0.2, 0.8), PRINCIPLES).winner == "b"


def test_a_judge_that_always_prefers_the_first_slot_prefers_neither():
    """The same slot won twice: that is the position speaking, however sure it sounds."""
    assert said(both(0.99, 0.6)) == ("tie", 0.0, "order")
    assert said(both(0.01, 0.4)) == ("tie", 0.0, "order")


def test_an_order_without_a_preference_halves_the_margin():
    """P(a) is .9 and .5: p = .7, margin .4. A tie in one order contradicts nothing."""
    assert said(both(0.9, 0.5)) == ("first", 0.4, "")


def test_no_preference_in_either_order_is_a_balanced_tie():
    """And its margin is 0 exactly."""
    assert verdict(both(0.5, 0.5), PRINCIPLES).margin == 0.0
    assert said(both(0.5, 0.5)) == ("tie", 0.0, "balanced")


def test_half_a_comparison_is_not_guessed_from():
    """One order failed, one order missing, both failed."""
    assert said(both(0.9, None)) == ("failed", 0.0, "failed")
    assert said(both(None, 0.1)) == ("failed", 0.0, "failed")
    assert said(both(None, None)) == ("failed", 0.0, "failed")
    assert said([judged("a", "b", 0.9)]) == ("failed", 0.0, "failed")
    assert said([judged("a", "b", 0.9), judged("a", "b", 0.8)]) == ("failed", 0.0, "failed")


def test_a_question_asked_again_is_averaged_within_its_order():
    """P(a) shown first is (.9 + .7) / 2 = .8 and shown second 1 - .4 = .6: p = .7, margin .4. A failed try beside it adds nothing."""  # noqa: E501
    again = [*both(0.9, 0.4), judged("a", "b", 0.7), judged("b", "a", None)]
    assert said(again) == ("first", 0.4, "")


# ---------------------------------------------------------------- several principles


def test_soft_principles_are_weighed():
    """Here polite (weight 1): a, margin .8. brief (weight 3): b, margin -.4. (.8 - 3 x .4) / 4 = -.1."""
    assert said(both(0.9, 0.1, "polite") + both(0.3, 0.7, "brief")) == ("second", -0.1, "")


def test_an_order_dependent_principle_counts_as_a_tie():
    """polite: tie. brief: a, .8. (0 + 3 x .8) / 4 = .6."""
    assert said(both(0.9, 0.9, "polite") + both(0.9, 0.1, "brief")) == ("first", 0.6, "")


def test_a_failed_soft_principle_is_left_out():
    """Only polite is left: .8, not .2."""
    judgments = both(0.9, 0.1, "polite") + both(0.9, None, "brief")
    assert said(judgments) == ("first", 0.8, "")
    assert verdict(judgments, PRINCIPLES).principles == ("polite",)


def test_principles_that_cancel_are_a_balanced_tie_of_exactly_zero():
    """Here polite (1): .6. brief (3): -.2. In floating point the sum is not 0, and still a tie."""
    assert verdict(both(0.8, 0.2, "polite") + both(0.4, 0.6, "brief"), PRINCIPLES).margin == 0.0
    assert said(both(0.8, 0.2, "polite") + both(0.4, 0.6, "brief")) == ("tie", 0.0, "balanced")


def test_a_tie_is_put_down_to_the_order_only_if_nothing_was_preferred():
    """One principle order-dependent and the other balanced: order. One preferred each way: balanced."""
    assert said(both(0.9, 0.9, "polite") + both(0.5, 0.5, "brief")) == ("tie", 0.0, "order")


def test_several_principles_in_one_question_are_one_opinion():
    """All in one question: their weights add up to 4 against 1. (4 x .2 - 1 x .6) / 5 = .04."""
    judgments = both(0.6, 0.4, "polite", "brief") + both(0.2, 0.8, "polite", labeler="other")
    assert said(judgments) == ("first", 0.04, "")


def test_a_question_without_principles_weighs_one():
    """A labeler may compare under none."""
    outcome = [j.model_copy(update={"principles": ()}) for j in both(0.9, 0.1)]
    assert said(outcome) == ("first", 0.8, "")


# ---------------------------------------------------------------- vetoes


def test_a_hard_principle_overrules_every_soft_one():
    """safe: b, -.2. However clear and heavy brief is for a, b wins, by safe's margin."""
    judgments = both(0.99, 0.01, "brief") + both(0.4, 0.6, "safe")
    assert said(judgments) == ("second", -0.2, "")
    assert verdict(judgments, PRINCIPLES).principles == ("safe",)


def test_hard_principles_that_agree_share_the_margin():
    """With safe .8, legal .4: the mean is .6. A hard tie beside a hard winner does not soften it."""
    assert said(both(0.9, 0.1, "safe") + both(0.7, 0.3, "legal")) == ("first", 0.6, "")
    assert said(both(0.9, 0.1, "safe") + both(0.5, 0.5, "legal")) == ("first", 0.8, "")


def test_hard_principles_in_conflict_are_a_tie():
    """Neither may lose under a hard principle, so neither wins."""
    judgments = both(0.9, 0.1, "safe") + both(0.1, 0.9, "legal") + both(0.9, 0.1, "brief")
    assert said(judgments) == ("tie", 0.0, "conflict")


def test_a_hard_principle_without_a_preference_leaves_it_to_the_soft_ones():
    """Both are safe: the weighing goes on without it, brief alone giving .8."""
    assert said(both(0.5, 0.5, "safe") + both(0.9, 0.1, "brief")) == ("first", 0.8, "")
    assert said(both(0.9, 0.9, "safe")) == ("tie", 0.0, "order")


def test_a_hard_principle_that_was_not_judged_fails_the_verdict():
    """It may have been the veto: nothing soft, and no other hard one, makes up for it."""
    assert said(both(None, 0.1, "safe") + both(0.9, 0.1, "brief")) == ("failed", 0.0, "failed")
    assert said(both(None, 0.1, "safe") + both(0.9, 0.1, "legal")) == ("failed", 0.0, "failed")


def test_soft_principles_that_all_failed_fail_the_verdict():
    """A hard tie is not a verdict on the soft ones."""
    assert said(both(0.5, 0.5, "safe") + both(0.9, None, "brief")) == ("failed", 0.0, "failed")


def test_a_hard_principle_asked_together_with_a_soft_one_does_not_veto_alone():
    """The judge has weighed them in one answer. brief (3) -.4 against the joint question (2) .2: -.8 / 5 = -.16."""
    assert said(both(0.6, 0.4, "polite", "safe") + both(0.3, 0.7, "brief")) == ("second", -0.16, "")


# ---------------------------------------------------------------- the rest of the contract


def test_a_completion_against_itself_is_identical():
    """Nothing to learn, whatever the judge says."""
    assert said([judged("a", "a", 0.9), judged("a", "a", 0.9)]) == ("tie", 0.0, "identical")


def test_the_verdict_names_who_judged_under_what():
    """Provenance of the training row."""
    judgments = both(0.9, 0.1, "polite", labeler="one") + both(0.8, 0.2, "brief", labeler="two")
    given_verdict = verdict(judgments, PRINCIPLES)
    assert (given_verdict.first, given_verdict.second) == ("a", "b")
    assert given_verdict.principles == ("polite", "brief")
    assert given_verdict.labelers == ("one", "two")


def test_verdicts_come_in_the_order_in_which_the_pairs_first_appear():
    """Whichever order of the two, and whatever stands between."""
    judgments = [
        judged("b", "c", 0.9), judged("a", "b", 0.9), judged("c", "b", 0.1), judged("b", "a", 0.1),
    ]  # fmt: skip
    assert [(v.first, v.second, v.outcome) for v in verdicts(judgments, PRINCIPLES)] == [
        ("b", "c", "first"),
        ("a", "b", "first"),
    ]


def test_a_rating_is_no_comparison():
    """Labelers may give both; a verdict takes the comparisons."""
    rating = Judgment(prompt="p", principles=(), options=("a",), labeler="rules", outcome=Scored(scores=(1.0,)))
    assert verdicts([rating], PRINCIPLES) == []
    with pytest.raises(ValueError, match="same two completions"):
        verdict([rating], PRINCIPLES)
    with pytest.raises(ValueError, match="same two completions"):
        verdict([judged("a", "b", 0.9), judged("a", "c", 0.9)], PRINCIPLES)


def test_a_score_that_is_no_probability_is_the_labelers_fault():
    """Clipping it would turn a bug into a label."""
    wrong = judged("a", "b", 0.5).model_copy(update={"outcome": Scored(scores=(7.0, 3.0))})
    with pytest.raises(PluginError, match=r"'pairwise:judge' compared two options and gave \(7.0, 3.0\)"):
        verdict([wrong, judged("b", "a", 0.5)], PRINCIPLES)


PROBABILITIES = st.none() | st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.6, 0.9, 1.0])


@REPEATABLE
@given(st.lists(st.tuples(st.sampled_from(list(PRINCIPLES)), PROBABILITIES, PROBABILITIES), min_size=1, max_size=4))
def test_turning_every_question_round_turns_the_verdict_round(opinions):
    """Which completion was called first is no reason to prefer it."""
    judgments = [j for name, p_ab, p_ba in opinions for j in both(p_ab, p_ba, name)]
    turned = [
        judged(*j.options[::-1], None if isinstance(j.outcome, Failed) else j.outcome.scores[0], *j.principles)
        for j in judgments
    ]
    one, other = verdict(judgments, PRINCIPLES), verdict(turned, PRINCIPLES)
    # the names are exchanged, and "first" of the one is "second" of the other's judgments
    swap = {"a": "b", "b": "a", None: None}
    assert (swap[one.winner], one.reason) == (other.winner, other.reason)
    assert (one.margin == 0) == (one.winner is None)


@REPEATABLE
@given(st.tuples(PROBABILITIES, PROBABILITIES), st.tuples(PROBABILITIES, PROBABILITIES))
def test_the_order_of_the_judgments_does_not_matter(polite, safe):
    """Nor does which of them arrived first."""
    judgments = both(*polite, "polite") + both(*safe, "safe")
    found = {
        (v.winner, v.reason, abs(v.margin)) for p in permutations(judgments) for v in [verdict(list(p), PRINCIPLES)]
    }
    assert len({(winner, reason) for winner, reason, _ in found}) == 1
    assert max(m for *_, m in found) == pytest.approx(min(m for *_, m in found))


# ---------------------------------------------------------------- how much the order matters


def test_order_consistency_is_counted_over_pairs_and_principles():
    """By hand: polite consistent, brief order-dependent, safe failed.

    Of the 5 judgments scored, .9 .9 .8 .7 prefer the first slot and .1 the second. Another prompt's pair with the same
    ids is a pair of its own, balanced and undecided.
    """
    judgments = both(0.9, 0.1, "polite") + both(0.9, 0.8, "brief") + both(0.7, None, "safe")
    judgments += [judgment.model_copy(update={"prompt": "q"}) for judgment in both(0.5, 0.5)]
    assert order_consistency(judgments) == OrderConsistency(
        consistent=2, order_dependent=1, failed=1, first_slot_wins=4, decided=5
    )


def test_no_comparisons_are_no_counts():
    """Ratings alone say nothing about order."""
    assert order_consistency([]) == OrderConsistency()
