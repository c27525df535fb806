"""The model card of a checkpoint: what it is, what made it, how to load it. The same training writes the same card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml

from solon.data.records import Checkpoint
from solon.trainers.base import Gives

_LOADED = {
    "AutoModelForCausalLM": "text-generation",
    "AutoModelForSeq2SeqLM": "text2text-generation",
    "AutoModelForSequenceClassification": "text-classification",
}
"""The class of transformers that loads a model, and what model hubs call its task."""


def model_card(
    checkpoint: Checkpoint,
    *,
    on_hub: bool,
    settings: Mapping[str, Any],
    rows: Mapping[str, int],
    seed: int,
    versions: Mapping[str, str],
    gives: Gives = "policy",
    apart: bool = False,
) -> str:
    """Markdown with the front matter that model hubs read. No time, no absolute path.

    Args:
        checkpoint: what was trained.
        on_hub: whether its base is a hub id; otherwise a folder, of which only the name is written.
        settings: the trainer's, with ``kind``.
        rows: how many rows each split of the dataset has.
        seed: of shuffling and initialisation.
        versions: of the packages that trained it.
        gives: what the checkpoint is.
        apart: whether it is an encoder-decoder, which reads the prompt apart from the reply.
    """
    kind, form = checkpoint.trainer, checkpoint.form
    name = checkpoint.base_model if on_hub else Path(checkpoint.base_model).name
    front: dict[str, Any] = {
        "library_name": "transformers" if form == "full" else "peft",
        "pipeline_tag": _LOADED[_model(gives, apart=apart)],
        "tags": ["solon", kind, *(["lora"] if form == "lora" else [])],
    }
    if on_hub:
        front["base_model"] = name
    what = "all of its weights" if form == "full" else "a LoRA adapter to be put on top of it"
    if gives == "reward model":
        what += ", with a head that gives one number for a conversation: higher is better"
    chosen = [
        (key, json.dumps(value)) for key, value in settings.items() if key not in ("kind", "alarms")
    ]  # no weight depends on an alarm
    splits = ", ".join(f"{count} {split}" for split, count in rows.items())
    return "\n".join(
        [
            "---",
            yaml.safe_dump(front, sort_keys=True).rstrip(),
            "---",
            "",
            f"# {Path(name).name}, trained with {kind}",
            "",
            f"The base is `{name}`; this folder holds {what}. Made by solon.",
            "",
            "## Load it",
            "",
            "```python",
            *_loading(name, form, _model(gives, apart=apart)),
            "```",
            "",
            "## How it was trained",
            "",
            f"Dataset `{checkpoint.dataset}` ({splits} rows), seed {seed}, "
            + ", ".join(f"{package} {version}" for package, version in versions.items())
            + ".",
            "",
            *_table(("setting", "value"), chosen),
            "",
            "## The last logged numbers",
            "",
            "`eval_` numbers are of prompts held out from training; `metrics.jsonl` has every step.",
            "",
            *_table(("metric", "value"), [(key, f"{value:.4g}") for key, value in checkpoint.metrics.items()]),
            "",
        ]
    )


def _model(gives: Gives, *, apart: bool) -> str:
    if gives == "reward model":
        return "AutoModelForSequenceClassification"
    return "AutoModelForSeq2SeqLM" if apart else "AutoModelForCausalLM"


def _loading(base: str, form: Literal["full", "lora"], model: str) -> list[str]:
    if form == "full":
        return [
            f"from transformers import {model}, AutoTokenizer",
            "",
            f'model = {model}.from_pretrained("this/folder")',
            'tokenizer = AutoTokenizer.from_pretrained("this/folder")',
        ]
    options = ", num_labels=1" if model == "AutoModelForSequenceClassification" else ""
    return [
        "from peft import PeftModel",
        f"from transformers import {model}, AutoTokenizer",
        "",
        f"base = {model}.from_pretrained({json.dumps(base)}{options})",
        'model = PeftModel.from_pretrained(base, "this/folder")',
        'tokenizer = AutoTokenizer.from_pretrained("this/folder")',
    ]


def _table(header: tuple[str, str], rows: list[tuple[str, str]]) -> list[str]:
    return [f"| {header[0]} | {header[1]} |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows)]
