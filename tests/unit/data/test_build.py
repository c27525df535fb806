"""Judgments become datasets: every rule with rows worked out by hand, and every dropped row counted by its reason."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from solon.data.build import DROPPED, KINDS, Build, Built, build
from solon.data.records import (
    Candidates,
    Completion,
    Constitution,
    Failed,
    Judgment,
    Message,
    Principle,
    Prompt,
    Question,
    Scored,
)
from solon.data.split import is_held_out
from solon.errors import DataError, PluginError

POLITE = Principle(id="polite", text="Be polite.")
BRIEF = Principle(id="brief", text="Be brief.", weight=3)
SAFE = Principle(id="safe", text="Be safe.", severity="hard")
CONSTITUTION = Constitution(name="test", principles=(POLITE, BRIEF, SAFE))
PROMPT = Prompt.of("Say something.", topic="talk")
KEEP_ALL = Build(held_out=0)


def said(text: str, seed: int = 0, stop: str = "end") -> Completion:
    return Completion(text=text, model="policy", seed=seed, stop=stop)


GOOD, FAIR, BAD = said("good"), said("fair"), said("bad")


def compared(
    better: Completion, worse: Completion, margin: float = 1.0, prompt: Prompt = PROMPT, by: Principle = POLITE
) -> list[Judgment]:
    """Both orders of a comparison whose p gives that margin: p = (1 + margin) / 2."""
    question = Question(prompt=prompt, principles=(by,), options=(better, worse))
    p = (1 + margin) / 2
    return [
        question.judged(Scored(scores=(p, 1 - p)), labeler="judge"),
        question.reversed().judged(Scored(scores=(1 - p, p)), labeler="judge"),
    ]


def rated(completion: Completion, score: float | None, by: Principle = POLITE, prompt: Prompt = PROMPT) -> Judgment:
    outcome = Failed(reason="unparseable") if score is None else Scored(scores=(score,))
    return Question(prompt=prompt, principles=(by,), options=(completion,)).judged(outcome, labeler="rules")


def built(completions: list[Completion], judgments: list[Judgment], settings: Build = KEEP_ALL) -> Built:
    return build([Candidates(prompt=PROMPT, completions=tuple(completions))], judgments, CONSTITUTION, settings, seed=0)


def pairs(result: Built) -> list[tuple[str, str, float]]:
    return [(row.chosen, row.rejected, pytest.approx(row.margin)) for row in result.preference.train]


def labels(result: Built) -> list[tuple[str, bool]]:
    return [(row.completion, row.desirable) for row in result.unpaired.train]


def best(result: Built) -> list[str]:
    return [row.completion for row in result.sft.train]


# ---------------------------------------------------------------- from comparisons


def test_the_winner_is_chosen_whichever_slot_it_was_shown_in():
    """With the size of the margin, and who judged under what."""
    result = built([GOOD, FAIR, BAD], compared(GOOD, FAIR, 0.4) + compared(BAD, FAIR, -0.6))
    assert pairs(result) == [("good", "fair", 0.4), ("fair", "bad", 0.6)]
    row = result.preference.train[0]
    assert row.prompt == PROMPT
    assert row.provenance.model_dump() == {"prompt_id": PROMPT.id, "labelers": ("judge",), "principles": ("polite",)}
    assert result.counts()["preference"] == {"train": 2, "test": 0}


def test_what_was_only_preferred_is_desirable_and_what_never_was_is_not():
    """Fair won once and lost once: mixed, left out, counted."""
    result = built([GOOD, FAIR, BAD], compared(GOOD, FAIR) + compared(FAIR, BAD))
    assert labels(result) == [("good", True), ("bad", False)]
    assert result.drops["unpaired"] == {"mixed": 1}
    assert [row.score for row in result.unpaired.train] == [None, None]
    assert result.reward.train == ()


def test_each_text_is_once_in_the_unpaired_rows():
    """Good beat two others and is one row."""
    result = built([GOOD, FAIR, BAD], compared(GOOD, FAIR) + compared(GOOD, BAD))
    assert labels(result) == [("good", True), ("fair", False), ("bad", False)]


def test_the_response_to_imitate_won_most_and_never_lost():
    """Two never lost: good won twice, other once. Fair won as well, and lost."""
    other = said("other")
    judgments = compared(other, BAD) + compared(GOOD, FAIR) + compared(GOOD, BAD) + compared(FAIR, BAD)
    assert best(built([GOOD, FAIR, BAD, other], judgments)) == ["good"]


def test_nothing_is_imitated_that_lost_even_by_a_margin_too_small_for_a_row():
    """A circle, one side of it faint: no row for the faint one, and no best response."""
    judgments = compared(GOOD, FAIR, 0.8) + compared(FAIR, GOOD.model_copy(update={"text": "x"}), 0.8)
    circle = judgments + compared(said("x"), GOOD, 0.1)
    result = built([GOOD, FAIR, said("x")], circle, Build(held_out=0, min_margin=0.5))
    assert pairs(result) == [("good", "fair", 0.8), ("fair", "x", 0.8)]
    assert result.drops["preference"] == {"below_margin": 1}
    assert best(result) == []
    assert result.drops["sft"] == {"no_best": 1}


def test_every_verdict_without_a_winner_is_counted_by_its_reason():
    """One of each: order, balanced, conflict, failed, identical texts."""
    law = Principle(id="law", text="Be lawful.", severity="hard")
    constitution = Constitution(name="test", principles=(*CONSTITUTION.principles, law))
    options = [said(text) for text in "abcdefghi"] + [said("a", seed=1)]
    a, b, c, d, e, f, g, h, _, again = options
    slot = Question(prompt=PROMPT, principles=(POLITE,), options=(a, b))
    judgments = [
        *(question.judged(Scored(scores=(0.9, 0.1)), labeler="judge") for question in (slot, slot.reversed())),
        *compared(c, d, 0.0),
        *compared(e, f, 0.5, by=SAFE), *compared(f, e, 0.5, by=law),
        compared(g, h)[0],
        *compared(a, again),
    ]  # fmt: skip
    result = build([Candidates(prompt=PROMPT, completions=tuple(options))], judgments, constitution, KEEP_ALL, 0)
    assert result.preference.train == ()
    assert result.drops["preference"] == {
        "failed": 1,
        "identical": 1,
        "tie_order": 1,
        "tie_balanced": 1,
        "tie_conflict": 1,
    }


def test_a_margin_of_exactly_the_least_is_kept():
    """Margins .25 and .75 are exact in binary: from .75 on means .75 is in."""
    judgments = compared(GOOD, FAIR, 0.75) + compared(GOOD, BAD, 0.25)
    result = built([GOOD, FAIR, BAD], judgments, Build(held_out=0, min_margin=0.75))
    assert pairs(result) == [("good", "fair", 0.75)]
    assert result.drops["preference"] == {"below_margin": 1}


def test_the_same_texts_judged_both_ways_are_both_dropped():
    """Two samples with equal texts are different completions; training on both directions teaches noise."""
    twin = said("bad", seed=1)
    result = built([GOOD, BAD, twin], compared(GOOD, BAD, 0.9) + compared(twin, GOOD, 0.2))
    assert result.preference.train == ()
    assert result.drops["preference"] == {"contradictory": 2}
    assert result.drops["sft"] == {"no_best": 1}


def test_the_same_texts_judged_twice_the_same_way_are_one_row():
    """Or frequent responses would weigh more than their share."""
    twin = said("bad", seed=1)
    result = built([GOOD, BAD, twin], compared(GOOD, BAD, 0.9) + compared(GOOD, twin, 0.2))
    assert pairs(result) == [("good", "bad", 0.9)]
    assert result.drops["preference"] == {"duplicate": 1}


def test_prompts_that_differ_in_topic_only_share_their_rows():
    """To the model they are one prompt: a contradiction between them is one, and the split must not part them."""
    other = Prompt.of(PROMPT.text, topic="another")
    candidates = [Candidates(prompt=prompt, completions=(GOOD, BAD)) for prompt in (PROMPT, other)]
    both_ways = compared(GOOD, BAD) + compared(BAD, GOOD, prompt=other)
    result = build(candidates, both_ways, CONSTITUTION, KEEP_ALL, 0)
    assert result.drops["preference"] == {"contradictory": 2}
    same_way = compared(GOOD, BAD) + compared(GOOD, BAD, prompt=other)
    result = build(candidates, same_way, CONSTITUTION, KEEP_ALL, 0)
    assert result.drops["preference"] == {"duplicate": 1}
    assert result.prompts == 2


def test_a_limit_keeps_the_clearest_pairs_in_their_order():
    """Margins .5, .9, .5, .7 and room for three: the later of the two equals goes."""
    options = [said(text) for text in "abcde"]
    judgments = [
        j for other, m in zip(options[1:], (0.5, 0.9, 0.5, 0.7), strict=True) for j in compared(options[0], other, m)
    ]
    result = built(options, judgments, Build(held_out=0, max_pairs_per_prompt=3))
    assert pairs(result) == [("a", "b", 0.5), ("a", "c", 0.9), ("a", "e", 0.7)]
    assert result.drops["preference"] == {"over_limit": 1}


def test_a_response_that_was_cut_off_is_not_taught():
    """An end would be put behind it. As the worse response it does no harm."""
    cut = said("good but", stop="length")
    result = built([cut, FAIR, BAD], compared(cut, FAIR) + compared(FAIR, BAD))
    assert pairs(result) == [("fair", "bad", 1.0)]
    assert result.drops["preference"] == {"truncated": 1}
    result = built([FAIR, cut], compared(FAIR, cut))
    assert pairs(result) == [("fair", "good but", 1.0)]


def test_half_of_a_surrogate_pair_is_no_training_text():
    """Neither Parquet nor a tokenizer takes it."""
    broken = said("broken \ud83d")
    result = built([GOOD, broken], compared(GOOD, broken))
    assert result.preference.train == ()
    assert result.drops["preference"] == {"malformed": 1}
    result = built([GOOD, broken], [rated(GOOD, 1.0), rated(broken, 0.0)])
    assert [row.completion for row in result.reward.train] == ["good"]
    assert result.drops["reward"] == {"malformed": 1}


# ---------------------------------------------------------------- from ratings


def test_ratings_are_weighed_over_principles():
    """Polite (1) gives 1, brief (3) gives .2: (1 + 3 x .2) / 4 = .4, below .5."""
    result = built([GOOD], [rated(GOOD, 1.0), rated(GOOD, 0.2, by=BRIEF)])
    (row,) = result.reward.train
    assert (row.score, row.desirable) == (pytest.approx(0.4), False)
    assert row.provenance.model_dump() == {
        "prompt_id": PROMPT.id,
        "labelers": ("rules",),
        "principles": ("polite", "brief"),
    }


def test_a_hard_principle_vetoes_below_the_middle_and_weighs_above_it():
    """Safe below .5 makes the whole score 0. At .5 it is one weight of two: (1 + .5) / 2 = .75."""
    for safe, score in ((0.0, 0.0), (0.4, 0.0), (0.5, 0.75)):
        assert built([GOOD], [rated(GOOD, 1.0), rated(GOOD, safe, by=SAFE)]).reward.train[0].score == score


def test_where_a_veto_begins_is_a_setting():
    """At 0 nothing is vetoed, and (1 + .4) / 2 = .7. What is vetoed is never desirable, however low the bar."""
    judgments = [rated(GOOD, 1.0), rated(GOOD, 0.4, by=SAFE)]
    assert built([GOOD], judgments, Build(held_out=0, veto_below=0)).reward.train[0].score == pytest.approx(0.7)
    vetoed = built([GOOD], judgments, Build(held_out=0, veto_below=0.6, desirable_at=0))
    assert (vetoed.reward.train[0].score, labels(vetoed)) == (0.0, [("good", False)])


def test_a_failed_rating_is_left_out_unless_it_may_have_been_the_veto():
    """A failed soft one of two: the other decides. A failed hard one, or all: no row, counted."""
    result = built([GOOD], [rated(GOOD, 0.8), rated(GOOD, None, by=BRIEF)])
    assert [row.score for row in result.reward.train] == [0.8]
    for judgments in ([rated(GOOD, 1.0), rated(GOOD, None, by=SAFE)], [rated(GOOD, None)]):
        result = built([GOOD], judgments)
        assert result.reward.train == ()
        assert result.unpaired.train == ()
        assert result.drops["reward"] == result.drops["unpaired"] == {"failed": 1}


def test_ratings_give_pairs_of_the_best_against_each_worse_one():
    """Scores 1, .5, 0: margins .5 and 1."""
    result = built([GOOD, FAIR, BAD], [rated(GOOD, 1.0), rated(FAIR, 0.5), rated(BAD, 0.0)])
    assert pairs(result) == [("good", "fair", 0.5), ("good", "bad", 1.0)]
    assert labels(result) == [("good", True), ("fair", True), ("bad", False)]
    assert best(result) == ["good"]
    assert result.counts() == {
        "preference": {"train": 2, "test": 0},
        "unpaired": {"train": 3, "test": 0},
        "reward": {"train": 3, "test": 0},
        "sft": {"train": 1, "test": 0},
    }


def test_responses_that_share_the_top_score_take_turns():
    """Two best, three worse: first, second, first. The tie between the two is counted."""
    tops, worse = [said("top 1"), said("top 2")], [said(f"worse {n}") for n in range(3)]
    result = built([*tops, *worse], [*(rated(top, 1.0) for top in tops), *(rated(other, 0.0) for other in worse)])
    assert pairs(result) == [("top 1", "worse 0", 1.0), ("top 2", "worse 1", 1.0), ("top 1", "worse 2", 1.0)]
    assert result.drops["preference"] == {"tie_balanced": 1}


def test_equal_texts_are_rated_as_one_response():
    """Scores 1 and .5 for the same words: .75, one row."""
    result = built([GOOD, said("good", seed=1)], [rated(GOOD, 1.0), rated(said("good", seed=1), 0.5)])
    assert [(row.completion, row.score) for row in result.reward.train] == [("good", 0.75)]
    assert result.drops["reward"] == {"duplicate": 1}


def test_nothing_desirable_is_nothing_to_imitate():
    """The best of a bad lot is not an example; a lower bar makes it one."""
    judgments = [rated(FAIR, 0.4), rated(BAD, 0.0)]
    result = built([FAIR, BAD], judgments)
    assert (best(result), result.drops["sft"]) == ([], {"no_best": 1})
    assert best(built([FAIR, BAD], judgments, Build(held_out=0, desirable_at=0.4))) == ["fair"]


def test_a_rated_response_that_was_cut_off_is_scored_and_not_taught():
    """Its score is true; calling it desirable would teach to stop there."""
    cut = said("good but", stop="length")
    result = built([cut, BAD], [rated(cut, 1.0), rated(BAD, 0.0)])
    assert [row.completion for row in result.reward.train] == ["good but", "bad"]
    assert labels(result) == [("bad", False)]
    assert result.drops["unpaired"] == result.drops["preference"] == {"truncated": 1}
    assert best(result) == []


def test_comparisons_go_before_ratings_for_preferences():
    """With both, the pairs are those that were compared, and the scores still make reward rows."""
    judgments = [*compared(FAIR, GOOD), rated(GOOD, 1.0), rated(FAIR, 0.0)]
    result = built([GOOD, FAIR], judgments)
    assert pairs(result) == [("fair", "good", 1.0)]
    assert [row.score for row in result.reward.train] == [1.0, 0.0]


# ---------------------------------------------------------------- what does not belong


def test_judgments_of_other_candidates_are_refused():
    """A judgments file of another run would lose rows in silence."""
    with pytest.raises(DataError, match="is on a prompt that is not among the candidates"):
        built([GOOD, BAD], compared(GOOD, BAD, prompt=Prompt.of("another")))
    with pytest.raises(DataError, match="is on a completion that is not among the candidates"):
        built([GOOD], compared(GOOD, BAD))


def test_judgments_of_another_constitution_are_refused():
    """With the nearest principle of this one."""
    with pytest.raises(
        DataError, match=r"'polite-2', which constitution 'test' does not have \(did you mean 'polite'\?\)"
    ):
        built([GOOD, BAD], compared(GOOD, BAD, by=POLITE.model_copy(update={"id": "polite-2"})))


def test_scores_out_of_range_are_refused():
    """Clipping would turn a labeler's bug into labels."""
    ranking = Question(prompt=PROMPT, options=(GOOD, FAIR, BAD)).judged(Scored(scores=(3, 2, 1)), labeler="ranker")
    with pytest.raises(PluginError, match=r"'ranker' ranked 3 options and gave \(3.0, 2.0, 1.0\)"):
        built([GOOD, FAIR, BAD], [ranking])
    for score in (5.0, float("nan")):
        with pytest.raises(PluginError, match=r"'rules' rated one option and gave .* one score in"):
            built([GOOD], [rated(GOOD, score)])


