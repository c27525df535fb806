"""Axolotl: ``chat_template`` rows for DPO and SFT, whole conversations for KTO, prompts as TRL has them for GRPO."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from solon.data.records import Demonstration, Message, Preference, Rating, Task
from solon.interchange.conversations import (
    conversation,
    demonstration,
    ends_with,
    is_conversation,
    is_message,
    plain,
    preference,
    rating,
    said_by_assistant,
    said_by_user,
    with_system,
)
from solon.interchange.layouts import trl
from solon.interchange.shapes import (
    ASKED,
    COMPLETION,
    PAIR,
    TURNS,
    Found,
    Holding,
    LeftOut,
    Shape,
    Target,
    Values,
    held_out,
)

NAME = "axolotl"


def _fits_pair(values: Values) -> bool:
    """``chat_template.default``: what is asked in ``messages``, a message or a text in each of the two others."""
    said = values.get("messages")
    asked = ends_with(said, "user") or (isinstance(said, str) and bool(said.strip()))
    return asked and all(is_message(values.get(n)) or isinstance(values.get(n), str) for n in ("chosen", "rejected"))


def _fits_whole(values: Values) -> bool:
    """``chat_template.argilla_chat``: whole conversations in both."""
    return "prompt" not in values and any(s.fits(values) for s in trl.SHAPES if s.holding == "preference")


def _fits_text(values: Values, *columns: str) -> bool:
    return (
        isinstance(values.get("prompt"), str)
        and not is_conversation(values["prompt"])
        and "system" in values
        and all(isinstance(values.get(name), str) for name in columns)
    )


def _prompted(values: Values) -> tuple[Message, ...]:
    return with_system(values, "system", (said_by_user(values["prompt"]),))


def _fits_labelled(values: Values) -> bool:
    """``argilla_chat`` of KTO: the whole conversation in ``completion``."""
    return (
        "prompt" not in values
        and isinstance(values.get("label"), bool)
        and ends_with(values.get("completion"), "assistant")
    )


def _fits_turns(values: Values) -> bool:
    return trl.fits_messages({**values, "messages": values.get("messages", values.get("conversations"))})


def _turns(values: Values) -> Any:
    return values.get("messages", values.get("conversations"))


SHAPES = (
    Shape(
        NAME,
        "preference",
        frozenset({"messages", "chosen", "rejected"}),
        _fits_pair,
        lambda v: preference(conversation(v["messages"]), v["chosen"], v["rejected"]),
        gaps=PAIR | TURNS,
    ),
    Shape(
        NAME,
        "preference",
        frozenset({"chosen", "rejected"}),
        _fits_whole,
        lambda v: preference((), v["chosen"], v["rejected"]),
        gaps=PAIR,
    ),
    Shape(
        NAME,
        "preference",
        frozenset({"prompt", "system", "chosen", "rejected"}),
        lambda v: _fits_text(v, "chosen", "rejected"),
        lambda v: preference(_prompted(v), said_by_assistant(v["chosen"]), said_by_assistant(v["rejected"])),
        gaps=PAIR | ASKED,
    ),
    Shape(
        NAME,
        "unpaired",
        frozenset({"completion", "label"}),
        _fits_labelled,
        lambda v: rating((), v["completion"], v["label"]),
        gaps=COMPLETION,
    ),
    Shape(
        NAME,
        "unpaired",
        frozenset({"prompt", "system", "completion", "label"}),
        lambda v: _fits_text(v, "completion") and isinstance(v.get("label"), bool),
        lambda v: rating(_prompted(v), said_by_assistant(v["completion"]), v["label"]),
        gaps=COMPLETION | ASKED,
    ),
    Shape(
        NAME,
        "sft",
        frozenset({"messages", "conversations"}),
        _fits_turns,
        lambda v: demonstration((), _turns(v)),
        gaps=TURNS,
    ),
    *(replace(shape, layout=NAME) for shape in trl.SHAPES if shape.holding == "prompts"),
)


def _row(found: Found) -> dict[str, Any]:
    record = found.record
    before = plain(record.prompt.messages)
    match record:
        case Preference():
            # its reader looks for the response in the text of the template, and finds an empty one at the beginning
            if not record.chosen.strip() or not record.rejected.strip():
                raise LeftOut("empty_response")
            return {
                "messages": before,
                "chosen": said_by_assistant(record.chosen),
                "rejected": said_by_assistant(record.rejected),
            }
        case Rating():
            return {"completion": [*before, said_by_assistant(record.completion)], "label": record.desirable}
        case Demonstration():
            turns = [*before, said_by_assistant(record.completion)]
            return {"messages": [{**turn, "train": n == len(before)} for n, turn in enumerate(turns)]}
        case Task():
            return trl.row(found)


def _notes(found: Found) -> tuple[str, ...]:
    record = found.record
    texts = (record.chosen, record.rejected) if isinstance(record, Preference) else ()
    return ("spaces",) if any(text != text.strip() for text in texts) else ()


TARGETS: dict[Holding, Target] = {
    "preference": Target({"messages": "conversation", "chosen": "message", "rejected": "message"}, _row, notes=_notes),
    "unpaired": Target({"completion": "conversation", "label": "truth"}, _row),
    "sft": Target({"messages": "marked"}, _row),
    "prompts": trl.TARGETS["prompts"],
}

_KTO = "type: chatml.argilla_chat  # or llama3.argilla_chat: as the model's own template is"
_TYPES: dict[Holding, tuple[str, tuple[str, ...]]] = {
    "preference": (
        "rl: dpo  # or ipo, simpo",
        (
            "type: chat_template.default",
            "field_messages: messages",
            "field_chosen: chosen",
            "field_rejected: rejected",
        ),
    ),
    "unpaired": ("rl: kto", (_KTO,)),
    "sft": ("", ("type: chat_template", "field_messages: messages", "message_field_training: train")),
    "prompts": ("rl: grpo", ()),
}


def needs(files: dict[Holding, list[str]]) -> str:
    """The part of a YAML that a user of Axolotl writes."""
    blocks = []
    for holding, splits in files.items():
        head, keys = _TYPES[holding]
        lines = [head] if head else []
        other = held_out(splits)
        for key, split in (("datasets", splits[0]), *((("test_datasets", other),) if other else ())):
            lines += [f"{key}:", f"  - path: FOLDER/{holding}/{split}.parquet", "    ds_type: parquet"]
            lines += ["    split: train", *(f"    {line}" for line in keys)]
        blocks.append("\n".join(lines))
    body = "\n---\n".join(blocks)
    return f"```yaml\n{body}\n```"
