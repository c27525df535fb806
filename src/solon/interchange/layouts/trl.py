"""TRL: ``prompt`` with ``chosen`` and ``rejected`` or ``completion``, conversational or as texts, and ``messages``."""

from __future__ import annotations

from typing import Any

from solon.data.records import Demonstration, Preference, Rating, Task
from solon.interchange.conversations import (
    begins_with,
    conversation,
    demonstration,
    ends_with,
    is_conversation,
    is_whole,
    plain,
    preference,
    rating,
    said_by_assistant,
    task,
)
from solon.interchange.shapes import (
    ASKED,
    COMPLETION,
    PAIR,
    TURNS,
    Found,
    Holding,
    Shape,
    Target,
    Values,
    held_out,
)

NAME = "trl"
_JUDGED = {"chosen", "rejected", "completion", "messages", "label", "score", "output", "response", "responses"}


def _same_kind(values: Values, *columns: str) -> bool:
    """Whether all hold conversations, or all hold texts: TRL mixes neither."""
    kinds = {is_conversation(values.get(name)) or isinstance(values.get(name), str) for name in columns}
    return kinds == {True} and len({is_conversation(values[name]) for name in columns}) == 1


def _notes(values: Values) -> tuple[str, ...]:
    return () if is_conversation(values["prompt"]) else ("texts",)


def _fits_preference(values: Values) -> bool:
    if "prompt" in values:
        return _same_kind(values, "prompt", "chosen", "rejected") and (_continues(values) or not _whole(values))
    return _whole(values) and "messages" not in values


def _whole(values: Values) -> bool:
    """Whether the responses come with what they answer."""
    return is_whole(values.get("chosen")) and is_whole(values.get("rejected"))


def _continues(values: Values) -> bool:
    """Whether the responses are several turns that go on from the prompt."""
    return all(begins_with(values[name], "assistant") for name in ("chosen", "rejected"))


def read_preference(values: Values) -> Found:
    """A pair, without a word on how clear it is: a margin is in a scale of its own."""
    turns = conversation(values["prompt"]) if "prompt" in values else ()
    return preference(turns, values["chosen"], values["rejected"], notes=_notes(values) if turns else ())


def _fits_completion(values: Values, *, label: bool) -> bool:
    return ("label" in values) == label and "score" not in values and _same_kind(values, "prompt", "completion")


def _unpaired(values: Values) -> Found:
    return rating(conversation(values["prompt"]), values["completion"], values["label"], notes=_notes(values))


def _sft(values: Values) -> Found:
    return demonstration(conversation(values["prompt"]), values["completion"], notes=_notes(values))


def _prompts(values: Values) -> Found:
    return task(
        conversation(values["prompt"]),
        reference=values.get("reference"),
        topic=values.get("topic"),
        notes=_notes(values),
    )


def fits_messages(values: Values) -> bool:
    """Whether a row is a conversation that ends with the response to learn, and nothing else that was judged."""
    return ends_with(values.get("messages"), "assistant") and not _JUDGED & values.keys() - {"messages"}


def fits_prompt_alone(values: Values) -> bool:
    """Whether a row holds a prompt and no response."""
    prompt = values.get("prompt")
    return (is_conversation(prompt) or isinstance(prompt, str)) and not _JUDGED & values.keys()


SHAPES = (
    Shape(
        NAME,
        "preference",
        frozenset({"prompt", "chosen", "rejected"}),
        _fits_preference,
        read_preference,
        gaps=PAIR | ASKED,
    ),
    Shape(
        NAME,
        "unpaired",
        frozenset({"prompt", "completion", "label"}),
        lambda v: _fits_completion(v, label=True),
        _unpaired,
        gaps=COMPLETION | ASKED,
    ),
    Shape(
        NAME,
        "sft",
        frozenset({"prompt", "completion"}),
        lambda v: _fits_completion(v, label=False),
        _sft,
        gaps=COMPLETION | ASKED,
    ),
    Shape(
        NAME,
        "sft",
        frozenset({"messages"}),
        fits_messages,
        lambda v: demonstration((), v["messages"]),
        gaps=TURNS,
    ),
    Shape(NAME, "prompts", frozenset({"prompt", "reference", "topic"}), fits_prompt_alone, _prompts, gaps=ASKED),
)


def row(found: Found) -> dict[str, Any]:
    """The row that TRL's trainers read as conversational."""
    record = found.record
    prompt = {"prompt": plain(record.prompt.messages)}
    match record:
        case Preference():
            return {
                **prompt,
                "chosen": [said_by_assistant(record.chosen)],
                "rejected": [said_by_assistant(record.rejected)],
            }
        case Rating():
            return {**prompt, "completion": [said_by_assistant(record.completion)], "label": record.desirable}
        case Demonstration():
            return {**prompt, "completion": [said_by_assistant(record.completion)]}
        case Task():
            return {**prompt, "reference": record.prompt.reference, "topic": record.prompt.topic}


TARGETS: dict[Holding, Target] = {
    "preference": Target(dict.fromkeys(("prompt", "chosen", "rejected"), "conversation"), row),
    "unpaired": Target({"prompt": "conversation", "completion": "conversation", "label": "truth"}, row),
    "sft": Target({"prompt": "conversation", "completion": "conversation"}, row),
    # reward functions of GRPO are given every further column by its name
    "prompts": Target(
        {"prompt": "conversation", "reference": "text", "topic": "text"}, row, frozenset({"reference", "topic"})
    ),
}

_TRAINERS: dict[Holding, str] = {"preference": "DPO", "unpaired": "KTO", "sft": "SFT", "prompts": "GRPO"}


def needs(files: dict[Holding, list[str]]) -> str:
    """What a user of TRL writes."""
    lines = ["```python", "from datasets import load_dataset"]
    lines += [f"from trl import {_TRAINERS[holding]}Config, {_TRAINERS[holding]}Trainer" for holding in files]
    for holding, splits in files.items():
        rewards = ", reward_funcs=my_reward" if holding == "prompts" else ""
        test = f', eval_dataset={holding}["{other}"]' if (other := held_out(splits)) else ""
        name = _TRAINERS[holding]
        lines += [
            "",
            f'{holding} = load_dataset("FOLDER", "{holding}")',
            f'arguments = {name}Config(output_dir="out")',
            f'{name}Trainer("MODEL", args=arguments{rewards}, train_dataset={holding}["{splits[0]}"]{test})',
        ]
    return "\n".join([*lines, "```"])
