"""What PPO asks of its networks: likelihoods under the policy and its reference, and the values of states."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard

from solon.models.backend.loading import Loaded
from solon.trainers.backend.divided import Undivided, within
from solon.trainers.backend.ppo.episodes import Episodes, Reading, spread
from solon.trainers.backend.ppo.roles import Fixed, Roles
from solon.trainers.backend.ppo.states import States, check_output, decided, likelihoods
from solon.trainers.backend.ppo.value import value_head
from solon.trainers.base import Lora
from solon.trainers.memory import SCORES_AT_ONCE


class Actor:
    """Policy, reference and value, and the weights that they share with rewards.

    Args:
        loaded: the model, all of its weights to be trained when ``lora`` is ``None``. Dropout is off.
        lora: the adapter that is trained in their place.
        value_lora: the value's own adapter; ``None`` where its head reads the policy's states.
        adapted: whether the model has the policy's adapter already.
        rewards: the adapters of reward models that were trained on the same base.
        temperature: by which scores are divided before they are likelihoods, in sampling and in learning alike.
        checkpointing: computes what is inside of a layer again for the backward pass in place of keeping it.
        scores_at_once: of tokens x vocabulary, at least one token: 2**24 are 64 MiB in float32, twice that while they
            are normalised. Where a batch has more, they are computed again for the backward pass.
    """

    def __init__(
        self,
        loaded: Loaded,
        lora: Lora | None,
        *,
        value_lora: Lora | None = None,
        adapted: bool = False,
        rewards: Sequence[Fixed] = (),
        temperature: float,
        checkpointing: bool = False,
        scores_at_once: int = SCORES_AT_ONCE,
    ) -> None:
        self.temperature = temperature
        self.scores_at_once = scores_at_once
        self.checkpointing = checkpointing
        self.roles = Roles(loaded, lora, value_lora, adapted=adapted, rewards=rewards)
        if checkpointing and not adapted:  # what Unsloth prepared has a checkpointing of its own
            for each in (self.roles.policy, self.roles.frozen):
                each.network.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        self.head = value_head(self.roles.policy)
        check_output(self.roles.policy)
        self._undivided: Undivided | None = None
        self._weight = 1

    def divide(self, count: int) -> None:
        """Divides all networks among so many processes. The weights that are trained are others from then on."""
        self._weight = count  # gradients come as means over them then, and losses are sums
        self._undivided = Undivided(self.roles.policy.model)
        self.roles.divide()
        fully_shard(self.head, reshard_after_forward=True)

    @property
    def loaded(self) -> Loaded:
        """The policy."""
        return self.roles.policy

    @contextmanager
    def writing(self) -> Iterator[Loaded]:
        """Gives the policy to write completions with, whole even where it is divided: each process at its own pace."""
        if self._undivided is None:
            yield self.loaded
            return
        with self._undivided.whole() as model:
            yield replace(self.loaded, model=model)

    @property
    def trained(self) -> dict[str, nn.Parameter]:
        """The policy's weights that move, by name; nothing of the value is among them."""
        return self.roles.trained

    @property
    def valued(self) -> dict[str, nn.Parameter]:
        """The weights of the value's own adapter by name, none where it has none; the head is not among them."""
        return self.roles.valued

    def read(self, episodes: Episodes, *, entropy: bool = False) -> Reading:
        """Likelihoods under the policy, and values where they are of the same forward pass.

        With gradients unless torch is told otherwise, and then to be followed by ``backward``.
        """
        if torch.is_grad_enabled():
            self.roles.awaits_backward(awaits=True)

        def read() -> tuple[Tensor, Tensor | None, Tensor | None]:
            states = decided(self.roles.policy, episodes, checkpointing=self.checkpointing)
            log_probs, entropies = self._likelihoods(self.roles.policy, states, entropy=entropy)
            return (
                spread(log_probs, states.mask),
                None if self.roles.own_value else self._values(states),
                None if entropies is None else spread(entropies, states.mask),
            )

        return Reading(*within(self.roles.policy.network, read))

    def backward(self, loss: Tensor) -> None:
        """Adds the gradients of what was read. Until then the policy's adapter stays on."""
        (loss * self._weight).backward()
        self.roles.policy.network.eval()
        self.roles.awaits_backward(awaits=False)

    def reference(self, episodes: Episodes) -> Tensor:
        """Log-probabilities under the policy as it was before training, shape (rows, time).

        Raises:
            TrainingError: a forward pass of the policy waits for its backward pass.
        """
        with torch.no_grad(), self.roles.acting("reference") as loaded:

            def read() -> Tensor:
                states = decided(loaded, episodes, checkpointing=False)
                return spread(self._likelihoods(loaded, states, entropy=False)[0], states.mask)

            return within(loaded.network, read)

    def values(self, episodes: Episodes) -> Tensor:
        """Values of the states in which the tokens were chosen, shape (rows, time), without gradients.

        Raises:
            TrainingError: a forward pass of the policy waits for its backward pass.
        """
        with torch.no_grad(), self.roles.acting("value" if self.roles.own_value else "policy") as loaded:
            return self._values_of(loaded, episodes, checkpointing=False)

    def backward_of_values(self, episodes: Episodes, loss: Callable[[Tensor], Tensor]) -> Tensor:
        """Adds the gradients of a loss of the values to the value's own adapter and head; returns the loss, detached.

        Both passes are made with that adapter on.

        Raises:
            TrainingError: a forward pass of the policy waits for its backward pass.
        """
        with self.roles.acting("value") as loaded:
            found = loss(self._values_of(loaded, episodes, checkpointing=self.checkpointing))
            (found * self._weight).backward()
            loaded.network.eval()
        return found.detach()

    def _values_of(self, loaded: Loaded, episodes: Episodes, *, checkpointing: bool) -> Tensor:
        return within(loaded.network, lambda: self._values(decided(loaded, episodes, checkpointing=checkpointing)))

    def _values(self, states: States) -> Tensor:
        return spread(self.head(states.hidden.to(self.head.weight.dtype))[:, 0], states.mask)

    def _likelihoods(self, loaded: Loaded, states: States, *, entropy: bool) -> tuple[Tensor, Tensor | None]:
        return likelihoods(
            loaded.network, states, temperature=self.temperature, at_once=self.scores_at_once, entropy=entropy
        )
