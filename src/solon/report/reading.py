"""Reading the single JSON files of a run directory, strictly: what is broken is named with its place, never skipped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from solon.data.artifacts import opened, validation_problems, why_not_json, wrong_encoding
from solon.errors import DataError, Problem

_Model = TypeVar("_Model", bound=BaseModel)


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        DataError: there is no such file, it cannot be read, or it is not UTF-8.
    """
    with opened(path) as file:
        content = b"".join(file)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError([wrong_encoding(str(path), content[error.start], content)]) from error


def read_json(path: Path) -> Any:
    """The JSON value in a file.

    Raises:
        DataError: as ``read_text``, or it is not JSON; with line and column.
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}:{error.colno}"
        raise DataError([Problem(where, f"not valid JSON: {error.msg.lower()}", "run the stage again")]) from error
    except (ValueError, RecursionError) as error:
        raise DataError([Problem(str(path), why_not_json(error))]) from None


def parse(model: type[_Model], value: Any, where: str, name: str) -> _Model:
    """``value`` as ``model``, called ``name`` in errors. Raises ``DataError`` with every field that does not fit."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise DataError(validation_problems(where, name, error)) from error
