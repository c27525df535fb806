"""How a judge reads a comparison: the conversation that solon renders, and the next token's scores for A and B."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from transformers import DynamicCache, LlamaForCausalLM, PreTrainedTokenizerFast

from make.comparisons import Comparison

_USER = "<|user|>"
_HEADING = re.compile(r"\n\[[0-9a-f]{6} (?:B|end)(?=\]\n)")


@dataclass(frozen=True)
class Reading:
    """What goes on in a judge while it reads a batch of comparisons. The first index of inner states is the layer.

    Attributes:
        verdict: log-probabilities of A and B as the first token of the reply, [comparisons, 2].
        principles: inner states at the end of each system message, [layers + 1, groups, hidden].
        responses: inner states at the headings that follow the first and the second response,
            [layers + 1, comparisons, 2, hidden].
    """

    verdict: torch.Tensor
    principles: torch.Tensor
    responses: torch.Tensor


def read(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, groups: Sequence[Sequence[Comparison]]
) -> Reading:
    """Reads groups of one size, each under one principle; a group's system message is read once for all of it."""
    chats = [[_render(tokenizer, comparison) for comparison in group] for group in groups]
    systems = [group[0][: group[0].index(_USER)] for group in chats]
    users = [chat[len(system) :] for system, group in zip(systems, chats, strict=True) for chat in group]
    head = tokenizer(systems, return_tensors="pt", padding=True, padding_side="right")
    tail = tokenizer(users, return_tensors="pt", padding=True, padding_side="right")

    size = len(chats[0])
    cache = DynamicCache(config=model.config)
    first = model.model(**head, past_key_values=cache, use_cache=True, output_hidden_states=True)
    cache.batch_repeat_interleave(size)
    lengths = head.attention_mask.sum(1)
    second = model.model(
        input_ids=tail.input_ids,
        attention_mask=torch.cat([head.attention_mask.repeat_interleave(size, 0), tail.attention_mask], dim=1),
        position_ids=lengths.repeat_interleave(size)[:, None] + torch.arange(tail.input_ids.shape[1]),
        past_key_values=cache,
        use_cache=True,
        output_hidden_states=True,
    )
    rows = torch.arange(len(users))
    scores = model.lm_head(second.last_hidden_state[rows, tail.attention_mask.sum(1) - 1])
    letters = tokenizer.convert_tokens_to_ids(["A", "B"])
    headings = [
        [tail.char_to_token(row, heading.end()) for heading in _HEADING.finditer(text)]
        for row, text in enumerate(users)
    ]
    return Reading(
        verdict=torch.log_softmax(scores, dim=-1)[:, letters],
        principles=torch.stack([states[torch.arange(len(systems)), lengths - 1] for states in first.hidden_states]),
        responses=torch.stack([states[rows[:, None], torch.tensor(headings)] for states in second.hidden_states]),
    )


def verdicts(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, comparisons: Sequence[Comparison], *, batch: int = 128
) -> list[float]:
    """P(A) against P(B) for each; neighbours under one principle are read together."""
    given: list[float] = []
    for _, same in groupby(comparisons, key=lambda comparison: comparison.rule.text):
        group = list(same)
        for start in range(0, len(group), batch):
            with torch.inference_mode():
                log_p = read(model, tokenizer, [group[start : start + batch]]).verdict
            given += torch.softmax(log_p, dim=-1)[:, 0].tolist()
    return given


def _render(tokenizer: PreTrainedTokenizerFast, comparison: Comparison) -> str:
    chat = [message.model_dump() for message in comparison.messages()]
    text: str = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    return text
