"""Every parser of what others wrote, as one function of bytes: data comes out, or an error that is meant to."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from solon.constitution import load
from solon.data import hub
from solon.data.candidates import CandidateColumns, candidates_of
from solon.data.prompts import PromptColumns, prompt_of
from solon.data.strict_json import loads
from solon.data.tables import Row, read_rows
from solon.document import parse, plain_of
from solon.errors import InputError
from solon.interchange.detecting import detect
from solon.labelers.json_text import json_object
from solon.overriding import overridden

_FOLDER = Path(tempfile.mkdtemp(prefix="solon-fuzz-"))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _file(name: str, data: bytes) -> Path:
    path = _FOLDER / name
    path.write_bytes(data)
    return path


def yaml(data: bytes) -> None:
    """Recipes and constitutions."""
    parse(_text(data), "f")


def json(data: bytes) -> None:
    """The same in JSON."""
    parse(_text(data), "f", form="json")


def card(data: bytes) -> None:
    """Front matter of somebody else's: never an error."""
    plain_of(_text(data))


def markdown(data: bytes) -> None:
    """A constitution in Markdown."""
    load(_file("c.md", b"---\nname: x\n---\n" + data))


def jsonl(data: bytes) -> None:
    """Rows of JSON Lines."""
    list(read_rows(_file("r.jsonl", data)))


def csv(data: bytes) -> None:
    """Rows of CSV."""
    list(read_rows(_file("r.csv", data)))


def parquet(data: bytes) -> None:
    """Rows of Parquet, between the marks that every such file has."""
    list(read_rows(_file("r.parquet", b"PAR1" + data + b"PAR1")))


def override(data: bytes) -> None:
    """What is typed after a recipe."""
    recipe = {"train": {"beta": 0.1}, "evaluate": [{"kind": "kl"}], "policy": "m", "name": "x"}
    overridden(recipe, _text(data).split("\n"))


def address(data: bytes) -> None:
    """A dataset on a hub."""
    found = hub.parse("hf://" + _text(data))
    hub.parse(str(found))


def verdict(data: bytes) -> None:
    """A judge's reply in JSON: never an error."""
    json_object(_text(data), {"verdict", "reason"})


def columns(data: bytes) -> None:
    """Prompts, candidates and foreign layouts in a row of any shape."""
    try:
        value = loads(_text(data))
    except (ValueError, RecursionError):
        return
    row = Row("f:1", value if isinstance(value, dict) else {"prompt": value})
    prompt_of(row, PromptColumns())
    candidates_of(row, CandidateColumns())
    detect([row])


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each
    for each in (yaml, json, card, markdown, jsonl, csv, parquet, override, address, verdict, columns)
}
DECLARED = InputError
"""What may come out of them."""
