"""The model card of an export: what it is, under which constitution, from which data, how, and what was measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml

from solon.report.markdown import escaped, fenced
from solon.report.rows import Row, rows
from solon.report.summary import Summary, Trained
from solon.report.text import excerpt, one_line, shorten_paths
from solon.report.wording import label, p_value, with_interval

Form = Literal["full", "lora", "merged"]
_RECIPE = 20_000  # characters
_WHAT: dict[Form, str] = {
    "full": "all of its weights",
    "lora": "a LoRA adapter to be put on top of it",
    "merged": "its weights with the trained LoRA adapter added into them",
}
LOADERS = {
    "CAUSAL_LM": "AutoModelForCausalLM",
    "SEQ_2_SEQ_LM": "AutoModelForSeq2SeqLM",
    "SEQ_CLS": "AutoModelForSequenceClassification",
}
"""The class of transformers that loads a model, by what PEFT calls its task."""


def export_card(summary: Summary, trained: Trained, *, form: Form, task: str, on_hub: bool, licence: str | None) -> str:
    """Markdown with the front matter that model hubs read. No time, no absolute path: the same run, the same card.

    Args:
        summary: of the run.
        trained: its training.
        form: what the folder holds.
        task: a key of ``LOADERS``.
        on_hub: whether the base is a hub id; otherwise a folder, of which only the name is written.
        licence: of the base; ``None`` where it is not known.
    """
    checkpoint = trained.checkpoint
    base = checkpoint.base_model if on_hub else Path(checkpoint.base_model).name
    front: dict[str, Any] = {
        "library_name": "peft" if form == "lora" else "transformers",
        "tags": ["solon", checkpoint.trainer, *(["lora"] if form == "lora" else [])],
        **({"license": licence} if licence else {}),
        **({"base_model": base} if on_hub else {}),
    }
    sections = [
        f"---\n{yaml.safe_dump(front, sort_keys=True).rstrip()}\n---",
        f"# {escaped(summary.name)}, trained with {escaped(checkpoint.trainer)}",
        f"The base is `{one_line(base, 200)}`; this folder holds {_WHAT[form]}.",
        f"Made by solon {escaped(summary.solon)}.",
        f"## Load it\n\n{fenced(_loading(base, form, task), 'python')}",
        _constitution(summary),
        f"## Data\n\n{_data(summary, trained)}",
        f"## Measured\n\n{_measured(rows(summary.metrics))}",
        f"## Training\n\n{_training(trained)}",
        f"## Recipe\n\n{_recipe(summary)}",
        f"## Licence\n\n{_licence(licence)}",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _loading(base: str, form: Form, task: str) -> str:
    loader, options = LOADERS[task], ", num_labels=1" if task == "SEQ_CLS" else ""
    here = 'from_pretrained("this/folder")'
    if form != "lora":
        lines = [f"from transformers import {loader}, AutoTokenizer", "", f"model = {loader}.{here}"]
    else:
        lines = [
            "from peft import PeftModel",
            f"from transformers import {loader}, AutoTokenizer",
            "",
            f"base = {loader}.from_pretrained({json.dumps(base)}{options})",
            'model = PeftModel.from_pretrained(base, "this/folder")',
        ]
    return "\n".join([*lines, f"tokenizer = AutoTokenizer.{here}"])


def _constitution(summary: Summary) -> str:
    it = summary.constitution
    if it is None:
        return ""
    principles = ", ".join(escaped(principle.id) for principle in it.principles)
    name = f"{escaped(it.name)}, version {escaped(it.version)}, id `{it.id}` (of its principles and rating scale)"
    return f"## Constitution\n\n{name}.\n\nIts principles: {principles}."


def _data(summary: Summary, trained: Trained) -> str:
    sizes = summary.built.datasets.items() if summary.built is not None else ()
    built = [f"{name} {split.train:,} to learn from, {split.test:,} held out" for name, split in sizes]
    rows_of = f" Rows that were built: {'; '.join(built)}." if built else ""
    return f"Dataset `{trained.checkpoint.dataset}`, the hash of its files.{rows_of}"


def _measured(table: Sequence[Row]) -> str:
    if not table:
        return "It has not been evaluated."
    lines = ["| metric | before [95%] | after [95%] | test | n |", "|---|---|---|---|--:|"]
    for row in table:
        after = row.pair if row.after is None else row.after
        cells = (
            label(row.name),
            with_interval(row.before),
            with_interval(after),
            p_value(row.p_value),
            f"{row.metrics[-1].n:,}",
        )
        lines.append(f"| {' | '.join(map(escaped, cells))} |")
    return "\n".join(["On prompts held out from training.", "", *lines])


def _training(trained: Trained) -> str:
    numbers = trained.checkpoint.metrics
    moved, every = numbers.get("parameters/trainable"), numbers.get("parameters/all")
    share = [f"{moved:,.0f} of {every:,.0f} parameters were trained."] if moved and every else []
    last = [(key, f"{value:.4g}") for key, value in numbers.items() if not key.startswith("parameters/")]
    lines = ["| last logged | value |", "|---|---|", *(f"| {escaped(key)} | {value} |" for key, value in last)]
    return "\n\n".join([*share, *(["\n".join(lines)] if last else [])]) or "Nothing was logged."


def _recipe(summary: Summary) -> str:
    versions = ", ".join(
        f"{one_line(name, 40)} {one_line(text, 40)}" for name, text in sorted(summary.versions.items())
    )
    said = f"Seed {summary.seed}" + (f"; {escaped(versions)}." if versions else ".")
    text = excerpt(shorten_paths(summary.recipe), _RECIPE).rstrip("\n")
    return f"{said}\n\n{fenced(text, 'yaml')}" if text else said


def _licence(licence: str | None) -> str:
    if licence is None:
        return "The licence of the base is not known here; it holds for what is made of the base too."
    return f"The base is under `{one_line(licence, 80)}`, which holds for what is made of it too."
