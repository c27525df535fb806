"""What a model folder must hold: looked for before anything heavy is read. Imports no torch."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from solon.errors import DataError, Problem

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model", "tokenizer_config.json")


def check_folder(model: str) -> None:
    """Looks for what a model folder must hold, without loading any of it. Says nothing about a hub id.

    What is written as a path, or lies in a folder that exists, is no hub id.

    Raises:
        DataError: the folder, config.json, the weights or the tokenizer is missing, or config.json names code to fetch;
            says which and what to do.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        in_a_folder = folder.parent != Path() and folder.parent.is_dir()
        written_as_path = model.startswith((".", "~", os.sep)) or model.count("/") > 1 or model.endswith("/")
        if folder.exists() or in_a_folder or written_as_path:
            remedy = f"give a folder, or a hub id such as org/name{_similar_beside(folder)}"
            raise DataError([Problem(model, "there is no such model folder", remedy)])
        return
    if not (folder / "config.json").is_file():
        if (folder / "adapter_config.json").is_file():
            remedy = "give its base model as `model` and this folder as `adapter`"
            raise DataError([Problem(model, "this folder holds an adapter, not a model", remedy)])
        remedy = "give the folder that save_pretrained wrote"
        raise DataError([Problem(model, "this model folder has no config.json", remedy)])
    refuse_kernels(model, _read(folder / "config.json"))
    if not any(folder.glob("*.safetensors")):
        if any(folder.glob("*.bin")) or any(folder.glob("*.pt")) or any(folder.glob("*.pth")):
            remedy = "convert them with save_pretrained where you trust them: loading a pickle can run any code"
            raise DataError([Problem(model, "this model folder has pickled weights only, no *.safetensors", remedy)])
        remedy = "copy model.safetensors into the folder"
        raise DataError([Problem(model, "this model folder has no weights (*.safetensors)", remedy)])
    check_tokenizer(model)


def refuse_kernels(model: str, config: Mapping[str, Any]) -> None:
    """Refuses a configuration that names a repository of compiled kernels, which transformers would fetch and run.

    Raises:
        DataError: it does; says where.
    """
    for name, value in _implementations(config):
        if isinstance(value, str) and "/" in value:
            what = f"its configuration has `{name}: {value}`, code to fetch and run, and that is never done"
            raise DataError([Problem(model, what, f"take `{name}` out of config.json")])


def _implementations(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What a configuration, or one of a part in it, says of how its layers are computed."""
    for name, value in config.items():
        if name.strip("_") in {"attn_implementation", "experts_implementation"}:
            yield from ((name, each) for each in (value.values() if isinstance(value, dict) else [value]))
        elif isinstance(value, dict):
            yield from _implementations(value)


def _read(file: Path) -> dict[str, Any]:
    """What is in a file of settings; nothing where it cannot be read, which loading it says."""
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _similar_beside(folder: Path) -> str:
    """``; did you mean ...``: the folders beside one that is not there whose names are like its own."""
    try:
        beside = [path.name for path in folder.parent.iterdir() if path.is_dir()]
    except OSError:
        return ""
    similar = difflib.get_close_matches(folder.name, sorted(beside))
    return f"; did you mean {' or '.join(repr(str(folder.parent / name)) for name in similar)}?" if similar else ""


def check_tokenizer(model: str) -> None:
    """Looks for a tokenizer in a model folder. Says nothing about a hub id.

    Raises:
        DataError: there is none.
    """
    folder = Path(model).expanduser()
    if folder.is_dir() and not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        remedy = "copy tokenizer.json and tokenizer_config.json of the model it was trained from into the folder"
        raise DataError([Problem(model, "this model folder has no tokenizer (tokenizer.json)", remedy)])
