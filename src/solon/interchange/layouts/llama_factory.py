"""LLaMA-Factory: ``sharegpt`` and ``alpaca`` rows, and the ``dataset_info.json`` that says which are which."""

from __future__ import annotations

from typing import Any

from solon.data.records import Demonstration, Message, Preference, Rating, Task
from solon.interchange.conversations import (
    Turns,
    alternating,
    checked,
    conversation,
    demonstration,
    ends_with,
    is_conversation,
    is_message,
    plain,
    preference,
    rating,
    said_by_assistant,
    task,
    with_system,
)
from solon.interchange.shapes import (
    INSTRUCTION,
    OUTPUT,
    PAIR,
    TURNS,
    Found,
    Holding,
    LeftOut,
    Shape,
    Target,
    Unreadable,
    Values,
    held_out,
)

NAME = "llama-factory"
INFO = "dataset_info.json"
_LABELS = ("kto_tag", "label")


# ---------------------------------------------------------------- sharegpt: one column of turns


def _turns_column(values: Values) -> str | None:
    return next((name for name in ("conversations", "messages") if is_conversation(values.get(name))), None)


def _turns(values: Values) -> Turns:
    turns = conversation(values[_turns_column(values) or "conversations"])
    return turns if turns and turns[0].role == "system" else with_system(values, "system", turns)


def _label(values: Values) -> str | None:
    return next((name for name in _LABELS if isinstance(values.get(name), bool)), None)


def _fits_pair(values: Values) -> bool:
    column = _turns_column(values)
    return (
        column is not None
        and not ends_with(values[column], "assistant")
        and all(is_message(values.get(name)) for name in ("chosen", "rejected"))
    )


def _fits_labelled(values: Values) -> bool:
    column = _turns_column(values)
    return column is not None and _label(values) is not None and "chosen" not in values


def _fits_turns(values: Values) -> bool:
    column = _turns_column(values)
    others = {"chosen", "prompt", "generations", "completion", "score"}
    return (
        column is not None
        and ends_with(values[column], "assistant")
        and _label(values) is None
        and not others & values.keys()
    )


def _labelled(values: Values) -> Found:
    turns = _turns(values)
    return rating((), plain(turns), values[_label(values) or "label"])


_COLUMNS = frozenset({"conversations", "messages", "system"})

# ---------------------------------------------------------------- alpaca: an instruction


def _instruction(values: Values) -> Turns:
    said = [text for name in ("instruction", "input") if (text := values.get(name))]
    if not all(isinstance(text, str) for text in said):
        raise Unreadable("instruction and input are texts")
    turns: list[Message] = []
    history = values.get("history") or []
    if not isinstance(history, list) or not all(_is_pair(pair) for pair in history):
        raise Unreadable("history is a list of pairs of texts: what was asked, and what was answered")
    for pair in history:
        turns += [Message(role="user", content=checked(pair[0])), Message(role="assistant", content=checked(pair[1]))]
    return with_system(values, "system", (*turns, Message(role="user", content=checked("\n".join(said)))))


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(text, str) for text in value)


def _fits_alpaca(values: Values, *needed: str, label: bool = False) -> bool:
    made = {"output", "chosen", "rejected", "generations", "generation", "messages"}
    return (
        isinstance(values.get("instruction"), str)
        and all(isinstance(values.get(name), str) for name in needed)
        and not (made - set(needed)) & values.keys()
        and (_label(values) is not None) == label
    )


def _learned(values: Values) -> Found:
    return demonstration(_instruction(values), said_by_assistant(values["output"]))


_ALPACA = frozenset({"instruction", "input", "system", "history"})

