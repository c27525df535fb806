"""A model's config.json: from its folder, from the hub's cache, or from a table here. Never from the network."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from solon.errors import DataError, Problem
from solon.plugins.base import located

KNOWN: dict[str, dict[str, Any]] = {
    "meta-llama/Llama-3.1-8B-Instruct": {
        "model_type": "llama",
        "vocab_size": 128256,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "max_position_embeddings": 131072,
        "tie_word_embeddings": False,
    },
    "google/flan-t5-base": {
        "model_type": "t5",
        "vocab_size": 32128,
        "d_model": 768,
        "d_kv": 64,
        "d_ff": 2048,
        "num_layers": 12,
        "num_decoder_layers": 12,
        "num_heads": 12,
        "feed_forward_proj": "gated-gelu",
        "relative_attention_num_buckets": 32,
        "tie_word_embeddings": False,
    },
}
"""Configurations of models that our pages speak of, so that they need no network."""


ENCODER_DECODERS = ("t5", "mt5", "umt5", "longt5", "bart", "mbart", "pegasus", "marian", "led", "t5gemma")
"""Kinds whose configurations may leave out that they are."""


def configuration(model: str) -> tuple[Mapping[str, Any], str]:
    """The configuration of a model folder, or of a hub id that is in the hub's cache here or among ``KNOWN``.

    Returns:
        It, and where it is from.

    Raises:
        DataError: it is not here, or is not JSON.
    """
    file = config_file(model)
    if file is None:
        if model in KNOWN:
            return KNOWN[model], model
        remedy = f"give a model folder, download it first, or take one of {', '.join(KNOWN)}"
        raise DataError([Problem(model, "there is no config.json of this model here", remedy)])
    config = read_json(file)
    if not isinstance(config, dict):
        raise DataError([Problem(str(file), "is not a model's configuration: it holds no JSON object")])
    return config, str(file)


def model_type(model: str) -> str | None:
    """``model_type`` of a model's configuration, looked for as ``shape_of`` does; ``None`` when it says none.

    Raises:
        DataError: its config.json is not here, or is not JSON.
    """
    kind = configuration(model)[0].get("model_type")
    return kind if isinstance(kind, str) else None


def is_encoder_decoder(model: str) -> bool:
    """Whether a model is an encoder-decoder, as its configuration says, looked for as ``model_type`` does.

    Raises:
        DataError: its config.json is not here, or is not JSON.
    """
    config = configuration(model)[0]
    return bool(config.get("is_encoder_decoder", config.get("model_type") in ENCODER_DECODERS))


def read_json(file: Path) -> Any:
    """A JSON file of a model folder.

    Raises:
        DataError: it cannot be read as JSON.
    """
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError([Problem(str(file), f"cannot be read as JSON: {error}")]) from None


def config_file(model: str) -> Path | None:
    """``config.json`` of a folder, or of the newest snapshot of a hub id in the hub's cache; asks no network."""
    folder = Path(located(model)).expanduser()
    if (folder / "config.json").is_file():
        return folder / "config.json"
    if not _is_id(model):
        return None
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface").expanduser()
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()
    found = cache.glob(f"models--{model.replace('/', '--')}/snapshots/*/config.json")
    return max(found, key=lambda path: (path.stat().st_mtime, str(path)), default=None)


def _is_id(model: str) -> bool:
    return model.count("/") <= 1 and not any(mark in model for mark in "*?[~") and not model.startswith(("/", "."))
