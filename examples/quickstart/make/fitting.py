"""Tiny Llamas, how they are fitted, and how they are saved: the same for policy, judge and examiner."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

CONTEXT = 512
_WARM_UP = 30
_REPORT_EVERY = 100


def tiny_llama(
    tokenizer: PreTrainedTokenizerFast, *, layers: int, hidden: int, heads: int, inner: int
) -> LlamaForCausalLM:
    """A Llama with fresh weights, drawn from torch's global generator. Embeddings and output share their weights."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        initializer_range=0.05,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return LlamaForCausalLM(config)


def fit(
    name: str,
    model: LlamaForCausalLM,
    loss: Callable[[], torch.Tensor],
    *,
    steps: int,
    matrix_rate: float,
    rate: float,
    also: Iterable[torch.nn.Parameter] = (),
) -> None:
    """Minimises ``loss``, which draws a batch of its own at each call.

    Muon (Jordan et al. 2024) for the matrices inside the layers, AdamW for embeddings and norms; a short linear
    warm-up, then a cosine. With AdamW alone the judges learn clearly less in the same steps.

    Args:
        name: for the lines of progress.
        model: whose parameters are fitted; in evaluation mode afterwards.
        loss: gives the loss of the next batch, with its graph.
        steps: how many batches.
        matrix_rate: Muon's highest learning rate.
        rate: AdamW's highest learning rate.
        also: parameters outside the model to fit along with it, by AdamW.
    """
    inside = [weight for key, weight in model.named_parameters() if weight.ndim == 2 and "embed" not in key]
    outside = [weight for key, weight in model.named_parameters() if weight.ndim != 2 or "embed" in key] + list(also)
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.Muon(inside, lr=matrix_rate, weight_decay=0.01),
        torch.optim.AdamW(outside, lr=rate, weight_decay=0.01, betas=(0.9, 0.98)),
    ]

    def share_of_rate(step: int) -> float:
        return min(1.0, (step + 1) / _WARM_UP) * 0.5 * (1 + math.cos(math.pi * step / steps))

    schedules = [torch.optim.lr_scheduler.LambdaLR(optimizer, share_of_rate) for optimizer in optimizers]
    model.train()
    recent: list[float] = []
    for step in range(1, steps + 1):
        batch_loss = loss()
        recent.append(batch_loss.item())
        batch_loss.backward()
        torch.nn.utils.clip_grad_norm_([*inside, *outside], 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
        if step % _REPORT_EVERY == 0 or step == steps:
            print(f"  {name}: step {step} of {steps}, loss {sum(recent) / len(recent):.3f}", flush=True)
            recent.clear()
    model.eval()


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Writes what ``from_pretrained`` reads, the weights in bfloat16. Leaves the model as it is."""
    halved = LlamaForCausalLM(model.config).to(torch.bfloat16)
    halved.load_state_dict(model.state_dict())
    halved.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        do_sample=True,
        temperature=1.0,
        top_k=0,
    )
    halved.save_pretrained(folder)
    tokenizer.save_pretrained(folder, save_jinja_files=False)
