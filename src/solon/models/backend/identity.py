"""What a model folder holds, as a hash: the same weights elsewhere are the same model. Imports no torch."""

from __future__ import annotations

import filecmp
import hashlib
import json
import os
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path

from solon.errors import DataError, Problem

_WHOLE = 64 * 2**20
_END = 2**20
_READ = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt", "*.tiktoken")
# written beside the weights by trainers; they change no reply, and some hold the time of day
_IGNORED = frozenset({"trainer_state.json", "all_results.json", "train_results.json", "eval_results.json"})
# where a model came from and what wrote it changes no reply either
_ORIGIN = frozenset({"_name_or_path", "base_model_name_or_path", "transformers_version", "peft_version"})
_WITH_ORIGIN = frozenset({"config.json", "generation_config.json", "adapter_config.json"})


def content_identity(model: str) -> str:
    """16 hexadecimal digits that name what may change the replies of a model folder, an adapter folder, or a hub model.

    Of a folder: names and contents of its top-level configuration, tokenizer and weight files. Of a file of 64 MiB or
    more only the size, the first MiB and the last: an 8B model is then named in milliseconds, while its header, its
    last weights and any change of size are seen. Of a hub id: the id and, once it has been downloaded, the commit that
    its ``main`` points to. Costs some 50 microseconds when nothing has changed since the last call.

    Raises:
        DataError: the folder holds no model, or cannot be read.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        return _short(f"hub:{model}@{_cached_commit(model) or 'main'}")
    try:
        with os.scandir(folder) as entries:
            files = sorted(
                (entry.name, entry.stat().st_size, entry.stat().st_mtime_ns)
                for entry in entries
                if entry.name not in _IGNORED and any(fnmatch(entry.name, pattern) for pattern in _READ)
            )
        if not files:
            remedy = "it needs config.json, *.safetensors and a tokenizer"
            raise DataError([Problem(model, "this folder holds no model", remedy)])
        return _folder_hash(str(folder.resolve()), tuple(files))
    except OSError as error:
        raise DataError([Problem(model, f"the model folder cannot be read: {error.strerror or error}")]) from error


def same_weights(one: Path, other: Path) -> bool:
    """Whether two model folders hold the same weights, by the files that ``content_identity`` reads of them."""
    if one.resolve() == other.resolve():
        return True
    first, second = (
        {file.name: _file_hash(file, file.stat().st_size) for file in folder.glob("*.safetensors")}
        for folder in (one, other)
    )
    return first == second


def same_model(one: str, other: str) -> bool:
    """Whether two folders or hub ids are the same model, to the last byte of its weights.

    ``content_identity`` looks at the ends of large files alone: two models that differ between them, as by an adapter
    that was merged in, are not told apart by it. Folders that may be the same are read whole, unless they are one.

    Raises:
        DataError: a folder holds no model, or cannot be read.
    """
    first, second = Path(one).expanduser(), Path(other).expanduser()
    if not (first.is_dir() and second.is_dir()):
        return one == other
    if first.resolve() == second.resolve():
        return True
    if content_identity(one) != content_identity(other):
        return False
    try:
        return all(filecmp.cmp(file, second / file.name, shallow=False) for file in first.glob("*.safetensors"))
    except OSError as error:
        raise DataError([Problem(one, f"the model folder cannot be read: {error.strerror or error}")]) from error


@lru_cache(maxsize=256)
def _folder_hash(folder: str, files: tuple[tuple[str, int, int], ...]) -> str:
    return _short("".join(f"{name}\0{_file_hash(Path(folder) / name, size)}\n" for name, size, _ in files))


def _file_hash(path: Path, size: int) -> str:
    if size < _WHOLE:
        content = path.read_bytes()
        return hashlib.sha256(_without_origin(content) if path.name in _WITH_ORIGIN else content).hexdigest()
    with path.open("rb") as file:
        hasher = hashlib.sha256(f"{size}\0".encode() + file.read(_END))
        file.seek(-_END, os.SEEK_END)
        hasher.update(file.read(_END))
    return hasher.hexdigest()


def _without_origin(content: bytes) -> bytes:
    try:
        config = json.loads(content)
    except (ValueError, RecursionError):
        return content  # loading it says what is wrong with it
    if isinstance(config, dict):
        config = {key: value for key, value in config.items() if key not in _ORIGIN}
    return json.dumps(config, sort_keys=True).encode()


def _cached_commit(model: str) -> str | None:
    try:
        from huggingface_hub import constants
    except ImportError:
        return None
    ref = Path(constants.HF_HUB_CACHE) / f"models--{model.replace('/', '--')}" / "refs" / "main"
    try:
        return ref.read_text("utf-8").strip() or None
    except OSError:
        return None


def _short(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:16]
