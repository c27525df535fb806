"""What a layout is made of: how a row of it is recognised, read and written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, get_args

from solon.data.records import Demonstration, Preference, Rating, Task

if TYPE_CHECKING:
    import pyarrow as pa

Holding = Literal["preference", "unpaired", "reward", "sft", "prompts"]
"""What a row holds: a kind of dataset that solon builds, or prompts alone."""
HOLDINGS: tuple[Holding, ...] = get_args(Holding)

Example: TypeAlias = Preference | Rating | Demonstration | Task
Values: TypeAlias = Mapping[str, Any]

LEFT_OUT = {
    "tools": "a message calls a tool or comes from one",
    "media": "a message holds pictures or sound, or a list of parts",
    "empty_prompt": "there is nothing to answer",
    "order": "what the response answers does not end with the user",
    "no_response": "there is no response",
    "other_prompt": "the two responses answer different conversations",
    "restated": "beside a prompt, the response begins with a message that is not the assistant's",
    "tie": "the best and the worst response have the same rating",
    "unrated": "fewer than two of the responses have a rating",
    "malformed": "a text holds half of a surrogate pair, which Parquet does not hold",
    "turns": "the turns do not alternate between user and assistant, as this layout needs",
    "empty_response": "the response is empty, which this library cannot learn from or takes for something else",
    "image_mark": "the prompt holds <image>, which this library takes for a picture",
}
"""Why a row is not converted: each reason with its meaning."""

_NOT_TEXT = {"media": ("images", "image", "videos", "audios"), "tools": ("tools",)}

NOTES = {
    "texts": "prompts that are plain texts were read as what a user says, and responses as the assistant's",
    "earlier_turns": "answers before the last are read as context: only the last is learned from",
    "others": "of several rated responses the best and the worst were taken, as distilabel does; the rest are left out",
    "spaces": (
        "responses begin or end with space: a chat template that trims them (Llama 3's does) makes Axolotl 0.19 cut "
        "such a response to its last character; look at `axolotl preprocess --debug`"
    ),
}
"""What a person should know of rows that are converted."""


class LeftOut(Exception):
    """The row is right and cannot be converted; ``reason`` is a key of ``LEFT_OUT``."""

    def __init__(self, reason: str) -> None:
        super().__init__(LEFT_OUT[reason])
        self.reason = reason


class Unreadable(Exception):
    """The row is wrong; the text says how."""


class Found(NamedTuple):
    """A row that was read.

    Attributes:
        record: what it holds.
        said: what it says beside prompt and responses: names of columns in solon's own layout, e.g. ``topic``.
        notes: keys of ``NOTES``.
    """

    record: Example
    said: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


PAIR = {"chosen": "no_response", "rejected": "no_response"}
COMPLETION = {"completion": "no_response"}
OUTPUT = {"output": "no_response"}
ASKED = {"prompt": "empty_prompt"}
TURNS = {"messages": "empty_prompt", "conversations": "empty_prompt"}
INSTRUCTION = {"instruction": "empty_prompt"}
"""Columns that may be null in a row, each with the reason for which it is left out: the ``gaps`` of shapes."""


@dataclass(frozen=True)
class Shape:
    """One way in which a layout holds rows of one kind.

    Attributes:
        layout: e.g. ``trl``.
        holding: what a row holds.
        columns: those that are read; all others are left aside, and counted.
        fits: whether a row has this shape, by its columns and the kinds of their values.
        read: the row as a record; raises ``LeftOut`` or ``Unreadable``.
        telling: no other library's rows look like this.
        gaps: columns that may be null in some rows, each with the reason for which such a row is left out.
        only_named: it is looked at only where somebody names the layout.
    """

    layout: str
    holding: Holding
    columns: frozenset[str]
    fits: Callable[[Values], bool]
    read: Callable[[Values], Found]
    telling: bool = False
    gaps: Mapping[str, str] = field(default_factory=dict)
    only_named: bool = False


def gap(shape: Shape, values: Values, whole: Values) -> str | None:
    """Why a row that does not fit is left out, where nothing but a prompt or a response is missing in it.

    Args:
        shape: as the other rows have it.
        values: the row.
        whole: one of those rows, which fits.

    Returns:
        A key of ``LEFT_OUT``; ``None`` where the row is of another shape.
    """
    empty = [name for name in shape.gaps if name in whole and name in values and values[name] in (None, [])]
    if not empty or not shape.fits({**values, **{name: whole[name] for name in empty}}):
        return None
    return shape.gaps[empty[0]]


def read(shape: Shape, values: Values) -> Found:
    """A row as its shape reads it.

    Raises:
        LeftOut: it cannot be converted; so is a row of any shape with pictures, sound or tools in columns of their own.
        Unreadable: it is wrong.
    """
    for reason, columns in _NOT_TEXT.items():
        if any(values.get(name) for name in columns):
            raise LeftOut(reason)
    return shape.read(values)


def held_out(splits: Sequence[str]) -> str | None:
    """The split to evaluate on, where there is one beside the first, which is learned from."""
    return next((one for one in ("test", "validation") if one in splits[1:]), None)


@dataclass(frozen=True)
class Target:
    """How a layout holds rows of one kind that solon writes.

    Attributes:
        columns: name and type (a key of ``types``), in their order.
        row: the record as a row; raises ``LeftOut``.
        holds: which of ``Found.said`` it keeps.
        notes: keys of ``NOTES`` that hold for a record.
    """

    columns: Mapping[str, str]
    row: Callable[[Found], dict[str, Any]]
    holds: frozenset[str] = frozenset()
    notes: Callable[[Found], tuple[str, ...]] = lambda _: ()

    def schema(self) -> pa.Schema:
        """Of the Parquet files."""
        import pyarrow as pa

        known = types()
        return pa.schema([(name, known[type_]) for name, type_ in self.columns.items()])


def types() -> dict[str, pa.DataType]:
    """The types of columns."""
    import pyarrow as pa

    message = [("role", pa.string()), ("content", pa.string())]
    return {
        "text": pa.string(),
        "texts": pa.list_(pa.string()),
        "number": pa.float64(),
        "truth": pa.bool_(),
        "message": pa.struct(message),
        "conversation": pa.list_(pa.struct(message)),
        "marked": pa.list_(pa.struct([*message, ("train", pa.bool_())])),
        "history": pa.list_(pa.list_(pa.string())),
    }
