"""What holds for any text and any data: reading back what was written, and no traceback whatever the file holds."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solon.constitution import load as load_constitution
from solon.document import dump, parse
from solon.errors import ConstitutionError, InputError

TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.sampled_from("\n\t:-#'\"[]{}&*!|>%@`?,=~<")
)
TRICKY = st.sampled_from(
    ["yes", "1e-5", "012", "0x1F", "~", "null", "true", "<<", "=", "", " ", "- a", "a: b", ".inf", "1_0"]
)
KEYS = TRICKY | TEXT | st.integers(-(10**6), 10**6)
NUMBERS = st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False)
DATA = st.recursive(
    st.none() | st.booleans() | NUMBERS | TRICKY | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.dictionaries(KEYS, DATA, min_size=1, max_size=4))
def test_what_is_written_is_read_back_as_it_was(data):
    """Texts that look like numbers, booleans or YAML's own signs included."""
    document, problems = parse(dump(data), "f")
    assert (document.data, problems) == (data, [])


@settings(max_examples=150, deadline=None, derandomize=True)
@given(DATA)
def test_json_is_read_as_the_standard_library_reads_it(data):
    """Our reader only adds the places."""
    text = json.dumps(data, indent="\t")
    document, problems = parse(text, "f", form="json")
    assert (document.data, problems) == (json.loads(text), [])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(st.characters(codec="utf-8") | st.sampled_from("abc:-#'\"[]{}&*!|>%@`?,=~< \n\n\n"), max_size=60))
@pytest.mark.parametrize("form", ["yaml", "json"])
def test_no_text_gives_a_traceback(form, text):
    """It is data, or an error with a message and a place."""

    def said() -> str:
        try:
            return parse(text, "f", form=form)[0].place(())
        except InputError as error:
            return str(error)

    assert said().startswith("f:")


PIECES = [
    "---\n",
    "name: x\n",
    "## a\n",
    "## Cases\n",
    "### a\n",
    "#### Better\n",
    "#### Prompt\n",
    "# t\n",
    "```yaml\n",
]
PIECES += [
    "```\n",
    "~~~\n",
    "weight: 2\n",
    "weight: [\n",
    "text\n",
    "\n",
    "cases: 1\n",
    "- 1\n",
    "## {#}\n",
    "## \n",
    "#### \n",
]


@pytest.mark.slow
@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join), st.booleans())
def test_no_markdown_gives_a_traceback(tmp_path_factory, text, with_front_matter):
    """Whatever the order of its parts."""
    file: Path = tmp_path_factory.getbasetemp() / "any.md"
    file.write_text(("---\nname: x\n---\n" if with_front_matter else "") + text, "utf-8")

    def places() -> list[str]:
        try:
            return [str(file) for _ in load_constitution(file).principles]
        except ConstitutionError as error:
            return [problem.where for problem in error.problems]

    assert places()
    assert all(place.startswith(str(file)) for place in places())
