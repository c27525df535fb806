"""Whether what is advised fits this machine: the estimate of ``solon doctor``, in a word."""

from __future__ import annotations

from solon.errors import DataError, RecipeError
from solon.trainers.backends import Machine
from solon.trainers.base import Lora
from solon.trainers.fit import fit


def room_for(trainer: str, model: str, machine: Machine) -> str:
    """What a training of adapters on 4-bit weights needs of a GPU, and whether it is here; empty where nobody knows.

    Args:
        trainer: its kind.
        model: a folder, or a hub id whose configuration is here.
        machine: this one.
    """
    try:
        needed = fit(model, trainer, machine, lora=Lora())
    except (DataError, RecipeError):
        return ""
    where = f"{needed.gpu} has {needed.gpu_gib:.0f}" if needed.gpu is not None else "no GPU here"
    return f"{needed.card_gib:.1f} GiB as adapters on 4-bit weights ({where})"
