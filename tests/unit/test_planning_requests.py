"""How many requests each labeler is planned to make, counted by hand: 4 prompts, 3 responses, 2 principles."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from solon.data.records import Candidates, Completion, Constitution, Failed, Judgment, Principle, Prompt, Question
from solon.errors import PluginError
from solon.labelers.base import Labeler
from solon.labelers.cascade import Cascade
from solon.labelers.rules import Rules
from solon.models.scripted import Scripted
from solon.planning import Row, plan_of
from solon.planning.rehearsal import Rehearsal, examined, harmless, thrifty
from solon.recipe import read

CONSTITUTION = """\
name: two
principles:
- {id: one, text: A first principle.}
- {id: two, text: A second principle., topics: [sums, words]}
"""
TWO = Constitution(name="two", principles=(Principle(id="one", text="One."), Principle(id="two", text="Two.")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "constitution.yaml").write_text(CONSTITUTION)
    candidates(tmp_path, 4)
    return tmp_path


def candidates(folder: Path, prompts: int, responses: Iterable[str] = ("a", "b", "c"), topic: str = "sums") -> None:
    rows = [{"prompt": f"p{n}", "responses": [*responses], "topic": topic} for n in range(prompts)]
    (folder / "candidates.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def judge(model: str = "j") -> dict[str, Any]:
    return {"kind": "scripted", "model": model, "remote": True, "price": {"input": 1, "output": 1}}


def rows(folder: Path, label: dict[str, Any], **more: Any) -> list[Row]:
    recipe = {
        "constitution": "constitution.yaml",
        "candidates": "candidates.jsonl",
        "label": label,
        "ledger": str(folder / "no-ledger.sqlite"),
        **more,
    }
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    return list(plan_of(read(folder / "recipe.yaml")).rows)


def requests(folder: Path, label: dict[str, Any], **more: Any) -> list[tuple[str, int]]:
    return [(row.model, row.requests) for row in rows(folder, label, **more)]


PAIRWISE = {"kind": "pairwise", "judge": judge()}


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (PAIRWISE, 4 * 2 * 2 * 2),  # a knockout has 2 matches: 2 orders x 2 principles x 2 matches
        ({**PAIRWISE, "principles": "all", "reasoning": True}, 4 * 2 * 2),
        ({**PAIRWISE, "pairing": "all", "ties": "allowed", "answer": "json"}, 4 * 2 * 2 * 3),
        ({"kind": "rating", "judge": judge()}, 4 * 3 * 2),
        ({"kind": "rating", "judge": judge(), "principles": "one"}, 4 * 3),
        ({"kind": "ranking", "judge": judge()}, 4 * 4 * 2),  # 4 of the 6 orders of 3 responses
        ({"kind": "critique", "model": judge(), "rounds": 2}, 4 * 2 * 2),  # critique and revision of the first
        ({"kind": "critique", "model": judge(), "completions": "all"}, 4 * 3 * 2),
    ],
)
def test_a_judge_is_planned_as_often_as_it_is_asked(folder: Path, label: dict[str, Any], expected: int) -> None:
    """Each labeler is tried out, so there is no second account of what it asks."""
    assert requests(folder, label) == [("j", expected)]


@pytest.mark.parametrize("responses", [3, 4, 7])
def test_a_tournament_of_a_ranking_is_planned_with_the_most_comparisons_that_it_may_take(
    folder: Path, responses: int
) -> None:
    """Merge sort of 3 compares 3 times at most, of 4 5 times, of 7 14 times: both orders, 2 principles, 4 prompts."""
    candidates(folder, 4, "abcdefg"[:responses])
    ranking = {"kind": "ranking", "method": "tournament", "judge": judge()}
    assert requests(folder, ranking) == [("j", 4 * 2 * 2 * {3: 3, 4: 5, 7: 14}[responses])]
    (note,) = [note for note in plan_of(read(folder / "recipe.yaml")).notes if "tournament" in note]
    assert "the most that its sort may take are counted" in note
    rows(folder, {**ranking, "method": "listwise"})
    assert not any("tournament" in note for note in plan_of(read(folder / "recipe.yaml")).notes)


def test_every_member_of_a_panel_is_asked_every_question(folder: Path) -> None:
    """The first decides which questions there are: 2 matches, 2 orders, 2 principles, 4 prompts."""
    members = [{"kind": "pairwise", "judge": judge(name)} for name in ("one", "other")]
    assert requests(folder, {"kind": "panel", "members": members}) == [("one", 32), ("other", 32)]


def test_a_cascade_is_planned_between_none_and_all(folder: Path) -> None:
    """The cheap one is asked 32 times; the other one between 0 and 32 times, .3 of that being 9.6."""
    cascade = {"kind": "cascade", "first": PAIRWISE, "then": {"kind": "pairwise", "judge": judge("dear")}}
    cheap, dear = rows(folder, cascade)
    assert (cheap.requests_low, cheap.requests, cheap.requests_high) == (32, 32, 32)
    assert (dear.requests_low, dear.requests, dear.requests_high) == (0, 10, 32)
    assert cheap.where == "label.first.judge"
    assert dear.where == "label.then.judge"
    assert dear.usd_low == 0.0
    assert dear.usd_high is not None
    assert dear.usd == pytest.approx(0.3 * dear.usd_high)


def test_a_cascade_inside_a_panel_is_found_too(folder: Path) -> None:
    """What may be escalated is as dear there."""
    cascade = {"kind": "cascade", "first": PAIRWISE, "then": {"kind": "pairwise", "judge": judge("dear")}}
    members = [{"kind": "pairwise", "judge": judge("other")}, cascade]
    planned = {
        row.model: (row.requests_low, row.requests_high) for row in rows(folder, {"kind": "panel", "members": members})
    }
    assert planned == {"other": (32, 32), "j": (32, 32), "dear": (0, 32)}


@pytest.mark.parametrize(
    "label",
    [
        {"kind": "rules", "rules": {"short": {"length": "words", "max": 2}}},
        {"kind": "verifier", "checks": {"right": {"number": "last"}}},
    ],
)
def test_who_asks_no_model_has_no_row(folder: Path, label: dict[str, Any]) -> None:
    """Programs cost nothing, and a plan runs none."""
    assert requests(folder, label) == []


def test_a_member_that_asks_no_model_is_not_run(folder: Path) -> None:
    """A program that judges may take long, or do harm; the judge beside it is counted all the same."""
    members = [
        {"kind": "rating", "judge": judge()},
        {"kind": "verifier", "checks": {"right": {"number": "last"}}},
    ]
    assert requests(folder, {"kind": "panel", "members": members}) == [("j", 24)]


def test_people_cost_nothing_and_decide_what_the_others_are_asked(folder: Path) -> None:
    """The file compares a with b on the first prompt: both orders, on the constitution as a whole."""
    rows_ = [{"prompt": "p0", "response_a": "a", "response_b": "b", "preferred": "a"}]
    (folder / "people.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows_))
    members = [{"kind": "human", "file": "people.jsonl"}, PAIRWISE]
    assert requests(folder, {"kind": "panel", "members": members}) == [("j", 2)]


def test_a_classifier_reads_each_response_and_costs_nothing(folder: Path) -> None:
    """It sees no prompt, so of the same 3 responses to 4 prompts it is asked 3 times. There is no such folder."""
    (row,) = rows(folder, {"kind": "classifier", "model": "nobody/classifier", "label": "nothate"})
    assert (row.requests, row.usd, row.seconds, row.where) == (3, 0.0, None, "label")


def test_duplicates_are_asked_about_once(folder: Path) -> None:
    """Two of three responses are the same text: one match in place of two."""
    candidates(folder, 4, ("a", "b", "b"))
    assert requests(folder, {**PAIRWISE, "pairing": "all"}) == [("j", 4 * 2 * 2)]


def test_principles_count_where_they_apply(folder: Path) -> None:
    """The second principle is about sums and words alone."""
    candidates(folder, 4, topic="birds")
    assert requests(folder, PAIRWISE) == [("j", 4 * 2 * 2)]


def test_a_large_file_is_planned_from_a_sample_and_counted_exactly(folder: Path) -> None:
    """The labelers say how many questions a prompt of each shape gets: 401 x 8, though 200 are tried out."""
    candidates(folder, 401)
    (row,) = rows(folder, PAIRWISE)
    assert row.requests == 401 * 8
    assert row.input_tokens == pytest.approx(401 * 8 * rows_of_one(folder), rel=0.01)


def rows_of_one(folder: Path) -> float:
    """Tokens that one request reads, of a single prompt; all are nearly alike."""
    candidates(folder, 1)
    (row,) = rows(folder, PAIRWISE)
    return row.input_tokens / row.requests


@pytest.mark.slow
@pytest.mark.parametrize(("prompts", "share", "expected"), [(40, 1.0, 40 * 4), (400, 0.1, 40 * 4)])
def test_canaries_are_planned(folder: Path, prompts: int, share: float, expected: int) -> None:
    """One match beside a real response: 2 orders x 2 principles. Of a sample, all are tried out and scaled down."""
    candidates(folder, prompts, ("a real answer", "another real answer"))
    assert [(row.part, row.requests) for row in rows(folder, PAIRWISE, canaries=share)] == [
        ("labels", prompts * 4),
        ("canaries", expected),
    ]


def test_the_responses_of_a_recipe_that_samples_are_as_long_as_they_may_be(folder: Path) -> None:
    """Each of 2 x 2 x 1 x 4 requests shows two responses, so 100 tokens more in each make 200 more to read."""
    (folder / "prompts.jsonl").write_text(
        "".join(json.dumps({"prompt": f"p{n}", "topic": "sums"}) + "\n" for n in range(4))
    )
    planned = []
    for room in (50, 150):
        sample = {"n": 2, "max_tokens": room, "model": judge("policy")}
        sampled, labeled = rows(folder, PAIRWISE, candidates=None, prompts="prompts.jsonl", sample=sample)
        assert (sampled.requests, sampled.output_tokens) == (8, 8 * room)
        assert labeled.requests == 16
        planned.append(labeled.input_tokens)
    assert planned[1] - planned[0] == 16 * 2 * 100


def test_batches_that_hang_on_each_other_are_counted(folder: Path) -> None:
    """A knockout of 4 has 2 rounds; its judge is asked in two batches, one after the other."""
    candidates(folder, 4, "abcd")
    label = {"kind": "pairwise", "judge": {"kind": "openai", "model": "gpt-6-luna", "batch": True}}
    (row,) = rows(folder, label)
    assert (row.batched, row.batches, row.seconds) == (True, 2, None)
    (row,) = rows(folder, {**label, "pairing": "all"})
    assert row.batches == 1


# ---------------------------------------------------------------- trying out


GROUP = Candidates(
    prompt=Prompt.of("Hi"), completions=tuple(Completion(text=text, model="m", seed=n) for n, text in enumerate("ab"))
)


async def test_a_labeler_that_asks_no_model_is_silenced() -> None:
    """It says which questions there are, and answers none."""
    rules = Rules.model_validate({"rules": {"short": {"length": "words", "max": 1}}})
    judged = await harmless(rules).examine(GROUP, TWO)
    assert [judgment.outcome for judgment in judged] == [Failed(reason="unavailable")] * 2


def test_a_cascade_that_never_escalates_is_its_first() -> None:
    """And a labeler without one is left as it is."""
    rules = Rules.model_validate({"rules": {"short": {"length": "words", "max": 1}}})
    assert thrifty(Cascade(first=rules, then=rules)) is rules
    assert thrifty(rules) is rules


class Raises(Labeler):
    """A labeler that was written for one kind of reply."""

    kind: ClassVar[str] = "raises"
    judge: Scripted

    def models(self) -> tuple[Scripted, ...]:
        """Whom it asks."""
        return (self.judge,)

    async def label(self, question: Question) -> Judgment:
        """What no labeler may do."""
        raise KeyError("verdict")


async def test_a_labeler_that_raises_is_named() -> None:
    """Whoever wrote it has to know; a plan without it would be too cheap."""
    async with Rehearsal(None) as rehearsal:
        with pytest.raises(PluginError, match=r"'raises'.*KeyError"):
            await rehearsal.play([examined(harmless(Raises(judge=Scripted())), GROUP, TWO)])
