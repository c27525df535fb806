"""Progress in the cell of a notebook: one output that is drawn over."""

from __future__ import annotations

from typing import Any

from solon.notebook import EVERY_S, MOST_LINES, Notebook, in_notebook, progress_here
from solon.progress import Terminal


class _Display:
    """Stands for IPython's: what was shown first, and what was shown in its place."""

    def __init__(self) -> None:
        self.displays = 0
        self.shown: list[Any] = []

    def __call__(self, shown: Any) -> _Display:
        self.displays += 1
        self.shown.append(shown)
        return self

    def update(self, shown: Any) -> None:
        self.shown.append(shown)


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_all_stages_share_one_output_which_is_drawn_over() -> None:
    """A saved notebook holds the last state and not a line for every step."""
    display = _Display()
    progress = Notebook(display, _Clock())
    for name in ("sample", "label"):
        with progress.stage(name, 2, "prompts") as bar:
            bar.advance()
            bar.advance()
    assert display.displays == 1
    assert repr(display.shown[-1]) == "sample    2 of 2 prompts\nlabel     2 of 2 prompts"


def test_a_bar_is_drawn_no_more_often_than_a_front_end_bears() -> None:
    """Ten thousand judgments a second must not be ten thousand messages."""
    display, clock = _Display(), _Clock()
    progress = Notebook(display, clock)
    with progress.stage("label", 10_000, "prompts") as bar:
        for _ in range(10_000):
            clock.now += EVERY_S / 1000
            bar.advance()
    assert len(display.shown) <= 10 + 3


def test_the_bar_says_how_far_it_is_what_failed_and_what_it_cost() -> None:
    """As on a terminal; the bar itself is gone when the stage has ended."""
    display, clock = _Display(), _Clock()
    progress = Notebook(display, clock)
    with progress.stage("label", 4, "prompts") as bar:
        clock.now += 1
        bar.advance(1, failed=1, usd=0.5, note="busy")
        under_way = display.shown[-1]
    assert repr(under_way) == "label     1 of 4 prompts, 1 failed, $0.50, busy"
    assert 'value="0.2500"' in under_way._repr_html_()
    assert "<progress" not in display.shown[-1]._repr_html_()


def test_what_a_judge_says_is_inert_in_the_output() -> None:
    """Errors quote judges, and a notebook runs what HTML says."""
    display = _Display()
    Notebook(display, _Clock()).say("<img src=x onerror=alert(1)>\x1b[31m")
    html = display.shown[-1]._repr_html_()
    assert "<img" not in html
    assert "\x1b" not in html
    assert "\x1b" not in repr(display.shown[-1])


def test_a_note_goes_to_the_bar_at_work() -> None:
    """And nowhere where there is none."""
    display, clock = _Display(), _Clock()
    progress = Notebook(display, clock)
    progress.note("unseen")
    with progress.stage("label", None, "prompts"):
        clock.now += 1
        progress.note("batch under way")
        assert "batch under way" in repr(display.shown[-1])


def test_of_very_many_lines_the_last_are_kept() -> None:
    """An output that grows without end is sent whole with each drawing."""
    display = _Display()
    progress = Notebook(display, _Clock())
    for number in range(2 * MOST_LINES):
        progress.say(f"line {number}")
    lines = repr(display.shown[-1]).splitlines()
    assert len(lines) == MOST_LINES
    assert lines[-1] == f"line {2 * MOST_LINES - 1}"


def test_outside_a_notebook_bars_go_to_the_terminal() -> None:
    """Where there is no kernel there is nothing to display in."""
    assert not in_notebook()
    assert isinstance(progress_here(), Terminal)
