"""Named facts about data and cost, one line each: the same lines in the terminal and in Markdown."""

from __future__ import annotations

from dataclasses import dataclass

from solon.data.records import Usage
from solon.report.summary import Summary
from solon.report.tables import Fact
from solon.report.wording import counted, dollars, reasons, tokens


@dataclass(frozen=True)
class Cost:
    """What one stage used."""

    stage: str
    usage: Usage
    usd: float


def data_facts(summary: Summary) -> list[Fact]:
    """How many prompts became how many rows, and what was dropped on the way."""
    facts = []
    if (sampled := summary.sampled) is not None:
        done = f"{counted(sampled.completions, 'completion')} for {counted(sampled.prompts, 'prompt')}"
        if sampled.duplicates:
            done += f", {counted(sampled.duplicates, 'duplicate')} of them dropped"
        if missing := sum(sampled.missing.values()):
            done += f"; {counted(missing, 'completion')} missing ({reasons(sampled.missing)})"
        facts.append(Fact("sampled", done))
    if given := given_candidates(summary):
        facts.append(Fact("given", given))
    if (built := summary.built) is not None:
        rows = [f"{name} {split.train:,} train + {split.test:,} test" for name, split in built.datasets.items()]
        facts.append(Fact("built", "; ".join(rows) or "no rows"))
        for name in built.datasets:
            if dropped := sum(built.dropped.get(name, {}).values()):
                why = reasons(built.dropped[name])
                facts.append(Fact("dropped", f"{counted(dropped, f'{name} row')} ({why})"))
        if built.unjudged:
            facts.append(Fact("unjudged", counted(built.unjudged, "prompt")))
    return facts


def given_candidates(summary: Summary) -> str:
    """What a run began with that had its completions already; empty for one that sampled them."""
    labeled = summary.labeled
    if summary.sampled is not None or labeled is None or not labeled.prompts:
        return ""
    dropped = f"; {counted(labeled.duplicates, 'duplicate')} dropped" if labeled.duplicates else ""
    whose = "its" if labeled.prompts == 1 else "their"
    return f"{counted(labeled.prompts, 'prompt')} with {whose} completions{dropped}"


def costs(summary: Summary) -> list[Cost]:
    """What each stage that asks models used."""
    rewarded = summary.trained if summary.trained is not None and summary.trained.usage != Usage() else None
    stages = (
        ("sample", summary.sampled),
        ("label", summary.labeled),
        ("train", rewarded),
        ("evaluate", summary.evaluated),
    )
    return [Cost(name, stage.usage, stage.cost_usd) for name, stage in stages if stage is not None]


def cost_facts(summary: Summary) -> list[Fact]:
    """Money and tokens of all stages together."""
    spent = costs(summary)
    if not spent:
        return []
    return [Fact("cost", f"{dollars(sum(each.usd for each in spent))}; tokens {tokens(total(spent))}")]


def total(spent: list[Cost]) -> Usage:
    """The tokens of all stages together."""
    return sum((each.usage for each in spent), start=Usage())
