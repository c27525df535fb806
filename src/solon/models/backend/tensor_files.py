"""What a safetensors file says that it holds, held against how long it is. Imports no torch.

A copy that was cut off, or a file that lies about itself, is found by its header of some kilobytes, before anything
is paid for. Format: https://github.com/huggingface/safetensors#format.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from solon.data import strict_json
from solon.errors import DataError, Problem

_LONGEST_HEADER = 100_000_000
"""Bytes; the format's own limit."""
_BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}
"""Of a number of each type; a type that is not among them is not held against its length."""
_WHOLE, _INDEX = "model.safetensors", "model.safetensors.index.json"
_POINTER = b"version "
"""What Git LFS leaves in the place of a file begins so: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md."""
_AGAIN = "copy or download it again"


@dataclass(frozen=True)
class Tensor:
    """One tensor of a file, by its header: its type, as the format calls it, and its shape."""

    dtype: str
    shape: tuple[int, ...]


def check_weights(model: str) -> None:
    """Reads the headers of a model folder's weights. Says nothing about a hub id, or a folder without weights.

    Raises:
        DataError: a file is cut off or contradicts itself, or the index names one that is not in the folder; of all
            files, each with what is wrong.
    """
    if Path(model).expanduser().is_dir():
        tensors_of_folder(model)


def tensors_of_folder(model: str) -> dict[str, Tensor]:
    """The tensors of a model folder, by name.

    Raises:
        DataError: as ``check_weights``.
    """
    folder = Path(model).expanduser()
    tensors: dict[str, Tensor] = {}
    problems: list[Problem] = []
    for file in _files(folder):
        try:
            tensors |= tensors_of(file)
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    return tensors


def tensors_of(file: Path) -> dict[str, Tensor]:
    """The tensors of a file, by name.

    Raises:
        DataError: it cannot be read, is cut off, or its header contradicts itself.
    """
    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            begins = opened.read(8)
            if begins == _POINTER:
                raise DataError([Problem(str(file), "stands for weights that Git LFS has not fetched", "git lfs pull")])
            length = int.from_bytes(begins, "little")
            if size < 8 or length > min(size - 8, _LONGEST_HEADER):
                raise ValueError(f"its header would end at byte {length + 8:,}, and the file ends at {size:,}")
            header = strict_json.loads(opened.read(length).decode())
        return dict(_checked(header, size - 8 - length))
    except OSError as error:
        what = f"these weights cannot be read: {error.strerror or error}"
        raise DataError([Problem(str(file), what)]) from error
    except (ValueError, RecursionError) as error:
        what = f"these weights are cut off or damaged: {str(error).strip() or type(error).__name__}"
        raise DataError([Problem(str(file), what, _AGAIN)]) from error


def _files(folder: Path) -> list[Path]:
    """The files that are loaded: the one that has everything, or those of the index, or else all that there are."""
    if (folder / _WHOLE).is_file():
        return [folder / _WHOLE]
    index = folder / _INDEX
    if not index.is_file():
        return sorted(folder.glob("*.safetensors"))
    try:
        names = sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
        foreign = [name for name in names if not _is_plain(name)]
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise DataError([Problem(str(index), "this is no index of weights", _AGAIN)]) from error
    if foreign:
        what = f"names {foreign[0]!r}, which is no safetensors file of this folder"
        remedy = "take the model from where it was first published: only safetensors are ever read, and nothing beside"
        raise DataError([Problem(str(index), what, remedy)])
    gone = [name for name in names if not (folder / name).is_file()]
    if gone:
        what = f"names {gone[0]!r}, which is not there ({len(gone)} of {len(names)} files are missing)"
        raise DataError([Problem(str(index), what, "download the rest")])
    return [folder / name for name in names]


def _is_plain(name: str) -> bool:
    return name.endswith(".safetensors") and Path(name).name == name and "\\" not in name


def _checked(header: Any, held: int) -> Iterator[tuple[str, Tensor]]:
    """Each tensor, in the order of the file.

    Args:
        header: as it was read.
        held: bytes that come after it.

    Raises:
        ValueError: it contradicts itself, or what comes after it.
    """
    if not isinstance(header, dict):
        raise ValueError("its header is no list of tensors")
    places = sorted(
        ((*_place(name, entry), name, entry) for name, entry in header.items() if name != "__metadata__"),
        key=lambda place: place[:2],
    )
    at = 0
    for start, end, name, entry in places:
        if start != at:
            raise ValueError(f"{name!r} begins at byte {start:,}, and the one before it ends at {at:,}")
        tensor = Tensor(str(entry["dtype"]), tuple(entry["shape"]))
        bits = _BITS.get(tensor.dtype)
        if bits is not None and prod(tensor.shape) * bits != 8 * (end - start):
            shape = " x ".join(map(str, tensor.shape))
            raise ValueError(f"{name!r} has {end - start:,} bytes, which are not {shape} of type {tensor.dtype}")
        yield name, tensor
        at = end
    if at != held:
        raise ValueError(f"its header speaks of {at:,} bytes, and there are {held:,}")


def _place(name: str, entry: Any) -> tuple[int, int]:
    """Where a tensor begins and ends."""
    match entry:
        case {"dtype": str(), "shape": list(shape), "data_offsets": [int(start), int(end)]} if (
            0 <= start <= end and all(isinstance(size, int) and size >= 0 for size in shape)
        ):
            return start, end
        case _:
            raise ValueError(f"it does not say of {name[:80]!r} what it is and where")
