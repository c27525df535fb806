"""The label stage: what it depends on, who watches it, and what a labeler may still say when it has seen everything."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import JsonValue

from solon.constitution.library import resolve
from solon.data.artifacts import read_jsonl
from solon.data.records import Candidates, Completion, Failed, Judgment, Prompt, Question, Scored, Usage
from solon.errors import DataError, StageIncomplete
from solon.labelers.base import Labeler, Revise
from solon.ledger import Ledger
from solon.recipe import Opened, Recipe
from solon.rundir import RunDirectory
from solon.stages.build import build
from solon.stages.label import candidates_identity, label
from solon.stages.run import Run
from solon.stages.witnesses import Accountant


class Lengths:
    """How many judgments there were on each prompt, most first: an account whose order matters."""

    def __init__(self) -> None:
        self.seen: list[JsonValue] = []

    def add(self, judgments: Sequence[Judgment]) -> None:
        """Counts all judgments on one prompt."""
        self.seen.append(len(judgments))

    def summary(self) -> dict[str, JsonValue]:
        """The counts."""
        return {"judgments_a_prompt": self.seen}


class LongestWins(Labeler):
    """Scores by length alone, of the longest response of all, which it only knows in the end; before, it fails."""

    kind: ClassVar[str] = "longest_wins"

    concludes: bool = True
    reason: str = "disagreed"
    usage: int = 0

    async def label(self, question: Question) -> Judgment:
        """The length as its own failure's text."""
        vote = question.judged(
            Scored(scores=(1.0,)), labeler="vote", usage=Usage(output_tokens=self.usage), cost_usd=0.5
        )
        length = str(len(question.options[0].text))
        failed = Failed.model_validate({"reason": self.reason, "raw": length})
        return question.judged(failed, labeler=self.name, votes=(vote,))

    def account(self) -> Lengths:
        """A fresh one."""
        return Lengths()

    def conclude(self, judgments: Callable[[], Iterator[Judgment]]) -> Revise | None:
        """Reads the lengths twice: for the longest, and for each judgment."""
        if not self.concludes:
            return None

        def length(judgment: Judgment) -> int:
            assert isinstance(judgment.outcome, Failed)
            return int(judgment.outcome.raw or 0)

        longest = max(length(judgment) for judgment in judgments())
        return lambda one: one.model_copy(update={"outcome": Scored(scores=(length(one) / longest,))})


@contextmanager
def opened(folder: Path, **settings: object) -> Iterator[Run]:
    """A run that begins at three prompts, of which the second has one response and the others two."""
    source = folder / "candidates.jsonl"
    if not source.exists():
        rows = [("a", ["x", "xx"]), ("b", ["xxxx"]), ("c", ["xxx", "x"])]
        source.write_text("".join(json.dumps({"prompt": p, "responses": r}) + "\n" for p, r in rows))
    written = {
        "constitution": "honesty",
        "candidates": str(source),
        "label": LongestWins(),
        "max_failed": 1,
        **settings,
    }
    recipe = Opened(Recipe.model_validate(written), folder / "recipe.yaml", {})
    constitution = resolve("honesty")
    one_principle = constitution.model_copy(update={"principles": constitution.principles[:1]})
    with RunDirectory.open(folder / "run") as directory, Ledger.open(folder / "ledger.sqlite") as ledger:
        directory.begin(name="r", seed=0, constitution={}, versions={}, recipe="")
        yield Run(recipe, directory, one_principle, ledger)


def said(run: Run) -> list[Judgment]:
    return list(read_jsonl(run.path / "judgments.jsonl", Judgment))


def test_a_labeler_may_conclude_from_all_judgments_before_they_appear(tmp_path):
    """Lengths 1 and 2, 4, 3 and 1, of 4 at most. What counts is what was concluded: before, every judgment failed."""
    with opened(tmp_path, max_failed=0) as run:
        label(run)
        assert [judgment.outcome.scores for judgment in said(run) if isinstance(judgment.outcome, Scored)] == [
            (0.25,), (0.5,), (1.0,), (0.75,), (0.25,),
        ]  # fmt: skip
        summary = run.directory.summary("label")
        assert (summary["judgments"], summary["failed"]) == (5, {})
        assert summary["account"] == {"judgments_a_prompt": [2, 1, 2]}
        assert sorted(path.name for path in run.path.iterdir()) == [
            ".lock", "judgments.jsonl", "recipe.yaml", "run.json", "timings.json",
        ]  # fmt: skip