SHAPES = (
    Shape(
        NAME,
        "preference",
        _COLUMNS | {"chosen", "rejected"},
        _fits_pair,
        lambda v: preference(_turns(v), v["chosen"], v["rejected"]),
        gaps=PAIR | TURNS,
    ),
    Shape(NAME, "unpaired", _COLUMNS | set(_LABELS), _fits_labelled, _labelled, gaps=TURNS),
    Shape(NAME, "sft", _COLUMNS, _fits_turns, lambda v: demonstration((), plain(_turns(v))), gaps=TURNS),
    Shape(
        NAME,
        "preference",
        _ALPACA | {"chosen", "rejected"},
        lambda v: _fits_alpaca(v, "chosen", "rejected"),
        lambda v: preference(_instruction(v), said_by_assistant(v["chosen"]), said_by_assistant(v["rejected"])),
        gaps=PAIR | INSTRUCTION,
    ),
    Shape(
        NAME,
        "unpaired",
        _ALPACA | {"output", *_LABELS},
        lambda v: _fits_alpaca(v, "output", label=True),
        lambda v: rating(_instruction(v), said_by_assistant(v["output"]), v[_label(v) or "label"]),
        gaps=OUTPUT | INSTRUCTION,
    ),
    Shape(NAME, "sft", _ALPACA | {"output"}, lambda v: _fits_alpaca(v, "output"), _learned, gaps=OUTPUT | INSTRUCTION),
    Shape(NAME, "prompts", _ALPACA, _fits_alpaca, lambda v: task(_instruction(v)), gaps=INSTRUCTION),
)

# ---------------------------------------------------------------- written


def _row(found: Found) -> dict[str, Any]:
    record = found.record
    turns = alternating(record.prompt.messages)
    before = plain(record.prompt.messages)
    match record:
        case Preference():
            return {
                "messages": before,
                "chosen": said_by_assistant(record.chosen),
                "rejected": said_by_assistant(record.rejected),
            }
        case Rating():
            if not record.completion:
                raise LeftOut("empty_response")  # its reader takes the empty one of two for what was not said
            return {"messages": [*before, said_by_assistant(record.completion)], "label": record.desirable}
        case Demonstration():
            return {"messages": [*before, said_by_assistant(record.completion)]}
        case Task():
            pairs = [[turns[n].content, turns[n + 1].content] for n in range(0, len(turns) - 1, 2)]
            system = before[0]["content"] if before[0]["role"] == "system" else ""
            return {"instruction": turns[-1].content, "system": system, "history": pairs}


TARGETS: dict[Holding, Target] = {
    "preference": Target({"messages": "conversation", "chosen": "message", "rejected": "message"}, _row),
    "unpaired": Target({"messages": "conversation", "label": "truth"}, _row),
    "sft": Target({"messages": "conversation"}, _row),
    "prompts": Target({"instruction": "text", "system": "text", "history": "history"}, _row),
}

_TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "system_tag": "system",
}
_ENTRIES: dict[Holding, dict[str, Any]] = {
    "preference": {
        "ranking": True,
        "formatting": "sharegpt",
        "columns": {"messages": "messages", "chosen": "chosen", "rejected": "rejected"},
        "tags": _TAGS,
    },
    "unpaired": {
        "formatting": "sharegpt",
        "columns": {"messages": "messages", "kto_tag": "label"},
        "tags": _TAGS,
    },
    "sft": {"formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": _TAGS},
    "prompts": {
        "formatting": "alpaca",
        "columns": {"prompt": "instruction", "system": "system", "history": "history"},
    },
}
_STAGES: dict[Holding, str] = {"preference": "dpo (or rm)", "unpaired": "kto", "sft": "sft", "prompts": "ppo"}


def dataset_info(files: dict[Holding, list[str]]) -> dict[str, Any]:
    """The entries of ``dataset_info.json``, one a file."""
    return {
        f"{holding}_{split}": {"file_name": f"{holding}/{split}.parquet", **_ENTRIES[holding]}
        for holding, splits in files.items()
        for split in splits
    }


def needs(files: dict[Holding, list[str]]) -> str:
    """What a user of LLaMA-Factory writes."""
    blocks = []
    for holding, splits in files.items():
        lines = [f"stage: {_STAGES[holding]}", "dataset_dir: FOLDER", f"dataset: {holding}_{splits[0]}"]
        lines += [f"eval_dataset: {holding}_{other}"] if (other := held_out(splits)) else []
        blocks.append("\n".join(lines))
    body = "\n\n".join(blocks)
    return f"`{INFO}` in the folder holds an entry for each file. In a training's YAML:\n\n```yaml\n{body}\n```"
