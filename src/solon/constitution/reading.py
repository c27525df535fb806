"""A constitution file to a ``Constitution``, or to every error in it."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from solon import document
from solon.constitution import checks, markdown
from solon.data.records import Constitution
from solon.document import Document, in_order, problems_of
from solon.errors import ConstitutionError, Problem

MARKDOWN = frozenset({".md", ".markdown"})
SUFFIXES = MARKDOWN | {".yaml", ".yml", ".json"}


def load(path: str | Path) -> Constitution:
    """Reads a constitution from YAML, JSON (``.json``) or Markdown with front matter (``.md``, ``.markdown``).

    Raises:
        ConstitutionError: with every problem of the file, each at file:line:column.
    """
    return read(path)[0]


def read(path: str | Path) -> tuple[Constitution, Document]:
    """As ``load``, together with the document, which knows where each principle and case stands."""
    reader = markdown.read if Path(path).suffix.lower() in MARKDOWN else document.read
    found, problems = reader(path, error=ConstitutionError)
    if not isinstance(found.data, dict):
        what = "a constitution is a mapping with `name` and `principles`"
        raise ConstitutionError([*problems, Problem(found.place(()), what)])
    constitution = None
    try:
        constitution = Constitution.model_validate(found.data)
    except ValidationError as error:
        problems += problems_of(error, found, Constitution)
    problems += checks.problems(found)
    if constitution is None or problems:
        raise ConstitutionError(in_order(problems))
    return constitution, found
