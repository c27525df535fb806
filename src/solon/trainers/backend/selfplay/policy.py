"""The policy between rounds, as it is loaded: to answer, or to be trained further."""

from __future__ import annotations

import gc
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, set_peft_model_state_dict
from safetensors.torch import load_file

from solon.models.backend.loading import Loaded, load
from solon.plugins.base import located
from solon.trainers.backend import network
from solon.trainers.backend.trl import load_policy
from solon.trainers.backends import Choice
from solon.trainers.base import Policy
from solon.trainers.selfplay import SelfPlay

_ADAPTER = "adapter_model.safetensors"


@dataclass(frozen=True)
class Loader:
    """What loads the policy of any round, whose checkpoint is ``None`` for the untrained one.

    Unsloth puts kernels of its own into the classes of transformers, and how far they reach into a model that another
    loads afterwards depends on its version and on the machine: so it loads the policy that answers as well.

    Attributes:
        settings: the trainer's.
        policy: the untrained one.
        choice: the backend.
        seed: of the adapters that Unsloth makes.
    """

    settings: SelfPlay
    policy: Policy
    choice: Choice
    seed: int

    @property
    def by_unsloth(self) -> bool:
        """Whether it is Unsloth's model, which writes by its own ``generate``."""
        return self.choice.name == "unsloth"

    def to_answer(self, checkpoint: Path | None) -> Loaded:
        """A round's policy as ``sample`` loads it."""
        if self.by_unsloth:
            return self._with_adapter(checkpoint)
        policy, full = self.policy, self.settings.lora is None
        adapter = located(policy.adapter) if policy.adapter is not None else None
        return load(
            str(checkpoint) if checkpoint is not None and full else located(policy.model),
            adapter=adapter if checkpoint is None else None if full else str(checkpoint),
            dtype=policy.dtype,
            load_in_4bit=policy.load_in_4bit,
            threads=policy.threads,
        )

    def to_train_on(self, checkpoint: Path) -> Loaded:
        """The base with a round's adapter, to train it further."""
        if self.by_unsloth:
            return self._with_adapter(checkpoint)
        loaded = load_policy(self.policy, full=False)
        return replace(loaded, model=PeftModel.from_pretrained(loaded.model, str(checkpoint), is_trainable=True))

    def _with_adapter(self, checkpoint: Path | None) -> Loaded:
        """Unsloth's model: its adapter is a new one, which changes nothing, or has a round's weights."""
        settings = self.settings
        loaded = network.load_policy(
            self.policy, self.choice, lora=settings.lora, seed=self.seed, max_length=settings.max_length
        ).loaded
        if checkpoint is not None:
            put_adapter(loaded.model, checkpoint)
        return loaded


def put_adapter(model: Any, checkpoint: Path) -> None:
    """Gives the adapter of a ``PeftModel`` the weights of a checkpoint's."""
    set_peft_model_state_dict(model, load_file(checkpoint / _ADAPTER))


def free() -> None:
    """Gives memory back that nothing refers to any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
