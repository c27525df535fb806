"""Texts as they are compared where spelling does not count."""

from __future__ import annotations

import unicodedata
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solon.data.folding import folded

MARKS = st.sampled_from("\u0301\u0327\u0344\u0345\u0f71\u0f72\u0f73\u0f75\u0f81\u3099\uff9e\uff9f")


@settings(deadline=None, derandomize=True, database=None)
@given(st.text(max_size=20), st.lists(MARKS, max_size=12), st.integers(1, 40), st.sampled_from(["NFC", "NFKC"]))
def test_runs_of_marks_of_any_length_fold_as_unicode_says(
    text: str, marks: list[str], times: int, form: Literal["NFC", "NFKC"]
) -> None:
    """Putting marks in order before normalising changes nothing; the definition is Unicode's D145, D146."""
    whole = text + "".join(marks) * times
    expected = unicodedata.normalize(form, unicodedata.normalize(form, whole).casefold())
    assert folded(whole, form) == expected


@pytest.mark.parametrize("marks", ["\u0301\u0327", "\uff9e\u0301\u0327", "\u0f73\u0301", "\u0344\u0327"])
def test_a_letter_under_many_marks_takes_no_longer_than_its_length(marks: str) -> None:
    """Out of order, 200,000 of them would take an hour, which the limit on a test ends."""
    assert len(folded("a" + marks * 100_000, "NFKC")) > 100_000
