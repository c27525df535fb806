"""What model and adapter folders must hold: looked for before anything heavy is read. Imports no torch."""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path

from solon.errors import DataError, Problem
from solon.models.backend.identity import same_weights

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model", "tokenizer_config.json")


def check_folder(model: str) -> None:
    """Looks for what a model folder must hold, without loading any of it. Says nothing about a hub id.

    What is written as a path, or lies in a folder that exists, is no hub id.

    Raises:
        DataError: the folder, config.json, the weights or the tokenizer is missing; says which and what to do.
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
    if not any(folder.glob("*.safetensors")):
        if any(folder.glob("*.bin")) or any(folder.glob("*.pt")) or any(folder.glob("*.pth")):
            remedy = "convert them with save_pretrained where you trust them: loading a pickle can run any code"
            raise DataError([Problem(model, "this model folder has pickled weights only, no *.safetensors", remedy)])
        remedy = "copy model.safetensors into the folder"
        raise DataError([Problem(model, "this model folder has no weights (*.safetensors)", remedy)])
    check_tokenizer(model)


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


def check_adapter(adapter: str) -> None:
    """Looks for what an adapter folder must hold.

    Raises:
        DataError: its configuration or its weights are missing.
    """
    folder = Path(adapter).expanduser()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (folder / name).is_file():
            remedy = "give the folder that a LoRA training wrote"
            raise DataError([Problem(adapter, f"this adapter folder has no {name}", remedy)])


def check_base(adapter: str, model: str) -> None:
    """Looks whether an adapter was trained on another model than ``model``: on top of that it says anything.

    Only where the folder that it was trained on is still here: a name alone proves nothing.

    Raises:
        DataError: the weights of that folder are others.
    """
    named = base_of(adapter)
    if named is None or not Path(model).expanduser().is_dir():
        return
    folder = Path(adapter).expanduser().resolve()
    places = [Path(named).expanduser(), *(above / named for above in folder.parents)]
    base = next((place for place in places if place.is_dir()), None)
    if base is not None and not same_weights(base, Path(model).expanduser()):
        what = f"this adapter was trained on {named!r}, and the model is {model!r}, whose weights are others"
        raise DataError(
            [Problem(adapter, what, f"give {named!r} as `model`, or an adapter that was trained on {model!r}")]
        )


def base_of(adapter: str) -> str | None:
    """The model that an adapter says it was trained on; ``None`` where it says nothing."""
    try:
        config = json.loads((Path(adapter).expanduser() / "adapter_config.json").read_bytes())
    except (OSError, ValueError):
        return None
    named = config.get("base_model_name_or_path") if isinstance(config, dict) else None
    return named if isinstance(named, str) and named else None
