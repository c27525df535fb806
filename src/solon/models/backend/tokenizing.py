"""Tokenizers without their models, and only those that are on this machine: nothing here uses a network."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from solon.data.artifacts import is_text

CountTokens = Callable[[str], int]

# name of the file in tiktoken's cache (the SHA-1 of its address), and the SHA-256 of what it holds
_VOCABULARIES = {
    "cl100k_base": (
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    ),
    "o200k_base": (
        "fb374d419588a4632f3f557e76b4b70aebbca790",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    ),
}
_SAME_VOCABULARY = {"o200k_harmony": "o200k_base"}


def tokenizer_file(model: str) -> Path | None:
    """``tokenizer.json`` of a model folder, or of a hub id whose tokenizer was downloaded before."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        file = folder / "tokenizer.json"
        return file if file.is_file() else None
    try:
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError
    except ImportError:
        return None
    try:
        found = try_to_load_from_cache(model, "tokenizer.json")
    except HFValidationError:  # no id that a hub could have
        return None
    return Path(found) if isinstance(found, str) else None


def as_text(said: str) -> str:
    """Unicode text, which is all that tokenizers take: half of a surrogate pair becomes U+FFFD, as tiktoken has it.

    Both halves side by side become their character.
    """
    return said if is_text(said) else said.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@lru_cache(maxsize=8)
def of_file(file: Path) -> CountTokens | None:
    """Counts as a ``tokenizer.json`` does, without special tokens; ``None`` where it cannot be read."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        return None
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception:  # noqa: BLE001 - it raises nothing narrower; loading the model says what is wrong with the file
        return None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda text: len(tokenizer.encode(as_text(text), add_special_tokens=False).ids)


def encoding_of(model: str) -> str | None:
    """What tiktoken calls the vocabulary of an OpenAI model, if it knows the model."""
    try:
        from tiktoken.model import encoding_name_for_model
    except ImportError:
        return None
    try:
        return str(encoding_name_for_model(model))
    except KeyError:
        return None


@lru_cache(maxsize=8)
def of_tiktoken(encoding: str) -> CountTokens | None:
    """Counts as tiktoken does; ``None`` where the vocabulary is not on this machine."""
    folder = _vocabulary_folder(_SAME_VOCABULARY.get(encoding, encoding))
    if folder is None:
        return None
    import tiktoken

    with _cache_folder(folder):
        known = tiktoken.get_encoding(encoding)
    return lambda text: len(known.encode_ordinary(text))


def _vocabulary_folder(encoding: str) -> Path | None:
    """A folder that holds the vocabulary, whole: tiktoken would download it anew if it were damaged."""
    if encoding not in _VOCABULARIES:
        return None
    name, wanted = _VOCABULARIES[encoding]
    for folder in _folders():
        file = folder / name
        if file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == wanted:
            return folder
    return None


def _folders() -> Iterator[Path]:
    """Where tiktoken keeps vocabularies, and where litellm brings them along."""
    for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        if folder := os.environ.get(variable):
            yield Path(folder)
    yield Path(tempfile.gettempdir()) / "data-gym-cache"
    litellm = find_spec("litellm")
    for place in (litellm and litellm.submodule_search_locations) or ():
        yield Path(place) / "litellm_core_utils" / "tokenizers"


@contextmanager
def _cache_folder(folder: Path) -> Iterator[None]:
    """The folder where tiktoken looks: it takes it from the environment and from nowhere else."""
    variable = "TIKTOKEN_CACHE_DIR"
    before = os.environ.get(variable)
    os.environ[variable] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before
