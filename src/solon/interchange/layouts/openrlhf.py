"""OpenRLHF: conversations under its ``--data.*_key`` options, with ``--data.apply_chat_template``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from solon.data.records import Demonstration, Preference, Task
from solon.interchange.conversations import (
    demonstration,
    margin,
    plain,
    said_by_assistant,
    said_by_user,
    task,
)
from solon.interchange.layouts import trl
from solon.interchange.shapes import OUTPUT, Found, Holding, LeftOut, Shape, Target, Values, held_out

NAME = "openrlhf"


def _texts(values: Values, *columns: str) -> bool:
    return all(isinstance(values.get(name), str) for name in columns)


def _sft(values: Values) -> Found:
    return demonstration((said_by_user(values["input"]),), said_by_assistant(values["output"]), notes=("texts",))


def _prompts(values: Values) -> Found:
    return task((said_by_user(values["input"]),), reference=values.get("label"), notes=("texts",))


def _pair(values: Values) -> Found:
    """A pair with its ``margin``, which in rows that solon has written is that of its label."""
    found, clear = trl.read_preference(values), margin(values, "margin")
    if clear is None:
        return found
    return found._replace(record=found.record.model_copy(update={"margin": clear}), said=found.said | {"label_margin"})


def _fits_sft(values: Values) -> bool:
    return _texts(values, "input", "output") and "instruction" not in values


def _fits_prompts(values: Values) -> bool:
    return _texts(values, "input") and not {"instruction", "output", "chosen", "completion"} & values.keys()


_INPUT = {"input": "empty_prompt"}
SHAPES = (
    Shape(NAME, "sft", frozenset({"input", "output"}), _fits_sft, _sft, gaps=OUTPUT | _INPUT),
    Shape(NAME, "prompts", frozenset({"input", "label"}), _fits_prompts, _prompts, gaps=_INPUT),
    # under its options any column may hold them: TRL's names are those that solon writes
    *(replace(shape, layout=NAME) for shape in trl.SHAPES if shape.holding in ("sft", "prompts")),
    *(
        replace(shape, layout=NAME, columns=shape.columns | {"margin"}, read=_pair, only_named=True)
        for shape in trl.SHAPES
        if shape.holding == "preference"
    ),
)


def _row(found: Found) -> dict[str, Any]:
    record = found.record
    prompt = {"prompt": plain(record.prompt.messages)}
    match record:
        case Preference():
            said = "label_margin" in found.said
            return {
                **prompt,
                "chosen": [said_by_assistant(record.chosen)],
                "rejected": [said_by_assistant(record.rejected)],
                "margin": record.margin if said else None,
            }
        case Demonstration():
            if not record.completion.strip():
                raise LeftOut("empty_response")
            return {**prompt, "completion": [said_by_assistant(record.completion)]}
        case Task():
            if any("<image>" in turn.content for turn in record.prompt.messages):
                raise LeftOut("image_mark")
            return {**prompt, "reference": record.prompt.reference}
        case _:
            raise AssertionError(record)


TARGETS: dict[Holding, Target] = {
    "preference": Target(
        {**dict.fromkeys(("prompt", "chosen", "rejected"), "conversation"), "margin": "number"},
        _row,
        frozenset({"label_margin"}),
    ),
    "sft": Target({"prompt": "conversation", "completion": "conversation"}, _row),
    "prompts": Target({"prompt": "conversation", "reference": "text"}, _row, frozenset({"reference"})),
}

_PAIR = "--data.prompt_key prompt --data.chosen_key chosen --data.rejected_key rejected"
_KEYS: dict[Holding, tuple[str, str]] = {
    "preference": ("openrlhf.cli.train_dpo (or train_rm)", _PAIR),
    "sft": ("openrlhf.cli.train_sft", "--data.input_key prompt --data.output_key completion"),
    "prompts": ("openrlhf.cli.train_ppo_ray", "--data.input_key prompt --data.label_key reference"),
}


def needs(files: dict[Holding, list[str]]) -> str:
    """What a user of OpenRLHF writes on its command line."""
    blocks = []
    for holding, splits in files.items():
        command, keys = _KEYS[holding]
        data = "--data.prompt_dataset" if holding == "prompts" else "--data.dataset"
        lines = [f"# python -m {command}", f"{data} FOLDER/{holding}/{splits[0]}.parquet"]
        if other := held_out(splits):
            lines += [f"--eval.dataset FOLDER/{holding}/{other}.parquet --eval.split train"]
        blocks.append("\n".join([*lines, keys, "--data.apply_chat_template"]))
    said = (
        "\n\n`margin` is read by `train_rm` alone, where `--model.margin_loss_enable` is set."
        if "preference" in files
        else ""
    )
    return "```sh\n" + "\n\n".join(blocks) + "\n```" + said
