"""The card of a folder of datasets: what made them, what is in them, what was left out and why, how to load them.

Its front matter is what ``datasets.load_dataset`` reads to find each kind and split. Nothing in it depends on the
moment or the machine: the same datasets have the same card.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import assert_never

from solon.data.building import Counts
from solon.data.front_matter import front_matter
from solon.data.kinds import DROPPED, KINDS, Build, Kind, Side
from solon.data.records import Constitution

_TAGS = ("solon", "constitutional-ai", "rlaif")
_USE = {
    "preference": "DPO, IPO, ORPO, SimPO, reward models",
    "unpaired": "KTO",
    "reward": "regression on the score",
    "sft": "supervised fine-tuning on the response",
}


@dataclass(frozen=True)
class Facts:
    """What made the datasets.

    Attributes:
        constitution: what was judged under.
        labelers: who judged, e.g. ``pairwise:tiny-judge``.
        policies: the models that wrote the responses.
        prompts: the prompts file or hub address; of a path, only the file name is shown.
        settings: how the datasets were built.
        seed: of the split.
    """

    constitution: Constitution
    labelers: tuple[str, ...]
    policies: tuple[str, ...]
    prompts: str
    settings: Build
    seed: int


def card(built: Counts, facts: Facts, columns: Mapping[Kind, Sequence[tuple[str, str]]], folder: Path) -> str:
    """The card as Markdown with YAML front matter.

    Args:
        built: what is in the datasets, in numbers.
        facts: what made them.
        columns: for each kind, the names and meanings of its columns.
        folder: where the datasets are, written to their ends.
    """
    sections = [
        front_matter(_TAGS, _present(built), folder),
        f"# Datasets made under {_inline(facts.constitution.name)}\n",
        _origin(built, facts),
        _rows(built),
        _loading(built),
        _dropped(built),
        _columns(built, columns),
    ]
    return "\n".join(section for section in sections if section)


def _present(built: Counts) -> dict[Kind, dict[Side, int]]:
    """Kinds with rows, and of those the splits with rows."""
    splits = {kind: {split: n for split, n in rows.items() if n} for kind, rows in built.rows.items()}
    return {kind: rows for kind, rows in splits.items() if rows}


def _origin(built: Counts, facts: Facts) -> str:
    constitution, settings = facts.constitution, facts.settings
    where = facts.prompts if facts.prompts.startswith("hf://") else PurePath(facts.prompts).name
    unjudged = f", {built.unjudged:,} of them without a judgment" if built.unjudged else ""
    n = len(constitution.principles)
    name = f"{_inline(constitution.name)}, version {_inline(constitution.version)}"
    limit = f"at most {settings.max_pairs_per_prompt}" if settings.max_pairs_per_prompt else "all"
    lines = [
        f"- Constitution: {name}, `{constitution.id}`, {n} principle{'s' * (n > 1)}",
        f"- Judged by: {_names(facts.labelers)}",
        f"- Responses by: {_names(facts.policies)}",
        f"- Prompts: {_inline(where)}, {built.prompts:,} with responses{unjudged}",
        f"- Split: {settings.held_out:g} of the prompts held out, seed {facts.seed}",
        f"- Kept: margins from {settings.min_margin:g}, {limit} pairs of a prompt",
        f"- Of rated and ranked responses: {_PAIRS[settings.pairs]}",
        f"- Desirable: {_desirable(settings)}",
        f"- Vetoed: scores below {settings.veto_below:g} under a hard principle",
    ]
    return "\n".join(lines) + "\n"


_PAIRS = {"best_against_rest": "each worse one against one of the best", "all": "every pair with a winner"}


def _desirable(settings: Build) -> str:
    low = settings.undesirable_at
    match settings.desirable_by:
        case "score":
            return f"scores from {settings.desirable_at:g}" + ("" if low is None else f", undesirable below {low:g}")
        case "quantile":
            lowest = f", undesirable the lowest {low:.0%}" if low is not None else ""
            return f"all but the lowest {settings.desirable_at:.0%} of the scores{lowest}"
        case _:
            assert_never(settings.desirable_by)


def _rows(built: Counts) -> str:
    counts = built.rows
    lines = ["## Rows\n", "| dataset | for | train | test |", "|---|---|---:|---:|"]
    lines += [f"| {kind} | {_USE[kind]} | {counts[kind]['train']:,} | {counts[kind]['test']:,} |" for kind in KINDS]
    return "\n".join(lines) + "\n"


def _loading(built: Counts) -> str:
    present = _present(built)
    if not present:
        return ""
    calls = [f'{kind} = load_dataset("datasets", "{kind}")' for kind in present]
    lines = [
        "## Loading\n",
        "From the run directory, which holds this folder:\n",
        "```python",
        "from datasets import load_dataset\n",
    ]
    return "\n".join([*lines, *calls, "```"]) + "\n"


def _dropped(built: Counts) -> str:
    lines = [
        "## Left out\n",
        "Pairs of `preference`, responses of `unpaired` and `reward`, prompts or revisions of `sft`.\n",
    ]
    lines += ["| dataset | reason | rows | meaning |", "|---|---|---:|---|"]
    rows = [
        f"| {kind} | {reason} | {built.drops[kind][reason]:,} | {meaning} |"
        for kind in KINDS
        for reason, meaning in DROPPED.items()
        if built.drops[kind].get(reason)
    ]
    return "\n".join([*lines, *rows]) + "\n" if rows else "## Left out\n\nNothing.\n"


def _columns(built: Counts, columns: Mapping[Kind, Sequence[tuple[str, str]]]) -> str:
    def tables() -> Iterator[str]:
        for kind in _present(built):
            yield f"### {kind}\n"
            yield from ["| column | holds |", "|---|---|"]
            yield from (f"| `{name}` | {meaning} |" for name, meaning in columns[kind])
            yield ""

    lines = list(tables())
    return "\n".join(["## Columns\n", *lines]) if lines else ""


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{_inline(name)}`" for name in names) or "not recorded"


def _inline(text: str) -> str:
    """On one line, whatever a name holds."""
    return " ".join(text.replace("`", "'").split())
