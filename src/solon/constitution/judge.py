"""The judge that runs a constitution's cases, as it is named on the command line."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from solon.document import Document, load, parse, problems_of
from solon.errors import InputError, Problem
from solon.labelers.base import Labeler
from solon.plugins.base import Settings, base_folder
from solon.plugins.importing import imports_of
from solon.plugins.registry import AnyLabeler


class _Judge(Settings):
    label: AnyLabeler


def read_judge(judge: str) -> Labeler:
    """A labeler from a YAML file, from a recipe (its ``label:`` section), or from a YAML mapping in the text itself.

    Args:
        judge: a path, or a mapping such as ``{kind: pairwise, judge: {kind: transformers, model: models/judge}}``.
            Paths inside a file are relative to the file, those in a mapping to where solon runs.

    Raises:
        InputError: with every problem of the labeler's settings, each at its place.
    """
    inline = judge.lstrip().startswith("{")
    document = _parsed(judge) if inline else load(judge)
    if not isinstance(document.data, dict):
        raise InputError([Problem(document.place(()), "a judge is a mapping with `kind`, or a recipe with `label`")])
    if "label" not in document.data:
        document = _under_label(document)
    try:
        with base_folder(None if inline else Path(judge).parent.absolute()), imports_of(document.data):
            return _Judge.model_validate({"label": document.data["label"]}).label
    except ValidationError as error:
        raise InputError(problems_of(error, document, _Judge)) from None


def _parsed(text: str) -> Document:
    document, problems = parse(text, "--judge")
    if problems:
        raise InputError(problems)
    return document


def _under_label(document: Document) -> Document:
    """The same document as if it were the ``label`` section of a recipe, each value at its own place."""
    return Document(
        document.name,
        {"label": document.data},
        {("label", *loc): at for loc, at in document.values.items()},
        {("label", *loc): at for loc, at in document.keys.items()},
    )
