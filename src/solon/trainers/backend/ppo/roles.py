"""One set of weights in four roles: the policy that is trained, its reference, and the trunks of value and reward.

    lora    the policy is the base with its adapter on, the reference the base with all adapters off
    full    all weights are the policy's, and the reference is a frozen copy of them

The value, where it has an adapter of its own, is that adapter on the reference's weights, which never move: what it
has learned of a state stays true while the policy changes under it. So is a reward model that was trained as an adapter
on the same base.

One adapter at most is on at a time. A forward pass and its backward pass see the same one: under gradient checkpointing
the backward pass computes the layers again, with whichever is on then, and says nothing about it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from peft import get_peft_model, set_peft_model_state_dict
from safetensors.torch import load_file
from torch import nn

from solon.errors import DataError, Problem, TrainingError
from solon.models.backend.loading import Loaded, said_by_peft
from solon.trainers.backend.divided import divide
from solon.trainers.backend.network import adapters
from solon.trainers.base import Lora

Role = Literal["policy", "reference", "value"]
_VALUE = "solon_value"  # the name of its adapter, and of no base's module; the policy's has the name that PEFT gives


@dataclass(frozen=True, eq=False)
class Fixed:
    """An adapter that was trained already, and stays as it is.

    Attributes:
        name: among the adapters of the model; no base has a module of that name.
        config: a ``peft.LoraConfig``.
        folder: where it lies.
    """

    name: str
    config: Any
    folder: str


class Roles:
    """The networks and what is trained of them. At rest the policy's adapter is on.

    Args:
        loaded: the model, all of its weights to be trained when ``lora`` is ``None``. Dropout is off, as in
            N+ (arXiv:2403.17031): likelihoods of the same tokens are compared, and must not be noisy.
        lora: the policy's adapter.
        value_lora: the value's; ``None`` where the value reads the policy's own states.
        adapted: whether the model has the policy's adapter already, as Unsloth puts it in.
        rewards: the adapters of reward models that were trained on the same base.

    Raises:
        DataError: an adapter of ``rewards`` does not fit the model.
    """

    def __init__(
        self,
        loaded: Loaded,
        lora: Lora | None,
        value_lora: Lora | None,
        *,
        adapted: bool = False,
        rewards: Sequence[Fixed] = (),
    ) -> None:
        task = "SEQ_2_SEQ_LM" if loaded.apart else "CAUSAL_LM"
        frozen = loaded
        if lora is None:
            frozen = replace(loaded, model=copy.deepcopy(loaded.model).requires_grad_(False))
        elif not adapted:
            frozen = loaded = replace(loaded, model=get_peft_model(loaded.model, adapters(lora, task=task)))
        policy = {name: weight for name, weight in loaded.model.named_parameters() if weight.requires_grad}
        if value_lora is not None:
            frozen = _with_adapter(frozen, _VALUE, adapters(value_lora, task=task))
        for reward in rewards:
            frozen = _with_fixed(frozen, reward)
        self.policy, self.frozen = (
            replace(loaded, model=loaded.model.eval()),
            replace(frozen, model=frozen.model.eval()),
        )
        self.own_value = value_lora is not None
        self._shared = lora is not None  # whether the policy is an adapter on the frozen weights
        self._awaited = False
        self.trained: dict[str, nn.Parameter] = policy
        self.valued = self._weights_of(_VALUE)
        self._fixed = [weight for reward in rewards for weight in self._weights_of(reward.name).values()]
        self._rest()

    def divide(self) -> None:
        """Divides the networks among all processes. ``trained`` and ``valued`` are this one's parts from then on."""
        for network in {id(one.network): one.network for one in (self.policy, self.frozen)}.values():
            divide(network)
        policy, frozen = (dict(one.model.named_parameters()) for one in (self.policy, self.frozen))
        self.trained = {name: policy[name] for name in self.trained}
        self.valued = {name: frozen[name] for name in self.valued}

    @contextmanager
    def acting(self, role: Role) -> Iterator[Loaded]:
        """Gives the network in a role, for a forward pass and, of the value, its backward pass too.

        Raises:
            TrainingError: a forward pass of the policy waits for its backward pass, and another role is asked for.
        """
        if role == "policy":
            yield self.policy
            return
        self._refuse_between(role)
        if role == "value":
            with self._on(_VALUE):
                yield self.frozen
            return
        if not hasattr(self.frozen.model, "peft_config"):
            yield self.frozen
            return
        try:
            with self.frozen.model.disable_adapter():
                yield self.frozen
        finally:
            self._rest()

    @contextmanager
    def rewarding(self, name: str) -> Iterator[Loaded]:
        """Gives the network with a reward model's adapter on, for a forward pass that has no backward pass.

        Raises:
            TrainingError: a forward pass of the policy waits for its backward pass.
        """
        self._refuse_between("reward")
        with self._on(name):
            yield self.frozen

    def awaits_backward(self, *, awaits: bool) -> None:
        """Says that the policy has made a forward pass whose backward pass is still to come, or that it is done."""
        self._awaited = awaits

    def policy_alone(self) -> Loaded:
        """The policy alone, to be written: its weights, or its adapter and no other."""
        if self._shared:
            for name in [each for each in self.policy.model.peft_config if each != "default"]:
                self.policy.model.delete_adapter(name)
        return self.policy

    @contextmanager
    def _on(self, name: str) -> Iterator[None]:
        try:
            self.frozen.model.set_adapter(name)
            self._mark()
            yield
        finally:
            self._rest()

    def _refuse_between(self, role: str) -> None:
        if self._awaited:
            raise TrainingError(f"the {role} was asked between a forward pass of the policy and its backward pass")

    def _rest(self) -> None:
        if self._shared and len(self.policy.model.peft_config) > 1:
            self.policy.model.set_adapter("default")
        self._mark()

    def _mark(self) -> None:
        """PEFT freezes what it switches off, for good, and lets train what it switches on; here it is told by role."""
        for weight in (*self.trained.values(), *self.valued.values()):
            weight.requires_grad_(True)
        for weight in self._fixed:
            weight.requires_grad_(False)

    def _weights_of(self, name: str) -> dict[str, nn.Parameter]:
        return {key: weight for key, weight in self.frozen.model.named_parameters() if f".{name}." in key}


