"""From a path to a document, or to the caller's error with every problem that stands in the way."""

from __future__ import annotations

import difflib
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from solon.document import json_tree, yaml_tree
from solon.document.place import Document, in_order
from solon.document.tree import Refused, expand
from solon.errors import InputError, Problem

MAX_BYTES = 10_000_000
"""No file that a person writes is larger."""


def load(path: str | Path, *, error: type[InputError] = InputError) -> Document:
    """Reads a YAML file, or a JSON file when its name ends in ``.json``.

    Args:
        path: the file; named in messages as it is given here.
        error: the class to raise.

    Raises:
        InputError: of the class ``error``, with every problem: no such file, not text, not YAML, duplicate keys.
    """
    document, problems = read(path, error=error)
    if problems:
        raise error(problems)
    return document


def read(path: str | Path, *, error: type[InputError] = InputError) -> tuple[Document, list[Problem]]:
    """As ``load``, but gives back the problems that do not keep one from reading on, such as duplicate keys.

    For callers that go on to find more, so as to report all at once. They must raise the problems in the end.
    """
    form: Literal["yaml", "json"] = "json" if Path(path).suffix.lower() == ".json" else "yaml"
    return parse(text_of(path, error=error), str(path), form=form, error=error)


def parse(
    text: str, name: str, *, form: Literal["yaml", "json"] = "yaml", error: type[InputError] = InputError
) -> tuple[Document, list[Problem]]:
    """A document from text. ``name`` heads every place; an empty text is an error."""
    nodes_of = json_tree.nodes_of if form == "json" else yaml_tree.nodes_of
    try:
        root = nodes_of(text)
        if root is None:
            raise error([Problem(name, "the file is empty")])
        document, problems = expand(root, name)
    except Refused as refused:
        line, column = refused.at
        raise error([Problem(f"{name}:{line}:{column}", refused.what, refused.remedy)]) from None
    return document, in_order(problems)


def plain_of(text: str) -> Any:
    """What a text of somebody else's says, such as the front matter of a card, as plain data.

    A second value under one key is left aside. ``None`` where nothing can be read: no YAML, an object tag, or more or
    deeper than a document may hold, its aliases and merges expanded.
    """
    try:
        return parse(text, "")[0].data if len(text) <= MAX_BYTES else None
    except InputError:
        return None


def text_of(path: str | Path, *, error: type[InputError] = InputError) -> str:
    """The text of a UTF-8 file, without its byte-order mark, line ends as they are."""
    path = Path(path)
    name = str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise error([Problem(name, f"no such file; {_where_to_look(path)}")]) from None
    except IsADirectoryError:
        raise error([Problem(name, "this is a folder, and a file is wanted", _instead_of_folder(path))]) from None
    except (OSError, ValueError) as cause:  # ValueError: a null character in the path
        reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
        raise error([Problem(name, f"the file cannot be read: {reason}")]) from None
    if len(raw) > MAX_BYTES:
        what = f"the file is larger than {MAX_BYTES // 1_000_000} MB, and is not read"
        raise error([Problem(name, what, "keep prompts and responses in files of data, and name those here")])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        start = raw.rfind(b"\n", 0, cause.start) + 1
        line = raw.count(b"\n", 0, cause.start) + 1
        column = len(raw[start : cause.start].decode("utf-8", "replace")) + 1
        byte = f"byte 0x{raw[cause.start]:02X} is not UTF-8 text"
        raise error([Problem(f"{name}:{line}:{column}", byte, "save the file as UTF-8")]) from None


def _where_to_look(path: Path) -> str:
    if not path.parent.is_dir():
        return f"there is no folder {str(path.parent)!r} either"
    near = difflib.get_close_matches(path.name, _names_in(path.parent), n=1)
    if near:
        return f"did you mean {str(path.with_name(near[0]))!r}?"
    return "check the path" if path.is_absolute() else f"paths are relative to {str(Path.cwd())!r}"


def _instead_of_folder(folder: Path) -> str:
    inside = [name for name in _names_in(folder) if name.endswith((".yaml", ".yml", ".md", ".json"))]
    return f"did you mean {str(folder / inside[0])!r}?" if inside else ""


def _names_in(folder: Path) -> list[str]:
    with suppress(OSError):  # a folder that may not be listed has no hint to give
        return sorted(entry.name for entry in folder.iterdir() if not entry.is_dir())
    return []
