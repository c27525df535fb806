"""The head of the value: one number a state, in units of reward."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

from solon.errors import DataError, Problem
from solon.models.backend.loading import Loaded


def value_head(loaded: Loaded) -> nn.Linear:
    """A linear head on the last hidden state, in float32 at least, all 0 as it is made.

    Before anything is learned ``Loop`` puts a reward model's head in its place, as N+ begins the value, or the first
    round's mean reward into its bias.

    It stands beside the network and not in it, out of PEFT's sight and of the checkpoint.
    """
    weights = loaded.network.get_output_embeddings().weight
    wide = torch.promote_types(weights.dtype, torch.float32)
    head = nn.Linear(weights.shape[1], 1, device=loaded.device, dtype=wide)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


def head_of(folder: str, width: int) -> Tensor:
    """The head of a reward model, shape (1, ``width``).

    Raises:
        DataError: it has none, or one for hidden states of another width.
    """
    for file in sorted(Path(folder).glob("*.safetensors")):
        with safe_open(file, framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118 - no mapping
                if name.split(".")[-2:] == ["score", "weight"] and tuple(weights.get_slice(name).get_shape()) == (
                    1,
                    width,
                ):
                    return weights.get_tensor(name)
    remedy = "give a reward model of one label that was trained from the policy's own base"
    raise DataError([Problem(folder, f"has no reward head of 1 x {width} (score.weight)", remedy)])
