"""Small pieces of what people see on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def show_named(console: Console, lines: Sequence[tuple[str, str]]) -> None:
    """Each text beside its name, its further lines below its first."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1, 0, 0))
    for name, text in lines:
        table.add_row(Text(name, style="dim"), text.strip())
    console.print(Padding(table, (0, 0, 0, 2)))


def count_of(number: int, noun: str) -> str:
    """``1 case``, ``2 cases``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
