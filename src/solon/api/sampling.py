"""Sampling by itself: prompts and a model in, candidates out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from solon.api import given
from solon.api.running import AnyProgress
from solon.api.scratch import LEDGER, NAME, NO_CONSTITUTION, NOBODY, GivenLedger, scratch
from solon.data.artifacts import read_jsonl
from solon.data.records import Candidates, Usage
from solon.data.showing import html_table
from solon.recipe_parts import Sample
from solon.report.wording import counted
from solon.stages.sample import sample as sample_stage

_SHOWN = 10


class Sampled(list[Candidates]):
    """Prompts with their completions, a list.

    Attributes:
        missing: how many completions did not come, by the reason.
        usage: tokens of all completions.
        cost_usd: what they cost, in US dollars; what the ledger answered counts as what it had cost.
    """

    missing: dict[str, int]
    usage: Usage
    cost_usd: float

    def __init__(self, found: Iterable[Candidates], summary: dict[str, Any]) -> None:
        super().__init__(found)
        self.missing = summary["missing"]
        self.usage = Usage.model_validate(summary["usage"])
        self.cost_usd = summary["cost_usd"]

    @property
    def failed(self) -> list[Candidates]:
        """Those that lack a completion."""
        return [one for one in self if one.missing]

    def __repr__(self) -> str:
        completions = sum(len(one.completions) for one in self)
        reasons = "".join(f", {count:,} missing ({reason})" for reason, count in self.missing.items())
        lines = [f"{counted(completions, 'completion')} of {counted(len(self), 'prompt')}{reasons}"]
        lines += [f"  {one!r}" for one in self[:_SHOWN]]
        return "\n".join([*lines, *(["  ..."] if len(self) > _SHOWN else [])])

    def _repr_html_(self) -> str:
        rows = [(one.prompt.text, "\n".join(each.text for each in one.completions)) for one in self[:_SHOWN]]
        return html_table(("prompt", "completions"), rows, repr(self).partition("\n")[0])


def sample(
    prompts: given.GivenPrompts,
    model: given.GivenModel,
    *,
    n: int = 4,
    temperature: float = 1.0,
    top_p: float = 1.0,
    max_tokens: int = 512,
    seed: int = 0,
    ledger: GivenLedger = LEDGER,
    max_usd: float | None = None,
    max_failed: float = 0.25,
    name: str = NAME,
    progress: AnyProgress = True,
) -> Sampled:
    """Draws ``n`` completions of each prompt, as ``solon sample``.

    Args:
        prompts: a path or ``hf://`` address, or a list of texts, conversations, mappings or ``Prompt``.
        model: a folder or hub id, a mapping (with ``kind`` a chat model of that kind), an instance, or a
            ``Checkpoint``.
        n: completions a prompt.
        temperature, top_p: how they are drawn; a temperature of 0 is greedy.
        max_tokens: the longest completion.
        seed: each completion's own is made of it.
        ledger: where replies are looked up and kept, so that the same call asks nobody again; ``None`` forgets.
        max_usd: cap on what all calls of this ``name`` on this ledger may spend, in US dollars.
        max_failed: the share of completions that may be missing, in [0, 1].
        name: stands beside each reply in the ledger, and names the budget.
        progress: whether bars are shown, or where.

    Raises:
        DataError, RecipeError: what was given cannot be used; nothing was asked.
        StageIncomplete: more is missing than ``max_failed`` allows. What came is in the ledger.
        BudgetReached: the next request could pass ``max_usd``.
        KeyboardInterrupt: Ctrl-C; the same call goes on.
    """
    asked, found = given.model(model), given.read_prompts(prompts)
    values = {"n": n, "temperature": temperature, "top_p": top_p, "max_tokens": max_tokens}
    settings = given.read_settings(Sample, values, "sample").model_copy(update={"model": asked})
    with scratch(
        constitution=NO_CONSTITUTION,
        ledger=ledger,
        name=name,
        progress=progress,
        needs=[asked],
        prompts=found,
        label=NOBODY,
        sample=settings,
        seed=seed,
        max_usd=max_usd,
        max_failed=max_failed,
    ) as run:
        sample_stage(run)
        return Sampled(read_jsonl(run.path / "candidates.jsonl", Candidates), run.directory.summary("sample"))
