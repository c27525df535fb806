"""Likelihoods of tokens without the scores of all of them at once: batch x time x vocabulary never exists.

16 sequences of 1,024 tokens have 2.1e9 scores under Llama 3.1's vocabulary, 7.8 GiB in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint  # by name, and now: Unsloth later puts one that is always reentrant there

from solon.errors import RecipeError
from solon.trainers.memory import SCORES_AT_ONCE

Scores = Callable[[Tensor], Tensor]
"""From hidden states (tokens, width) to scores (tokens, vocabulary)."""

Entropy = Literal["none", "watched", "learned"]
"""What entropies are wanted for: for nothing, to be looked at, or to be learned from, with a gradient."""


def scores_of(network: Any) -> Scores:
    """The output layer of a causal language model, with what some models do to the scores after it.

    Raises:
        RecipeError: the model does something else as well; found by comparing with its own scores of a few tokens.
    """
    scores, layer = known_scores(network), network.get_output_embeddings()
    training = network.training
    network.eval()  # the dropout of adapters would make two passes differ, and use up random numbers of the training
    try:
        with torch.no_grad():
            few = torch.arange(4, device=layer.weight.device)[None]
            ours = scores(network.get_decoder()(input_ids=few, use_cache=False).last_hidden_state).float()
            theirs = network(input_ids=few, use_cache=False).logits.float()
    finally:
        network.train(training)
    if not torch.allclose(ours, theirs, rtol=1e-2, atol=1e-2 * theirs.abs().nan_to_num().max().item(), equal_nan=True):
        raise RecipeError(
            f"policy.model: {type(network).__name__} changes its scores after the output layer in a way that this "
            f"trainer does not know; train it with `dpo`"
        )
    return scores


def known_scores(network: Any) -> Scores:
    """As ``scores_of``, for a model of which it is known that there is nothing else."""
    layer, config = network.get_output_embeddings(), network.config.get_text_config()
    times = getattr(config, "logit_scale", None) or 1.0  # Cohere
    over = getattr(config, "logits_scaling", None) or 1.0  # Granite
    cap = getattr(config, "final_logit_softcapping", None)  # Gemma

    def scores(hidden: Tensor) -> Tensor:
        found: Tensor = layer(hidden)
        if times != 1.0 or over != 1.0:
            found = found * (times / over)
        return found if cap is None else cap * torch.tanh(found / cap)

    return scores


def likelihoods(
    scores: Scores,
    hidden: Tensor,
    tokens: Tensor,
    *,
    vocabulary: int,
    temperature: float = 1.0,
    entropy: Entropy = "none",
    at_once: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Log-probability of each token and entropy of the distribution that it is from, shape (tokens,), in nats.

    Both in float32, or in the type of the scores where that is wider. ``at_once`` scores exist at a time, at least
    those of one token, and are made again for the gradient where that is not all of them.

    Args:
        scores: the output layer.
        hidden: the states that predict the tokens, shape (tokens, width).
        tokens: shape (tokens,).
        vocabulary: how many scores a token has.
        temperature: by which scores are divided.
        entropy: what for; where for nothing, none are given: shape (0,).
        at_once: how many; ``SCORES_AT_ONCE`` by default.
    """

    def some(hidden: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        found = scores(hidden)
        wide = found.to(torch.promote_types(found.dtype, torch.float32))
        logs = (wide if temperature == 1.0 else wide / temperature).log_softmax(dim=-1)
        chosen = logs.gather(-1, tokens[:, None])[:, 0]
        if entropy == "none":
            return chosen, chosen.new_empty(0)
        with torch.set_grad_enabled(entropy == "learned" and torch.is_grad_enabled()):
            return chosen, -(logs.exp() * logs).sum(dim=-1)

    few = max(1, (at_once or SCORES_AT_ONCE) // vocabulary)
    if len(tokens) <= few:
        return some(hidden, tokens)
    parts = [
        checkpoint(some, states, chosen, use_reentrant=False, preserve_rng_state=False)
        for states, chosen in zip(hidden.split(few), tokens.split(few), strict=True)
    ]
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


def likelihoods_of_rows(
    network: Any, input_ids: Tensor, seen: Tensor, mask: Tensor, *, temperature: float = 1.0
) -> tuple[Tensor, Tensor]:
    """``likelihoods`` of a batch's tokens, shape (rows, time), 0 where they do not count.

    Rows are moved to the left and read without a mask: nothing that is looked at can see what fills them up behind,
    attention is cheaper so, and Unsloth's heeds no mask when it trains.

    Args:
        network: a causal language model without PEFT around it; its scores are ``known_scores``.
        input_ids: shape (rows, time).
        seen: 0 where a row is filled up, at either end; of the same shape.
        mask: which tokens count; not a row's first.
        temperature: as for ``likelihoods``.
    """
    mask = mask.bool()
    filled = (seen.cumsum(dim=1) == 0).sum(dim=1, keepdim=True)  # columns before a row's first token
    time = torch.arange(input_ids.shape[1], device=input_ids.device)
    packed = input_ids.gather(1, (time + filled) % input_ids.shape[1])
    hidden = network.get_decoder()(input_ids=packed, use_cache=False).last_hidden_state
    rows, columns = mask.nonzero(as_tuple=True)
    before = columns - filled[rows, 0] - 1  # the state before a token predicts it
    found = likelihoods(
        known_scores(network),
        hidden[rows, before],
        input_ids[mask],
        vocabulary=network.config.get_text_config().vocab_size,
        temperature=temperature,
        entropy="watched",
    )
    # scattered, and not indexed, so that a batch without a token that counts has a gradient, of 0
    log_probs, entropies = (values.new_zeros(mask.shape).masked_scatter(mask, values) for values in found)
    return log_probs, entropies