def _with_adapter(loaded: Loaded, name: str, config: Any) -> Loaded:
    """With one more adapter; the first one wraps the model."""
    if not hasattr(loaded.model, "peft_config"):
        return replace(loaded, model=get_peft_model(loaded.model, config, adapter_name=name))
    loaded.model.add_adapter(name, config)
    return loaded


def _with_fixed(loaded: Loaded, adapter: Fixed) -> Loaded:
    """Draws no random number that anything else would: a training goes the same way with it as without.

    Raises:
        DataError: it does not fit the model.
    """
    whole = load_file(Path(adapter.folder) / "adapter_model.safetensors")
    weights = {name: weight for name, weight in whole.items() if ".lora_" in name}  # beside them is a head
    devices = [loaded.device] if loaded.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices):
            loaded = _with_adapter(loaded, adapter.name, adapter.config)
        found = set_peft_model_state_dict(loaded.model, weights, adapter_name=adapter.name)
    except (ValueError, KeyError, RuntimeError) as error:
        raise _unfit(adapter, said_by_peft(error)) from error
    differ = [*(key for key in found.missing_keys if f".{adapter.name}." in key), *found.unexpected_keys]
    if differ:
        raise _unfit(adapter, f"{differ[0]} is in one of them only")
    return loaded


def _unfit(adapter: Fixed, said: str) -> DataError:
    remedy = "is it an adapter of this very model?"
    return DataError([Problem(adapter.folder, f"this adapter does not fit the model: {said}", remedy)])
