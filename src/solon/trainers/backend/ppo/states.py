"""Hidden states where a response's tokens are decided, and likelihoods from them a few tokens at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from solon.errors import RecipeError
from solon.models.backend.forward import right_padded
from solon.models.backend.loading import Loaded
from solon.models.backend.seq2seq import decoder_inputs, encoded, place_of
from solon.trainers.backend import scores
from solon.trainers.backend.ppo.episodes import Episodes
from solon.trainers.backend.scores import Scores, known_scores


@dataclass(frozen=True)
class States:
    """Where each response token was decided.

    Attributes:
        hidden: last hidden states, shape (tokens, width).
        tokens: which were chosen there, shape (tokens,).
        mask: where they stand, shape (rows, time).
    """

    hidden: Tensor
    tokens: Tensor
    mask: Tensor


def decided(loaded: Loaded, episodes: Episodes, *, checkpointing: bool) -> States:
    """Reads prompts and responses with the adapter that is on.

    A decoder reads both one after the other: token t of a response is decided at the state before it. An
    encoder-decoder reads the prompt with its encoder and [start, y_1 ... y_T-1] with its decoder, so that the state at
    place t decides y_t: every token counts, the first and the one that ends the response among them.

    Args:
        loaded: the network.
        episodes: what is read.
        checkpointing: computes what is inside of a layer again for the backward pass in place of keeping it.
    """
    network, device = loaded.network, loaded.device
    mask, tokens = episodes.mask().to(device), episodes.chosen().to(device)
    rows, offsets = mask.nonzero(as_tuple=True)
    # Checkpointing works in training mode only, in which the backward pass must find the network too; apart from it the
    # modes are the same, for dropout is off.
    network.train(checkpointing and torch.is_grad_enabled())
    with torch.autocast("cuda", torch.bfloat16, enabled=device.type == "cuda"):
        if loaded.apart:
            states = _beside_the_prompt(loaded, episodes)
            return States(states[rows, place_of(loaded, 0) + offsets], tokens, mask)
        states = _behind_the_prompt(loaded, episodes)
        starts = torch.tensor([len(prompt) for prompt in episodes.prompts], device=device)
        return States(states[rows, starts[rows] + offsets - 1], tokens, mask)


def _behind_the_prompt(loaded: Loaded, episodes: Episodes) -> Any:
    pairs = zip(episodes.prompts, episodes.responses, strict=True)
    read = right_padded(loaded, [[*prompt, *response] for prompt, response in pairs])
    # no mask: what follows a token cannot change what a causal model makes of it
    return loaded.network.get_decoder()(input_ids=read, use_cache=False).last_hidden_state


def _beside_the_prompt(loaded: Loaded, episodes: Episodes) -> Any:
    prompts, seen = encoded(loaded, episodes.prompts)
    return (
        loaded.network.get_decoder()(
            input_ids=decoder_inputs(loaded, episodes.responses),
            encoder_hidden_states=prompts,
            encoder_attention_mask=seen,
            use_cache=False,
        )
    ).last_hidden_state


def likelihoods(
    network: Any, states: States, *, temperature: float, at_once: int, entropy: bool
) -> tuple[Tensor, Tensor | None]:
    """Log-probabilities of the tokens and entropies in nats, shape (tokens,).

    Args:
        network: whose output layer decides.
        states: where.
        temperature: by which scores are divided.
        at_once: of tokens x vocabulary scores, at least one token's. Where there are more, they are computed again for
            the backward pass.
        entropy: whether entropies are wanted.
    """
    output = output_of(network)

    def decide(hidden: Tensor) -> Tensor:
        with torch.autocast("cuda", torch.bfloat16, enabled=hidden.device.type == "cuda"):
            return output(hidden)

    log_probs, entropies = scores.likelihoods(
        decide,
        states.hidden,
        states.tokens,
        vocabulary=network.get_output_embeddings().weight.shape[0],
        temperature=temperature,
        entropy="learned" if entropy else "none",
        at_once=at_once,
    )
    return log_probs, entropies if entropy else None


def output_of(network: Any) -> Scores:
    """The output layer, with what a model does to states before it and to scores after it."""
    scores, config = known_scores(network), network.config
    # T5, but not the T5 of flan, ends with smaller states where it has one table for its tokens and their scores
    scale = config.d_model**-0.5 if getattr(config, "scale_decoder_outputs", False) else 1.0
    bias = getattr(network, "final_logits_bias", None)  # BART's

    def whole(hidden: Tensor) -> Tensor:
        found = scores(hidden if scale == 1.0 else hidden * scale)
        return found if bias is None else found + bias

    return whole


def check_output(loaded: Loaded) -> None:
    """Compares ``output_of`` with the model's own scores of a few tokens: they may differ by rounding alone.

    Raises:
        RecipeError: they differ, so that likelihoods would be another model's.
    """
    network = loaded.network
    few = Episodes([[loaded.pad_id, loaded.eos_ids[0]]], [[loaded.eos_ids[0], loaded.pad_id, loaded.eos_ids[0]]])
    with torch.no_grad():
        ours = output_of(network)(decided(loaded, few, checkpointing=False).hidden).float()
        theirs = _own_scores(loaded, few).float()
    exact = loaded.device.type == "cpu" and network.get_output_embeddings().weight.element_size() >= 4
    allowed = (1e-3 if exact else 3e-2) * theirs.norm()  # in bfloat16 single scores are off by a hundredth and more
    if bool(theirs.isfinite().all()) and bool((ours - theirs).norm() > allowed):
        kind = network.config.model_type
        raise RecipeError(
            f"policy.model: ppo cannot train models of type {kind!r}, which change scores after their output layer in "
            f"a way that it does not know"
        )


def _own_scores(loaded: Loaded, episodes: Episodes) -> Any:
    """The model's scores of the one response's tokens, shape (tokens, vocabulary), as it makes them itself."""
    (prompt,), (response,) = episodes.prompts, episodes.responses

    def row(tokens: list[int]) -> Tensor:
        return torch.tensor([tokens], device=loaded.device)

    with torch.autocast("cuda", torch.bfloat16, enabled=loaded.device.type == "cuda"):
        if not loaded.apart:
            whole = loaded.network(input_ids=row([*prompt, *response]), use_cache=False).logits[0]
            return whole[len(prompt) - 1 : -1]
        read = row([*loaded.decoder_start, *response[:-1]])
        return loaded.network(input_ids=row(list(prompt)), decoder_input_ids=read, use_cache=False).logits[
            0, place_of(loaded, 0) :
        ]
