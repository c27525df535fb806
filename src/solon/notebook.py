"""Progress in a notebook: one output a call, drawn over as the work goes on; a saved notebook holds its last state.

It needs no widgets: a display is updated in place, which every front end of Jupyter can do. What cannot show HTML
shows the same lines as text.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from solon.progress import Bar, Counted, Progress, Terminal

EVERY_S = 0.2
"""Seconds between two drawings of a bar: a front end that is sent more falls behind."""
MOST_LINES = 200
"""Lines that are kept of what was said."""


def progress_here() -> Progress:
    """Bars for whoever watches: in the cell of a notebook, or on standard error."""
    return Notebook() if in_notebook() else Terminal()


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook; IPython in a terminal is none."""
    shell = sys.modules.get("IPython")
    found = shell.get_ipython() if shell is not None else None
    return found is not None and getattr(found, "kernel", None) is not None


class Notebook:
    """Draws all stages of one call into one output.

    Args:
        display: shows an object and returns what ``update`` shows another in its place with; IPython's when left out.
        now: the time in seconds.
    """

    def __init__(self, display: Callable[[Any], Any] | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self._display, self._now = display or _displayed, now
        self._lines: list[str] = []
        self._bar: _InCell | None = None
        self._handle: Any = None
        self._drawn_at = float("-inf")

    def say(self, text: str) -> None:
        """One more line."""
        self._lines = [*self._lines, text][-MOST_LINES:]
        self.draw()

    def note(self, text: str) -> None:
        """Shows it beside the bar."""
        if self._bar is not None:
            self._bar.advance(0, note=text)

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Bar]:
        """A bar for as long as the block runs, and one line that stays."""
        self._bar = bar = _InCell(self, name, total, unit)
        self.draw()
        try:
            yield bar
        finally:
            self._bar = None
            self.say(bar.line())

    def draw_soon(self) -> None:
        """As ``draw``, unless that was just done."""
        if self._now() - self._drawn_at >= EVERY_S:
            self.draw()

    def draw(self) -> None:
        """Shows how things stand."""
        self._drawn_at = self._now()
        shown = _Shown(tuple(self._lines), self._bar)
        if self._handle is None:
            self._handle = self._display(shown)
        else:
            self._handle.update(shown)


class _InCell(Counted):
    def __init__(self, notebook: Notebook, name: str, total: int | None, unit: str) -> None:
        super().__init__(name, total, unit)
        self._notebook = notebook

    def advance(
        self, steps: int = 1, *, failed: int = 0, usd: float = 0.0, note: str = "", total: int | None = None
    ) -> None:
        self.count(steps, failed, usd, note, total)
        self._notebook.draw_soon()

    def line(self) -> str:
        """What is said of the stage."""
        return f"{self.name:<9} {self.state()}"


class _Shown:
    """Lines and a bar, as a front end asks for them."""

    def __init__(self, lines: tuple[str, ...], bar: _InCell | None) -> None:
        self._text = "\n".join([*lines, *([bar.line()] if bar is not None else [])])
        self._share = min(1.0, bar.done / bar.total) if bar is not None and bar.total else None
        self._is_under_way = bar is not None

    def __repr__(self) -> str:
        return "".join(letter if letter.isprintable() or letter == "\n" else "�" for letter in self._text)

    def _repr_html_(self) -> str:
        bar = ""
        if self._is_under_way:
            value = "" if self._share is None else f' value="{self._share:.4f}"'
            bar = f'<progress max="1"{value} style="width: 24em"></progress>'
        return f'<pre style="white-space: pre-wrap; margin: 0">{escape(repr(self))}</pre>{bar}'


def _displayed(shown: Any) -> Any:
    import IPython.display

    show: Callable[..., Any] = IPython.display.display
    return show(shown, display_id=True)
