"""One network in three roles: the policy that is trained, its frozen reference, and the value of every state.

With LoRA there is one set of weights: the policy is the network with its adapter, the reference the same without, the
value a linear head on the policy's last hidden state. Without LoRA the reference is a copy.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model
from safetensors import safe_open
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from solon.errors import DataError, Problem, RecipeError, TrainingError
from solon.models.backend.forward import right_padded
from solon.models.backend.loading import Loaded
from solon.trainers.backend.network import adapters
from solon.trainers.base import Lora


@dataclass(frozen=True)
class Episodes:
    """Prompts and what was answered, as tokens; each response has at least one."""

    prompts: Sequence[Sequence[int]]
    responses: Sequence[Sequence[int]]

    def at(self, rows: Sequence[int]) -> Episodes:
        """Those of ``rows``."""
        return Episodes([self.prompts[row] for row in rows], [self.responses[row] for row in rows])

    def mask(self, width: int | None = None) -> Tensor:
        """True on each response's tokens, shape (rows, ``width`` or the longest response)."""
        lengths = torch.tensor([len(response) for response in self.responses])
        return torch.arange(width or int(lengths.max()))[None, :] < lengths[:, None]


@dataclass(frozen=True)
class Reading:
    """What the network makes of responses: shape (rows, time) each, 0 behind the end.

    Attributes:
        log_probs: of the tokens, at the temperature.
        values: of the states in which they were chosen.
        entropies: of the distributions that they were chosen from, in nats; ``None`` where not asked for.
    """

    log_probs: Tensor
    values: Tensor
    entropies: Tensor | None


