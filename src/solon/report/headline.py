"""The sentence a report opens with: what changed, by how much, on how many prompts."""

from __future__ import annotations

from collections.abc import Sequence

from solon.report.rows import Row, rows
from solon.report.summary import Summary, Trained
from solon.report.wording import counted, label, listed, lower_first, number

FIRST = ("compliance", "win_rate", "rating", "toxicity", "unsafe", "accuracy")
"""Metrics that lead, what weighs most first."""


def headline(summary: Summary) -> str:
    """One or two clauses on the furthest stage that was run."""
    table = rows(summary.metrics)
    if table:
        return _evaluated(table)
    if summary.trained is not None and summary.graded:
        return f"Trained with {summary.trained.checkpoint.trainer.upper()}; its answers are there to be graded."
    if summary.trained is not None:
        return _trained(summary.trained)
    if summary.built is not None:
        datasets = [counted(split.train + split.test, f"{name} row") for name, split in summary.built.datasets.items()]
        return f"{listed(datasets) or 'No rows at all'} built; nothing is trained yet."
    if summary.labeled is not None:
        return f"{counted(summary.labeled.judgments, 'judgment')} made; no dataset is built yet."
    if summary.sampled is not None:
        done = counted(summary.sampled.completions, "completion")
        return f"{done} sampled for {counted(summary.sampled.prompts, 'prompt')}; nothing is labeled yet."
    return "Nothing has been run yet."


def _trained(trained: Trained) -> str:
    if trained.gives != "reward model":
        return f"Trained with {trained.checkpoint.trainer.upper()}; not evaluated yet."
    accuracy = trained.checkpoint.metrics.get("eval_accuracy")  # no stage measures one: training itself did
    if accuracy is None:
        return "Trained a reward model; no pairs were held out to measure it on."
    share = number(accuracy, "share")
    return f"Trained a reward model, which prefers the better response in {share} of held-out pairs."


def _evaluated(table: Sequence[Row]) -> str:
    main = min(table, key=lambda row: (FIRST.index(row.base) if row.base in FIRST else len(FIRST), row.part))
    second = next((row for row in table if row.base == "accuracy" and row is not main), None)
    clauses = [_main(main)] + ([_second(second)] if second is not None and second.change is not None else [])
    return "; ".join(clauses) + "."


def _main(row: Row) -> str:
    n = row.metrics[-1].n
    if row.before is None or row.after is None:
        metric = row.metrics[-1]
        if row.base == "win_rate":
            chance = ", which may be chance" if row.verdict == "unclear" else ""
            return f"{label(row.name)} is {number(metric.value)} on {n:,} held-out prompts, ties half{chance}"
        return f"{label(row.name)} is {number(metric.value, metric.unit)} on {n:,} {_items(row)}"
    before, after = number(row.before.value, row.unit), number(row.after.value, row.unit)
    on = f"{'of' if row.unit == 'share' and not row.of_groups else 'on'} {row.after.n:,} {_items(row)}"
    return f"{label(row.name)} {_moved(row, before, after)} {on}"


def _second(row: Row) -> str:
    assert row.before is not None
    assert row.after is not None
    before, after = number(row.before.value, row.unit), number(row.after.value, row.unit)
    chance = " (within chance)" if row.verdict == "unclear" and before != after else ""
    return f"{lower_first(label(row.name))} {_went(before, after)}{chance}"


def _moved(row: Row, before: str, after: str) -> str:
    if row.verdict == "unclear":
        return f"{_went(before, after)} (within chance)"
    return f"{'rose' if (row.change or 0) > 0 else 'fell'} from {before} to {after}"


def _went(before: str, after: str) -> str:
    return f"stayed at {after}" if before == after else f"went from {before} to {after}"


def _items(row: Row) -> str:
    return "groups of answers" if row.of_groups else "held-out prompts"
