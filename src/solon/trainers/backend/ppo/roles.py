"""One set of weights in three roles: the policy that is trained, its frozen reference, and the trunk of the value.

    lora    the policy is the base with its adapter on, the reference the base with all adapters off
    full    all weights are the policy's, and the reference is a frozen copy of them

The value, where it has an adapter of its own, is that adapter on the reference's weights, which never move: what it
has learned of a state stays true while the policy changes under it.

One adapter at most is on at a time. A forward pass and its backward pass see the same one: under gradient checkpointing
the backward pass computes the layers again, with whichever is on then, and says nothing about it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal

from peft import get_peft_model
from torch import nn

from solon.errors import TrainingError
from solon.models.backend.loading import Loaded
from solon.trainers.backend.network import adapters
from solon.trainers.base import Lora

Role = Literal["policy", "reference", "value"]
_VALUE = "solon_value"  # the name of its adapter, and of no base's module; the policy's has the name that PEFT gives


class Roles:
    """The networks and what is trained of them. At rest the policy's adapter is on.

    Args:
        loaded: the model, all of its weights to be trained when ``lora`` is ``None``. Dropout is off, as in
            N+ (arXiv:2403.17031): likelihoods of the same tokens are compared, and must not be noisy.
        lora: the policy's adapter.
        value_lora: the value's; ``None`` where the value reads the policy's own states.
        adapted: whether the model has the policy's adapter already, as Unsloth puts it in.
    """

    def __init__(self, loaded: Loaded, lora: Lora | None, value_lora: Lora | None, *, adapted: bool = False) -> None:
        task = "SEQ_2_SEQ_LM" if loaded.apart else "CAUSAL_LM"
        frozen = loaded
        if lora is None:
            frozen = replace(loaded, model=copy.deepcopy(loaded.model).requires_grad_(False))
        elif not adapted:
            frozen = loaded = replace(loaded, model=get_peft_model(loaded.model, adapters(lora, task=task)))
        policy = {name: weight for name, weight in loaded.model.named_parameters() if weight.requires_grad}
        if value_lora is not None:
            chosen = adapters(value_lora, task=task)
            if lora is None:
                frozen = replace(frozen, model=get_peft_model(frozen.model, chosen, adapter_name=_VALUE))
            else:
                frozen.model.add_adapter(_VALUE, chosen)
        self.policy, self.frozen = (
            replace(loaded, model=loaded.model.eval()),
            replace(frozen, model=frozen.model.eval()),
        )
        self.own_value = value_lora is not None
        self._shared = lora is not None  # whether the policy is an adapter on the frozen weights
        self._awaited = False
        self.trained: dict[str, nn.Parameter] = policy
        self.valued: dict[str, nn.Parameter] = {
            name: weight for name, weight in self.frozen.model.named_parameters() if f".{_VALUE}." in name
        }
        self._rest()

    @contextmanager
    def acting(self, role: Role) -> Iterator[Loaded]:
        """Gives the network in a role, for a forward pass and, of the value, its backward pass too.

        Raises:
            TrainingError: a forward pass of the policy waits for its backward pass, and another role is asked for.
        """
        if role == "policy":
            yield self.policy
            return
        if self._awaited:
            raise TrainingError(f"the {role} was asked between a forward pass of the policy and its backward pass")
        model = self.frozen.model
        if role == "reference":
            if not hasattr(model, "peft_config"):
                yield self.frozen
                return
            try:
                with model.disable_adapter():
                    yield self.frozen
            finally:
                self._rest()
            return
        try:
            model.set_adapter(_VALUE)
            self._mark()
            yield self.frozen
        finally:
            self._rest()

    def awaits_backward(self, *, awaits: bool) -> None:
        """Says that the policy has made a forward pass whose backward pass is still to come, or that it is done."""
        self._awaited = awaits

    def without_value(self) -> Loaded:
        """The policy alone, to be written: its weights, or its adapter and no other."""
        if self._shared and _VALUE in self.policy.model.peft_config:
            self.policy.model.delete_adapter(_VALUE)
        return self.policy

    def _rest(self) -> None:
        if self._shared and self.own_value:
            self.policy.model.set_adapter("default")
        self._mark()

    def _mark(self) -> None:
        """PEFT freezes what it switches off, for good; here both adapters stay trainable, and one of them is on."""
        for weight in (*self.trained.values(), *self.valued.values()):
            weight.requires_grad_(True)