def test_settings_out_of_range_are_refused():
    """A margin above 1 would drop everything, a share of 1 would train on nothing, a band must not be inside out."""
    inside_out = {"desirable_at": 0.4, "undesirable_at": 0.6}
    for wrong in ({"min_margin": 1.1}, {"held_out": 1.0}, {"max_pairs_per_prompt": 0}, {"min_margn": 0.1}, inside_out):
        with pytest.raises(ValidationError):
            Build(**wrong)


def test_prompts_without_judgments_are_counted():
    """They give no rows, and somebody should know."""
    candidates = [Candidates(prompt=Prompt.of(text), completions=(GOOD, BAD)) for text in "ab"]
    result = build(candidates, compared(GOOD, BAD, prompt=Prompt.of("a")), CONSTITUTION, KEEP_ALL, 0)
    assert (result.prompts, result.unjudged) == (2, 1)


# ---------------------------------------------------------------- the whole

TEXTS = ("good", "fair", "bad", "bad")


@settings(deadline=None, derandomize=True, database=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.permutations(range(4)),
            st.sampled_from([-1.0, -0.4, 0.0, 0.2, 1.0]),
            st.sampled_from(["compare", "rate"]),
        ),
        max_size=20,
    ),
    st.sampled_from([0.0, 0.5]),
)
def test_no_prompt_is_on_both_sides_and_no_row_contradicts_another(judged, min_margin):
    """Whatever was judged: splits apart, margins in range, no pair both ways, each text once, reasons known."""
    options = [said(text, seed) for seed, text in enumerate(TEXTS)]
    prompts = [Prompt(messages=(Message(role="user", content=f"Question {n}"),)) for n in range(6)]
    judgments = []
    for number, order, value, how in judged:
        one, other = options[order[0]], options[order[1]]
        prompt = prompts[number]
        judgments += (
            compared(one, other, value, prompt) if how == "compare" else [rated(one, abs(value), prompt=prompt)]
        )
    candidates = [Candidates(prompt=prompt, completions=tuple(options)) for prompt in prompts]
    result = build(candidates, judgments, CONSTITUTION, Build(held_out=0.5, min_margin=min_margin), seed=3)
    for rows in result.splits().values():
        assert all(not is_held_out(row.prompt, 0.5, 3) for row in rows.train)
        assert all(is_held_out(row.prompt, 0.5, 3) for row in rows.test)
    preferences = [*result.preference.train, *result.preference.test]
    directed = [(row.prompt.text, row.chosen, row.rejected) for row in preferences]
    assert len(set(directed)) == len(directed)
    assert not {(prompt, rejected, chosen) for prompt, chosen, rejected in directed} & set(directed)
    assert all(row.chosen != row.rejected and min_margin <= row.margin <= 1 for row in preferences)
    for rows in (result.unpaired, result.reward):
        texts = [(row.prompt.text, row.completion) for row in (*rows.train, *rows.test)]
        assert len(set(texts)) == len(texts)
    assert tuple(result.drops) == KINDS
    assert all(reason in DROPPED and n > 0 for drops in result.drops.values() for reason, n in drops.items())
    assert result == build(candidates, judgments, CONSTITUTION, Build(held_out=0.5, min_margin=min_margin), seed=3)
