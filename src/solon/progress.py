"""What a person sees while a stage works: done, rate, time left, failures, money."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from solon import screen
from solon.keys import without_secrets


class Bar(Protocol):
    """One stage's progress."""

    def advance(
        self, steps: int = 1, *, failed: int = 0, usd: float = 0.0, note: str = "", total: int | None = None
    ) -> None:
        """Counts ``steps`` more as done; ``failed`` and ``usd`` add up; ``note`` and ``total`` replace the last."""
        ...


class Progress(Protocol):
    """Where stages report. ``Silent`` says nothing; ``Terminal`` draws on standard error, ``Notebook`` in a cell."""

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Bar]:
        """A bar for as long as the block runs."""
        ...

    def say(self, text: str) -> None:
        """One line for the person who watches."""
        ...

    def note(self, text: str) -> None:
        """Replaces what the bar of the stage at work says last; nothing where there is none."""
        ...


class _NoBar:
    def advance(
        self, steps: int = 1, *, failed: int = 0, usd: float = 0.0, note: str = "", total: int | None = None
    ) -> None:
        pass


class Silent:
    """Says nothing: ``--quiet``, and ``progress=False`` in Python."""

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Bar]:  # noqa: ARG002 - says nothing
        """A bar that shows nothing."""
        yield _NoBar()

    def say(self, text: str) -> None:
        """Says nothing."""

    def note(self, text: str) -> None:
        """Says nothing."""


class Terminal:
    """Draws bars on standard error; where that is no terminal, prints a line for every quarter instead."""

    def __init__(self) -> None:
        self.console = screen.console(err=True)
        self._bar: _Lines | _Drawn | None = None

    def say(self, text: str) -> None:
        """Prints a line."""
        self.console.print(text, soft_wrap=True)

    def note(self, text: str) -> None:
        """Shows it at the end of the bar."""
        if self._bar is not None:
            self._bar.advance(0, note=text)

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Bar]:
        """A bar for as long as the block runs, and one line that stays."""
        bar: _Lines | _Drawn = (
            _Drawn(self, name, total, unit) if self.console.is_terminal else _Lines(self, name, total, unit)
        )
        with bar:
            self._bar = bar
            try:
                yield bar
            finally:
                self._bar = None


class Counted:
    """What was counted of one stage so far, and how to say it."""

    def __init__(self, name: str, total: int | None, unit: str) -> None:
        self.name, self.total, self.unit = name, total, unit
        self.done = self.failed = 0
        self.usd = 0.0
        self.note = ""

    def count(self, steps: int, failed: int, usd: float, note: str, total: int | None) -> None:
        """As ``Bar.advance``."""
        self.done += steps
        self.failed += failed
        self.usd += usd
        self.note = note or self.note
        self.total = self.total if total is None else total

    def state(self) -> str:
        """How many are done of how many, and what else there is to say."""
        count = f"{self.done:,} of {self.total:,}" if self.total else f"{self.done:,}"
        one = (self.total or self.done) == 1
        parts = [f"{count} {self.unit.removesuffix('s') if one else self.unit}"]
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        if self.usd:
            parts.append(f"${self.usd:,.2f}")
        if self.note:
            # of servers and models: nothing in it moves the cursor, or repeats a key
            parts.append(screen.visible(without_secrets(self.note)))
        return ", ".join(parts)


class _OnTerminal(Counted):
    def __init__(self, terminal: Terminal, name: str, total: int | None, unit: str) -> None:
        super().__init__(name, total, unit)
        self.terminal = terminal


class _Lines(_OnTerminal):
    def __enter__(self) -> None:
        self.quarter = 0

    def __exit__(self, *_: object) -> None:
        self.terminal.say(f"{self.name:<9} {self.state()}")

    def advance(
        self, steps: int = 1, *, failed: int = 0, usd: float = 0.0, note: str = "", total: int | None = None
    ) -> None:
        self.count(steps, failed, usd, note, total)
        if self.total and (quarter := 4 * self.done // self.total) > self.quarter and quarter < 4:
            self.quarter = quarter
            screen.say(f"{self.name:<9} {self.state()}", err=True)


class _Drawn(_OnTerminal):
    def __enter__(self) -> None:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self.bar = Progress(
            SpinnerColumn(),
            TextColumn(f"{self.name:<9}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[counted]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self.terminal.console,
            transient=True,
        )
        self.bar.start()
        self.task = self.bar.add_task(self.name, total=self.total, counted=self)

    def __str__(self) -> str:
        return self.state()  # asked for when the bar is drawn, ten times a second, and not for each prompt

    def __exit__(self, *_: object) -> None:
        self.bar.stop()
        self.terminal.say(f"{self.name:<9} {self.state()}")

    def advance(
        self, steps: int = 1, *, failed: int = 0, usd: float = 0.0, note: str = "", total: int | None = None
    ) -> None:
        self.count(steps, failed, usd, note, total)
        self.bar.update(self.task, completed=self.done, total=self.total)
