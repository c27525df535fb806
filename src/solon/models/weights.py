"""What models share whose weights lie in a folder of one's own, or on the hub, and run in this process."""

from __future__ import annotations

import shutil
from pathlib import Path

from solon.errors import DataError
from solon.models.backend.folders import check_adapter, check_folder
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
        """What a model or adapter folder lacks."""
        found: list[str] = []
        for check, location in ((check_folder, self.model), (check_adapter, self.adapter)):
            try:
                if location is not None:
                    check(located(location))
            except DataError as error:
                found += map(str, error.problems)
        return found


def has_gpu() -> bool:
    """Whether there is an NVIDIA GPU, found without loading anything."""
    return shutil.which("nvidia-smi") is not None or Path("/dev/nvidia0").exists()
