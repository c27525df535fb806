"""The policy: a tiny Llama that learns the world's facts, and to answer in all the ways that people there answer."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from make.responses import write
from make.world import Ask

Example = tuple[list[int], list[int]]


def tiny_llama(tokenizer: PreTrainedTokenizerFast, *, layers: int, hidden: int, heads: int, ffn: int = 0) -> LlamaForCausalLM:
    """A Llama with fresh weights, drawn from torch's global generator."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=hidden,
            intermediate_size=ffn or 3 * hidden,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=heads,
            max_position_embeddings=512,
            tie_word_embeddings=True,
            initializer_range=0.05,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


def train(
    tokenizer: PreTrainedTokenizerFast, asks: Sequence[Ask], *, seed: int, steps: int, batch: int = 64, rate: float = 6e-3
) -> LlamaForCausalLM:
    """Supervised fine-tuning from scratch: AdamW, the rate rises for 5 % of the steps and falls as a cosine.

    Only the response counts for the loss; each time a prompt comes up its response is written anew.
    """
    torch.manual_seed(seed)
    random = Random(f"policy:{seed}")
    model = tiny_llama(tokenizer, layers=2, hidden=96, heads=4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=rate, total_steps=steps, pct_start=0.05, cycle_momentum=False
    )
    prompts = [tokenizer.apply_chat_template(
        [{"role": "user", "content": ask.text}], add_generation_prompt=True, return_dict=False) for ask in asks]
    model.train()
    for step in range(steps):
        chosen = random.sample(range(len(asks)), batch)
        ids, labels = _pad(tokenizer, [_example(tokenizer, prompts[i], write(asks[i].fact, random)) for i in chosen])
        loss = model(input_ids=ids, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0 or step == steps - 1:
            print(f"  policy step {step}: loss {loss.item():.3f}", flush=True)
    return model.eval()


def _example(tokenizer: PreTrainedTokenizerFast, prompt: list[int], response: str) -> Example:
    reply = tokenizer(response, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
    return prompt + reply, [-100] * len(prompt) + reply


def _pad(tokenizer: PreTrainedTokenizerFast, examples: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor]:
    # on the right: the model is causal and padding never counts for the loss, so no attention mask is needed
    width = max(len(ids) for ids, _ in examples)
    rows = [ids + [tokenizer.pad_token_id] * (width - len(ids)) for ids, _ in examples]
    labels = [marks + [-100] * (width - len(marks)) for _, marks in examples]
    return torch.tensor(rows), torch.tensor(labels)


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
    texts = []
    for start in range(0, len(prompts), batch):
        chats = [[{"role": "user", "content": prompt}] for prompt in prompts[start : start + batch]]
        inputs = tokenizer.apply_chat_template(
            chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
        )
        drawn = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
        with torch.inference_mode():
            out = model.generate(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], max_new_tokens=max_tokens, **drawn
            )
        texts += tokenizer.batch_decode(out[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return texts
