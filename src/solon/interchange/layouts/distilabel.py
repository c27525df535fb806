"""distilabel: what its steps ``FormatTextGenerationDPO`` and ``...SFT`` write, and what its judging tasks read."""

from __future__ import annotations

import hashlib
import math
from typing import Any

from solon.data.records import Demonstration, Preference, Prompt, Task
from solon.interchange.conversations import (
    Turns,
    conversation,
    demonstration,
    ends_with,
    is_conversation,
    plain,
    preference,
    said_by_assistant,
    said_by_user,
    task,
    with_system,
)
from solon.interchange.layouts import trl
from solon.interchange.shapes import (
    INSTRUCTION,
    PAIR,
    TURNS,
    Found,
    Holding,
    LeftOut,
    Shape,
    Target,
    Unreadable,
    Values,
)

NAME = "distilabel"
_MADE = {"generations", "generation", "ratings", "chosen", "output", "response", "responses"}


def _fits_formatted(values: Values) -> bool:
    whole = all(is_conversation(values.get(name)) for name in ("chosen", "rejected"))
    return whole and isinstance(values.get("prompt"), str) and not is_conversation(values["prompt"])


def _fits_rated(values: Values) -> bool:
    asked = isinstance(values.get("instruction"), str) or ends_with(values.get("messages"), "user")
    return asked and all(isinstance(values.get(name), list) for name in ("generations", "ratings"))


def _asked(values: Values) -> Turns:
    if isinstance(values.get("instruction"), str):
        turns = (said_by_user(values["instruction"]),)
        return with_system(values, "system_prompt", turns)
    return conversation(values["messages"])


def _rated(values: Values) -> Found:
    """Best against worst, the first of equals, as distilabel's own step takes them."""
    generations, ratings = values["generations"], values["ratings"]
    if len(generations) != len(ratings):
        raise Unreadable(f"{len(generations)} generations and {len(ratings)} ratings")
    rated = [
        (rating, text)
        for rating, text in zip(ratings, generations, strict=True)
        if isinstance(text, str) and isinstance(rating, int | float) and not _is_nan(rating)
    ]
    if len(rated) < 2:
        raise LeftOut("unrated")
    best, worst = max(rated, key=lambda one: one[0]), min(rated, key=lambda one: one[0])
    if best[0] == worst[0]:
        raise LeftOut("tie")
    others = ("others",) if len(generations) > 2 else ()
    return preference(_asked(values), said_by_assistant(best[1]), said_by_assistant(worst[1]), notes=others)


def _is_nan(rating: float) -> bool:
    return isinstance(rating, float) and math.isnan(rating)


def _fits_asked(values: Values) -> bool:
    asked = isinstance(values.get("instruction"), str) or ends_with(values.get("messages"), "user")
    return asked and not (_MADE | {"input", "system", "history"}) & values.keys()  # those are LLaMA-Factory's


def _fits_generation(values: Values) -> bool:
    return isinstance(values.get("instruction"), str) and isinstance(values.get("generation"), str)


def _fits_messages(values: Values) -> bool:
    others = {name: value for name, value in values.items() if name not in {"prompt", "prompt_id"}}
    return trl.fits_messages(others) and isinstance(values.get("prompt", ""), str)


_RATED = {"generations": "no_response", "ratings": "unrated"}
SHAPES = (
    Shape(
        NAME,
        "preference",
        frozenset({"prompt", "prompt_id", "chosen", "rejected"}),
        _fits_formatted,
        lambda v: preference((), v["chosen"], v["rejected"]),
        gaps=PAIR,
    ),
    Shape(
        NAME,
        "preference",
        frozenset({"instruction", "system_prompt", "messages", "generations", "ratings"}),
        _fits_rated,
        _rated,
        gaps=INSTRUCTION | TURNS | _RATED,
    ),
    Shape(
        NAME,
        "sft",
        frozenset({"prompt", "prompt_id", "messages"}),
        _fits_messages,
        lambda v: demonstration((), v["messages"]),
        gaps=TURNS,
    ),
    Shape(
        NAME,
        "sft",
        frozenset({"instruction", "system_prompt", "generation"}),
        _fits_generation,
        lambda v: demonstration(_asked(v), said_by_assistant(v["generation"])),
        gaps=INSTRUCTION | {"generation": "no_response"},
    ),
    Shape(
        NAME,
        "prompts",
        frozenset({"instruction", "system_prompt", "messages"}),
        _fits_asked,
        lambda v: task(_asked(v)),
        gaps=INSTRUCTION | TURNS,
    ),
)


def _row(found: Found) -> dict[str, Any]:
    record = found.record
    before = plain(record.prompt.messages)
    match record:
        case Preference():
            responses = {
                "chosen": [*before, said_by_assistant(record.chosen)],
                "rejected": [*before, said_by_assistant(record.rejected)],
            }
            return {**_first(record.prompt), **responses}
        case Demonstration():
            return {**_first(record.prompt), "messages": [*before, said_by_assistant(record.completion)]}
        case Task():
            return {"messages": before}
        case _:
            raise AssertionError(record)


def _first(prompt: Prompt) -> dict[str, str]:
    """The prompt as distilabel writes it: what the user said first, and its hash."""
    text = next(message.content for message in prompt.messages if message.role == "user")
    return {"prompt": text, "prompt_id": hashlib.sha256(text.encode("utf-8")).hexdigest()}


_NAMED = {"prompt": "text", "prompt_id": "text"}
TARGETS: dict[Holding, Target] = {
    "preference": Target({**_NAMED, "chosen": "conversation", "rejected": "conversation"}, _row),
    "sft": Target({**_NAMED, "messages": "conversation"}, _row),
    "prompts": Target({"messages": "conversation"}, _row),
}


def needs(files: dict[Holding, list[str]]) -> str:
    """What a user of distilabel writes."""
    lines = ["```python", "from distilabel.steps import LoadDataFromFileSystem", ""]
    for holding, splits in files.items():
        # its own split is called train, whatever the file is called
        path = f"FOLDER/{holding}/{splits[0]}.parquet"
        lines.append(f'{holding} = LoadDataFromFileSystem(data_files="{path}", filetype="parquet")')
    if "prompts" in files:
        lines += ["# prompts go on to ChatGeneration, which reads `messages`"]
    return "\n".join([*lines, "```"])
