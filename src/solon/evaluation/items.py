"""The numbers of single items: what ``evaluation/items.jsonl`` holds, a row an item."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from solon.data.artifacts import read_jsonl
from solon.data.records import Noun
from solon.evaluation.base import Both, Measured


class Item(Noun):
    """What was measured of one item.

    Attributes:
        item: its id: a prompt's, or one that an evaluator gives to items of its own.
        values: for each metric the number before and after, or whether it held; ``None`` where it could not be said.
    """

    item: str
    values: dict[str, Both]


class Items:
    """Collects the items of all metrics, in the order in which they first come up."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, Both]] = {}

    def add(self, metric: str, items: Sequence[tuple[str, Both]]) -> None:
        """The items of one metric; of two of one name the first are kept."""
        for item, both in items:
            self._values.setdefault(item, {}).setdefault(metric, both)

    def rows(self) -> Iterator[dict[str, Any]]:
        """One an item."""
        for item, values in self._values.items():
            yield {"item": item, "values": {name: list(both) for name, both in values.items()}}


def read_items(run_dir: Path) -> Measured:
    """The items of each metric of a run, by their ids; empty where none were kept.

    Raises:
        DataError: the file is broken, with its line.
    """
    path = run_dir / "evaluation" / "items.jsonl"
    found: dict[str, dict[str, Both]] = {}
    for row in read_jsonl(path, Item) if path.is_file() else ():
        for name, both in row.values.items():
            found.setdefault(name, {})[row.item] = both
    return found
