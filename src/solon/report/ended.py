"""What a stage leaves when it ends: what was done, what failed, what it cost, and where it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from solon.report.summary import Built, Summary
from solon.report.wording import counted, dollars, reasons


def ended(summary: Summary, run_dir: Path, stage: str) -> str:
    """One line on a stage that is done; empty for one that is not, and for the report, which speaks for itself.

    Args:
        summary: of the run.
        run_dir: where its files are.
        stage: its name.
    """
    done = _done(summary, stage)
    return "" if done is None else f"{stage:<9} {done[0]}: {run_dir / done[1]}"


def _done(summary: Summary, stage: str) -> tuple[str, str] | None:
    """What was done, and the file or folder that holds it."""
    if stage == "sample" and (sampled := summary.sampled) is not None:
        drawn = f"{counted(sampled.completions, 'completion')} of {counted(sampled.prompts, 'prompt')}"
        return f"{drawn}, {_lost(sampled.missing, 'missing')}, {dollars(sampled.cost_usd)}", "candidates.jsonl"
    if stage == "label" and (labeled := summary.labeled) is not None:
        made = f"{counted(labeled.judgments, 'judgment')} by {labeled.labeler}"
        return f"{made}, {_lost(labeled.failed, 'failed')}, {dollars(labeled.cost_usd)}", "judgments.jsonl"
    if stage == "build" and summary.built is not None:
        return _rows(summary.built), "datasets"
    if stage == "train" and (trained := summary.trained) is not None:
        alarms = ", ".join(raised.name for raised in trained.alarms)
        with_what = f"{trained.checkpoint.trainer}{f', alarms: {alarms}' if alarms else ''}"
        return f"{trained.checkpoint.base_model} trained with {with_what}", trained.checkpoint.path
    if stage == "evaluate" and (evaluated := summary.evaluated) is not None:
        measured = f"{counted(len(summary.metrics), 'metric')} on {counted(evaluated.prompts, 'prompt')}"
        return f"{measured}, {dollars(evaluated.cost_usd)}", "evaluation"
    return None


def _lost(by_reason: Mapping[str, int], how: str) -> str:
    lost = sum(by_reason.values())
    return f"{lost:,} {how} ({reasons(by_reason)})" if lost else f"none {how}"


def _rows(built: Built) -> str:
    rows = [f"{name} {split.train:,} train + {split.test:,} test" for name, split in built.datasets.items()]
    return "; ".join(rows) or "no rows"
