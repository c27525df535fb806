"""The blocks of code on the pages, and what is said of each in a comment above it that readers do not see.

Comments in the lines above a block say how the block is looked at::

    <!-- not run: needs a GPU -->           it is not run, and this is why
    <!-- runs in: tests/http/test_x.py -->  a test of that file runs it, or what it shows; ``::name`` says which test
    <!-- file: label.yaml -->               what runs on the page finds it as a file of that name
    <!-- before: mkdir data -->             what is typed first, to have what the reader has by then
    <!-- exit code: 2 -->                   it ends with this code, as the page says
    <!-- recipe -->                         part of a recipe: which needs no saying where its keys are those of one

Without a comment, what can be run is run, and what can be read is read; ``tests/test_docs_run.py`` says how.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted(path for path in (ROOT / "examples").rglob("README.md") if "runs" not in path.parts),
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if "building" not in path.parts),
]
NOTES = ("not run", "runs in", "file", "before", "exit code", "recipe")
TEXT = ("text", "markdown", "csv")
READ = ("yaml", "json", "toml")
RUN = ("sh", "python", "console")
_NOTE = re.compile(r"<!-- ([a-z ]+?)(?::\s*(.*?))?\s*-->")


@dataclass(frozen=True)
class Block:
    """One block of code on a page.

    Attributes:
        line: where it begins, counted from 1.
        notes: what the comment above it says, by its first words.
    """

    page: Path
    line: int
    language: str
    text: str
    notes: dict[str, str]

    @property
    def where(self) -> str:
        """``page:line``, of the opening fence."""
        return f"{name_of(self.page)}:{self.line}"

    @property
    def runs(self) -> bool:
        """Whether the page's own test runs it."""
        return self.language in RUN and not {"not run", "runs in"} & self.notes.keys()


def name_of(page: Path) -> str:
    return (page.relative_to(ROOT) if page.is_relative_to(ROOT) else page).as_posix()


@cache
def blocks(page: Path) -> tuple[Block, ...]:
    """All blocks of a page in their order. One that is only indented has no language."""
    lines = page.read_text("utf-8").splitlines()
    found = []
    for token in MarkdownIt("commonmark").parse("\n".join(lines)):
        if token.type in ("fence", "code_block") and token.map is not None:
            first = token.map[0]
            found.append(Block(page, first + 1, _language(token), token.content, _notes(lines[:first])))
    return tuple(found)


def _language(token: Token) -> str:
    first = token.info.strip().partition(" ")[0]
    return "sh" if first == "bash" else first


def _notes(above: Sequence[str]) -> dict[str, str]:
    comments = takewhile(lambda line: line.strip().startswith("<!--"), reversed(above))
    return {name: value for line in comments for name, value in _NOTE.findall(line)}


def everything(*languages: str) -> list[Block]:
    """The blocks in these languages, of all pages."""
    return [block for page in PAGES for block in blocks(page) if block.language in languages]


def each_page(*pages: Path) -> list[object]:
    """Pages as parameters of a test, by their names."""
    return [pytest.param(page, id=name_of(page)) for page in pages or PAGES]
