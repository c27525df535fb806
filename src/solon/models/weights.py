"""What models share whose weights lie in a folder of one's own, or on the hub, and run in this process."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from solon.errors import DataError
from solon.models.backend.adapters import check_adapter, check_base
from solon.models.backend.folders import check_folder
from solon.models.backend.tensor_files import check_weights
from solon.models.base import ChatModel
from solon.plugins.base import Location, located


class OwnWeights(ChatModel):
    """A model that runs in this process.

    Attributes:
        model: a folder with config.json, ``*.safetensors`` and a tokenizer, or a hub id: a causal model whose tokenizer
            has a chat template, or an encoder-decoder. Pickled weights and code that comes with a model are never
            loaded.
        adapter: a LoRA folder to put on top; optional.
    """

    model: Location
    adapter: Location | None = None

    @property
    def name(self) -> str:
        """The last part of the model's path or id; with an adapter, ``model+adapter``."""
        base = Path(self.model).name
        return base if self.adapter is None else f"{base}+{Path(self.adapter).name}"

    def problems(self) -> list[str]:
        """What a model or adapter folder lacks; weights that were cut off; an adapter that is of another model."""
        return unfit(located(self.model), None if self.adapter is None else located(self.adapter))


def unfit(model: str, adapter: str | None) -> list[str]:
    """What is wrong with a model folder, and with the adapter for it, as far as it can be told without loading them."""
    found = _said(check_folder, model) or _said(check_weights, model)
    if adapter is not None:
        found += _said(check_adapter, adapter)
        found = found or _said(check_base, adapter, model)
    return found


def _said(check: Callable[..., None], *locations: str) -> list[str]:
    try:
        check(*locations)
    except DataError as error:
        return list(map(str, error.problems))
    return []


def has_gpu() -> bool:
    """Whether there is an NVIDIA GPU, found without loading anything."""
    return shutil.which("nvidia-smi") is not None or Path("/dev/nvidia0").exists()
