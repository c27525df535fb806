"""Bars: what they count, and what they say when they are drawn."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from solon.progress import Counted, Terminal

KEY = "wX7fQ2pLr9TzVb4N"


def counted(note: str) -> Counted:
    """Two prompts of three, one of them failed."""
    bar = Counted("label", 3, "prompts")
    bar.count(2, 1, 0.5, note, None)
    return bar


def test_a_note_stays_until_there_is_another() -> None:
    """A step that has nothing to say does not take back what the last one said."""
    bar = counted("busy")
    bar.count(1, 0, 0.0, "", None)
    assert bar.state() == "3 of 3 prompts, 1 failed, $0.50, busy"
    bar.count(0, 0, 0.0, "idle", 4)
    assert bar.state() == "3 of 4 prompts, 1 failed, $0.50, idle"


def test_what_a_server_says_neither_moves_the_cursor_nor_repeats_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes hold names and errors of servers."""
    monkeypatch.setenv("JUDGE_API_KEY", KEY)
    assert counted(f"\x1b[2J{KEY}").state() == "2 of 3 prompts, 1 failed, $0.50, ⟨U+001B⟩[2J…"


def test_a_drawn_bar_says_what_was_counted_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks when it draws, so that a step costs no more than counting."""
    terminal, drawn = Terminal(), io.StringIO()
    monkeypatch.setattr(terminal, "console", Console(file=drawn, force_terminal=True, width=120))
    with terminal.stage("label", 3, "prompts") as bar:
        bar.advance(2, failed=1, note="[b]busy[/b]")
    assert "2 of 3 prompts, 1 failed, [b]busy[/b]" in drawn.getvalue()
