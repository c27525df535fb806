"""Constitutions: read from YAML or Markdown with every error at its place, linted, found by name."""

from solon.constitution.library import find, resolve
from solon.constitution.linting import lint
from solon.constitution.reading import load, read
from solon.constitution.schema import schema

__all__ = ["find", "lint", "load", "read", "resolve", "schema"]
