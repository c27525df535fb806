"""Expressions are Python's, whatever the engine that runs them."""

import re
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solon.labelers.patterns import PatternTimeout, compiles, matches_all, search

PIECES = [
    *"ab01{}[]^-,$.*+?|()e<=is#&~ \\",
    "{e}",
    "{1,2}",
    "{,2}",
    r"\d",
    r"\w",
    r"\{",
    "(?:",
    "(?i)",
    "[^",
    "[]",
    "(?=",
    "[[",
]


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), st.text("ab01{}[]^-,$e ", max_size=8))
@settings(max_examples=400, deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_any_expression_finds_what_pythons_own_engine_finds(pattern: str, text: str) -> None:
    """The other engine has operators that `re` has not: fuzzy matching, classes in classes."""
    try:
        expected = re.compile(pattern)
    except (re.error, OverflowError):
        return
    found, wanted = search(pattern, text), expected.search(text)
    assert (found and found.span()) == (wanted and wanted.span())
    assert matches_all(pattern, text) == (expected.fullmatch(text) is not None)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"\\frac{d}{dx}", r"\frac{d}{dx}"),
        ("x{e}", "x{e}"),
        ("x{e<=1}", "x{e<=1}"),
        (r"\N{EM DASH}", "—"),
        ("[[:alpha:]]", "a]"),
        (r"[]\]]", "]"),
    ],
)
@pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")
def test_braces_and_brackets_mean_what_they_mean_in_python(pattern: str, text: str) -> None:
    """`{e}` after a character would match anything with any number of errors."""
    assert matches_all(pattern, text) == (re.fullmatch(pattern, text) is not None)
    for other in string.ascii_letters:
        assert matches_all(pattern, other) == (re.fullmatch(pattern, other) is not None)


def test_an_expression_that_takes_too_long_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wrote it has to find it."""
    monkeypatch.setattr("solon.labelers.patterns.SECONDS", 0.05)
    with pytest.raises(PatternTimeout, match=re.escape("'(a|aa)+[bc]' took more than 0.05 s")):
        search("(a|aa)+[bc]", "a" * 100)


def test_what_is_no_expression_of_pythons_is_refused() -> None:
    """Also where the other engine would take it."""
    for pattern in ("(", r"\p{L}", "a**", "(?<n>a)"):
        with pytest.raises(ValueError, match="is not a regular expression"):
            compiles(pattern)
