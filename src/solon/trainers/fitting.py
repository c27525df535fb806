"""Rows that are longer than a model can read: refused, left out, or their prompts cut, as the trainer is set.

Never in silence, and never a response: one that is cut teaches the model to stop in the middle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pyarrow as pa

TooLong = Literal["refuse", "leave_out", "cut_prompt"]
Lengths = Callable[["pa.Table"], list[int]]
"""Tokens of each row of a table, those of the response or the room for it included."""


@dataclass(frozen=True)
class Fitted:
    """A table whose rows fit, but for those of ``too_long``.

    Attributes:
        table: the rows, in their order.
        left_out: how many are not in it any more.
        cut: how many have a shorter prompt.
        too_long: the lengths of rows that are in it and do not fit.
    """

    table: pa.Table
    left_out: int = 0
    cut: int = 0
    too_long: tuple[int, ...] = ()


def fit_rows(table: pa.Table, limit: float, lengths: Lengths, way: TooLong) -> Fitted:
    """Makes the rows of a table fit into ``limit`` tokens, or says which do not.

    A prompt is cut at the beginning of its longest message, by as little as it takes. A row that does not fit with a
    single letter of that message stays too long.
    """
    found = lengths(table)
    places = [place for place, length in enumerate(found) if length > limit]
    if not places or way == "refuse":
        return Fitted(table, too_long=tuple(found[place] for place in places))
    if way == "leave_out":
        gone = set(places)
        return Fitted(table.take([place for place in range(len(found)) if place not in gone]), left_out=len(places))
    prompts = table["prompt"].to_pylist()
    still = []
    for place in places:
        row = table.slice(place, 1)

        def fits(prompt: Any, row: pa.Table = row) -> bool:
            return lengths(_with_prompts(row, [prompt]))[0] <= limit

        shorter = _shortest_cut(prompts[place], fits)
        if shorter is None:
            still.append(found[place])
        else:
            prompts[place] = shorter
    return Fitted(_with_prompts(table, prompts), cut=len(places) - len(still), too_long=tuple(still))


def _with_prompts(table: pa.Table, prompts: list[Any]) -> pa.Table:
    import pyarrow as pa

    column = table.schema.get_field_index("prompt")
    return table.set_column(column, table.schema.field(column), pa.array(prompts, type=table.schema.field(column).type))


def _shortest_cut(prompt: Any, fits: Callable[[Any], bool]) -> Any | None:
    """The prompt without the beginning of its longest message, as much of it as fits; ``None`` where nothing does."""
    if isinstance(prompt, str):
        return _end_that_fits(prompt, fits)
    longest = max(range(len(prompt)), key=lambda place: len(prompt[place]["content"]))

    def with_content(end: str) -> list[Any]:
        return [*prompt[:longest], {**prompt[longest], "content": end}, *prompt[longest + 1 :]]

    end = _end_that_fits(prompt[longest]["content"], lambda end: fits(with_content(end)))
    return with_content(end) if end is not None else None


def _end_that_fits(text: str, fits: Callable[[str], bool]) -> str | None:
    good, bad = 0, len(text)  # letters from the end that fit, and that do not
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if fits(text[-middle:]) else (good, middle)
    return text[-good:] if good else None
