"""Named facts about labels, data and cost, one line each: the same lines in the terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from solon.data.records import Usage
from solon.report.rows import of_judges
from solon.report.summary import Summary
from solon.report.text import one_line
from solon.report.wording import counted, dollars, label, lower_first, number, share, span, tokens


@dataclass(frozen=True)
class Fact:
    """A name and what there is to say of it, as plain visible text."""

    name: str
    text: str


@dataclass(frozen=True)
class Cost:
    """What one stage used."""

    stage: str
    usage: Usage
    usd: float


def label_facts(summary: Summary) -> list[Fact]:
    """What labeled, and how far it can be trusted."""
    facts = []
    if (labeled := summary.labeled) is not None:
        failed = sum(labeled.failed.values())
        why = f" ({reasons(labeled.failed)})" if failed else ""
        counts = f"{counted(labeled.judgments, 'judgment')}, {failed:,} failed{why}"
        facts.append(Fact("labeled by", f"{one_line(labeled.labeler, 80)}: {counts}"))
        # where an evaluator measured it, its number with its interval follows below
        if labeled.pairs and all(metric.name != "order_consistency" for metric in summary.metrics):
            alike = share(labeled.consistent, labeled.pairs)
            order = f"{alike} of {counted(labeled.pairs, 'pair')} judged alike in both orders"
            first = labeled.first_slot_wins
            slot = f"; the first shown wins {number(first)}" if first is not None else ""
            facts.append(Fact("order", order + slot))
    for metric in of_judges(summary.metrics):
        interval = f" [{span(metric)}]" if span(metric) else ""
        failed_too = f" (+{metric.failed:,} failed)" if metric.failed else ""
        # evaluators name the interval first and then what else there is to say
        note = one_line(metric.method.partition("; ")[2], 100)
        value = number(metric.value, metric.unit)
        text = f"{value}{interval} on {metric.n:,}{failed_too}{f', {note}' if note else ''}"
        name, _, part = lower_first(label(metric.name)).partition(": ")
        facts.append(Fact("examiner", f"{name} in {part}: {text}") if metric.of == "pair" else Fact(name, text))
    return facts


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


def costs(summary: Summary) -> list[Cost]:
    """What each stage that asks models used."""
    stages = (("sample", summary.sampled), ("label", summary.labeled), ("evaluate", summary.evaluated))
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


def reasons(counts: Mapping[str, int]) -> str:
    """Counts with their reasons, most frequent first: ``200 tie order, 12 identical``."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {one_line(reason, 80).replace('_', ' ')}" for reason, count in ordered if count)
