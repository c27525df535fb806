"""A report as Python shows it: its path as text, its numbers and a link to it in a notebook."""

from __future__ import annotations

import os
from collections.abc import Collection
from html import escape
from pathlib import Path

from solon.api.metrics import Metrics
from solon.data.showing import html_text
from solon.errors import DataError
from solon.report.headline import headline
from solon.report.summary import Summary
from solon.report.write import FORMATS, Format
from solon.screen import visible


class Report:
    """The report of a run."""

    path: Path

    def __init__(self, path: Path, summary: Summary) -> None:
        self.path, self._summary = path, summary

    @property
    def metrics(self) -> Metrics:
        """The numbers that it shows."""
        return Metrics(self._summary.metrics)

    def text(self) -> str:
        """What the file holds."""
        return self.path.read_text("utf-8")

    def embed(self, height: int = 600) -> Embedded:
        """The whole page as a notebook shows it, in a frame where nothing of it runs. A saved notebook then holds it.

        Args:
            height: of the frame, in pixels.
        """
        return Embedded(self.text(), height)

    def link(self) -> str:
        """A link to the file, relative to where Python runs, as a notebook's server has it."""
        where = Path(os.path.relpath(self.path)).as_posix()
        return f'<p><a href="{escape(where)}" target="_blank" rel="noopener">{html_text(where)}</a></p>'

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return visible(f"{headline(self._summary)}\n{self.metrics!r}\n{self.path}")

    def _repr_html_(self) -> str:
        return f"<p><b>{html_text(headline(self._summary))}</b></p>{self.metrics._repr_html_()}{self.link()}"


class Embedded:
    """A page in a frame of its own, without scripts and without a way out."""

    def __init__(self, page: str, height: int) -> None:
        self._page, self._height = page, height

    def _repr_html_(self) -> str:
        style = f"width: 100%; height: {int(self._height)}px; border: 0"
        return f'<iframe sandbox="" srcdoc="{escape(self._page)}" style="{style}"></iframe>'


def known_formats(formats: Format | Collection[Format]) -> tuple[Format, ...]:
    """The same, once it is clear that a report can be written in them.

    Raises:
        DataError: one of them is none; says which there are.
    """
    named = (formats,) if isinstance(formats, str) else tuple(formats)
    if unknown := [each for each in named if each not in FORMATS]:
        raise DataError(f"{unknown[0]!r} is no format of the report; there are {', '.join(FORMATS)}")
    return named
