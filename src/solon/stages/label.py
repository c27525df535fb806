"""Labeling: every judgment on every prompt's completions, failures counted and never turned into labels.

Judgments are written as they come, in the order of the prompts; nothing is held but what is under way. A labeler that
needs to see all of them before it can decide (``Labeler.conclude``) reads the file for that, and it is written anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from solon.data.artifacts import Write, lines_into, read_jsonl, writing_jsonl
from solon.data.candidates import CandidateSet, reading_candidates
from solon.data.records import Candidates, Judgment, Usage
from solon.data.tables import identity
from solon.data.whole import atomic
from solon.labelers.base import Labeler
from solon.labelers.boundary import examined
from solon.labelers.tally import ASKED_AGAIN, Tally
from solon.loops import run_to_end
from solon.plugins.base import effects_of, located
from solon.plugins.boundary import answer_of, name_of
from solon.stages.asked import batches_of, models_of
from solon.stages.collector import seldom_collecting
from solon.stages.run import Run, Stage, stage
from solon.stages.witnesses import Accountant, Witness
from solon.stream.window import window
from solon.trust.canaries import Canaries, Canary, Counts
from solon.trust.canaries import examine as examine_canary
from solon.trust.verbosity import Verbosity


def label(run: Run) -> None:
    """Writes ``judgments.jsonl``.

    Raises:
        StageIncomplete: more judgments failed than ``max_failed`` allows; the message says what the judge said.
    """
    recipe = run.recipe
    labeler = recipe.label
    assert labeler is not None
    inputs = {
        "candidates": candidates_identity(run),
        "principles": [principle.model_dump(mode="json") for principle in run.constitution.principles],
        "rating": run.constitution.rating.model_dump(mode="json"),
        "label": effects_of(labeler),
        # only where there are any, so that stages that were done before there were canaries stay done
        **({"canaries": recipe.canaries.model_dump(mode="json")} if recipe.canaries is not None else {}),
    }
    failed = run.directory.summary("label").get("failed", {})
    again = any(failed.get(reason, 0) > 0 for reason in ASKED_AGAIN)
    with ExitStack() as held:
        held.enter_context(seldom_collecting())
        given: Given | None = None
        if again or not run.directory.is_done("label", inputs):
            # read ahead of the stage, which moves away what an earlier recipe made: bad rows must not cost that
            given = held.enter_context(reading(run))
        with stage(run, "label", inputs, needs=[labeler], again=again) as work:
            if work is None:
                return
            assert given is not None
            work.summary.update(labeler=name_of(labeler), models=models_of(labeler))
            with atomic(work.file("judgments.jsonl")) as partial:
                with _canaries(work) as canaries:
                    seen = run_to_end(_label(run, labeler, given, partial, canaries))
                seen = _concluded(run, labeler, given, partial) or seen
                seen.tally.stop_if_nothing()
                seen.tally.stop_if_too_many()
            work.summary.update(seen.summary())
            if sent := batches_of(run.ledger, run.opened.name, "label"):
                work.summary["batches"] = sent
            if canaries is not None:
                canaries.told(work.summary)
            if isinstance(given, CandidateSet):
                work.summary.update(prompts=len(given), duplicates=given.duplicates)


def witnesses(labeler: Labeler) -> dict[str, Witness]:
    """Who watches the stage beside its tally, by the key under which the summary holds what they saw."""
    account = labeler.account()
    own: dict[str, Witness] = {} if account is None else {"account": Accountant(account)}
    return {**own, "verbosity": Verbosity()}


# ---------------------------------------------------------------- what is judged


@dataclass(frozen=True)
class Sampled:
    """What the sampling stage wrote, read from its file each time."""

    path: Path
    prompts: int

    def __len__(self) -> int:
        return self.prompts

    def __iter__(self) -> Iterator[Candidates]:
        return read_jsonl(self.path, Candidates)


Given: TypeAlias = Sampled | CandidateSet
"""Prompts with their completions, and how many."""


@contextmanager
def reading(run: Run) -> Iterator[Given]:
    """The prompts with their completions, wherever the recipe begins; may be read any number of times."""
    if run.recipe.candidates is None:
        yield Sampled(run.path / "candidates.jsonl", run.directory.summary("sample").get("prompts", 0))
    else:
        source, index = located(run.recipe.candidates), run.path / ".candidates.index"
        with reading_candidates(source, run.recipe.columns, index=index) as given:
            yield given


def candidates(run: Run) -> Iterator[Candidates]:
    """As ``reading``, once."""
    with reading(run) as given:
        yield from given


def candidates_identity(run: Run) -> dict[str, Any]:
    """What a stage that reads the candidates depends on: what was sampled, or the files given and how to read them."""
    if run.recipe.candidates is not None:
        # only what is set: a column that is named has to exist, one that has its default name may be missing
        columns = run.recipe.columns.model_dump(mode="json", exclude_unset=True)
        return {"files": identity(located(run.recipe.candidates)), "columns": columns}
    return dict(run.directory.outputs("sample"))


# ---------------------------------------------------------------- judging


class Seen:
    """What is written of one pass over all judgments, and what was seen of it."""

    def __init__(self, run: Run, labeler: Labeler) -> None:
        self.tally = Tally(run.recipe.max_failed, labeler)
        self._witnesses = witnesses(labeler)

    def add(self, one: Candidates, judgments: Sequence[Judgment], write: Write) -> int:
        """Writes the judgments on one prompt; how many of them failed."""
        for judgment in judgments:
            write(judgment)
        for witness in self._witnesses.values():
            witness.add(one, judgments)
        return self.tally.add(judgments)

    def summary(self) -> dict[str, Any]:
        """What ``run.json`` and the report hold of the stage."""
        return {**self.tally.summary(), **{name: witness.summary() for name, witness in self._witnesses.items()}}


@dataclass
class Aviary:
    """The canaries of a stage: judged beside the labels, written to a file of their own, counted apart."""

    settings: Canaries
    write: Write
    counted: Counts
    usage: Usage = field(default_factory=Usage)
    cost: float = 0.0

    async def examine(self, run: Run, labeler: Labeler, one: Candidates) -> Canary | None:
        """The canary of this prompt, if it was drawn for one."""
        return await examine_canary(self.settings, labeler, one, run.constitution)

    def add(self, canary: Canary) -> float:
        """Writes and counts it; what it cost."""
        self.write(canary)
        self.counted.add(canary)
        self.usage = sum((judgment.usage for judgment in canary.judgments), self.usage)
        cost = sum(judgment.cost_usd for judgment in canary.judgments)
        self.cost += cost
        return cost

    def told(self, summary: dict[str, Any]) -> None:
        """Adds what became of them, and what they cost, to the summary of the stage."""
        summary["canaries"] = self.counted.summary()
        summary["cost_usd"] = round(summary["cost_usd"] + self.cost, 6)
        summary["usage"] = (Usage.model_validate(summary["usage"]) + self.usage).model_dump()


@contextmanager
def _canaries(work: Stage) -> Iterator[Aviary | None]:
    """Where the canaries go, if the recipe has any."""
    settings = work.run.recipe.canaries
    if settings is None:
        yield None
        return
    with writing_jsonl(work.file("canaries.jsonl")) as write:
        yield Aviary(settings, write, Counts())


async def _label(run: Run, labeler: Labeler, given: Given, partial: Path, canaries: Aviary | None) -> Seen:
    """Asks for every judgment, and writes each as soon as it and all before it are there."""
    models = answer_of(labeler, "models")

    async def examine(one: Candidates) -> tuple[tuple[Judgment, ...], Canary | None]:
        if canaries is None:
            return await examined(labeler, one, run.constitution), None
        judgments, canary = await asyncio.gather(
            examined(labeler, one, run.constitution), canaries.examine(run, labeler, one)
        )
        return judgments, canary

    seen = Seen(run, labeler)
    with lines_into(partial) as write, run.progress.stage("label", len(given) or None, "prompts") as bar:
        async with run.stream("label", *models) as stream:
            async for one, (judgments, canary) in stream.map(examine, given, window=window(*models)):
                failed = seen.add(one, judgments, write)
                usd = sum(judgment.cost_usd for judgment in judgments)
                if canaries is not None and canary is not None:
                    usd += canaries.add(canary)
                bar.advance(failed=failed, usd=usd, note=seen.tally.note(stream))
                seen.tally.stop_if_hopeless()
    return seen


def _concluded(run: Run, labeler: Labeler, given: Given, partial: Path) -> Seen | None:
    """Writes the judgments again where the labeler, having seen all of them, says something else."""
    revise = labeler.conclude(lambda: read_jsonl(partial, Judgment))
    if revise is None:
        return None
    seen = Seen(run, labeler)
    revised = map(revise, read_jsonl(partial, Judgment))
    with writing_jsonl(partial) as write:
        for one, judgments in _by_prompt(given, revised):
            seen.add(one, judgments, write)
    return seen


def _by_prompt(
    given: Iterable[Candidates], judgments: Iterator[Judgment]
) -> Iterator[tuple[Candidates, list[Judgment]]]:
    """Each prompt with its judgments, which come in the order of the prompts."""
    following = next(judgments, None)
    for one in given:
        group = []
        while following is not None and following.prompt == one.prompt.id:
            group.append(following)
            following = next(judgments, None)
        yield one, group
