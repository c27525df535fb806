"""Text of models made safe to look at."""

from __future__ import annotations

import pytest

from solon.report.text import excerpt, one_line, shorten_paths, visible


@pytest.mark.parametrize(
    "char",
    ["\x1b", "\x00", "\x07", "\x08", "\r", "\x7f", "\x85", "\x9b", "\u200b", "\u200d", "\u200e", "\u202e", "\u2066",
     "\u2069", "\u2028", "\u2060", "\ufeff", "\u00ad", "\u061c", "\u3164", "\u115f", "\U000e0041", "\U000e0100",
     "\ud83d", "\uffff", "\u2800"],
)  # fmt: skip
def test_what_cannot_be_seen_is_spelled_out(char):
    """Control, bidi, zero width, tags, fillers, half surrogates: each would hide or reorder something."""
    assert visible(f"a{char}b") == f"a⟨U+{ord(char):04X}⟩b"


@pytest.mark.parametrize("text", ["two\nlines\tand a tab", "Ünïcödé — 日本語 עברית ✌️ 🙂", "a\u00a0b"])
def test_what_can_be_seen_stays(text):
    """Letters of every script, and emoji."""
    assert visible(text) == text


def test_windows_line_ends_are_line_ends():
    """And no control characters to spell out."""
    assert visible("a\r\nb") == "a\nb"


def test_long_text_says_how_much_is_missing():
    """2,000 less 10."""
    assert excerpt("x" * 2000, 10) == "xxxxxxxxxx … (1,990 more characters)"
    assert excerpt("x" * 10, 10) == "x" * 10


def test_one_line_is_one_line_of_that_length():
    """Line feeds become spaces, the rest is cut."""
    assert one_line("a\n\n b\tc", 10) == "a b c"
    assert one_line("abcdefgh", 5) == "abcd…"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("model: /home/me/models/policy", "model: …/policy"),
        ("prompts: '/data/a b.jsonl'", "prompts: '…/a b.jsonl'"),
        ("[/srv/x/y.yaml, /srv/z.yaml]", "[…/y.yaml, …/z.yaml]"),
        ("model: C:\\Users\\me\\policy", "model: …/policy"),
        ("url: https://host/v1/chat", "url: https://host/v1/chat"),
        ("model: meta-llama/Llama-3.1-8B", "model: meta-llama/Llama-3.1-8B"),
        ("and/or/not", "and/or/not"),
        ("a / b / c", "a / b / c"),
        ("model: ../../../../tmp/one/ppo/reward/checkpoints", "model: …/checkpoints"),
        ("model: ./../../../one/policy", "model: …/policy"),
        ("prompts: '../../home/me/a.jsonl'", "prompts: '…/a.jsonl'"),
        ("model: ..\\..\\..\\one\\policy", "model: …/policy"),
        ("model: ../quickstart/models/policy", "model: ../quickstart/models/policy"),
        ("model: ../../quickstart/models/policy", "model: ../../quickstart/models/policy"),
        ("wait ... and/or", "wait ... and/or"),
    ],
)
def test_paths_that_are_absolute_or_lead_far_out_are_cut_to_their_names(text, shown):
    """Those near by, URLs and slashes between words stay."""
    assert shorten_paths(text) == shown
