"""Counts the parameters of a model that is built without its weights: ``python -m solon.trainers.backend.counting``.

For the models whose parts ``solon.trainers.shapes`` does not know. A process of its own, since the one that counts
needs neither torch nor its memory.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

import torch
import transformers
from peft import get_peft_model

from solon.models.backend.loading import from_pretrained
from solon.trainers.backend.network import adapters
from solon.trainers.base import Lora


def counted(model: str, kind: str, lora: Lora | None, value: Lora | None = None) -> list[tuple[str, int, int]]:
    """Part, parameters that are trained, and all: as ``solon.trainers.parameters.counts``, which has the arguments.

    Raises:
        DataError: there is no such model.
        ValueError: transformers knows none of its type, or no module has a name that ``lora`` targets.
    """
    network = _built(model)
    head = network.get_output_embeddings()
    hidden = network.config.get_text_config().hidden_size
    embeddings = {id(weight) for weight in network.get_input_embeddings().parameters()}
    heads = {id(weight) for weight in head.parameters()} - embeddings if head is not None else set()
    sizes = {
        "embeddings": _size(weight for weight in network.parameters() if id(weight) in embeddings),
        "blocks": _size(weight for weight in network.parameters() if id(weight) not in embeddings | heads),
        "head": 0 if kind == "reward" else _size(weight for weight in network.parameters() if id(weight) in heads),
    }
    parts = [(part, size if lora is None else 0, size) for part, size in sizes.items() if size]
    for name, each in (("adapters", lora), ("value adapters", value)):
        if each is not None:
            adapted = get_peft_model(_built(model), adapters(each))
            size = _size(weight for weight in adapted.parameters() if weight.requires_grad)
            parts.append((name, size, size))
    own = {"ppo": ("value head", hidden + 1), "reward": ("reward head", hidden)}.get(kind)
    return [*parts, *([(own[0], own[1], own[1])] if own is not None else [])]


def _built(model: str) -> Any:
    config = from_pretrained(transformers.AutoConfig, model)
    kind = "AutoModelForSeq2SeqLM" if config.is_encoder_decoder else "AutoModelForCausalLM"
    with torch.device("meta"):
        network = getattr(transformers, kind).from_config(config)
    network.tie_weights()
    return network


def _size(weights: Iterable[Any]) -> int:
    return sum(weight.numel() for weight in weights)


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    loras = {name: None if asked[name] is None else Lora.model_validate(asked[name]) for name in ("lora", "value")}
    sys.stdout.write(json.dumps(counted(asked["model"], asked["kind"], **loras)) + "\n")
