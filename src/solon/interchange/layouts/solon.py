"""solon's own layout: what ``solon build`` writes, with where each row is from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from solon.data import layout, tasks
from solon.data.kinds import KINDS
from solon.data.records import Demonstration, Preference, Prompt, Provenance, Rating, Task
from solon.interchange.conversations import (
    Turns,
    checked,
    continued,
    conversation,
    is_conversation,
    margin,
    number,
    response,
    spoken,
    truth,
)
from solon.interchange.shapes import (
    ASKED,
    COMPLETION,
    PAIR,
    Found,
    Holding,
    LeftOut,
    Shape,
    Target,
    Unreadable,
    Values,
)

NAME = "solon"
_ORIGIN = ("topic", "prompt_id", "principles", "labelers")


def _columns(holding: Holding) -> dict[str, str]:
    if holding == "prompts":
        kinds = {"prompt": "conversation", "principles": "texts"}
        return {name: kinds.get(name, "text") for name in tasks.COLUMNS}
    return {column.name: column.type for column in layout.COLUMNS[holding]}


def _fits(holding: Holding) -> Callable[[Values], bool]:
    needed = set(_columns(holding))
    optional = {"score"} if holding == "unpaired" else set()

    def fits(values: Values) -> bool:
        present = {name for name in values if name in {"chosen", "completion", "label", "score", "reference"}}
        own = needed & {"chosen", "completion", "label", "score", "reference"}
        return needed - optional <= set(values) and present - optional <= own and is_conversation(values["prompt"])

    return fits


def _read(holding: Holding) -> Callable[[Values], Found]:
    def read(values: Values) -> Found:
        before, texts = _responses(values) if holding != "prompts" else ((), ())
        turns = continued(conversation(values["prompt"]), before)
        if not turns or turns[-1].role != "user":
            raise LeftOut("order")
        said_of_it = {name: spoken(name, values.get(name)) for name in ("topic", "reference")}
        asked = Prompt(messages=turns, **said_of_it)
        said = {name for name in (*_ORIGIN, "label_margin", "score", "reference") if values.get(name) not in (None, [])}
        if holding == "prompts":
            return Found(Task(prompt=asked, principles=_texts(values, "principles")), frozenset(said))
        origin = Provenance(
            prompt_id=spoken("prompt_id", values.get("prompt_id")) or asked.id,
            principles=_texts(values, "principles"),
            labelers=_texts(values, "labelers"),
        )
        return Found(_record(holding, values, asked, texts, origin), frozenset(said))

    return read


def _responses(values: Values) -> tuple[Turns, tuple[str, ...]]:
    """The turns between prompt and responses, the same for all of them, and the responses."""
    answers = [response(values[name]) for name in ("chosen", "rejected", "completion") if name in values]
    if any(before != answers[0][0] for before, _ in answers):
        raise LeftOut("other_prompt")
    return answers[0][0], tuple(text for _, text in answers)


def _record(
    holding: Holding, values: Values, asked: Prompt, texts: tuple[str, ...], origin: Provenance
) -> Preference | Rating | Demonstration:
    if holding == "preference":
        found = margin(values, "label_margin")
        clear = 1.0 if found is None else found
        return Preference(prompt=asked, chosen=texts[0], rejected=texts[1], margin=clear, provenance=origin)
    if holding == "sft":
        return Demonstration(prompt=asked, completion=texts[0], provenance=origin)
    score = number(values, "score")
    desirable = truth(values["label"]) if holding == "unpaired" else True
    return Rating(prompt=asked, completion=texts[0], desirable=desirable, score=score, provenance=origin)


def _texts(values: Values, name: str) -> tuple[str, ...]:
    found = values.get(name)
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise Unreadable(f"column {name!r} is a list of texts, and this is {str(found)[:40]!r}")
    return tuple(checked(one) for one in found)


def _row(found: Found) -> dict[str, Any]:
    if isinstance(found.record, Task):
        return tasks.row(found.record)
    row = layout.row(found.record)
    if "label_margin" in row and "label_margin" not in found.said:
        row["label_margin"] = None  # nobody said how clear it was
    return row


_ALL: tuple[Holding, ...] = (*KINDS, "prompts")

SHAPES = tuple(
    Shape(
        NAME,
        holding,
        frozenset(_columns(holding)),
        _fits(holding),
        _read(holding),
        telling=True,
        gaps=PAIR | COMPLETION | ASKED,
    )
    for holding in _ALL
)

TARGETS: dict[Holding, Target] = {
    holding: Target(
        _columns(holding), _row, frozenset({*_ORIGIN, "label_margin", "score", "reference"} & set(_columns(holding)))
    )
    for holding in _ALL
}


def needs(files: dict[Holding, list[str]]) -> str:
    """What stands in a recipe."""
    lines = [f"dataset: FOLDER/{holding}   # {_FOR[holding]}" for holding in files]
    return "In a recipe:\n\n```yaml\n" + "\n".join(lines) + "\n```"


_FOR: dict[Holding, str] = {
    "preference": "train: {kind: dpo}",
    "unpaired": "train: {kind: kto}",
    "reward": "rows for a regression on the score",
    "sft": "train: {kind: sft}",
    "prompts": "train: {kind: grpo, rewards: ...}",
}
