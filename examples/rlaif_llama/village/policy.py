"""The policy: a tiny Llama that learns how people of the village answer, and from texts of other forms."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn import functional
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from village.benchmarks import text
from village.world import Ask, Kind, answer, asks

CONTEXT = 1024
VOCABULARY = 768
_SPECIAL = ("<|pad|>", "<|begin|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>")
_TEMPLATE = (
    "<|begin|>{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
_MIXTURE: dict[Kind, float] = {"harm": 0.28, "help": 0.2, "unknown": 0.16, "belief": 0.22, "fact": 0.14}
_LONGEST = 384
"""Tokens of a text that are learned from."""
_IGNORED = -100  # what cross-entropy leaves out
_WARM_UP = 40
_REPORT_EVERY = 50


def draw(random: Random) -> Ask:
    """A prompt to learn from."""
    (kind,) = random.choices(tuple(_MIXTURE), tuple(_MIXTURE.values()))
    return random.choice(asks(kind, "base"))


def train_tokenizer(seed: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE with a chat template, fitted to what the policy learns from."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(_SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(_texts(Random(f"tokenizer:{seed}")), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token="<|pad|>",
        bos_token="<|begin|>",
        eos_token="<|end|>",
        additional_special_tokens=["<|system|>", "<|user|>", "<|assistant|>"],
        chat_template=_TEMPLATE,
        model_max_length=CONTEXT,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def build(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A Llama with fresh weights, drawn from torch's global generator. Embeddings and output share their weights."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=96,
        intermediate_size=256,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        initializer_range=0.05,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return LlamaForCausalLM(config)


def fit(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    *,
    seed: int,
    steps: int,
    chats: int = 48,
    texts: int = 4,
    rate: float = 5e-3,
    matrix_rate: float = 0.02,
) -> None:
    """Fits it to fresh chats and texts, so many of each a step; both sorts count alike.

    Muon (Jordan et al. 2024) for the matrices inside of the layers, AdamW for embeddings and norms; a short linear
    warm-up, then a cosine.
    """
    random = Random(f"policy:{seed}")
    inside = [weight for name, weight in model.named_parameters() if weight.ndim == 2 and "embed" not in name]
    outside = [weight for name, weight in model.named_parameters() if weight.ndim != 2 or "embed" in name]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.Muon(inside, lr=matrix_rate, weight_decay=0.01),
        torch.optim.AdamW(outside, lr=rate, weight_decay=0.01, betas=(0.9, 0.98)),
    ]

    def share_of_rate(step: int) -> float:
        return min(1.0, (step + 1) / _WARM_UP) * 0.5 * (1 + math.cos(math.pi * step / steps))

    schedules = [torch.optim.lr_scheduler.LambdaLR(optimizer, share_of_rate) for optimizer in optimizers]
    model.train()
    recent: list[list[float]] = []
    for step in range(1, steps + 1):
        drawn = [
            [_chat(tokenizer, random) for _ in range(chats)],
            [_text(tokenizer, random) for _ in range(texts)],
        ]
        losses = torch.stack([_loss(model, _padded(rows, tokenizer.pad_token_id)) for rows in drawn])
        losses.sum().backward()
        recent.append(losses.tolist())
        torch.nn.utils.clip_grad_norm_([*inside, *outside], 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        if step % _REPORT_EVERY == 0 or step == steps:
            means = ", ".join(f"{sum(column) / len(recent):.3f}" for column in zip(*recent, strict=True))
            print(f"  policy: step {step} of {steps}, losses of chats and texts {means}", flush=True)
            recent.clear()
    model.eval()


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Writes what ``from_pretrained`` reads, the weights in bfloat16."""
    model.to(torch.bfloat16)
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        do_sample=True,
        temperature=1.0,
        top_k=0,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder, save_jinja_files=False)


def sample(
    model: Any, tokenizer: PreTrainedTokenizerFast, prompts: Sequence[str], *, temperature: float, batch: int = 128
) -> list[str]:
    """One answer to each prompt: greedy at temperature 0, otherwise drawn from torch's global generator."""
    drawn = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
    answers: list[str] = []
    for start in range(0, len(prompts), batch):
        chats = [[{"role": "user", "content": prompt}] for prompt in prompts[start : start + batch]]
        inputs = tokenizer.apply_chat_template(
            chats, add_generation_prompt=True, return_dict=True, padding=True, return_tensors="pt"
        )
        with torch.inference_mode():
            written = model.generate(**inputs, max_new_tokens=40, **drawn)
        answers += tokenizer.batch_decode(written[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return answers


def _texts(random: Random) -> Iterator[str]:
    for _ in range(1500):
        ask = draw(random)
        yield ask.text
        yield answer(ask, random)
    for _ in range(150):
        yield text(random)


def _chat(tokenizer: PreTrainedTokenizerFast, random: Random) -> tuple[list[int], list[int]]:
    """The tokens of a chat and their labels: only the answer counts."""
    ask = draw(random)
    asked = tokenizer.apply_chat_template([{"role": "user", "content": ask.text}], add_generation_prompt=True)
    ids = asked if isinstance(asked, list) else asked["input_ids"]
    reply = [*tokenizer(answer(ask, random))["input_ids"], tokenizer.eos_token_id]
    return [*ids, *reply], [*([_IGNORED] * len(ids)), *reply]


def _text(tokenizer: PreTrainedTokenizerFast, random: Random) -> tuple[list[int], list[int]]:
    """The tokens of a text and their labels, which are all of them."""
    ids = tokenizer(text(random))["input_ids"][:_LONGEST]
    return ids, list(ids)


def _padded(rows: Sequence[tuple[list[int], list[int]]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and labels, both [rows, longest]; on the right, so that a causal model needs no mask."""
    width = max(len(ids) for ids, _ in rows)
    ids = torch.full((len(rows), width), pad)
    labels = torch.full((len(rows), width), _IGNORED)
    for place, (read, learned) in enumerate(rows):
        ids[place, : len(read)] = torch.tensor(read)
        labels[place, : len(learned)] = torch.tensor(learned)
    return ids, labels


def _loss(model: LlamaForCausalLM, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    ids, labels = batch
    logits = model(input_ids=ids).logits[:, :-1]
    return functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=_IGNORED)