def test_too_many_failures_are_too_many_only_when_nothing_was_concluded(tmp_path):
    """And then nothing appears."""
    with opened(tmp_path, max_failed=0, label=LongestWins(concludes=False)) as run:
        with pytest.raises(StageIncomplete, match="5 of 5 judgments failed"):
            label(run)
        assert not (run.path / "judgments.jsonl").exists()


def test_a_stage_that_judged_nothing_says_so_and_leaves_nothing(tmp_path):
    """Every prompt has one response, and a comparison takes two: an empty dataset would be the end of the run."""
    (tmp_path / "candidates.jsonl").write_text(json.dumps({"prompt": "a", "responses": ["x"]}) + "\n")
    with opened(tmp_path, label={"kind": "pairwise", "judge": {"kind": "scripted", "default": "A"}}) as run:
        with pytest.raises(StageIncomplete, match="nothing was judged"):
            label(run)
        assert not (run.path / "judgments.jsonl").exists()


def test_what_votes_cost_is_in_the_totals(tmp_path):
    """Five judgments, each of one vote of 3 tokens and 50 cents."""
    with opened(tmp_path, label=LongestWins(usage=3, concludes=False)) as run:
        label(run)
        summary = run.directory.summary("label")
        assert (summary["usage"]["output_tokens"], summary["cost_usd"]) == (15, 2.5)
        assert summary["failed"] == {"disagreed": 5}
        assert (summary["prompts"], summary["duplicates"]) == (3, 0)


@pytest.mark.parametrize(("reason", "again"), [("unavailable", True), ("malformed", True), ("disagreed", False)])
def test_what_gave_no_reply_is_asked_again_by_the_next_run(tmp_path, reason, again):
    """An answer that was no reply is in no ledger; a verdict that was given would only come again."""
    with opened(tmp_path, label=LongestWins(reason=reason, concludes=False)) as run:
        label(run)
        before = (run.path / "judgments.jsonl").stat().st_ino
        label(run)
        assert ((run.path / "judgments.jsonl").stat().st_ino != before) is again
        assert run.directory.summary("label")["failed"] == {reason: 5}


def test_the_stage_depends_on_the_bytes_of_the_candidates_and_on_how_they_are_read(tmp_path):
    """Known without reading a million rows; a finished stage is skipped as long as both are the same."""
    with opened(tmp_path) as run:
        label(run)
        identity = candidates_identity(run)
        assert list(identity["files"]) == ["candidates.jsonl"]
        before = (run.path / "judgments.jsonl").stat().st_ino
        label(run)
        assert (run.path / "judgments.jsonl").stat().st_ino == before
    with opened(tmp_path, columns={"prompt": "prompt"}) as run:
        assert candidates_identity(run) != identity
    (tmp_path / "candidates.jsonl").write_text('{"prompt": "a", "responses": ["x", "xx"]}\n')
    with opened(tmp_path) as run:
        assert candidates_identity(run) != identity
        label(run)
        assert len(said(run)) == 2


def test_bad_rows_are_found_before_anything_is_moved_or_asked(tmp_path):
    """A slip in a file of a million lines must not cost the judgments of the run before."""
    with opened(tmp_path) as run:
        label(run)
    with (tmp_path / "candidates.jsonl").open("a") as file:
        file.write('{"prompt": "d", "responses": 7}\n')
    with opened(tmp_path) as run:
        with pytest.raises(DataError, match=r"candidates\.jsonl:4: column 'responses'"):
            label(run)
        assert len(said(run)) == 5
        assert not (run.path / "previous").exists()


def test_building_reads_the_same_candidates_and_leaves_no_index(tmp_path):
    """Both stages gather on disk, in the run directory, and clear it away."""
    with opened(tmp_path, build={"held_out": 0}) as run:
        label(run)
        build(run)
        # a: 2 over 1; b: one response; c: 3 over 1
        assert run.directory.summary("build")["preference"] == {"train": 2, "test": 0}
        assert run.directory.summary("build")["reward"] == {"train": 5, "test": 0}
        assert [path.name for path in run.path.iterdir() if path.name.endswith(".index")] == []


def test_witnesses_see_the_candidates_beside_the_judgments():
    """A labeler's own account needs the judgments only."""
    prompt, completion = Prompt.of("a"), Completion(text="x", model="m")
    judgment = Question(prompt=prompt, options=(completion,)).judged(Scored(scores=(1.0,)), labeler="l")
    accountant = Accountant(Lengths())
    accountant.add(Candidates(prompt=prompt, completions=(completion,)), [judgment, judgment])
    assert accountant.summary() == {"judgments_a_prompt": [2]}
