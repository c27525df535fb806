"""Loading a policy to train it, by each backend. At the top neither transformers nor peft: Unsloth goes first."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solon.errors import RecipeError
from solon.models.backend.folders import check_folder
from solon.models.backend.loading import Loaded, libraries, load, load_tokenizer, ready
from solon.models.backend.tensor_files import check_weights
from solon.plugins.base import located
from solon.trainers.backends import Choice
from solon.trainers.base import Lora, Policy


@dataclass(frozen=True, eq=False)
class Trainable:
    """A policy ready for a trainer.

    Attributes:
        loaded: model, tokenizer and device.
        adapted: whether the model has its new adapters already, as Unsloth puts them in; otherwise the trainer does, by
            ``adapters``.
    """

    loaded: Loaded
    adapted: bool


def load_policy(
    policy: Policy, choice: Choice, *, lora: Lora | None, seed: int, max_length: int | None = None
) -> Trainable:
    """Loads ``policy`` as the chosen backend does, its dropout off. All weights are trainable where ``lora`` is none.

    Args:
        policy: the model to start from; an adapter of its own is merged into 16-bit weights.
        choice: of ``solon.trainers.backends.chosen``, asked for before anything else was imported.
        lora: the adapters to train.
        seed: of the adapters that Unsloth makes.
        max_length: the most tokens of a sequence; ``None`` is the model's context.

    Raises:
        DataError: the model cannot be loaded; says what it lacks.
        ModelRejected: torch sees no GPU, and one is needed.
        MissingExtra: a package is not installed.
    """
    from solon.trainers.backend.runtime import switch_dropout_off

    if choice.name == "unsloth":
        assert lora is not None  # as `choose` made sure
        return Trainable(_by_unsloth(policy, lora, seed=seed, max_length=max_length), adapted=True)
    adapter = located(policy.adapter) if policy.adapter is not None else None
    loaded = load(
        located(policy.model),
        adapter=adapter,
        # weights that are trained need more digits than an update of 1e-6 leaves in bfloat16
        dtype="float32" if lora is None and policy.dtype == "auto" else policy.dtype,
        load_in_4bit=choice.name == "bitsandbytes",
        threads=policy.threads,
        merge=adapter is not None,
    )
    if lora is None:
        loaded.model.requires_grad_(True)  # PEFT leaves the weights that it merges an adapter into frozen
    switch_dropout_off(loaded.model)
    return Trainable(loaded, adapted=False)


def adapters(lora: Lora, *, task: str = "CAUSAL_LM") -> Any:
    """The settings of adapters in PEFT's words, a ``peft.LoraConfig``.

    Args:
        lora: the settings.
        task: ``CAUSAL_LM``, ``SEQ_2_SEQ_LM`` or ``SEQ_CLS``.
    """
    from peft import LoraConfig

    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.target_modules if isinstance(lora.target_modules, str) else list(lora.target_modules),
        bias="none",
        task_type=task,
    )


def settle_adapters(model: Any, *, fresh: bool) -> None:
    """Undoes what TRL does to adapters: on 4-bit weights, those that are trained in bfloat16; a copy as the reference.

    In bfloat16 a step of 1e-5 is lost on a weight of 0.01, as most of an untrained adapter's are.

    Args:
        model: a ``PeftModel`` that one of TRL's trainers has been given.
        fresh: whether its adapter is untrained: the reference is the model without it then, and a copy takes memory
            for nothing. Unsloth's kernels want a single adapter besides.
    """
    if fresh and "ref" in model.peft_config:
        model.delete_adapter("ref")
    for weight in model.parameters():
        if weight.requires_grad and weight.element_size() < 4:
            weight.data = weight.data.float()


def import_unsloth() -> Any:
    """Imports Unsloth, which has to come before the libraries that it patches. What it compiles goes to a folder for
    temporary files, and not into the working directory.

    Raises:
        RuntimeError: transformers, peft or trl is imported already: an error in the code that calls this.
    """
    early = sorted({"transformers", "peft", "trl"} & sys.modules.keys())
    if early and "unsloth" not in sys.modules:
        raise RuntimeError(f"unsloth must be imported before {', '.join(early)}")
    os.environ.setdefault("UNSLOTH_COMPILE_LOCATION", str(Path(tempfile.gettempdir()) / "unsloth_compiled_cache"))
    import unsloth

    return unsloth


def unsloth_model(policy: Policy, lora: Lora, *, seed: int, max_length: int | None) -> dict[str, Any]:
    """What ``FastLanguageModel.from_pretrained`` is asked for.

    The very model that was named: Unsloth would put one in its place that it has quantised itself.
    """
    return {
        "model_name": located(policy.model),
        "max_seq_length": max_length,
        "dtype": None if policy.dtype == "auto" else policy.dtype,
        "load_in_4bit": policy.load_in_4bit,
        "use_exact_model_name": True,
        "use_gradient_checkpointing": "unsloth",
        "fast_inference": False,
        "max_lora_rank": lora.r,
        "random_state": seed,
        "trust_remote_code": False,
        "use_safetensors": True,
    }


def unsloth_adapters(lora: Lora, *, seed: int) -> dict[str, Any]:
    """What ``FastLanguageModel.get_peft_model`` is asked for."""
    targets = lora.target_modules
    return {
        "r": lora.r,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "target_modules": targets if isinstance(targets, str) else list(targets),
        "bias": "none",
        "use_gradient_checkpointing": "unsloth",
        "random_state": seed,
    }


def scorer_by_unsloth(policy: Policy, lora: Lora, *, seed: int, max_length: int | None = None) -> Loaded:
    """The policy's trunk with a head of one number that gives 0 whatever it reads, and adapters on the trunk.

    Raises:
        RecipeError: Unsloth made no such model: without a GPU it takes no notice of being asked for a head.
    """
    return _by_unsloth(policy, lora, seed=seed, max_length=max_length, labels=1)


def _by_unsloth(policy: Policy, lora: Lora, *, seed: int, max_length: int | None, labels: int | None = None) -> Loaded:
    check_folder(located(policy.model))
    check_weights(located(policy.model))
    unsloth = import_unsloth()
    torch, _ = libraries()
    if policy.threads is not None:
        torch.set_num_threads(policy.threads)
    tokenizer = load_tokenizer(located(policy.model))
    asked = unsloth_model(policy, lora, seed=seed, max_length=max_length or context_of(policy))
    if isinstance(asked["dtype"], str):
        asked["dtype"] = getattr(torch, asked["dtype"])
    network, _ = unsloth.FastLanguageModel.from_pretrained(
        **asked, **({} if labels is None else {"num_labels": labels})
    )
    if labels is not None:
        if not hasattr(network, "score"):
            raise RecipeError(
                "train.backend: unsloth makes a model with a head of one number on a GPU only, and made none here; "
                "take plain, or bitsandbytes for 4 bits"
            )
        network.config.pad_token_id = tokenizer.pad_token_id  # the score is read at the last token that is not this one
        torch.nn.init.zeros_(network.score.weight)
    network = unsloth.FastLanguageModel.get_peft_model(network, **unsloth_adapters(lora, seed=seed))
    return ready(network, tokenizer, next(network.parameters()).device)


def context_of(policy: Policy) -> int | None:
    """The most tokens that the policy's configuration allows, where it says so."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(located(policy.model), trust_remote_code=False)
    return getattr(config, "max_position_embeddings", None)