class Actor:
    """Policy, reference and value.

    Args:
        loaded: the model, all of its weights to be trained when ``lora`` is ``None``. Dropout is off.
        lora: the adapter that is trained in their place.
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
        temperature: float,
        checkpointing: bool = False,
        scores_at_once: int = 2**24,
    ) -> None:
        self.temperature = temperature
        self.scores_at_once = scores_at_once
        self.checkpointing = checkpointing
        self._pending = False
        self._frozen: Any = None
        if lora is None:
            self._frozen = copy.deepcopy(loaded.network).requires_grad_(False)
        else:
            loaded = replace(loaded, model=get_peft_model(loaded.model, adapters(lora)).eval())
        self.loaded = loaded
        if checkpointing:
            loaded.network.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        weights = loaded.network.get_input_embeddings().weight
        wide = torch.promote_types(weights.dtype, torch.float32)
        self.head = nn.Linear(_width(loaded.network), 1, device=loaded.device, dtype=wide)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        _check_output_layer(loaded)

    @property
    def trained(self) -> dict[str, nn.Parameter]:
        """The policy's weights that move, by name; the head is not among them."""
        return {name: weight for name, weight in self.loaded.model.named_parameters() if weight.requires_grad}

    def read(self, episodes: Episodes, *, entropy: bool = False) -> Reading:
        """Likelihoods and values under the policy. With gradients unless torch is told otherwise."""
        if torch.is_grad_enabled():
            self._pending = True
        hidden, tokens, mask = self._states(self.loaded.network, episodes)
        log_probs, entropies = self._likelihoods(self.loaded.network, hidden, tokens, entropy=entropy)
        values = self.head(hidden.to(self.head.weight.dtype))[:, 0]
        return Reading(_spread(log_probs, mask), _spread(values, mask), _spread(entropies, mask) if entropy else None)

    def backward(self, loss: Tensor) -> None:
        """Adds the gradients of what was read. Until then the adapter must stay as it is."""
        loss.backward()
        self._pending = False

    def reference(self, episodes: Episodes) -> Tensor:
        """Log-probabilities under the policy as it was before training, shape (rows, time).

        Raises:
            TrainingError: a forward pass of the policy waits for its backward pass. Under gradient checkpointing that
                would compute its layers again without the adapter, and give wrong gradients without a word.
        """
        if self._pending:
            raise TrainingError("the reference was asked between a forward pass of the policy and its backward pass")
        with torch.no_grad(), self._as_reference() as network:
            hidden, tokens, mask = self._states(network, episodes)
            return _spread(self._likelihoods(network, hidden, tokens, entropy=False)[0], mask)

    @contextmanager
    def _as_reference(self) -> Iterator[Any]:
        if self._frozen is not None:
            yield self._frozen
        else:
            with self.loaded.model.disable_adapter():
                yield self.loaded.network

    def _states(self, network: Any, episodes: Episodes) -> tuple[Tensor, Tensor, Tensor]:
        """Last hidden states (tokens, width) where each response token is decided, those tokens, and their mask."""
        pairs = zip(episodes.prompts, episodes.responses, strict=True)
        tokens = right_padded(self.loaded, [[*prompt, *response] for prompt, response in pairs])
        mask = episodes.mask().to(tokens.device)
        rows, offsets = mask.nonzero(as_tuple=True)
        starts = torch.tensor([len(prompt) for prompt in episodes.prompts], device=tokens.device)
        columns = starts[rows] + offsets
        # checkpointing works in training mode only; apart from it the modes are the same, for dropout is off
        network.train(self.checkpointing and torch.is_grad_enabled())
        try:
            with torch.autocast("cuda", torch.bfloat16, enabled=tokens.device.type == "cuda"):
                # no mask: what follows a token cannot change what a causal model makes of it
                states = network.get_decoder()(input_ids=tokens, use_cache=False).last_hidden_state
        finally:
            network.eval()
        return states[rows, columns - 1], tokens[rows, columns], mask

    def _likelihoods(self, network: Any, hidden: Tensor, tokens: Tensor, *, entropy: bool) -> tuple[Tensor, Tensor]:
        """Log-probabilities of ``tokens`` and entropies, shape (tokens,): scores exist a few tokens at a time."""
        output_layer = network.get_output_embeddings()

        def chunk(states: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
            with torch.autocast("cuda", torch.bfloat16, enabled=states.device.type == "cuda"):
                scores = output_layer(states)
            wide = scores.to(torch.promote_types(scores.dtype, torch.float32)) / self.temperature
            log_probs = wide.log_softmax(dim=-1)
            spread = -(log_probs.exp() * log_probs).sum(dim=-1) if entropy else log_probs[:, 0].detach()
            return log_probs.gather(-1, chosen[:, None])[:, 0], spread

        at_once = max(1, self.scores_at_once // output_layer.weight.shape[0])
        if len(tokens) <= at_once:
            return chunk(hidden, tokens)
        parts = [
            checkpoint(chunk, states, chosen, use_reentrant=False, preserve_rng_state=False)
            for states, chosen in zip(hidden.split(at_once), tokens.split(at_once), strict=True)
        ]
        return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


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


def _spread(values: Tensor, mask: Tensor) -> Tensor:
    """One value a response token, shape (tokens,), as (rows, time)."""
    return torch.zeros(mask.shape, dtype=values.dtype, device=values.device).masked_scatter(mask, values)


def _width(network: Any) -> int:
    return int(network.config.get_text_config().hidden_size)


def _check_output_layer(loaded: Loaded) -> None:
    """Some models do more to scores than their output layer (soft caps, scales); ours would be others than theirs."""
    network = loaded.network
    tokens = torch.tensor([[loaded.eos_ids[0], loaded.pad_id]], device=loaded.device)
    with torch.no_grad():
        theirs = network(input_ids=tokens, use_cache=False).logits
        ours = network.get_output_embeddings()(
            network.get_decoder()(input_ids=tokens, use_cache=False).last_hidden_state
        )
    if bool(theirs.isfinite().all()) and not torch.allclose(ours, theirs, rtol=1e-2, atol=1e-2):
        kind = network.config.model_type
        raise RecipeError(
            f"policy.model: ppo cannot train models of type {kind!r}, which change scores after their output layer"
        )
