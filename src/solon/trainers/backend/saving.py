"""Writing a trained policy: safetensors, tokenizer, generation settings, and nothing else a trainer has lying about."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from transformers import AutoConfig

from solon.errors import TrainingError
from solon.plugins.base import located
from solon.trainers.backend.divided import whole, whole_weights
from solon.trainers.backend.processes import Processes
from solon.trainers.base import Job


def stored_dtype(model: str) -> torch.dtype | None:
    """The type in which a model's weights are on disk, as its configuration says; ``None`` when it does not."""
    dtype = AutoConfig.from_pretrained(model, trust_remote_code=False).dtype
    return dtype if isinstance(dtype, torch.dtype) else None


@dataclass(frozen=True)
class Configuration:
    """A model's configuration from before the training: trainers switch its cache off and leave it so."""

    use_cache: Any
    generation: Any

    @classmethod
    def of(cls, model: Any) -> Self:
        """What ``model`` is configured as now."""
        return cls(getattr(model.config, "use_cache", None), copy.deepcopy(getattr(model, "generation_config", None)))

    def restore(self, model: Any) -> None:
        """Configures ``model`` as it was."""
        if self.use_cache is not None:
            model.config.use_cache = self.use_cache
        if self.generation is not None:  # what classifies does not generate
            model.generation_config = self.generation


def save_trained(model: Any, tokenizer: Any, job: Job, *, full: bool, configuration: Configuration) -> None:
    """Writes what was trained into ``job.out``: all weights, in the type in which the policy has them, or the adapter.

    Raises:
        TrainingError: a weight is not a number.
    """
    if full:
        dtype = stored_dtype(located(job.policy.model))
        save_full(model, tokenizer, job.out, dtype=dtype, configuration=configuration)
    else:
        save_adapter(model, tokenizer, job.out, base_model=str(job.policy.model))


def save_full(
    model: Any, tokenizer: Any, out: Path, *, dtype: torch.dtype | None, configuration: Configuration
) -> None:
    """Writes all weights, in ``dtype`` where one is given: that of the base on disk, so both are served alike.

    Raises:
        TrainingError: a weight is not a number.
    """
    _check_finite(model)
    configuration.restore(model)
    weights = whole_weights(model, dtype)
    if Processes.here().first:
        if weights is not None:
            model.save_pretrained(out, state_dict=weights)
        else:
            (model.to(dtype) if dtype is not None else model).save_pretrained(out)
        tokenizer.save_pretrained(out)
    Processes.here().wait()


def save_adapter(model: Any, tokenizer: Any, out: Path, *, base_model: str) -> None:
    """Writes the adapter alone. Its configuration names the base as the recipe does, not as a path of this machine.

    Raises:
        TrainingError: a weight is not a number.
    """
    _check_finite(model)
    model.peft_config["default"].base_model_name_or_path = base_model
    weights = whole_weights(model, None, trained=True)
    if Processes.here().first:
        given = {} if weights is None else {"state_dict": weights}
        # "auto" would ask the hub whether the base's vocabulary was resized; LoRA never resizes it
        model.save_pretrained(out, save_embedding_layers=False, selected_adapters=["default"], **given)
        tokenizer.save_pretrained(out)
    Processes.here().wait()


def _check_finite(model: Any) -> None:
    for name, weight in model.named_parameters():
        if weight.requires_grad and not torch.isfinite(whole(weight)).all():
            raise TrainingError(
                f"after the last step {name!r} holds values that are not numbers, so nothing of that step was kept: "
                f"lower train.learning_rate"
            )
