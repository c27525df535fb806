"""A comparison of trainers as Python shows it."""

from __future__ import annotations

import os
from html import escape
from io import StringIO
from pathlib import Path

from rich.console import Console

from solon.api.metrics import Metrics
from solon.api.results import Run, open_run
from solon.comparison.page import terminal
from solon.comparison.record import Comparison

_WIDTH = 110


class Compared:
    """Several trainers side by side.

    Attributes:
        path: where all of it is.
        record: what was found: tests against the untrained policy and of each two, standings, what each took.
    """

    path: Path
    record: Comparison

    def __init__(self, path: Path, record: Comparison) -> None:
        self.path, self.record = path, record

    @property
    def page(self) -> Path:
        """The comparison as one HTML file."""
        return self.path / "comparison.html"

    @property
    def runs(self) -> dict[str, Run]:
        """The run of each entry that got to its end, by its name."""
        return {side.name: open_run(self.path / side.run_dir) for side in self.record.finished}

    @property
    def failed(self) -> dict[str, str]:
        """Why an entry did not get to its end, by its name."""
        return {side.name: side.failed for side in self.record.sides if side.failed}

    @property
    def metrics(self) -> dict[str, Metrics]:
        """What was measured of each entry, by its name."""
        return {name: Metrics(metrics) for name, metrics in self.record.metrics.items()}

    def __repr__(self) -> str:
        console = Console(file=StringIO(), width=_WIDTH, highlight=False, force_jupyter=False)
        with console.capture() as said:
            terminal(self.record, console, self.page)
        return said.get().strip("\n")

    def _repr_html_(self) -> str:
        where = escape(Path(os.path.relpath(self.page)).as_posix())
        return f'<pre>{escape(repr(self))}</pre><p><a href="{where}" target="_blank" rel="noopener">{where}</a></p>'
