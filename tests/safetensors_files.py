"""Safetensors written by hand, also such as no library would write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

_BYTES = {"F32": 4, "BF16": 2, "U8": 1}


def safetensors(shapes: Mapping[str, tuple[int, ...]], dtype: str = "F32") -> bytes:
    """A file of zeros, with these tensors."""
    header, at = {}, 0
    for name, shape in shapes.items():
        size = prod(shape) * _BYTES[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    return with_header(header, bytes(at))


def with_header(header: Any, data: bytes) -> bytes:
    """A file with this header, or these bytes in its place."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def one(**changed: Any) -> dict[str, Any]:
    """A header of one tensor of 4 bytes."""
    return {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], **changed}}


LYING: Mapping[str, bytes] = {
    "empty": b"",
    "seven bytes": bytes(7),
    "header of 16 EiB": b"\xff" * 8 + b"{}",
    "header longer than the file": (1000).to_bytes(8, "little") + b"{}",
    "header that is no JSON": with_header(b"not JSON", b""),
    "header that is a list": with_header([], b""),
    "header nested 100,000 deep": with_header(b"[" * 100_000, b""),
    "a name twice": with_header(b'{"a": 1, "a": 2}', b""),
    "an entry that is a number": with_header({"w": 3}, b""),
    "cut off": safetensors({"a": (4, 4), "b": (2, 2)})[:-1],
    "more than it says": safetensors({"a": (4, 4)}) + b"x",
    "offsets that overlap": with_header(
        {
            "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
            "b": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]},
        },
        bytes(12),
    ),
    "offsets with a hole": with_header(one(data_offsets=[4, 8]), bytes(8)),
    "offsets the wrong way round": with_header(one(data_offsets=[4, 0]), bytes(4)),
    "negative offsets": with_header(one(data_offsets=[-4, 0]), bytes(4)),
    "offsets past the end": with_header(one(shape=[2**40], data_offsets=[0, 2**42]), bytes(4)),
    "a shape of more than its bytes": with_header(one(shape=[2**40]), bytes(4)),
    "a shape of less": with_header(one(shape=[0]), bytes(4)),
    "a negative shape": with_header(one(shape=[-1]), bytes(4)),
    "a type of other bytes": with_header(one(dtype="F64"), bytes(4)),
}
"""Files that lie about themselves."""


def model_folder(folder: Path, weights: bytes, config: Mapping[str, Any] | None = None) -> Path:
    """A model folder that is complete to the eye."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config or {"model_type": "llama"}))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def adapter_folder(folder: Path, weights: bytes, **config: Any) -> Path:
    """A LoRA folder that is complete to the eye."""
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 2, **config}))
    (folder / "adapter_model.safetensors").write_bytes(weights)
    return folder
