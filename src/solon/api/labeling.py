"""Labeling by itself: candidates, a constitution and a labeler in, judgments out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from solon.api import given
from solon.api.running import AnyProgress
from solon.api.scratch import LEDGER, NAME, GivenLedger, scratch
from solon.data.artifacts import read_jsonl
from solon.data.records import Candidates, Completion, Constitution, Failed, Judgment, Revised, Scored, Usage
from solon.data.showing import html_table
from solon.labelers.base import Labeler
from solon.report.wording import counted
from solon.screen import visible
from solon.stages.label import candidates as candidates_of
from solon.stages.label import label as label_stage

_SHOWN = 10


class Labeled(list[Judgment]):
    """Judgments, a list, with what they are about.

    Attributes:
        candidates: what was judged; what a judgment names by its ids is among them.
        constitution: what it was judged under.
        labeler: who judged.
        summary: the counts of the stage: ``failed`` by reason, how far both orders agree, and so on.
        cost_usd: what the judgments cost, in US dollars; what the ledger answered counts as what it had cost.
    """

    candidates: list[Candidates]
    constitution: Constitution
    labeler: Labeler
    summary: dict[str, Any]

    def __init__(
        self,
        judgments: Iterable[Judgment],
        candidates: Sequence[Candidates],
        constitution: Constitution,
        labeler: Labeler,
        summary: Mapping[str, Any],
    ) -> None:
        super().__init__(judgments)
        self.candidates, self.constitution = list(candidates), constitution
        self.labeler, self.summary = labeler, dict(summary)

    @property
    def failed(self) -> list[Judgment]:
        """Those that are no verdict: each says why, and what the judge said instead."""
        return [one for one in self if isinstance(one.outcome, Failed)]

    @property
    def cost_usd(self) -> float:
        """What all of them cost, in US dollars."""
        return float(self.summary["cost_usd"])

    @property
    def usage(self) -> Usage:
        """The tokens of all of them."""
        return Usage.model_validate(self.summary["usage"])

    def about(self, judgment: Judgment) -> tuple[Candidates, tuple[Completion, ...]]:
        """The prompt that a judgment is on, and the completions in the order in which the judge saw them.

        Raises:
            KeyError: it is not one of these.
        """
        prompts = {one.prompt.id: one for one in self.candidates}
        found = prompts[judgment.prompt]
        options = {one.id: one for one in found.completions}
        return found, tuple(options[name] for name in judgment.options)

    def __repr__(self) -> str:
        lines = [self._headline(), *(f"  {one!r}" for one in self[:_SHOWN])]
        return visible("\n".join([*lines, *(["  ..."] if len(self) > _SHOWN else [])]))

    def _headline(self) -> str:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in self.summary["failed"].items())
        cost = f", ${self.cost_usd:,.2f}" if self.cost_usd else ""
        failed = f"{len(self.failed):,} failed" + (f" ({reasons})" if reasons else "")
        return f"{counted(len(self), 'judgment')} by {self.summary['labeler']}, {failed}{cost}"

    def _repr_html_(self) -> str:
        prompts = {one.prompt.id: one for one in self.candidates}
        texts = {each.id: each.text for one in self.candidates for each in one.completions}
        rows = [
            (
                prompts[one.prompt].prompt.text if one.prompt in prompts else one.prompt,
                "\n\n".join(texts.get(name, name) for name in one.options),
                _verdict(one),
                ", ".join(one.principles),
                one.rationale or "",
            )
            for one in self[:_SHOWN]
        ]
        return html_table(("prompt", "shown", "verdict", "under", "rationale"), rows, self._headline())


def _verdict(judgment: Judgment) -> str:
    match judgment.outcome:
        case Scored(scores=scores):
            return ", ".join(f"{score:.2f}" for score in scores)
        case Failed(reason=reason):
            return f"failed: {reason}"
        case Revised(completion=completion):
            return completion.text


def label(
    candidates: given.GivenCandidates,
    constitution: given.GivenConstitution,
    labeler: given.GivenLabeler,
    *,
    ledger: GivenLedger = LEDGER,
    max_usd: float | None = None,
    max_failed: float = 0.25,
    name: str = NAME,
    progress: AnyProgress = True,
) -> Labeled:
    """Judges completions under a constitution, as ``solon label``.

    Args:
        candidates: a path or ``hf://`` address, or a list of ``Candidates`` or mappings such as
            ``{"prompt": ..., "responses": [...]}``; those of one prompt are judged together.
        constitution: a path or an installed name, a ``Constitution``, or a list of texts, each a principle.
        labeler: a name, a mapping as under ``label`` in a recipe, or an instance.
        ledger: where replies are looked up and kept, so that the same call asks nobody again; ``None`` forgets.
        max_usd: cap on what all calls of this ``name`` on this ledger may spend, in US dollars.
        max_failed: the share of judgments that may fail, in [0, 1]; those that failed are under ``failed``.
        name: stands beside each reply in the ledger, and names the budget.
        progress: whether bars are shown, or where.

    Raises:
        ConstitutionError, DataError, RecipeError: what was given cannot be used; nothing was asked.
        StageIncomplete: more failed than ``max_failed`` allows; says what the judge said. What came is in the ledger.
        BudgetReached: the next request could pass ``max_usd``.
        KeyboardInterrupt: Ctrl-C; the same call goes on.
    """
    principles, judge = given.read_constitution(constitution), given.labeler(labeler)
    if isinstance(candidates, str | Path):
        given.refuse_text(candidates, "candidates")
        source: str | Path | list[Candidates] = candidates
    else:
        source = given.candidates(candidates)
    with scratch(
        constitution=principles,
        ledger=ledger,
        name=name,
        progress=progress,
        needs=[judge],
        candidates=source,
        label=judge,
        max_usd=max_usd,
        max_failed=max_failed,
    ) as run:
        label_stage(run)
        judgments = read_jsonl(run.path / "judgments.jsonl", Judgment)
        return Labeled(judgments, list(candidates_of(run)), principles, judge, run.directory.summary("label"))
