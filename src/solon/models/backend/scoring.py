"""How likely a model finds given completions: what KL estimates and length-normalised comparisons are made of."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from solon.data.records import Message
from solon.errors import PromptTooLong
from solon.models.backend.forward import right_padded, scores_at
from solon.models.backend.loading import Loaded
from solon.models.backend.seq2seq import decoder_inputs, encoded, place_of


def log_probs(
    loaded: Loaded, pairs: Sequence[tuple[Sequence[Message], str]], batch_size: int = 64, *, scores_at_once: int = 2**25
) -> list[float]:
    """Log-probability of each completion, given its prompt.

    The sum over the completion's tokens and the token that ends the turn, in nats, at temperature 1, never above 0.
    Both are tokenised as the chat template has them, or as ``TextToText`` does.

    Args:
        loaded: the model.
        pairs: a prompt's messages and a completion, which may be empty.
        batch_size: pairs in one forward pass.
        scores_at_once: of places x vocabulary, at least one place: 2**25 are 128 MiB in float32, twice that while they
            are normalised. Where a batch has more, its rows go through the model again for each part.

    Raises:
        PromptTooLong: prompt and completion do not fit into the model's context.
    """
    read = loaded.chat.encode_answered(pairs)
    measured = max if loaded.apart else sum
    longest = max((measured(map(len, row)) for row in read), default=0)
    if loaded.context is not None and longest > loaded.context:
        what = "prompt or completion takes" if loaded.apart else "prompt and completion take"
        raise PromptTooLong(f"{what} {longest} tokens, and the model takes {loaded.context}")
    totals = [0.0] * len(read)
    order = sorted(range(len(read)), key=lambda index: (sum(map(len, read[index])), index))
    with torch.inference_mode():
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            sums = _sums(loaded, [read[index] for index in batch], scores_at_once)
            for index, value in zip(batch, sums, strict=True):
                totals[index] = value
    return totals


def _sums(loaded: Loaded, rows: Sequence[tuple[list[int], list[int]]], scores_at_once: int) -> list[float]:
    # a token is scored where the one before it stands
    if loaded.apart:
        tokens = decoder_inputs(loaded, [written for _, written in rows])
        states, mask = encoded(loaded, [prompt for prompt, _ in rows])
        starts = [place_of(loaded, 0)] * len(rows)
    else:
        tokens = right_padded(loaded, [[*prompt, *written] for prompt, written in rows])
        starts = [len(prompt) - 1 for prompt, _ in rows]
    places = [(row, starts[row] + offset) for row, (_, written) in enumerate(rows) for offset in range(len(written))]
    wanted = torch.tensor([token for _, written in rows for token in written], device=tokens.device)
    at_once = max(1, scores_at_once // loaded.network.config.get_text_config().vocab_size)
    totals = torch.zeros(len(rows), dtype=torch.float64)
    for start in range(0, len(places), at_once):
        part = places[start : start + at_once]
        touched = sorted({row for row, _ in part})
        # a part holds few rows when their scores are many: only those are computed again for it
        local = [(row - touched[0], column) for row, column in part]
        some = slice(touched[0], touched[-1] + 1)
        reading = {"encoder_outputs": (states[some],), "attention_mask": mask[some]} if loaded.apart else {}
        scores = scores_at(loaded, tokens[some], local, **reading)
        chosen = scores.log_softmax(dim=-1).gather(-1, wanted[start : start + at_once, None])[:, 0]
        totals.index_add_(0, torch.tensor([row for row, _ in part]), chosen.double().cpu())
    return [min(0.0, value) for value in totals.tolist()]
