"""A tiny Llama with a tokenizer of its own, fitted to conversations of one question and one answer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from solon.testing.tiny import CHAT_TEMPLATE, END, PAD, ROLES
from tasks.rows import Example

_IGNORED = -100  # what cross-entropy leaves out
_CONTEXT = 256
_WARM_UP = 30
_MATRIX_RATE, _RATE = 0.02, 6e-3


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE in which every digit is a token of its own, so that numbers can be read place by place."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, END, *ROLES],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=list(ROLES),
        chat_template=CHAT_TEMPLATE,
        model_max_length=_CONTEXT,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def build(tokenizer: PreTrainedTokenizerFast, *, layers: int, hidden: int) -> LlamaForCausalLM:
    """A Llama with fresh weights, drawn from torch's global generator. Embeddings and output share theirs."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=3 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=_CONTEXT,
        tie_word_embeddings=True,
        initializer_range=0.05,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    return LlamaForCausalLM(config)


def fit(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    examples: Iterator[Example],
    *,
    steps: int,
    batch: int = 64,
) -> None:
    """Supervised fine-tuning on the next ``batch`` examples a step; only answers count.

    Muon (Jordan et al. 2024) for the matrices inside the layers, AdamW for embeddings and norms; a short linear
    warm-up, then a cosine.
    """
    inside = [weight for name, weight in model.named_parameters() if weight.ndim == 2 and "embed" not in name]
    outside = [weight for name, weight in model.named_parameters() if weight.ndim != 2 or "embed" in name]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.Muon(inside, lr=_MATRIX_RATE, weight_decay=0.01),
        torch.optim.AdamW(outside, lr=_RATE, weight_decay=0.01, betas=(0.9, 0.98)),
    ]

    def share_of_rate(step: int) -> float:
        return min(1.0, (step + 1) / _WARM_UP) * 0.5 * (1 + math.cos(math.pi * step / steps))

    schedules = [torch.optim.lr_scheduler.LambdaLR(optimizer, share_of_rate) for optimizer in optimizers]
    model.train()
    for step in range(1, steps + 1):
        ids, labels = _tensors(tokenizer, [next(examples) for _ in range(batch)])
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*inside, *outside], 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
        if step % 100 == 0:
            print(f"  step {step} of {steps}, loss {loss.item():.3f}", flush=True)
    model.eval()


def _tensors(tokenizer: PreTrainedTokenizerFast, examples: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and labels, both [batch, longest].

    Padded on the right: the model is causal and padding has no label, so that no attention mask is needed.
    """
    chats = [[{"role": "user", "content": asked}] for asked, _ in examples]
    prompts = tokenizer.apply_chat_template(chats, add_generation_prompt=True, return_dict=True)["input_ids"]
    answers = [[*ids, tokenizer.eos_token_id] for ids in tokenizer([said for _, said in examples])["input_ids"]]
    width = max(len(asked) + len(said) for asked, said in zip(prompts, answers, strict=True))
    ids = torch.full((len(examples), width), tokenizer.pad_token_id)
    labels = torch.full((len(examples), width), _IGNORED)
    for row, (asked, said) in enumerate(zip(prompts, answers, strict=True)):
        ids[row, : len(asked) + len(said)] = torch.tensor(asked + said)
        labels[row, len(asked) : len(asked) + len(said)] = torch.tensor(said)
    return ids, labels


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Writes what ``from_pretrained`` reads, the weights in bfloat16. Leaves the model as it is."""
    halved = LlamaForCausalLM(model.config).to(torch.bfloat16)
    halved.load_state_dict(model.state_dict())
    halved.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        do_sample=True,
        temperature=1.0,
        top_k=0,
    )
    halved.save_pretrained(folder)
    tokenizer.save_pretrained(folder, save_jinja_files=False)
