"""Training curves."""

from __future__ import annotations

import re
import sys

import pytest

from solon.errors import MissingExtra
from solon.report.curves import figures, inline

STEPS = [{"step": float(step), "loss": 1 / step, "rewards/margins": 0.1 * step} for step in range(1, 30)]


def test_the_same_numbers_give_the_same_bytes():
    """No date, no random ids: a report can be compared by its hash."""
    first = figures(STEPS)
    assert figures(STEPS) == first
    assert not re.search(r"date|20\d\d-", first["loss"])


def test_only_what_was_logged_at_least_twice_is_drawn():
    """A single point is no curve."""
    assert list(figures(STEPS)) == ["loss", "margins"]
    assert figures(STEPS[:1]) == {}
    assert figures([]) == {}


def test_a_reward_model_has_its_margin_and_accuracy_drawn():
    """They are called otherwise than those of a policy that is its own reward model."""
    steps = [
        {"step": step, "loss": 0.7, "margin": 0.1 * step, "accuracy": 0.5, "eval_accuracy": 0.6} for step in (1, 2)
    ]
    assert list(figures(steps)) == ["loss", "margins", "accuracies"]


def test_rounds_have_their_win_rates_drawn():
    """One point a round, at its last step."""
    steps = [*STEPS, {"step": 10.0, "selfplay/win_rate": 0.7}, {"step": 29.0, "selfplay/win_rate": 0.5}]
    assert list(figures(steps)) == ["loss", "margins", "win_rate"]
    assert "Win rate against the last round" in figures(steps)["win_rate"]


def test_long_runs_are_thinned_and_keep_their_last_point():
    """10,000 steps weigh no more than 400 points of about 22 bytes and the frame."""
    steps = [{"step": float(step), "loss": float(step % 7)} for step in range(10_000)]
    assert len(figures(steps)["loss"]) < 30_000


def test_inline_curves_have_no_styles_and_no_ids_in_common():
    """The page's policy forbids inline styles; two elements of one id would be drawn wrongly."""
    drawn = figures(STEPS)
    pages = [inline(drawn["loss"], "loss", "Loss"), inline(drawn["margins"], "margins", "Reward margin")]
    assert not any("style" in page or "http" in page for page in pages)
    ids = [re.findall(r'\bid="([^"]+)"', page) for page in pages]
    assert not set(ids[0]) & set(ids[1])
    for page, known in zip(pages, ids, strict=True):
        assert set(re.findall(r"#([\w-]+)", page)) <= set(known)
        assert 'stroke="var(--accent)"' in page
        assert not re.search(r'(?:fill|stroke)="#[0-9a-f]{6}"', page)


def test_without_matplotlib_the_install_line_is_named(monkeypatch):
    """``None`` in sys.modules is how Python spells `not installed`."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"pip install 'solon\[report\]'"):
        figures(STEPS)
