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

    table = Table.grid(padding=(0, 1, 0, 0))
    for name, text in lines:
        table.add_row(f"[dim]{name}[/]", safe(text.strip()))
    console.print(Padding(table, (0, 0, 0, 2)))


def safe(text: str) -> str:
    """The text as it is: square brackets in it are not rich's markup."""
    from rich.markup import escape

    return escape(text)


def count_of(number: int, noun: str) -> str:
    """``1 case``, ``2 cases``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
