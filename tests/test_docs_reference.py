"""The reference pages say what the code says: each is written from it, and is written anew when it changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from doc_blocks import ROOT
from reference.markdown import prose, table
from reference.written import PAGES

FOLDER = ROOT / "docs" / "reference"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_as_the_code_is(name: str) -> None:
    """What is written by hand beside it would be wrong from the next change on."""
    page = FOLDER / name
    assert page.is_file(), "write it: make reference"
    assert page.read_text("utf-8") == PAGES[name](), f"{name} is older than the code; write it anew: make reference"


def test_every_page_of_the_folder_is_written_from_the_code() -> None:
    """But for the one that leads to the others."""
    assert {path.name for path in FOLDER.iterdir()} == {*PAGES, "README.md"}


def test_every_page_is_named_where_the_reference_begins() -> None:
    """A page that nothing leads to is not read."""
    begins = (FOLDER / "README.md").read_text("utf-8")
    assert [name for name in PAGES if f"({name})" not in begins] == []


def test_a_docstring_becomes_markdown() -> None:
    """Code has two ticks in a docstring and one in Markdown; sections are lists, and what is drawn stays as it is."""
    docstring = """Does ``this``.

    Of more than one line,
    as here::

        a
          b

    Args:
        one: the first,
            which is long.
        two: the second.

    Raises:
        ValueError: never.
    """
    assert prose(docstring) == (
        "Does `this`.\n\nOf more than one line,\nas here:\n\n```text\na\n  b\n```\n\n"
        "**Args:**\n\n- `one`: the first,\n  which is long.\n- `two`: the second.\n\n"
        "**Raises:**\n\n- `ValueError`: never."
    )


def test_a_cell_of_a_table_is_one_line_without_its_own_strokes() -> None:
    """Or the table would end there."""
    assert table(("a",), [("x | y\nz",)]).splitlines()[-1] == "| x \\| y z |"


def test_nothing_of_this_machine_is_on_a_page() -> None:
    """Addresses in memory and folders differ from machine to machine, and the pages would never be as the code is."""
    home = str(Path.home())
    written = "".join(path.read_text("utf-8") for path in FOLDER.glob("*.md"))
    assert [word for word in (" at 0x", home, str(ROOT)) if word in written] == []
