"""The policy learns the world's facts, and to answer in all the ways that people there answer."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from make.fitting import fit, tiny_llama
from make.responses import write
from make.world import Ask

_IGNORED = -100  # what cross-entropy leaves out


def train(
    tokenizer: PreTrainedTokenizerFast, asks: Sequence[Ask], *, seed: int, steps: int, batch: int = 64
) -> LlamaForCausalLM:
    """Supervised fine-tuning from scratch. Only the response counts; it is written anew whenever a prompt comes up."""
    torch.manual_seed(seed)
    random = Random(f"policy:{seed}")
    model = tiny_llama(tokenizer, layers=2, hidden=96, heads=4, inner=288)

    def loss() -> torch.Tensor:
        drawn = random.sample(asks, batch)
        ids, labels = _batch(tokenizer, [ask.text for ask in drawn], [write(ask.fact, random) for ask in drawn])
        return model(input_ids=ids, labels=labels).loss

    fit("policy", model, loss, steps=steps, matrix_rate=0.02, rate=6e-3)
    return model


def _batch(
    tokenizer: PreTrainedTokenizerFast, prompts: Sequence[str], responses: Sequence[str]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and labels, both [batch, longest].

    Padded on the right: the model is causal and padding has no label, so that no attention mask is needed.
    """
    asked = _chats(tokenizer, prompts)["input_ids"]
    replies = [[*ids, tokenizer.eos_token_id] for ids in tokenizer(list(responses))["input_ids"]]
    width = max(len(ask) + len(reply) for ask, reply in zip(asked, replies, strict=True))
    ids = torch.full((len(asked), width), tokenizer.pad_token_id)
    labels = torch.full((len(asked), width), _IGNORED)
    for row, (ask, reply) in enumerate(zip(asked, replies, strict=True)):
        ids[row, : len(ask) + len(reply)] = torch.tensor(ask + reply)
        labels[row, len(ask) : len(ask) + len(reply)] = torch.tensor(reply)
    return ids, labels


def sample(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    prompts: Sequence[str],
    *,
    temperature: float,
    batch: int = 256,
    max_tokens: int = 48,
) -> list[str]:
    """One response to each prompt: greedy at temperature 0, otherwise drawn from torch's global generator."""
    drawn = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
    responses: list[str] = []
    for start in range(0, len(prompts), batch):
        inputs = _chats(tokenizer, prompts[start : start + batch], padding=True, return_tensors="pt")
        with torch.inference_mode():
            written = model.generate(**inputs, max_new_tokens=max_tokens, **drawn)
        responses += tokenizer.batch_decode(written[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return responses


def _chats(tokenizer: PreTrainedTokenizerFast, prompts: Sequence[str], **how: Any) -> dict[str, Any]:
    chats = [[{"role": "user", "content": prompt}] for prompt in prompts]
    inputs: dict[str, Any] = tokenizer.apply_chat_template(chats, add_generation_prompt=True, return_dict=True, **how)
    return inputs
