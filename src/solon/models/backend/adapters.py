"""Adapters: what their folders must hold, whether they fit a model, and putting them on it. Torch only for the last.

An adapter's configuration comes from whoever made it. What would import a module, make layers without number, or be
another kind of adapter than the one that is read here is refused by name; a tensor that is missing, of another shape or
taken by no part of the model is never passed over.
"""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

from solon.errors import DataError, Problem
from solon.models.backend.identity import same_weights
from solon.models.backend.tensor_files import Tensor, tensors_of, tensors_of_folder

_CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_ADDED = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])(\.default)?\.weight")
_REFUSED = {
    "megatron_config": "imports a module that the adapter names",
    "layer_replication": "makes layers of its own, as many as the adapter says",
}
"""Settings of PEFT by what they would do."""
_PACKED = ("U8", "I8")  # a base in 4 or 8 bits: its matrices have other shapes on disk


def check_adapter(adapter: str) -> None:
    """Looks at what an adapter folder holds, without loading it.

    Raises:
        DataError: its configuration or its weights are missing or damaged; it is another kind of adapter than LoRA, or
            asks for what is never done.
    """
    folder = Path(adapter).expanduser()
    for name in (_CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            remedy = "give the folder that a LoRA training wrote"
            pickled = name == WEIGHTS and (folder / "adapter_model.bin").is_file()
            what = "has pickled weights only, and loading a pickle can run any code" if pickled else f"has no {name}"
            raise DataError([Problem(adapter, f"this adapter folder {what}", remedy)])
    config = _config(adapter)
    if config is None:
        raise DataError([Problem(str(folder / _CONFIG), "this is no configuration of an adapter", "copy it again")])
    kind = config.get("peft_type", "LORA")
    if kind != "LORA":
        what = f"this adapter is of the kind {kind!r}, and only LoRA is read"
        raise DataError([Problem(adapter, what, "merge it into its model where you trust it, and give that")])
    for name, does in _REFUSED.items():
        if config.get(name):
            what = f"`{name}` in {_CONFIG} {does}, and that is never done"
            raise DataError([Problem(adapter, what, "merge it into its model where you trust it, and give that")])
    _check_ranks(adapter, config, tensors_of(folder / WEIGHTS))


def check_base(adapter: str, model: str) -> None:
    """Looks whether an adapter belongs to ``model``: on top of another it says anything. Says nothing about a hub id.

    By the folder that it was trained on, where that is still here, for a name alone proves nothing; and by the shapes
    of the matrices that it is added to. An adapter that was trained on 4 bits goes on the same model in 16, and there
    only the shapes tell.

    Raises:
        DataError: the weights of that folder are others, or a shape does not fit.
    """
    named, folder = base_of(adapter), Path(adapter).expanduser().resolve()
    if not Path(model).expanduser().is_dir():
        return
    places = [] if named is None else [Path(named).expanduser(), *(above / named for above in folder.parents)]
    base = next((place for place in places if place.is_dir()), None)
    alike = base is not None and _is_quantised(base) == _is_quantised(Path(model).expanduser())
    if base is not None and alike and not same_weights(base, Path(model).expanduser()):
        what = f"this adapter was trained on {named!r}, and the model is {model!r}, whose weights are others"
        raise DataError(
            [Problem(adapter, what, f"give {named!r} as `model`, or an adapter that was trained on {model!r}")]
        )
    held = tensors_of_folder(model)
    for name, tensor in tensors_of(folder / WEIGHTS).items():
        found = _ADDED.fullmatch(name)
        matrix = None if found is None else held.get(f"{found['module']}.weight")
        if found is None or matrix is None or matrix.dtype in _PACKED or len(matrix.shape) != 2:
            continue
        # by which of its sides a matrix is multiplied differs between architectures
        if tensor.shape[-1 if found["side"] == "A" else 0] not in matrix.shape:
            trained = f", which was trained on {named!r}," if named else ""
            differ = f"{name} is {_shape(tensor)}, and its matrix there is {_shape(matrix)}"
            what = f"this adapter{trained} does not fit {model!r}: {differ}"
            raise DataError([Problem(adapter, what, "give the model that it was trained on as `model`")])


def base_of(adapter: str) -> str | None:
    """The model that an adapter says it was trained on; ``None`` where it says nothing. It is never loaded for that."""
    named = (_config(adapter) or {}).get("base_model_name_or_path")
    return named if isinstance(named, str) and named else None


def put_on(network: Any, adapter: str) -> Any:
    """A ``peft.PeftModel``: a network with an adapter, every tensor of which has found its place.

    Raises:
        ValueError, RuntimeError, OSError: PEFT cannot, or would leave something out, and what.
        ImportError: PEFT is not installed.
    """
    from peft import PeftModel

    folder = str(Path(adapter).expanduser())
    # names of tensors from before an architecture was rewritten, as PEFT itself takes them in the first call alone
    renamed = getattr(network, "_checkpoint_conversion_mapping", None)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Found missing adapter keys")  # it is told below
            adapted = PeftModel.from_pretrained(network, folder, key_mapping=renamed)
            # a second time, as only this returns what was left out
            result = adapted.load_adapter(folder, "default", key_mapping=renamed)
    except KeyError as error:  # a part of the base that the adapter should hold whole
        raise ValueError(f"it holds nothing for {error.args[0]}") from error
    if result.missing_keys:
        raise ValueError(f"it holds nothing for {_few(result.missing_keys)}")
    if result.unexpected_keys:
        raise ValueError(f"the model has no place for {_few(result.unexpected_keys)}")
    return adapted


def _is_quantised(model: Path) -> bool:
    return bool((_settings(model / "config.json") or {}).get("quantization_config"))


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _check_ranks(adapter: str, config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Compares the ranks that are stated, by which memory is taken, with the matrices that are there.

    Raises:
        DataError: a matrix has another rank.
    """
    pattern, common = config.get("rank_pattern"), config.get("r", 8)  # PEFT's own default
    by_module = list(pattern.values()) if isinstance(pattern, dict) else []
    # of a mixture's experts, which are one parameter, the matrices of all lie in one
    several = bool(config.get("target_parameters"))
    most = 0
    for name, tensor in tensors.items():
        found = _ADDED.fullmatch(name)
        if found is None or len(tensor.shape) != 2:
            continue
        rank = tensor.shape[0 if found["side"] == "A" else 1]
        most = max(most, rank)
        if not any(rank == one or (several and _divides(one, rank)) for one in (common, *by_module)):
            what = f"{_CONFIG} says rank {common!r}, and {name} has rank {rank}"
            raise DataError([Problem(adapter, what, "copy both files from the same training")])
    if beyond := [one for one in by_module if not isinstance(one, int) or one > max(most, 1)]:
        what = f"`rank_pattern` in {_CONFIG} says rank {beyond[0]!r}, and no matrix has it"
        raise DataError([Problem(adapter, what, "copy both files from the same training")])


def _divides(one: Any, rank: int) -> bool:
    return isinstance(one, int) and one > 0 and not rank % one


def _shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape))


def _config(adapter: str) -> dict[str, Any] | None:
    return _settings(Path(adapter).expanduser() / _CONFIG)


def _settings(file: Path) -> dict[str, Any] | None:
    """A file of settings; ``None`` where there is none that can be read."""
    try:
        config = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return config if isinstance(config, dict) else None
